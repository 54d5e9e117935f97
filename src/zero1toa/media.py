"""Pictures and films: PNG, GIF and MP4 files from float images, and contact sheets with a label under each picture."""

from __future__ import annotations

import io
import math
import os
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from zero1toa.errors import OutputError
from zero1toa.files import atomic_write

FloatImage = NDArray[np.floating]
"""(H, W, 3) RGB or (H, W, 4) RGB and alpha, straight, sRGB display values in [0, 1]."""

_SOFTWARE = "zero1toa"

DAMAGED_PICTURE = (OSError, SyntaxError, ValueError, IndexError, TypeError, RuntimeError, OverflowError, struct.error,
                   zlib.error, Image.DecompressionBombError)  # fmt: skip
"""What Pillow's readers raise on damaged files: found by decoding thousands with bytes changed."""

_MOST_FILE = 512 << 20  # bytes of a picture's file


def open_picture(path: Path, formats: tuple[str, ...] | None = None) -> Image.Image:
    """A picture file, read from memory: of a file on the disk some of Pillow's readers make room for as many bytes as
    its header claims.

    Args:
        path: the file.
        formats: Pillow's names of those that are allowed; by default all.

    Raises:
        OSError: it is too large or no picture; see `DAMAGED_PICTURE` for what reading its pixels can raise.
    """
    if path.stat().st_size > _MOST_FILE:
        raise OSError(f"{path.name} is larger than {_MOST_FILE >> 20} MB")
    return Image.open(io.BytesIO(path.read_bytes()), formats=formats)


# Contact sheet, in pixels of the sheet. Chosen by eye on sheets of 256 to 512 px pictures.
_BACKGROUND = (255, 255, 255)  # as the background of our renders, so that these have no frame
_INK = (70, 70, 74)
_MARGIN_SHARE = 1 / 20  # of a picture's width: the space between and around the pictures
_TEXT_SHARE = 1 / 19  # of a picture's width: height of the label's type
_SMALLEST_TEXT, _LARGEST_TEXT = 11, 26
_TITLE_FACTOR = 1.35  # the title's type next to a label's

_NO_CHARACTER = "\uffff"  # no font has it: it is drawn as the sign for a missing character

# H.264: visually lossless at this size; slow enough to be small, fast enough for a turntable in a few seconds.
_H264_OPTIONS = {"crf": "17", "preset": "medium"}
_MPEG4_BITS_PER_PIXEL = 0.5  # for the fallback, which knows no constant quality through PyAV
_GIF_CENTISECOND = 100  # a GIF counts its time in hundredths of a second
_GIF_SAMPLE = 24  # frames that the common palette of a GIF is made from


