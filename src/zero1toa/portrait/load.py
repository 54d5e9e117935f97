"""A picture file of any kind to plain sRGB pixels."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from zero1toa.errors import InputError, told
from zero1toa.media import DAMAGED_PICTURE, open_picture

DEMO: Final = "demo"
MAX_MEGAPIXELS: Final = 50.0  # decoding more takes gigabytes of memory; no portrait camera needs it
MAX_BYTES: Final = 512 << 20  # of the file; 50 megapixels of 16 bits a channel have 400 MB
MIN_SIDE: Final = 64  # px; a smaller picture cannot hold a face that is large enough
MAX_SIDE: Final = 4096  # px; larger pictures are reduced: a face fills a crop of 512

# Formats whose readers are plain decoders. EPS and its kind would start other programs.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "MPO", "PPM", "TGA", "JPEG2000", "AVIF", "ICO", "PSD")
_CURES: Final = {
    ".heic": "save it as JPEG or PNG first",
    ".heif": "save it as JPEG or PNG first",
    ".svg": "save it as PNG first",
    ".pdf": "save the page as PNG first",
    ".mp4": "save one frame of the video as a picture first",
    ".mov": "save one frame of the video as a picture first",
    ".webm": "save one frame of the video as a picture first",
}
_OPAQUE: Final = 254 / 255  # alpha from here on everywhere means that there is no transparency
_BACKDROP: Final = 0.5  # grey that transparent pictures are laid over: pale and dark hair both stand out


@dataclass(frozen=True)
class Photo:
    """A picture as it is meant to be seen."""

    image: NDArray[np.float32]  # (H, W, 3) sRGB in [0, 1], upright; laid over grey where alpha is below 1
    alpha: NDArray[np.float32] | None  # (H, W) in [0, 1]; None where the file has no transparency
    source: str  # the path as given, or "demo"
    notes: list[str] = field(default_factory=list)  # sentences on what was changed on the way in


def load_photo(source: str | Path) -> Photo:
    """A picture file, or the word "demo": the public-domain portrait of Eileen Collins that scikit-image carries.

    Orientation (EXIF), colour profile, CMYK, palette, 16 bits and grey are resolved; of an animation the first frame is
    taken; pictures of more than 4096 px on a side are reduced to that.

    Raises:
        InputError: the file is missing, no picture, damaged, too small or too large. One sentence.
    """
    if str(source) == DEMO:
        import skimage.data

        return Photo(skimage.data.astronaut().astype(np.float32) / 255, None, DEMO)
    path = Path(source)
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on size (checked here) and on odd metadata
        upright = _decode(path, notes)
        try:
            color, alpha = _to_srgb(upright, notes)
        except DAMAGED_PICTURE as error:  # a mode or a palette that cannot be what it says
            raise InputError(f"{path} holds colours that cannot be read; save it as PNG or JPEG first.") from error
    return _finish(path, color, alpha, notes)


def to_bytes(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Values in [0, 1] as the bytes that the networks take; values beyond are not looked for."""
    return (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _decode(path: Path, notes: list[str]) -> Image.Image:
    try:
        with _open(path) as picture:
            _check_size(path, *picture.size)
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                picture.seek(0)
                if picture.format not in ("MPO", "PSD"):  # previews and layers, not a sequence
                    notes.append(f"The file holds {frames} pictures; the first one is used.")
            picture.load()
            return ImageOps.exif_transpose(picture)
    except DAMAGED_PICTURE as error:
        raise InputError(
            f"{path} is damaged or cut short ({told(str(error))}); use a whole copy of the picture."
        ) from error


def _open(path: Path) -> Image.Image:
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a picture file in it.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file; give a picture file.")
    Image.init()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB; save it smaller, for example as JPEG.")
        return open_picture(path, tuple(name for name in _FORMATS if name in Image.OPEN))
    except UnidentifiedImageError as error:
        cure = _CURES.get(path.suffix.lower(), "use a JPEG, PNG, WebP or TIFF file")
        raise InputError(f"{path} is not a picture that can be read; {cure}.") from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels; "
            f"reduce it to at most {MAX_MEGAPIXELS:.0f}."
        ) from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read; check its permissions.") from error


def _check_size(path: Path, width: int, height: int) -> None:
    """Before decoding, by what the header says."""
    if width * height > MAX_MEGAPIXELS * 1e6:
        raise InputError(
            f"{path} has {width * height / 1e6:.0f} megapixels ({width} x {height}); "
            f"reduce it to at most {MAX_MEGAPIXELS:.0f}."
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{path} is only {width} x {height} pixels; use a picture of at least {MIN_SIDE} on its shorter side."
        )


def _to_srgb(picture: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Colour (mode RGB) and transparency (mode L) of a picture in any mode."""
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        profile = picture.info.get("icc_profile")
        picture = picture.convert("RGB")
        picture.info["icc_profile"] = profile
    if picture.mode.startswith(("I", "F")):
        picture = _grey_to_bytes(picture)
    return _apply_profile(picture, notes).convert("RGB"), alpha


def _grey_to_bytes(picture: Image.Image) -> Image.Image:
    """Grey pictures of 16 or 32 bits or floats, which Pillow would clip at 255."""
    values = np.asarray(picture, np.float64)
    peak = float(values.max(initial=0))
    white = next((scale for scale in (1.0, 255.0, 65535.0) if peak <= scale), peak)
    if picture.mode.startswith("I;16"):
        white = 65535.0
    elif picture.mode == "I":
        white = max(white, 255.0)
    return Image.fromarray((values.clip(0) / white * 255 + 0.5).astype(np.uint8))


def _apply_profile(picture: Image.Image, notes: list[str]) -> Image.Image:
    data = picture.info.get("icc_profile")
    if not data or picture.mode not in ("RGB", "CMYK", "L"):
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return picture
        converted = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("The colour profile in the file cannot be used; its colours are read as sRGB.")
        return picture
    return converted if converted is not None else picture


def _finish(path: Path, color: Image.Image, alpha: Image.Image | None, notes: list[str]) -> Photo:
    longer = max(color.size)
    if longer > MAX_SIDE:
        notes.append(f"The picture is reduced from {color.width} x {color.height} to {MAX_SIDE} px on its longer side.")
        size = (max(1, round(color.width * MAX_SIDE / longer)), max(1, round(color.height * MAX_SIDE / longer)))
        color = color.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        alpha = alpha.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0) if alpha is not None else None
        if min(size) < MIN_SIDE:
            raise InputError(f"{path} is a strip of {color.width} x {color.height} pixels; use a portrait.")
    image = np.asarray(color, np.float32) / 255
    if alpha is None:
        return Photo(image, None, str(path), notes)
    coverage = np.asarray(alpha, np.float32) / 255
    if coverage.max() == 0:
        raise InputError(f"{path} is fully transparent; use a picture that shows a person.")
    if coverage.min() >= _OPAQUE:
        return Photo(image, None, str(path), notes)
    cover = coverage[..., None]
    return Photo(image * cover + np.float32(_BACKDROP) * (1 - cover), coverage, str(path), notes)
