"""Gaze as angles and as eyeLook weights: the same thing in two languages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.heads import arkit

Angles = NDArray[np.float64]  # (F, 2, 2) radians: left and right eye; down, to the subject's left

# For each eye: the pair of shapes of each axis, the first of them positive.
_PAIRS = (
    (("Down", "Up"), ("Out", "In")),
    (("Down", "Up"), ("In", "Out")),
)
_SIDES = ("Left", "Right")


def gaze_angles(weights: NDArray[np.floating]) -> Angles:
    """Angles (F, 2, 2) of both eyeballs that the eyeLook weights of (F, 52) ask for."""
    angles = np.zeros((len(weights), 2, 2))
    for eye, axis, positive, negative, most, least in _axes():
        angles[:, eye, axis] = weights[:, positive] * most - weights[:, negative] * least
    return angles


def write_gaze_angles(weights: NDArray[np.floating], angles: Angles) -> Angles:
    """Sets the eyeLook weights of (F, 52) in place so that the eyes stand at `angles`, and returns what is beyond their
    reach: angles (F, 2, 2), mostly 0."""
    rest = np.zeros_like(angles)
    for eye, axis, positive, negative, most, least in _axes():
        value = angles[:, eye, axis]
        weights[:, positive] = (value / most).clip(0, 1)
        weights[:, negative] = (-value / least).clip(0, 1)
        rest[:, eye, axis] = value - value.clip(-least, most)
    return rest


def _axes() -> list[tuple[int, int, int, int, float, float]]:
    """Eye, axis, column of the positive and of the negative shape, radians at weight 1 of each."""
    rows = []
    for eye, pairs in enumerate(_PAIRS):
        for axis, (positive, negative) in enumerate(pairs):
            columns = [arkit.INDEX[f"eyeLook{name}{_SIDES[eye]}"] for name in (positive, negative)]
            reach = [float(np.radians(arkit.GAZE_DEGREES[name])) for name in (positive, negative)]
            rows.append((eye, axis, columns[0], columns[1], reach[0], reach[1]))
    return rows
