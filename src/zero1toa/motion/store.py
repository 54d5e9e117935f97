"""Motions as npz files: the arrays of `Motion` by name, their order of weights, and a format number."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from zero1toa.arrays import DamagedArrays, read_arrays
from zero1toa.errors import InputError
from zero1toa.files import atomic_write
from zero1toa.heads import arkit

from .motion import Motion

_FORMAT = 1
MOST_BYTES = 256 << 20
"""Of a motion's arrays: an hour at 60 frames a second has 55 MB, with float64 for everything 120 MB."""


def save_npz(path: str | PathLike[str], motion: Motion) -> None:
    """Writes a motion; see `Motion.save`."""
    arrays: dict[str, Any] = {
        "format": np.int64(_FORMAT),
        "fps": np.float64(motion.fps),
        "names": np.array(arkit.NAMES),
        "weights": motion.weights,
        "head": motion.head,
        "neck": motion.neck,
    }
    if motion.eyes is not None:
        arrays["eyes"] = motion.eyes
    with atomic_write(path) as temporary, open(temporary, "wb") as file:  # an open file: savez would add a suffix
        np.savez_compressed(file, **arrays)


def load_npz(path: str | PathLike[str]) -> Motion:
    """Reads a motion; see `Motion.load`."""
    source = Path(path).expanduser()
    if not source.is_file():
        raise InputError(f"There is no motion file {path}.")
    arrays = _read(source, path)
    missing = [name for name in ("format", "fps", "names", "weights", "head", "neck") if name not in arrays]
    if missing:
        raise InputError(f"{path} is no zero1toa motion: it lacks {', '.join(missing)}.")
    if arrays["format"].shape != () or arrays["format"] != _FORMAT:
        raise InputError(f"{path} is a motion of another format; this version reads format {_FORMAT}.")
    if tuple(arrays["names"].ravel().tolist()) != arkit.NAMES:
        raise InputError(f"{path} does not hold the 52 ARKit weights in their order.")
    if arrays["fps"].shape != ():
        raise InputError(f"{path} is no zero1toa motion: its frame rate is not one number.")
    try:
        return Motion(arrays["fps"].item(), arrays["weights"], arrays["head"], arrays["neck"], eyes=arrays.get("eyes"))
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error


def _read(source: Path, shown: str | PathLike[str]) -> dict[str, Any]:
    try:
        return read_arrays(source, MOST_BYTES)
    except PermissionError as error:
        raise InputError(f"Cannot read {shown}: permission is denied.") from error
    except (OSError, DamagedArrays) as error:
        raise InputError(f"{shown} is no motion file, or it is damaged.") from error
