"""Writing films frame by frame, the encoder in a thread of its own: MP4, WebM with transparency, GIF, a folder of PNGs.

A film is never in memory as a whole. Frames are (H, W, 3) or (H, W, 4) uint8.
"""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import files
from .errors import InputError, OutputError
from .video import SOUND_RATE, sound_blocks

Pixels = NDArray[np.uint8]

STRIP = ".png"
"""Ending of a strip: a few frames in a row."""

STRIP_FRAMES = 8
"""How many."""

ENDINGS = (".mp4", ".webm", ".gif", STRIP)
"""Of what can be written; anything without an ending is a folder of PNGs."""

LONGEST_GIF = 60.0
"""Seconds; a longer one would be huge, and no program likes to show it."""

_SOFTWARE = "zero1toa"
_WAITING = 8  # frames between the drawing and the encoding thread
_H264_OPTIONS = {"crf": "18", "preset": "veryfast"}  # visually lossless on faces; fast enough to keep up with drawing
_VP9_OPTIONS = {"crf": "24", "b:v": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
_VP9_ALPHA = {"auto-alt-ref": "0"}  # without it the encoder refuses alpha
_SOUND_CODECS = {"mp4": ("aac", 1024), "webm": ("libopus", 960)}  # with samples in a block
_SOUND_BITS = 128_000
_GIF_SAMPLE = 24  # frames that the common palette of a GIF is made from
_GIF_STEP = 100  # a GIF counts its time in hundredths of a second
_FASTEST_GIF = 50.0  # frames a second; players slow down what is faster


@dataclass(frozen=True)
class Sound:
    """A piece of the sound of some file."""

    path: Path
    start: float  # seconds
    seconds: float


class _Encoder(Protocol):
    def add(self, pixels: Pixels) -> None: ...

    def finish(self) -> None: ...


def check_film(output: Path, fps: float, seconds: float, transparent: bool) -> None:
    """Fails now, rather than after the drawing, where `write_film` could not write what is asked for.

    Raises:
        InputError: the format is unknown or cannot hold that.
        OutputError: the place cannot be written.
    """
    kind = output.suffix.lower()
    if is_folder(output):
        files.check_output_directory(output)
        return
    if kind not in ENDINGS:
        raise InputError(
            f"{output.name} is no film that can be written; choose {', '.join(ENDINGS)} (a strip) or a folder (a name "
            "without a dot)."
        )
    if transparent and kind in (".mp4", ".gif"):
        raise InputError(f"{kind[1:].upper()} has no transparency; write a .webm or a folder of PNGs.")
    if kind == ".gif" and seconds > LONGEST_GIF:
        raise InputError(f"A GIF of {seconds:.0f} s would be huge; take at most {LONGEST_GIF:.0f} s, or an .mp4.")
    if kind == ".gif" and fps > _FASTEST_GIF:
        raise InputError(f"A GIF shows at most {_FASTEST_GIF:.0f} frames a second; say --fps 25.")
    files.check_output_file(output)


def is_folder(output: Path) -> bool:
    """Whether a path asks for a folder of PNGs."""
    return not output.suffix or output.is_dir()


def write_film(output: Path, frames: Iterable[Pixels], *, fps: float, sound: Sound | None = None) -> None:
    """Writes frames as they come; the file, or folder, appears when it is whole.

    Args:
        output: .mp4 (H.264, 4:2:0, BT.709), .webm (VP9; with alpha if the frames have it), .gif, .png (all
            frames in a row), or a folder for 00000.png and so on.
        frames: of one size; an odd width or height of a film is made even by repeating the last column or row.
        fps: frames a second.
        sound: what is heard, in an .mp4 or .webm.

    Raises:
        OutputError: the place cannot be written, or the film cannot be encoded.
    """
    kind = output.suffix.lower()
    if is_folder(output):
        with files.output_directory(output) as folder:
            _run(_Pictures(folder), frames)
        return
    place: AbstractContextManager[Path] = files.atomic_write(output)
    with place as temporary:
        encoder: _Encoder
        if kind == ".gif":
            encoder = _Gif(temporary, fps)
        elif kind == STRIP:
            encoder = _Strip(temporary)
        else:
            encoder = _Container(temporary, kind[1:], fps, sound)
        _run(encoder, frames)


def _run(encoder: _Encoder, frames: Iterable[Pixels]) -> None:
    """Encodes in another thread what this one draws. An error in either ends both."""
    waiting: queue.Queue[Pixels | None] = queue.Queue(_WAITING)
    failed: list[BaseException] = []

    def encode() -> None:
        try:
            while (pixels := waiting.get()) is not None:
                if not failed:
                    encoder.add(pixels)
        except BaseException as error:  # noqa: BLE001  it is raised again in the other thread
            failed.append(error)
            while waiting.get() is not None:  # let the drawing thread get rid of what it has
                pass

    thread = threading.Thread(target=encode, name="encode", daemon=True)
    thread.start()
    try:
        for pixels in frames:
            if failed:
                break
            waiting.put(pixels)
    finally:
        waiting.put(None)
        thread.join()
    if failed:
        raise failed[0]
    encoder.finish()


class _Container:
    """MP4 and WebM through FFmpeg."""

    def __init__(self, path: Path, kind: str, fps: float, sound: Sound | None) -> None:
        self._path, self._kind, self._fps, self._sound = path, kind, fps, sound
        self._container: Any = None
        self._video: Any = None
        self._audio: Any = None
        self._blocks: Iterator[NDArray[np.float32]] = iter(())
        self._heard = 0  # samples
        self._seen = 0  # frames

    def add(self, pixels: Pixels) -> None:
        import av

        try:
            if self._container is None:
                self._open(pixels)
            alpha = pixels.shape[2] == 4
            frame = av.VideoFrame.from_ndarray(_even(pixels), format="rgba" if alpha else "rgb24")
            frame = frame.reformat(
                format="yuva420p" if alpha else "yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            frame.pts = self._seen
            self._seen += 1
            self._container.mux(self._video.encode(frame))
            self._hear(self._seen / self._fps)
        except av.FFmpegError as error:
            raise self._failure(error) from error

    def finish(self) -> None:
        import av

        assert self._container is not None, "a film needs at least one frame"
        try:
            self._hear(float("inf"))
            for stream in (self._video, self._audio):
                if stream is not None:
                    self._container.mux(stream.encode())
            self._container.close()
        except av.FFmpegError as error:
            raise self._failure(error) from error

    def _open(self, pixels: Pixels) -> None:
        import av

        alpha = pixels.shape[2] == 4
        height, width = _even(pixels).shape[:2]
        options = {"movflags": "+faststart"} if self._kind == "mp4" else {}
        self._container = av.open(str(self._path), "w", format=self._kind, options=options)
        self._container.metadata["comment"] = _SOFTWARE
        codecs = ("libx264", "mpeg4") if self._kind == "mp4" else ("libvpx-vp9",)
        codec = next((name for name in codecs if name in av.codecs_available), None)
        if codec is None:
            raise OutputError(f"This machine's FFmpeg cannot write {self._kind.upper()}; choose another format.")
        rate = Fraction(self._fps).limit_denominator(1001)
        video = self._container.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = width, height, "yuva420p" if alpha else "yuv420p"
        video.codec_context.time_base = 1 / rate
        if codec == "libx264":
            video.options = dict(_H264_OPTIONS)
        elif codec == "libvpx-vp9":
            video.options = _VP9_OPTIONS | (_VP9_ALPHA if alpha else {})
            if alpha:
                video.metadata["alpha_mode"] = "1"
        else:
            video.bit_rate = int(width * height * self._fps * 0.5)  # half a bit for a pixel, by eye
        context = video.codec_context
        context.color_range = 1  # MPEG, 16..235
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        self._video = video
        if self._sound is not None:
            name, block = _SOUND_CODECS[self._kind]
            self._audio = self._container.add_stream(name, rate=SOUND_RATE, layout="stereo")
            self._audio.bit_rate = _SOUND_BITS
            self._blocks = sound_blocks(self._sound.path, self._sound.start, self._sound.seconds, block)

    def _hear(self, until: float) -> None:
        """Encodes sound up to a time in seconds, so that neither stream waits long for the other."""
        import av

        while self._audio is not None and self._heard < until * SOUND_RATE:
            block = next(self._blocks, None)
            if block is None:
                return
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._heard, Fraction(1, SOUND_RATE)
            self._heard += block.shape[1]
            self._container.mux(self._audio.encode(frame))

    def _failure(self, error: Exception) -> Exception:
        if isinstance(error, OSError) and error.filename:
            return error
        return OutputError(f"The film cannot be encoded as {self._kind.upper()} ({error}).")


class _Gif:
    """An endless GIF with one palette for all frames, so that still parts do not flicker. Frames wait on the disk until
    the palette is known."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._store = tempfile.TemporaryFile(prefix="zero1toa-")  # noqa: SIM115  closed in `finish`
        self._shape: tuple[int, ...] | None = None
        self._count = 0
        self._sample: list[Pixels] = []
        self._stride = 1

    def add(self, pixels: Pixels) -> None:
        self._shape = pixels.shape
        self._store.write(pixels.tobytes())
        if self._count % self._stride == 0:
            self._sample.append(pixels)
            if len(self._sample) > _GIF_SAMPLE:
                self._sample, self._stride = self._sample[::2], self._stride * 2
        self._count += 1

    def finish(self) -> None:
        from PIL import Image

        assert self._shape is not None, "a film needs at least one frame"
        strip = Image.fromarray(np.concatenate(self._sample))
        palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT)
        self._sample = []
        pictures = (
            Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
            for pixels in self._stored()
        )
        first = next(pictures)
        duration = 10 * max(2, round(_GIF_STEP / self._fps))
        first.save(self._path, format="GIF", save_all=True, append_images=pictures, duration=duration, loop=0)
        self._store.close()

    def _stored(self) -> Iterator[Pixels]:
        assert self._shape is not None
        size = int(np.prod(self._shape))
        self._store.seek(0)
        for _ in range(self._count):
            yield np.frombuffer(self._store.read(size), np.uint8).reshape(self._shape)


class _Strip:
    """All frames in one row: for a few."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: list[Pixels] = []

    def add(self, pixels: Pixels) -> None:
        self._frames.append(pixels)

    def finish(self) -> None:
        from PIL import Image

        Image.fromarray(np.concatenate(self._frames, 1)).save(self._path, format="PNG")


class _Pictures:
    """A folder of PNGs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def add(self, pixels: Pixels) -> None:
        from PIL import Image

        Image.fromarray(pixels).save(self._folder / f"{self._count:05d}.png", compress_level=3)
        self._count += 1

    def finish(self) -> None:
        pass


def _even(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
