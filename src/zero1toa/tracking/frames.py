"""The frames of a video file or of a folder of pictures, one after the other, at a constant rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from zero1toa.errors import InputError
from zero1toa.media import DAMAGED_PICTURE, open_picture
from zero1toa.video import BROKEN, open_container

FOLDER_FPS: Final = 25.0  # frames a second of a folder of pictures, unless said otherwise
MAX_SECONDS: Final = 1800.0  # of one track; half an hour of landmarks takes about 0.3 GB of memory
MIN_SIDE: Final = 64  # px, shorter side
MAX_SIDE: Final = 8192  # px, longer side; as far as H.264 goes
_HIGHEST_FPS: Final = 240.0  # a header that says more is broken or counts fields or ticks
_LONGEST_HOLE: Final = 10.0  # seconds without a frame that are filled with the frame before
_EARLY: Final = 0.25  # of a frame by which one may come too early for its place: times are rounded in files
_SUFFIXES: Final = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames are read."""

    fps: float  # frames a second, as read
    size: tuple[int, int]  # width and height in px, upright
    frames: int | None  # how many there will be, about; None if the file does not say


@dataclass(frozen=True)
class Frame:
    """One frame as it is meant to be seen."""

    time: float  # seconds from the first frame of the file
    image: NDArray[np.uint8]  # (H, W, 3) sRGB


