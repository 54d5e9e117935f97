"""Clips as files: frames with what they should show, for looking at them and for measuring them.

A folder holds frames in the order of their names and `cameras.json` (or `drive.json`, as an external prior's folder has
it): see `external.drive_description`. Frames lie in the folder itself, or in `out/`, or in `render/`. RGBA frames bring
their own coverage; that of RGB ones is in `alpha/` under the same names, or everything counts as covered.

An npz holds `frames` (F, H, W, 3 or 4), uint8 or in [0, 1], `viewmats` (F, 4, 4) world to camera in OpenCV axes,
`intrinsics` (F, 3, 3) or (3, 3) in pixels, and optionally `expressions` (F, 52) and `poses` (F, 6, 3).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..arrays import DamagedArrays, read_arrays
from ..camera import Camera
from ..errors import InputError, told
from ..heads import JOINTS, arkit
from ..media import DAMAGED_PICTURE, open_picture, write_png
from .external import drive_description, frame_name
from .protocol import Drive, Video

DESCRIPTIONS = ("cameras.json", "drive.json")
"""Names of the file that says what the frames should show."""

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_ARRAYS = ("frames", "viewmats", "intrinsics", "expressions", "poses")
_MOST_BYTES = 1 << 30  # of all arrays; 16 frames of 1024 px have 67 MB as bytes
_MOST_DESCRIPTION = 64 << 20  # bytes; a frame has 3 kB
_MOST_SIDE = 1 << 11  # px of a frame; models answer with 512 to 1024
_PLACES = ("out", "render", "")  # where frames are looked for: the prior's answer before what it was asked about


class ClipFile(NamedTuple):
    """A clip that was read."""

    name: str
    drive: Drive
    video: Video


def write_clip(folder: Path, drive: Drive, video: Video) -> None:
    """Writes frames as RGBA with straight colours, and `cameras.json`, into an existing folder."""
    alpha = video.alpha
    straight = (video.frames / alpha.clamp_min(1e-4)).clamp(0, 1)
    for index, picture in enumerate(torch.cat([straight, alpha], 1).permute(0, 2, 3, 1)):
        write_png(folder / frame_name(index), picture.numpy())
    description = drive_description(drive, 1.0, "generate", 0.0, 0)
    (folder / DESCRIPTIONS[0]).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def read_clips(path: Path) -> list[ClipFile]:
    """The clip in a folder or npz, or all clips in the folders of a folder.

    Raises:
        InputError: there is none, or one cannot be used.
    """
    if path.is_file():
        return [_read_npz(path)]
    if not path.is_dir():
        raise InputError(f"There is no clip {path}.")
    if _description(path) is not None:
        return [_read_folder(path)]
    clips = [_read_folder(item) for item in sorted(path.iterdir()) if item.is_dir() and _description(item) is not None]
    if not clips:
        raise InputError(f"{path} holds no clip: a folder of frames with {' or '.join(DESCRIPTIONS)}.")
    return clips


def _description(folder: Path) -> Path | None:
    return next((folder / name for name in DESCRIPTIONS if (folder / name).is_file()), None)


def _read_folder(folder: Path) -> ClipFile:
    source = _description(folder)
    assert source is not None
    drive, background = _drive(source)
    frames: list[Path] = []
    for place in _PLACES:
        here = folder / place
        frames = [p for p in sorted(here.iterdir()) if p.suffix.lower() in _PICTURES] if here.is_dir() else []
        if frames:
            break
    if len(frames) != len(drive.cameras):
        raise InputError(f"{folder} holds {len(frames)} frames, but {source.name} describes {len(drive.cameras)}.")
    size = (drive.cameras[0].width, drive.cameras[0].height)
    pictures = np.stack([_picture(path, size) for path in frames])
    covers = [folder / "alpha" / path.name for path in frames]
    if (pictures[..., 3] == 1).all() and all(path.is_file() for path in covers):
        alpha = np.stack([_picture(path, size)[..., 0] for path in covers])[..., None]
        colors = (pictures[..., :3] - (1 - alpha) * background).clip(0, None)
    else:
        alpha, colors = pictures[..., 3:], pictures[..., :3] * pictures[..., 3:]
    return ClipFile(folder.name, drive, _video(colors, alpha))


def _drive(source: Path) -> tuple[Drive, float]:
    try:
        if source.stat().st_size > _MOST_DESCRIPTION:
            raise ValueError("the file is too large")
        content = json.loads(source.read_text(encoding="utf-8"))
        width, height = int(content["width"]), int(content["height"])
        cameras, expressions, poses = [], [], []
        if not content["frames"]:
            raise ValueError("it names no frame")
        for frame in content["frames"]:
            view = frame["camera"]
            fx, fy, cx, cy = (float(view[key]) for key in ("fx", "fy", "cx", "cy"))
            cameras.append(Camera(np.asarray(view["viewmat"], float).reshape(4, 4), fx, fy, cx, cy, width, height))
            expressions.append([float(frame.get("expression", {}).get(name, 0)) for name in arkit.NAMES])
            poses.append([frame.get("pose", {}).get(name, (0.0, 0.0, 0.0)) for name in JOINTS])
        drive = Drive(cameras, torch.tensor(expressions), torch.tensor(poses, dtype=torch.float32))
        background = float(content.get("background", 0.0))
        if not all(
            np.isfinite([*c.viewmat.ravel(), c.fx, c.fy, c.cx, c.cy]).all() for c in cameras
        ) or drive.poses.shape != (len(cameras), len(JOINTS), 3):
            raise ValueError("a camera or a pose has no proper numbers")
        if not 0 < min(width, height) <= max(width, height) <= _MOST_SIDE:
            raise ValueError(f"frames of {width} x {height} px; 1 to {_MOST_SIDE} are possible")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        why = told(str(error).partition("\n")[0])
        raise InputError(f"{source} does not describe frames with their cameras ({why}).") from error
    return drive.checked(), background


def _picture(path: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W, 4) in [0, 1]."""
    try:
        with open_picture(path) as picture:
            if picture.size != size:
                raise InputError(f"{path} has {picture.size[0]} x {picture.size[1]} px, not {size[0]} x {size[1]}.")
            return np.asarray(picture.convert("RGBA"), np.float32) / 255
    except DAMAGED_PICTURE as error:
        raise InputError(f"{path} is no picture that can be read.") from error


