"""Frames without a face: short gaps are interpolated, in long ones the face comes to rest."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ..portrait.solver import Array
from .result import FILLED, LOST, TRACKED

LONGEST_GAP: Final = 0.5  # seconds that are interpolated
_EASE: Final = 0.3  # seconds in which an expression comes to rest where the face is lost, and back


class Curves(NamedTuple):
    """A face and its place over time."""

    weights: Array  # (F, 52)
    rotation: Array  # (F, 3, 3)
    translation: Array  # (F, 3)


def fill(frames: int, known: NDArray[np.int64], curves: Curves, fps: float) -> tuple[Curves, NDArray[np.int8]]:
    """Curves of all frames from those of the known ones, and what each frame is: `TRACKED`, `FILLED` or `LOST`.

    Args:
        frames: how many there are.
        known: (K,) rising indices of the frames that are known, at least one.
        curves: of the known frames.
        fps: frames a second.
    """
    index = np.arange(frames)
    at = np.clip(index, known[0], known[-1])
    weights = np.stack([np.interp(index, known, column) for column in curves.weights.T], 1)
    translation = np.stack([np.interp(index, known, column) for column in curves.translation.T], 1)
    if len(known) == 1:
        rotation = np.broadcast_to(curves.rotation, (frames, 3, 3)).copy()
    else:
        rotation = Slerp(known, Rotation.from_matrix(curves.rotation))(at).as_matrix()
    state = np.full(frames, LOST, np.int8)
    after = np.searchsorted(known, index)
    before = np.where(after < len(known), after, len(known) - 1)
    state[known] = TRACKED
    inside = (after > 0) & (after < len(known)) & (state != TRACKED)
    gap = np.zeros(frames)
    gap[inside] = (known[after[inside]] - known[after[inside] - 1] - 1) / fps
    state[inside & (gap <= LONGEST_GAP)] = FILLED
    distance = np.minimum(np.abs(index - known[before]), np.abs(index - known[np.maximum(after - 1, 0)])) / fps
    left = np.clip(1 - distance / _EASE, 0, 1)
    lost = state == LOST
    nearest = np.where(np.abs(index - known[before]) <= np.abs(index - known[np.maximum(after - 1, 0)]),
                       before, np.maximum(after - 1, 0))  # fmt: skip
    weights[lost] = (curves.weights[nearest] * (left**2 * (3 - 2 * left))[:, None])[lost]
    return Curves(weights, rotation, translation), state
