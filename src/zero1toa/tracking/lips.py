"""Lips that meet when they meet: it is seen directly, whatever the shapes say that open the mouth."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..heads import arkit
from ..portrait.expression_prior import FEATURE_UNIT
from ..portrait.solver import Array, LandmarkModel

_UPPER: Final = (82, 13, 312)  # inner lips, right of the middle, middle, left of it
_LOWER: Final = (87, 14, 317)
# How wrong the weights may be that open the lips, standard deviations; the opening is explained by these in proportion
# to their squares. Those of the reader on made-up persons, rounded.
_DOUBT: Final = {"jawOpen": 0.06, "mouthClose": 0.1, "mouthLowerDown": 0.12, "mouthUpperUp": 0.1, "mouthFunnel": 0.08}
# How well the opening is measured: that lips touch is seen for certain, how far they are apart is not (the detector
# reads 0.7 to 1 of it on made-up persons), and the network has learned to make up for that.
_TOUCH_SIGMA: Final = 0.03  # cm
_APART_SIGMA: Final = 1.0  # of the opening


def opening(offsets: Array) -> Array:
    """(F,) cm by which the lips are farther apart than at rest, from offsets (F, 478, 2) seen from the front."""
    return (offsets[:, _UPPER, 1] - offsets[:, _LOWER, 1]).mean(1)


def opening_of(model: LandmarkModel) -> Array:
    """(52,) cm by which each ARKit shape opens the lips at weight 1."""
    return (model.expression[:, _UPPER, 1] - model.expression[:, _LOWER, 1]).mean(1) * FEATURE_UNIT


def close_lips(weights: Array, measured: Array, model: LandmarkModel) -> Array:
    """Weights (F, 52) changed as little as possible to close the lips where they were seen (F,) to, cm from rest.

    The change is the mean of a Gaussian belief about the weights after the opening has been seen; weights that would
    become negative stay 0.
    """
    opens = opening_of(model)
    sigma = _TOUCH_SIGMA + _APART_SIGMA * np.abs(measured)[:, None]
    variance = np.array([_doubt(name) ** 2 for name in arkit.NAMES])
    out = weights.copy()
    for _ in range(2):  # the second time makes up for those that were stopped at 0
        missing = measured - out.clip(0, 1) @ opens
        free = variance * ((out > 0) | (missing[:, None] * opens > 0))
        share = free * opens / ((free * opens**2).sum(1, keepdims=True) + sigma**2)
        out = out + share * missing[:, None]
    return out


def _doubt(name: str) -> float:
    return next((value for start, value in _DOUBT.items() if name.startswith(start)), 0.0)