class FrameSource:
    """A video file or a folder of pictures, opened for reading once or several times.

    Frames come at a constant rate: of frames that lie closer together some are left out, holes are filled with the
    frame before, so frame `i` always belongs to `start + i / fps` seconds.

    Args:
        path: the file or the folder, whose pictures are taken in the natural order of their names.
        fps: frames a second to read at; by default the file's own, or 25 for a folder.
        start: seconds to leave out at the beginning.
        end: seconds from the beginning of the file at which to stop; by default the end.

    Raises:
        InputError: the path is missing, no video, empty, too small or too long. One sentence.
    """

    def __init__(
        self, path: str | Path, fps: float | None = None, start: float = 0.0, end: float | None = None
    ) -> None:
        self.path = Path(path).expanduser()
        if fps is not None and not (np.isfinite(fps) and 0 < fps <= _HIGHEST_FPS):
            raise InputError(f"A frame rate lies between 0 and {_HIGHEST_FPS:.0f} frames a second, not {fps}.")
        if not (np.isfinite(start) and start >= 0) or (end is not None and not (np.isfinite(end) and end > start)):
            raise InputError(f"A part of a video lies between two times in seconds, not {start} and {end}.")
        self._start, self._end = start, end
        if not self.path.exists():
            raise InputError(f"There is no video {path}.")
        self._pictures = _pictures(self.path) if self.path.is_dir() else None
        self.info = self._folder_info(fps) if self._pictures is not None else self._file_info(fps)
        width, height = self.info.size
        if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
            raise InputError(
                f"The frames of {path} are {width} x {height} pixels; use a video of at least {MIN_SIDE} on the "
                f"shorter and at most {MAX_SIDE} on the longer side."
            )
        if self.info.frames is not None and self.info.frames > MAX_SECONDS * self.info.fps:
            raise InputError(self._too_long(self.info.frames / self.info.fps))

    def __iter__(self) -> Iterator[Frame]:
        """Reads from the beginning.

        Raises:
            InputError: the file is damaged before its first frame, or longer than `MAX_SECONDS`.
        """
        fps, count, last = self.info.fps, 0, None
        for frame in self._picture_frames() if self._pictures is not None else self._decoded():
            if self._end is not None and frame.time >= self._end - 1e-6:
                break
            slot = int(np.floor((frame.time - self._start) * fps + _EARLY))
            if slot < count:
                continue
            if last is not None:
                for _ in range(min(slot - count, int(_LONGEST_HOLE * fps))):
                    yield last
                    count += 1
            yield frame
            last = frame
            count += 1
            if count > MAX_SECONDS * fps:
                raise InputError(self._too_long(None))
        if last is None:
            part = "" if self._start == 0 else f" after {self._start:g} s"
            raise InputError(f"{self.path} holds no frame{part} that can be read; use a whole copy of the video.")

    def _too_long(self, seconds: float | None) -> str:
        length = "" if seconds is None else f" ({seconds / 60:.0f} minutes)"
        return (
            f"{self.path} is too long{length}; track at most {MAX_SECONDS / 60:.0f} minutes at a time, "
            "by a start and an end."
        )

    def _clipped(self, frames: float | None, fps: float) -> int | None:
        if frames is None:
            return None
        end = frames / fps if self._end is None else min(self._end, frames / fps)
        return max(0, round((end - self._start) * fps))

    def _file_info(self, fps: float | None) -> VideoInfo:
        try:
            with open_container(self.path) as container:
                if not (container.streams.video and container.streams.video[0].codec_context):
                    raise InputError(f"{self.path} holds no video.")
                stream = container.streams.video[0]
                own = float(stream.average_rate or stream.guessed_rate or 0)
                if not 0 < own <= _HIGHEST_FPS:
                    own = FOLDER_FPS
                seconds = None
                if stream.duration and stream.time_base:
                    seconds = float(stream.duration * stream.time_base)
                elif container.duration:
                    seconds = container.duration / av.time_base
                first = next(container.decode(stream), None)
        except InputError:
            raise
        except (av.FFmpegError, *BROKEN) as error:
            raise InputError(f"{self.path} is not a video that can be read; use for example an MP4 file.") from error
        if first is None:
            raise InputError(f"{self.path} holds no frame that can be read; use a whole copy of the video.")
        turned = _quarter_turns(first) % 2
        size = (first.height, first.width) if turned else (first.width, first.height)
        rate = own if fps is None else fps
        return VideoInfo(rate, size, self._clipped(None if seconds is None else seconds * rate, rate))

    def _decoded(self) -> Iterator[Frame]:
        with open_container(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            first: float | None = None
            count = 0
            try:
                for picture in container.decode(stream):
                    time = float(picture.time) if picture.time is not None else count / self.info.fps
                    first = time if first is None else first
                    count += 1
                    if time - first < self._start - 0.5 / self.info.fps:
                        continue
                    image = picture.to_ndarray(format="rgb24")
                    turns = _quarter_turns(picture)
                    image = np.rot90(image, turns).copy() if turns else image
                    if image.shape[1::-1] != self.info.size:
                        raise InputError(f"The frames of {self.path} change their size; use a video of one size.")
                    yield Frame(time - first, image)
            except (av.FFmpegError, *BROKEN) as error:  # what came before the damage is used
                if count == 0:
                    raise InputError(f"{self.path} is damaged; use a whole copy of the video.") from error

    def _folder_info(self, fps: float | None) -> VideoInfo:
        assert self._pictures is not None
        if not self._pictures:
            raise InputError(f"{self.path} holds no pictures; give a video file or a folder of its frames.")
        rate = FOLDER_FPS if fps is None else fps
        height, width = _read_picture(self._pictures[0]).shape[:2]
        return VideoInfo(rate, (width, height), self._clipped(len(self._pictures), rate))

    def _picture_frames(self) -> Iterator[Frame]:
        assert self._pictures is not None
        for index, path in enumerate(self._pictures):
            time = index / self.info.fps
            if time < self._start - 0.5 / self.info.fps:
                continue
            image = _read_picture(path)
            if image.shape[1::-1] != self.info.size:
                raise InputError(f"The pictures in {self.path} differ in size: {path.name} is the first that does.")
            yield Frame(time, image)


def _quarter_turns(picture: av.VideoFrame) -> int:
    """How often to turn a frame by 90 degrees to the left so that it stands as the file's display matrix says."""
    return round(getattr(picture, "rotation", 0) / 90) % 4


def _pictures(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")]
    return sorted(found, key=lambda path: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", path.name)])


def _read_picture(path: Path) -> NDArray[np.uint8]:
    try:
        with open_picture(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except DAMAGED_PICTURE as error:
        raise InputError(f"{path} is damaged or no picture; use a whole copy of it.") from error
