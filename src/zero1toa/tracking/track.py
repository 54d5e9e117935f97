"""A video to a motion: follow the face, find out who it is, read what it does, make it smooth."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from ..config import FitConfig
from ..errors import InputError
from ..heads import load_head
from ..portrait.solver import Array, Pinhole
from ..progress import Progress
from .assemble import assemble
from .fill import fill
from .follow import follow
from .frames import FrameSource
from .identify import identify
from .result import FILLED, LOST, TRACKED, Tracking
from .settle import settle

CROP_PER_FACE: Final = 2.3  # side of the square that is seen with `FitConfig.fov`, in heights of the face
_FAR: Final = 40.0  # degrees from the front beyond which the far side of the face is a guess


def track_video(
    path: str | Path,
    *,
    fps: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    head: str = "default",
    progress: Progress | None = None,
) -> Tracking:
    """The motion of the person in a video: one identity, expression and head pose of every frame.

    Args:
        path: a video file or a folder of pictures in the order of their names.
        fps: frames a second to read at; by default the file's own (25 for a folder).
        start: seconds to leave out at the beginning.
        end: where to stop, seconds from the beginning of the file.
        head: name of the head model.
        progress: where to show how far it is; by default nowhere.

    Raises:
        InputError: the video cannot be read or shows no face. One sentence.
    """
    began = time.perf_counter()
    progress = progress or Progress(quiet=True)
    source = FrameSource(path, fps, start, end)
    with progress.stage("following the face", source.info.frames) as stage:
        followed = follow(source, stage.advance)
    found = np.flatnonzero(followed.segments >= 0)
    if len(found) == 0:
        raise InputError(f"No human face was found in {path}; use a video in which a face is seen from the front.")
    model = load_head(head)
    config = FitConfig()
    pinhole = video_pinhole(followed.width[found], source.info.size, config.fov)
    with progress.stage("finding out who it is"):
        landmarks, confidence = followed.landmarks[found], followed.confidence[found]
        seen = identify(model, landmarks, confidence, pinhole, config)
    with progress.stage("making it smooth"):
        settled = settle(seen, followed, found, source.info.fps, pinhole)
        curves, state = fill(len(followed.times), found[settled.usable], settled.known(), source.info.fps)
        tracking = assemble(model, source.info, followed, found, seen.person, settled, curves, state, pinhole)
    warnings = (*followed.warnings, *_cautions(tracking))
    return replace(tracking, warnings=warnings, seconds=time.perf_counter() - began)


def video_pinhole(widths: Array, size: tuple[int, int], fov: float) -> Pinhole:
    """A lens with which the face is as far away as in the crop of a photo: a metre, about."""
    side = CROP_PER_FACE * float(np.median(widths))
    return Pinhole(side / 2 / float(np.tan(np.radians(fov) / 2)), size[0] / 2, size[1] / 2)


def _cautions(tracking: Tracking) -> list[str]:
    """Sentences about what may be wrong."""
    sentences = []
    frames = len(tracking)
    lost, filled = int((tracking.state == LOST).sum()), int((tracking.state == FILLED).sum())
    if filled:
        sentences.append(f"{filled} of {frames} frames were covered or lost for a moment; they are interpolated.")
    if lost:
        sentences.append(f"{lost} of {frames} frames show no face; there the head keeps still and comes to rest.")
    turned = np.degrees(np.arccos(np.clip(-tracking.rotation[tracking.state == TRACKED][:, 2, 2], -1, 1)))
    far = float((turned > _FAR).mean()) if len(turned) else 0.0
    if far > 0.1:
        sentences.append(f"In {far:.0%} of the frames the head is turned more than {_FAR:.0f} degrees: less is seen.")
    return sentences
