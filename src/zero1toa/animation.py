"""From an avatar and a motion to a film, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from .avatar import Avatar
from .camera import Camera
from .errors import InputError
from .films import STRIP, STRIP_FRAMES, Sound, check_film, write_film
from .motion import Motion, MotionSource, calibrated, range_adapted, read_motion, smoothed
from .progress import Progress
from .video import frames_at, video_facts

Pixels = NDArray[np.uint8]

TRANSPARENT = "transparent"
"""The background that is none."""

TURNTABLE = "turntable"
"""The built-in motion around which the camera moves."""

TURNTABLE_SWING = 50.0
"""Degrees to either side that the camera goes when the motion is the turntable: what the photo says something about."""

_SMALLEST, _LARGEST = 16, 4096  # px
_FASTEST = 240.0  # frames a second
_FULL_TURN = 360.0
_GIF_FPS = 25.0  # of a GIF if not asked otherwise: what its hundredths of a second can say and players show


@dataclass(frozen=True)
class AnimateConfig:
    """How a motion becomes a film."""

    size: tuple[int, int] = (512, 512)
    """Width and height of the picture of the avatar, pixels."""
    yaw: float = 0.0
    """Degrees that the camera stands to the subject's left."""
    pitch: float = 0.0
    """Degrees upwards."""
    zoom: float = 1.0
    """Focal length, as a multiple of the photo's."""
    distance: float | None = None
    """Metres from the camera to the head; by default the photo's."""
    orbit: float | None = None
    """Degrees that the camera swings to either side over the film; from 360 on it goes round instead. By default 0, and
    50 for the turntable."""
    background: str = "white"
    """A colour by name or as #rrggbb, or `TRANSPARENT`."""
    fps: float | None = None
    """Frames a second; by default those of the motion."""
    start: float = 0.0
    """Seconds of the motion that are left out at the beginning."""
    end: float | None = None
    """Second of the motion at which the film ends; by default its end."""
    calibrate: bool | None = None
    """Take out the driver's own resting face; by default where it is in the motion (Live Link, FLAME)."""
    gain: float = 1.0
    """Factor on the expression, not on the head."""
    smooth: float = 0.0
    """Strength of the smoothing; 1 is moderate."""
    range_like: Motion | None = None
    """Stretch each shape's range to that of this motion."""
    side_by_side: bool = False
    """Show the driving video beside the avatar."""
    sound: Path | None = None
    """A file whose sound is heard; by default the driving video."""


@dataclass(frozen=True)
class AnimateReport:
    """What was made, and how fast."""

    frames: int
    size: tuple[int, int]  # of a frame, px
    drawing: float  # seconds in which the avatar was posed and drawn
    seconds: float  # seconds in all

    def __str__(self) -> str:
        """One sentence."""
        return (
            f"{self.frames} frames of {self.size[0]} x {self.size[1]} px: {self.frames / self.drawing:.1f} frames a "
            f"second drawn, {self.frames / self.seconds:.1f} with encoding"
        )


def prepared(source: MotionSource, config: AnimateConfig) -> Motion:
    """The motion as it will be shown: cut, calibrated, adapted, smoothed, amplified, at the frame rate of the film.

    Raises:
        InputError: an option cannot be used with this motion.
    """
    motion = source.motion
    if source.holds_rest if config.calibrate is None else config.calibrate:
        motion = calibrated(motion)  # before the cut: the whole take shows the driver's rest best
    motion = motion.trimmed(config.start, config.end)
    if config.range_like is not None:
        motion = range_adapted(motion, config.range_like)
    if config.smooth:
        motion = smoothed(motion, config.smooth)
    if config.gain != 1:
        motion = motion.scaled(config.gain, rotation=1.0)
    if config.fps is not None:
        if not 0 < config.fps <= _FASTEST:
            raise InputError(f"A film of {config.fps:g} frames a second cannot be made; choose at most {_FASTEST:.0f}.")
        motion = motion.resampled(config.fps)
    return motion


def cameras_of(avatar: Avatar, frames: int, config: AnimateConfig) -> list[Camera]:
    """The view of each frame.

    Raises:
        InputError: the size, zoom, distance or an angle cannot be used.
    """
    if not all(_SMALLEST <= side <= _LARGEST for side in config.size):
        raise InputError(
            f"A film of {config.size[0]} x {config.size[1]} px cannot be made; choose {_SMALLEST} to {_LARGEST} a side."
        )
    if not (np.isfinite(config.zoom) and config.zoom > 0):
        raise InputError(f"The zoom is a positive factor, not {config.zoom:g}.")
    if config.distance is not None and not 0.2 <= config.distance <= 100:
        raise InputError(f"The camera stands 0.2 to 100 m from the head, not {config.distance:g}.")
    if not (np.isfinite(config.yaw) and abs(config.pitch) < 90):
        raise InputError("The camera's pitch lies between -90 and 90 degrees, and its yaw is a number.")
    orbit = config.orbit or 0.0
    phase = np.arange(frames) / frames
    swing = orbit * phase if abs(orbit) >= _FULL_TURN else orbit * np.sin(2 * np.pi * phase)
    if not np.isfinite(orbit) or orbit == 0:
        swing = np.zeros(1)
    views = [
        avatar.front_camera(config.yaw + float(turn), config.pitch, config.size, config.zoom, config.distance)
        for turn in swing
    ]
    return views if len(views) == frames else views * frames


