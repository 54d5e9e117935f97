"""Faces written down briefly, and the rules that keep a mixture of them a face that a person can make."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zero1toa.heads import arkit

Weights = NDArray[np.float64]  # (F, 52) or (52,)

# Movements that pull the same skin in opposite directions: the stronger one is seen, less the weaker one.
_OPPOSED = (
    *((f"mouthSmile{side}", f"mouthFrown{side}") for side in ("Left", "Right")),
    *((f"browDown{side}", f"browOuterUp{side}") for side in ("Left", "Right")),
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
)
# Rounded lips draw the corners of the mouth in; this much of what spreads them is left at full rounding.
_SPREAD_WHEN_ROUNDED = 0.35
_SPREADING = ("mouthSmile", "mouthStretch", "mouthDimple")


def columns(*names: str) -> list[int]:
    """Columns of ARKit shapes. A name without its side, such as mouthSmile, stands for both."""
    found = []
    for name in names:
        sides = (name,) if name in arkit.INDEX else (name + "Left", name + "Right")
        found += [arkit.INDEX[side] for side in sides]
    return found


def shape(weights: Mapping[str, float]) -> Weights:
    """(52,) weights from names; a name without its side, such as mouthSmile, sets both."""
    vector = np.zeros(len(arkit.NAMES))
    for name, value in weights.items():
        vector[columns(name)] = value
    return vector


def mirrored(weights: Weights) -> Weights:
    """The same face with left and right exchanged."""
    return weights[..., list(arkit.MIRROR)]


def settle(weights: Weights) -> Weights:
    """A face (F, 52) that can be made: opposed movements exclude each other, mouthClose <= jawOpen, all in [0, 1].

    Continuous in the weights, so that smooth curves stay smooth. Lids are not touched: see `eyes.write_lids`.
    """
    weights = weights.copy()
    rounded = np.maximum(*(weights[:, arkit.INDEX[name]] for name in ("mouthPucker", "mouthFunnel"))).clip(0, 1)
    weights[:, columns(*_SPREADING)] *= (1 - (1 - _SPREAD_WHEN_ROUNDED) * rounded)[:, None]
    for first, second in _OPPOSED:
        a, b = arkit.INDEX[first], arkit.INDEX[second]
        difference = weights[:, a] - weights[:, b]
        weights[:, a], weights[:, b] = np.maximum(difference, 0), np.maximum(-difference, 0)
    weights = weights.clip(0, 1)
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])
    return weights