def _read_npz(path: Path) -> ClipFile:
    try:
        arrays = read_arrays(path, _MOST_BYTES, lambda name: name in _ARRAYS)
    except (OSError, DamagedArrays) as error:
        raise InputError(f"{path} is no npz of a clip, or it is damaged.") from error
    if any(array.dtype.kind not in "fiu" for array in arrays.values()):
        raise InputError(f"{path} is no npz of a clip: it holds something else than numbers.")
    missing = [name for name in ("frames", "viewmats", "intrinsics") if name not in arrays]
    if missing:
        raise InputError(f"{path} is no npz of a clip: it lacks {', '.join(missing)}.")
    frames = arrays["frames"]
    if frames.ndim != 4 or frames.shape[-1] not in (3, 4) or not len(frames):
        raise InputError(f"{path} holds frames of the shape {frames.shape}, not (F, H, W, 3 or 4).")
    pictures = frames.astype(np.float32) / (255 if frames.dtype == np.uint8 else 1)
    alpha = pictures[..., 3:] if pictures.shape[-1] == 4 else np.ones_like(pictures[..., :1])
    return ClipFile(path.stem, _npz_drive(arrays, frames.shape, path), _video(pictures[..., :3] * alpha, alpha))


def _npz_drive(arrays: Mapping[str, NDArray[Any]], shape: tuple[int, ...], path: Path) -> Drive:
    count, height, width = shape[:3]
    expected = {
        "viewmats": (count, 4, 4),
        "intrinsics": (count, 3, 3),
        "expressions": (count, len(arkit.NAMES)),
        "poses": (count, len(JOINTS), 3),
    }
    values = {}
    for name, wanted in expected.items():
        value = np.asarray(arrays[name], float) if name in arrays else np.zeros(wanted)
        if name == "intrinsics" and value.shape == (3, 3):
            value = np.broadcast_to(value, wanted)
        if value.shape != wanted or not np.isfinite(value).all():
            raise InputError(f"{path} holds {name} of the shape {value.shape}, not finite numbers {wanted}.")
        values[name] = value
    cameras = [
        Camera(view, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]), width, height)
        for view, k in zip(values["viewmats"], values["intrinsics"])
    ]
    numbers = (torch.tensor(values[name], dtype=torch.float32) for name in ("expressions", "poses"))
    return Drive(cameras, *numbers).checked()


def _video(colors: NDArray[np.float32], alpha: NDArray[np.float32]) -> Video:
    """From premultiplied colours (F, H, W, 3) and alpha (F, H, W, 1)."""
    frames, cover = (torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))) for x in (colors, alpha))
    return Video(frames, cover, torch.ones_like(cover))
