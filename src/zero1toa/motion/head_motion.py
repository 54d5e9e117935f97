"""How head and neck go along with a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, drift, pulse
from .motion import Motion
from .shapes import Weights

Turns = NDArray[np.float64]  # (F, 3) rotation vectors: x down, y to the subject's left, z tilt to the subject's right

NECK_SHARE = 0.4
"""Of a turn of the head; the rest is in the head joint."""
_SWAY_HZ = (0.08, 0.45)  # of a head that is held still or talks
_AXES = np.array([0.6, 1.0, 0.5])  # sway about each axis: people turn more than they tilt
_BREATHS_HZ = (0.22, 0.30)  # about 15 breaths a minute
_BREATH_DEGREES = 0.35
_BEAT = (0.12, 0.05, 0.22)  # attack, hold, release of the nod on a stressed syllable, seconds


def sway(t: Curve, rng: np.random.Generator, degrees: float) -> Turns:
    """(F, 3) degrees: slow wandering of RMS `degrees` about the axis that wanders most."""
    return degrees * _AXES * np.stack([drift(t, rng, *_SWAY_HZ) for _ in range(3)], 1)


def breath(t: Curve, rng: np.random.Generator) -> Turns:
    """(F, 3) degrees: the little nod with each breath."""
    turns = np.zeros((len(t), 3))
    turns[:, 0] = _BREATH_DEGREES * np.sin(2 * np.pi * (rng.uniform(*_BREATHS_HZ) * t + rng.random()))
    return turns


def beats(t: Curve, times: list[float], rng: np.random.Generator, degrees: float) -> Turns:
    """(F, 3) degrees: nods of about `degrees` that mark stressed syllables at `times`, some of them to a side."""
    turns = np.zeros((len(t), 3))
    for time in times:
        direction = np.array([1.0, 0.5 * rng.normal(), 0.4 * rng.normal()])
        turns += pulse(t, time - _BEAT[0], *_BEAT)[:, None] * direction * degrees * rng.uniform(0.3, 1.0)
    return turns


def with_head(weights: Weights, fps: float, degrees: Turns, limit: float) -> Motion:
    """A motion of weights (F, 52) whose neck and head share the turns (F, 3), in degrees.

    Together they never turn more than `limit` degrees: small turns are hardly changed, large ones bent towards it. With
    a limit of 0 the head stays still.
    """
    if limit == 0:
        return Motion.still(weights, fps)
    size = np.linalg.norm(degrees, axis=1, keepdims=True)
    turns = np.radians(degrees * np.divide(limit * np.tanh(size / limit), size, out=np.ones_like(size), where=size > 0))
    turns = turns.astype(np.float32)
    return Motion(fps, weights.astype(np.float32), head=turns * (1 - NECK_SHARE), neck=turns * NECK_SHARE)


def split_turn(turn: NDArray[np.floating]) -> tuple[Turns, Turns]:
    """Neck and head (F, 3) that together make the rotation vectors `turn` (F, 3), radians: both about its axis."""
    whole = np.asarray(turn, np.float64)
    return whole * NECK_SHARE, whole * (1 - NECK_SHARE)


def whole_turn(neck: NDArray[np.floating], head: NDArray[np.floating]) -> Turns:
    """The rotation vectors (F, 3) that neck and head (F, 3) make together, radians."""
    from scipy.spatial.transform import Rotation

    both: Turns = (Rotation.from_rotvec(neck) * Rotation.from_rotvec(head)).as_rotvec()
    return both
