"""Reading videos: what they are, their frames at chosen times, and their sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

SOUND_RATE = 48_000
"""Samples a second of the sound that `sound_blocks` gives."""

FORMATS = ("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "h264", "hevc", "ivf", "flv",
           "asf", "ogg", "gif", "mjpeg", "apng", "dv", "mxf", "wav", "mp3", "aac", "flac", "image2", "jpeg_pipe",
           "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe")  # fmt: skip
"""FFmpeg's names of what is opened: containers that hold their content, and single pictures. Playlists (HLS, DASH,
concat) name other files and addresses, which a downloaded file has no business to have opened."""

MAX_PIXELS = 36_000_000
"""Of a frame: 8192 x 4320, the largest screen that is sold. A decoder keeps up to 16 of them."""

BROKEN = (OSError, ValueError, TypeError, LookupError, ArithmeticError)
"""What PyAV raises on damaged files beside its own errors."""

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_FOLDER_FPS = 25.0  # of a folder of frames, which does not say


@dataclass(frozen=True)
class VideoFacts:
    """What a video file says of itself."""

    width: int  # as it is shown
    height: int
    fps: float
    seconds: float | None  # None if the file does not say
    has_sound: bool


def open_container(path: Path) -> Any:
    """The file, opened by FFmpeg; only as one of `FORMATS`, and with no file or address that it may name beside it.

    Raises:
        av.FFmpegError, or one of `BROKEN`: it is none of these.
    """
    import av

    limits = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
    limits["pattern_type"] = "none"  # a picture called frame%03d.jpg is one picture
    return av.open(f"file:{path}", options=limits)  # with "file:", no other protocol can stand in the name


def video_facts(path: Path, shown: str | None = None) -> VideoFacts:
    """What a video is.

    Raises:
        InputError: the file is no video that can be read.
    """
    with _opened(path, shown) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        seconds = container.duration / 1e6 if container.duration else None
        rate = float(stream.average_rate or stream.guessed_rate or 0) or _FOLDER_FPS
        return VideoFacts(context.width, context.height, rate, seconds, bool(container.streams.audio))


def frames_at(path: Path, fps: float, start: float = 0.0) -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) RGB frames of a video file, or of a folder of pictures, that are seen at start, start + 1 / fps, ...

    The last frame is repeated for ever: whoever asks knows when to stop. One frame is held at a time.

    Raises:
        InputError: nothing can be read.
    """
    last = None
    number = 0
    for time, picture in _folder(path) if path.is_dir() else _decoded(path):
        while last is not None and start + number / fps < time - 1e-6:
            yield last
            number += 1
        last = picture
    if last is None:
        raise InputError(f"{path} holds no frame that can be read.")
    while True:
        yield last


def sound_blocks(path: Path, start: float, seconds: float, block: int) -> Iterator[NDArray[np.float32]]:
    """The sound of a file from `start` for `seconds`, as (2, block) samples in [-1, 1]; the last block may be shorter.
    Nothing if the file has no sound."""
    import av

    with _opened(path, None, video=False) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        zero = _start(container.streams.video[0]) if container.streams.video else 0.0
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SOUND_RATE)
        first, end = round(start * SOUND_RATE), round((start + seconds) * SOUND_RATE)
        held = np.zeros((2, 0), np.float32)
        given = first  # samples up to here have been put into `held` or given away
        try:
            for frame in container.decode(stream):
                at = round(((frame.time or 0.0) - zero) * SOUND_RATE)
                for part in resampler.resample(frame):
                    samples = part.to_ndarray().astype(np.float32)
                    if at > given:  # the sound begins later than the picture, or has a hole
                        gap = min(at, end) - given
                        held, given = np.pad(held, ((0, 0), (0, max(gap, 0)))), given + max(gap, 0)
                    fresh = samples[:, max(given - at, 0) : max(end - at, 0)]
                    at += samples.shape[1]
                    held, given = np.concatenate([held, fresh], 1), given + fresh.shape[1]
                    while held.shape[1] >= block:
                        yield np.ascontiguousarray(held[:, :block])
                        held = held[:, block:]
                if given >= end:
                    break
        except (av.FFmpegError, *BROKEN):
            pass  # a damaged end: the sound stops there
        if held.shape[1]:
            yield np.ascontiguousarray(held)


def _decoded(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Seconds since the first frame, and the frame, upright."""
    import av

    with _opened(path, None) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        zero = _start(stream)
        try:
            for number, frame in enumerate(container.decode(stream)):
                time = number / float(stream.average_rate or _FOLDER_FPS) if frame.time is None else frame.time - zero
                turns = round(getattr(frame, "rotation", 0) / 90) % 4
                yield time, np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
        except (av.FFmpegError, *BROKEN):
            return  # a damaged end: what came before is shown


def _folder(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    from .media import DAMAGED_PICTURE, open_picture

    for number, item in enumerate(sorted(p for p in path.iterdir() if p.suffix.lower() in _PICTURES)):
        try:
            with open_picture(item) as picture:
                yield number / _FOLDER_FPS, np.asarray(picture.convert("RGB"))
        except DAMAGED_PICTURE as error:
            raise InputError(f"{item} is no picture that can be read.") from error


def _start(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def _opened(path: Path, shown: str | None, video: bool = True) -> Any:
    """The container of a file with a video stream."""
    import av

    try:
        container = open_container(path)
    except (av.FFmpegError, *BROKEN) as error:
        raise InputError(f"{shown or path} is neither a motion file nor a video that can be read.") from error
    if video and not (container.streams.video and container.streams.video[0].codec_context):
        container.close()
        raise InputError(f"{shown or path} holds no video.")
    return container
