"""A motion from whatever can be one: a built-in name, a recording, or a video of a face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from zero1toa.arrays import DamagedArrays, read_arrays
from zero1toa.errors import InputError, MissingDependency

from .builtin import BUILTIN_NAMES, builtin
from .flame import is_flame, read_flame
from .live_link import is_live_link, read_live_link
from .motion import LONGEST_SECONDS, Motion, too_long
from .store import MOST_BYTES, load_npz
from .weights_file import read_json, read_npz_weights

if TYPE_CHECKING:
    from zero1toa.progress import Progress

Kind = Literal["builtin", "live link", "json", "npz", "flame", "video", "frames"]


class Tracked(Protocol):
    """What a tracker finds."""

    @property
    def motion(self) -> Motion: ...  # less the person's own rest

    @property
    def warnings(self) -> tuple[str, ...]: ...


Tracker = Callable[[Path], Tracked]
"""Finds the motion of the face in a video file or in a folder of frames."""

_NOT_MOTION = ("static_offset", "dynamic_offset", "shape", "translation")
"""Of FLAME sequences: 60 kB a frame that say how a person looks."""

_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


@dataclass(frozen=True, eq=False)
class MotionSource:
    """A motion and where it comes from."""

    motion: Motion
    kind: Kind
    path: Path | None = None  # none for a built-in motion
    warnings: tuple[str, ...] = ()
    name: str = ""  # of a built-in motion

    @property
    def holds_rest(self) -> bool:
        """Whether a real person's own resting face is in it. The tracker of videos has taken it out."""
        return self.kind in ("live link", "flame")

    @property
    def video(self) -> Path | None:
        """The driving video, if there is one."""
        return self.path if self.kind == "video" else None


def read_motion(
    source: str | Path | Motion,
    *,
    fps: float | None = None,
    seconds: float | None = None,
    seed: int = 0,
    flame_mapping: str | Path | None = None,
    flame_head: str | None = None,
    track: Tracker | None = None,
    progress: Progress | None = None,
) -> MotionSource:
    """A motion from a name, a file or a folder; what a file is, its content says and not its name.

    Args:
        source: a name of `BUILTIN_NAMES`, a Live Link Face CSV, a JSON or npz file of ARKit weights, an npz of FLAME, a
            video, a folder of frames, or a `Motion`.
        fps: frame rate of a file that does not say its own, or says it wrongly; of a built-in motion and of a folder.
        seconds: length of a built-in motion.
        seed: of a built-in motion.
        flame_mapping: what FLAME's expression components mean; see `flame`.
        flame_head: the same, from the user's own FLAME, such as `flame:FILE`.
        track: finds the motion in a video; by default `zero1toa.tracking`.
        progress: where to show how far tracking is.

    Raises:
        InputError: there is no such motion, or the file cannot be used; the message says why.
    """
    if isinstance(source, Motion):
        return MotionSource(source, "npz")
    name = str(source)
    if name in BUILTIN_NAMES:
        rate = {} if fps is None else {"fps": fps}
        return MotionSource(builtin(name, seconds, seed=seed, **rate), "builtin", name=name)
    tracker = track or partial(_track, progress=progress)
    path = Path(source).expanduser()
    if not path.exists():
        raise InputError(f"There is no motion {name}: neither a file nor one of {', '.join(BUILTIN_NAMES)}.")
    if path.is_dir():
        return _from_frames(path, name, fps, tracker)
    with open_to_read(path, name) as file:
        start = file.read(512)
    if not start.strip():
        raise InputError(f"{name} is empty.")
    if start.startswith(b"PK"):
        return _from_npz(path, name, fps, flame_mapping, flame_head)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return MotionSource(read_json(path, fps), "json", path)
    if is_live_link(path) or path.suffix.lower() == ".csv":
        return MotionSource(read_live_link(path, fps), "live link", path)
    return _from_video(path, name, tracker)


def open_to_read(path: Path, shown: str) -> Any:
    """The file, open as bytes; one sentence where that cannot be."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"Cannot read {shown}: {(error.strerror or 'it cannot be opened').lower()}.") from error


def _from_npz(path: Path, name: str, fps: float | None, mapping: str | Path | None, head: str | None) -> MotionSource:
    try:
        arrays = read_arrays(path, MOST_BYTES, lambda key: key not in _NOT_MOTION)
    except (OSError, DamagedArrays) as error:
        raise InputError(f"{name} is no motion file, or it is damaged.") from error
    if {"format", "fps", "names", "weights", "head", "neck"} <= set(arrays):
        motion = load_npz(path)
        return MotionSource(motion if fps is None else motion.frames(np.arange(len(motion)), fps), "npz", path)
    if is_flame(arrays):
        read = read_flame(arrays, name, fps, mapping, head)
        return MotionSource(read.motion, "flame", path, read.warnings)
    return MotionSource(read_npz_weights(arrays, name, fps), "npz", path)


def _from_frames(path: Path, name: str, fps: float | None, track: Tracker) -> MotionSource:
    if not any(item.suffix.lower() in _PICTURES for item in path.iterdir()):
        raise InputError(f"The folder {name} holds no pictures; a motion can be a folder of frames.")
    found = track(path)
    motion = found.motion if fps is None else found.motion.frames(np.arange(len(found.motion)), fps)
    return MotionSource(motion, "frames", path, tuple(found.warnings))


def _from_video(path: Path, name: str, track: Tracker) -> MotionSource:
    from zero1toa.video import video_facts

    facts = video_facts(path, name)
    if facts.seconds is not None and facts.seconds > LONGEST_SECONDS:
        raise too_long(name)
    found = track(path)
    return MotionSource(found.motion, "video", path, tuple(found.warnings))


def _track(path: Path, progress: Progress | None = None) -> Tracked:
    """The face's motion by this package's own tracker. The only place where `motion` knows of it."""
    try:
        tracking = import_module("zero1toa.tracking")
    except ModuleNotFoundError as error:
        if error.name != "zero1toa.tracking":
            raise
        raise MissingDependency(
            "This version cannot track faces in videos; give a Live Link CSV or a JSON or npz of ARKit weights instead."
        ) from error
    found: Tracked = tracking.track_video(path, progress=progress)
    return found