def background_of(name: str) -> tuple[float, float, float] | None:
    """RGB in [0, 1] of a colour's name, or None for transparent.

    Raises:
        InputError: there is no such colour.
    """
    if name == TRANSPARENT:
        return None
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise InputError(f"There is no colour '{name}'; write for example white, #2b2b2b or transparent.") from None
    return red / 255, green / 255, blue / 255


def animate_film(
    avatar: Avatar,
    source: MotionSource,
    output: Path,
    config: AnimateConfig | None = None,
    progress: Progress | None = None,
) -> AnimateReport:
    """Draws an avatar along a motion and writes the film; nothing of it stays in memory.

    Raises:
        InputError: an option cannot be used with this motion or format.
        OutputError: the film cannot be written.
    """
    config = config or AnimateConfig()
    progress = progress or Progress(quiet=True)
    if output.suffix.lower() == ".gif" and config.fps is None and source.motion.fps > _GIF_FPS:
        config = replace(config, fps=_GIF_FPS)
    if source.name == TURNTABLE and config.orbit is None:
        config = replace(config, orbit=TURNTABLE_SWING)
    motion = prepared(source, config)
    if output.suffix.lower() == STRIP and not output.is_dir() and len(motion) > STRIP_FRAMES:
        step = len(motion) / STRIP_FRAMES
        motion = motion.at(np.arange(STRIP_FRAMES) * step, motion.fps / step)
    background = background_of(config.background)
    check_film(output, motion.fps, motion.seconds, background is None)
    driver = source.path if source.kind in ("video", "frames") else None
    if config.side_by_side and driver is None:
        raise InputError("There is no driving video to show beside the avatar: the motion does not come from one.")
    sound_path = config.sound or source.video
    sound = None
    holds_sound = output.suffix.lower() in (".mp4", ".webm")
    if sound_path is not None and holds_sound and (config.sound is not None or video_facts(sound_path).has_sound):
        sound = Sound(sound_path, config.start, motion.seconds)
    cameras = cameras_of(avatar, len(motion), config)
    drawing = _Drawing(avatar, motion, cameras, background)
    began = time.perf_counter()
    shape = (0, 0)
    with progress.stage(f"animating {output.name}", len(motion)) as stage:

        def frames() -> Iterator[Pixels]:
            nonlocal shape
            beside: Iterator[Pixels] = iter(())
            if config.side_by_side and driver is not None:
                beside = _driver_frames(driver, motion.fps, config.start, cameras[0].height, background is None)
            for pixels in drawing:
                if config.side_by_side:
                    pixels = np.concatenate([next(beside), pixels], 1)
                shape = (pixels.shape[1], pixels.shape[0])
                yield pixels
                stage.advance(1)

        write_film(output, frames(), fps=motion.fps, sound=sound)
    return AnimateReport(len(motion), shape, drawing.seconds, time.perf_counter() - began)


class _Drawing:
    """Pictures of the avatar, one after the other, and how long they took."""

    def __init__(
        self,
        avatar: Avatar,
        motion: Motion,
        cameras: list[Camera],
        background: tuple[float, float, float] | None,
    ) -> None:
        self._avatar, self._motion, self._cameras, self._background = avatar, motion, cameras, background
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Pixels]:
        playback = self._avatar.playback
        poses = self._motion.poses
        for first in range(0, len(self._motion), playback.batch):
            part = slice(first, first + playback.batch)
            began = time.perf_counter()
            pixels = playback.draw(self._motion.weights[part], poses[part], self._cameras[part], self._background)
            self.seconds += time.perf_counter() - began
            yield from pixels


def _driver_frames(path: Path, fps: float, start: float, height: int, alpha: bool) -> Iterator[Pixels]:
    """Frames of the driving video, as high as those of the avatar."""
    for frame in frames_at(path, fps, start):
        width = max(1, round(frame.shape[1] * height / frame.shape[0]))
        picture = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))
        yield np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)]) if alpha else picture


def animate(
    avatar: Avatar | str | Path,
    motion: Motion | str | Path,
    output: str | Path,
    *,
    config: AnimateConfig | None = None,
    seconds: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> AnimateReport:
    """Moves an avatar and writes the film: the same as `zero1toa animate`.

    Args:
        avatar: an avatar or its file.
        motion: a `Motion`, a built-in name, or a file that `motion.read_motion` reads.
        output: .mp4, .webm, .gif, .png (a strip of frames), or a folder for PNGs.
        config: view, size, background and so on.
        seconds: length of a built-in motion.
        seed: of a built-in motion.
        progress: where to show how far it is; by default nowhere.

    Raises:
        InputError: the motion or an option cannot be used.
        OutputError: the film cannot be written.
    """
    who = avatar if isinstance(avatar, Avatar) else Avatar.load(avatar)
    source = read_motion(motion, seconds=seconds, seed=seed, progress=progress)
    return animate_film(who, source, Path(output), config, progress)
