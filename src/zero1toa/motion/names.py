"""Columns by name, however a file spells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError
from zero1toa.heads import arkit

OPTIONAL = ("tongueOut",)
"""Shapes that many sources do not know (MediaPipe reads 51 of the 52); absent, they are 0."""

_SIDES = {"_l": "left", "_r": "right"}  # as in browDown_L, a spelling that is common outside Apple's world
_FAR_OUTSIDE = 1.0  # a weight this far outside [0, 1] is no overshoot of a calibration, but another unit


def plain(name: str) -> str:
    """A name without case, spaces and underscores, sides written out: browDown_L is browdownleft."""
    text = name.strip().lower()
    for ending, side in _SIDES.items():
        if text.endswith(ending):
            text = text[: -len(ending)] + side
    return text.replace("_", "").replace(" ", "")


_ARKIT = {plain(name): index for index, name in enumerate(arkit.NAMES)}


def arkit_columns(names: Sequence[str], source: str) -> dict[int, int]:
    """Which of the `names` is which ARKit shape: from the shape's index to the name's.

    Raises:
        InputError: one that is not optional is missing, or one is there twice.
    """
    found: dict[int, int] = {}
    for place, name in enumerate(names):
        shape = _ARKIT.get(plain(name))
        if shape is None:
            continue
        if shape in found:
            raise InputError(f"{source} holds {arkit.NAMES[shape]} twice.")
        found[shape] = place
    missing = [n for i, n in enumerate(arkit.NAMES) if i not in found and n not in OPTIONAL]
    if missing:
        shown = listed(missing)
        raise InputError(f"{source} lacks {len(missing)} of the 52 ARKit shapes: {shown}.")
    return found


def arkit_weights(values: NDArray[np.floating], columns: Mapping[int, int], source: str) -> NDArray[np.float64]:
    """(F, 52) weights in [0, 1] from values (F, C) and `arkit_columns`; absent shapes are 0.

    Devices overshoot a little after a calibration: that is clipped.

    Raises:
        InputError: a value is no number, or so far outside [0, 1] that it has another unit.
    """
    weights = np.zeros((len(values), len(arkit.NAMES)))
    for shape, place in columns.items():
        weights[:, shape] = values[:, place]
    bad = ~np.isfinite(weights)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(f"{source} holds a value that is not a number: {arkit.NAMES[column]} in frame {row}.")
    far = (weights < -_FAR_OUTSIDE) | (weights > 1 + _FAR_OUTSIDE)
    if far.any():
        row, column = np.argwhere(far)[0]
        raise InputError(
            f"{source} holds {weights[row, column]:.4g} for {arkit.NAMES[column]} in frame {row}; ARKit weights lie "
            "between 0 and 1."
        )
    return weights.clip(0, 1)


def listed(names: Iterable[str], most: int = 8) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