def to_uint8(image: FloatImage) -> NDArray[np.uint8]:
    """[0, 1] to 0..255, rounded; what lies outside is clipped, what is not a number becomes 0."""
    return (np.nan_to_num(np.asarray(image, np.float32)).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def write_png(path: str | os.PathLike[str], image: FloatImage) -> None:
    """Writes (H, W, 3), or (H, W, 4) with alpha. Raises OutputError."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", _SOFTWARE)
    picture = Image.fromarray(to_uint8(image))
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=info)


def write_gif(path: str | os.PathLike[str], frames: Iterable[FloatImage], *, fps: float = 25.0) -> None:
    """Writes an endless animation of (H, W, 3) frames with one palette for all, so that still parts do not flicker.

    GIF counts in hundredths of a second: the frame rate is rounded to 100, 50, 33.3, 25, 20 ... per second.

    Raises:
        OutputError: the place cannot be written.
        ValueError: there are no frames, or they differ in size.
    """
    pictures = [Image.fromarray(to_uint8(frame)[..., :3]) for frame in frames]
    if not pictures or len({p.size for p in pictures}) != 1:
        raise ValueError("a film needs frames of one size")
    palette = _common_palette(pictures)
    indexed = [p.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for p in pictures]
    centiseconds = max(2, round(_GIF_CENTISECOND / fps))  # players slow a shorter delay down to 10 per second
    with atomic_write(path) as temporary:
        indexed[0].save(
            temporary, format="GIF", save_all=True, append_images=indexed[1:], duration=10 * centiseconds, loop=0
        )


def write_mp4(path: str | os.PathLike[str], frames: Iterable[FloatImage], *, fps: float = 30.0) -> None:
    """Writes (H, W, 3) frames as H.264, 4:2:0, BT.709; MPEG-4 part 2 where PyAV was built without x264.

    An odd width or height is made even by repeating the last column or row. Frames are taken one by one, so a long film
    need not fit in memory.

    Raises:
        OutputError: the place cannot be written, or no codec can encode it.
        ValueError: there are no frames, or they differ in size.
    """
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        raise ValueError("a film needs at least one frame")
    with atomic_write(path) as temporary:
        try:
            _encode(temporary, chain([first], stream), fps)
        except av.FFmpegError as error:
            if isinstance(error, OSError) and error.filename:
                raise
            raise OutputError(f"Cannot write {path}: the film cannot be encoded ({error.strerror}).") from error


def contact_sheet(
    images: Sequence[tuple[str, FloatImage]],
    columns: int = 4,
    *,
    title: str = "",
    background: tuple[int, int, int] = _BACKGROUND,
) -> NDArray[np.float32]:
    """One picture of many, row by row, a small label centred under each.

    Args:
        images: label and picture. Pictures may differ in size; each stands centred in a cell of the largest. Alpha is
            blended with the background. An empty label leaves its line empty.
        columns: pictures in a row; fewer if there are fewer pictures.
        title: a line above, at the left.
        background: RGB, 0 to 255.

    Returns:
        (H, W, 3) in [0, 1].
    """
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    columns = max(1, min(columns, len(images)))
    rows = math.ceil(len(images) / columns)
    cell_w = max(image.shape[1] for _, image in images)
    cell_h = max(image.shape[0] for _, image in images)
    margin = max(8, round(cell_w * _MARGIN_SHARE))
    size = min(max(_SMALLEST_TEXT, round(cell_w * _TEXT_SHARE)), _LARGEST_TEXT)
    line = round(size * 1.9) if any(label for label, _ in images) else 0
    head = round(size * _TITLE_FACTOR * 1.9) if title else 0
    width = margin + columns * (cell_w + margin)
    height = margin + head + rows * (cell_h + line + margin)
    sheet = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(sheet)
    if title:
        font = _font(size * _TITLE_FACTOR)
        draw.text((margin, margin), _fit(title, font, width - 2 * margin), _INK, font, anchor="lt")
    font = _font(size)
    for i, (label, image) in enumerate(images):
        left = margin + i % columns * (cell_w + margin)
        top = margin + head + i // columns * (cell_h + line + margin)
        picture = _opaque(image, background)
        at = (left + (cell_w - picture.width) // 2, top + (cell_h - picture.height) // 2)
        sheet.paste(picture, at)
        if label:
            middle = (left + cell_w / 2, top + cell_h + line * 0.62)
            draw.text(middle, _fit(label, font, cell_w), _INK, font, anchor="mm")
    return np.asarray(sheet, np.float32) / 255


def _opaque(image: FloatImage, background: tuple[int, int, int]) -> Image.Image:
    if image.shape[2] == 4:
        alpha = image[..., 3:]
        paper = np.asarray(background, np.float32) / 255
        image = np.asarray(image[..., :3] * alpha + paper * (1 - alpha), np.float32)
    return Image.fromarray(to_uint8(image))


def _font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _drawable(label: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The label in the letters of the built-in font: dashes become hyphens, accents go, the rest turns into "?"."""
    missing = bytes(font.getmask(_NO_CHARACTER))
    plain = "".join("-" if unicodedata.category(c) == "Pd" or c == "\N{MINUS SIGN}" else c for c in label)
    result = ""
    for character in plain:
        if not character.isascii() and bytes(font.getmask(character)) == missing:
            character = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"
        result += character if character.isprintable() else " "
    return result


def _fit(label: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: float) -> str:
    """The label, or as much of it as fits with three dots."""
    label = _drawable(label, font)
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "...") > width:
        label = label[:-1]
    return label.rstrip() + "..."


def _common_palette(pictures: list[Image.Image]) -> Image.Image:
    chosen = pictures[:: math.ceil(len(pictures) / _GIF_SAMPLE)]
    width, height = chosen[0].size
    strip = Image.new("RGB", (width, height * len(chosen)))
    for i, picture in enumerate(chosen):
        strip.paste(picture, (0, i * height))
    return strip.quantize(256, method=Image.Quantize.MEDIANCUT)


def _encode(path: Path, frames: Iterable[FloatImage], fps: float) -> None:
    iterator = (_even(to_uint8(frame)[..., :3]) for frame in frames)
    first = next(iterator)
    height, width = first.shape[:2]
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = _SOFTWARE
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx264":
            stream.options = dict(_H264_OPTIONS)
        else:
            stream.bit_rate = int(width * height * fps * _MPEG4_BITS_PER_PIXEL)
        context = stream.codec_context
        context.color_range = 1  # MPEG, 16..235
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        for picture in chain([first], iterator):
            if picture.shape != first.shape:
                raise ValueError("a film needs frames of one size")
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
