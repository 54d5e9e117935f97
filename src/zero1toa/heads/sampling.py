"""Random plausible expressions: what the fit's prior is trained and tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import arkit

# Movements that people make as one: (names, chance to appear in a picture, may appear on one side alone).
# The chances are ours; they set how often each shape is practised, not how often people make it.
_MOVEMENTS: tuple[tuple[tuple[str, ...], float, bool], ...] = (
    (("mouthSmileLeft", "mouthSmileRight"), 0.25, True),
    (("mouthFrownLeft", "mouthFrownRight"), 0.15, True),
    (("jawOpen",), 0.35, False),
    (("mouthPucker",), 0.15, False),
    (("mouthFunnel",), 0.12, False),
    (("mouthStretchLeft", "mouthStretchRight"), 0.10, True),
    (("mouthDimpleLeft", "mouthDimpleRight"), 0.08, True),
    (("mouthPressLeft", "mouthPressRight"), 0.08, True),
    (("mouthRollLower",), 0.06, False),
    (("mouthRollUpper",), 0.06, False),
    (("mouthShrugLower",), 0.06, False),
    (("mouthShrugUpper",), 0.06, False),
    (("mouthUpperUpLeft", "mouthUpperUpRight"), 0.12, True),
    (("mouthLowerDownLeft", "mouthLowerDownRight"), 0.12, True),
    (("mouthLeft",), 0.05, False),
    (("mouthRight",), 0.05, False),
    (("jawLeft",), 0.05, False),
    (("jawRight",), 0.05, False),
    (("jawForward",), 0.05, False),
    (("mouthClose",), 0.05, False),
    (("eyeBlinkLeft", "eyeBlinkRight"), 0.25, True),
    (("eyeSquintLeft", "eyeSquintRight"), 0.15, True),
    (("eyeWideLeft", "eyeWideRight"), 0.15, False),
    (("browDownLeft", "browDownRight"), 0.15, True),
    (("browInnerUp",), 0.2, False),
    (("browOuterUpLeft", "browOuterUpRight"), 0.2, True),
    (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), 0.1, False),
    (("cheekPuff",), 0.04, False),
    (("cheekSquintLeft", "cheekSquintRight"), 0.1, False),
    (("noseSneerLeft", "noseSneerRight"), 0.1, True),
)
_EXCLUSIVE = (
    ("mouthSmile", "mouthFrown"),
    ("eyeBlink", "eyeWide"),
    ("browDown", "browOuterUp"),
)
_NEUTRAL_SHARE = 0.15  # of all faces are at rest but for their gaze
_ONE_SIDED = 0.15  # of the movements that may be one-sided are


def sample_expressions(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draws (count, 52) ARKit weights in [0, 1]: a few movements at a time, mostly on both sides, with a gaze.

    A smile excludes a frown, a blink wide eyes, a lowered brow a raised one; `mouthClose` never exceeds `jawOpen`.
    """
    weights = np.zeros((count, len(arkit.NAMES)))
    for names, chance, one_sided in _MOVEMENTS:
        active = rng.random(count) < chance
        strength = rng.beta(1.2, 1.2, count) * active
        single = (rng.random(count) < _ONE_SIDED) if one_sided else np.zeros(count, bool)
        side = rng.random(count) < 0.5
        for position, name in enumerate(names):
            value = strength * np.clip(1 + 0.1 * rng.normal(size=count), 0, None)
            value[single & (side == bool(position % 2))] = 0
            column = arkit.INDEX[name]
            weights[:, column] = np.maximum(weights[:, column], value)
    for first, second in _EXCLUSIVE:
        for suffix in ("Left", "Right"):
            a, b = arkit.INDEX[first + suffix], arkit.INDEX[second + suffix]
            keep_first = rng.random(count) < 0.5
            both = (weights[:, a] > 0) & (weights[:, b] > 0)
            weights[both & keep_first, b] = 0
            weights[both & ~keep_first, a] = 0
    weights[rng.random(count) < _NEUTRAL_SHARE] = 0
    _add_gaze(weights, rng)
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])
    return np.clip(weights, 0, 1)


def _add_gaze(weights: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Both eyes look the same way; half of all faces look at the camera."""
    count = len(weights)
    aside = rng.random(count) < 0.5
    horizontal = rng.normal(0, 0.4, count) * aside  # positive: to the subject's left
    vertical = rng.normal(0, 0.3, count) * aside  # positive: up
    for name, value in (
        ("eyeLookOutLeft", horizontal),
        ("eyeLookInRight", horizontal),
        ("eyeLookInLeft", -horizontal),
        ("eyeLookOutRight", -horizontal),
        ("eyeLookUpLeft", vertical),
        ("eyeLookUpRight", vertical),
        ("eyeLookDownLeft", -vertical),
        ("eyeLookDownRight", -vertical),
    ):
        weights[:, arkit.INDEX[name]] = np.clip(value, 0, 1)
