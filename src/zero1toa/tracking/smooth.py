"""Curves made smooth without making fast movements slow: an edge-preserving filter over time."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..heads import arkit
from ..portrait.solver import Array

POSE_SECONDS: Final = 0.06  # standard deviation of the filter's window
FACE_SECONDS: Final = 0.05
FAST_SECONDS: Final = 0.025  # lids, gaze, jaw and lips: a blink closes in 80 ms, lips meet for 60 to 100
_RANGE: Final = 3.0  # standard deviations of the noise: differences above are movement and are not averaged over
_LEAST_NOISE: Final = 1e-5  # so that still curves have a scale
_FAST: Final = ("eyeBlink", "eyeLook", "eyeWide", "jawOpen", "mouthClose", "mouthRoll", "mouthPress", "mouthPucker",
                "mouthFunnel", "mouthUpperUp", "mouthLowerDown", "mouthShrug")  # fmt: skip
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution

FAST_COLUMNS: Final = np.array([name.startswith(_FAST) for name in arkit.NAMES])


def noise_level(values: Array, segments: NDArray[np.int64]) -> Array:
    """(C,) standard deviation of the noise of curves (F, C), from their second differences within segments."""
    if len(values) < 3:
        return np.full(values.shape[1], _LEAST_NOISE)
    inside = (segments[2:] == segments[:-2]) & (segments[2:] >= 0)
    bend = values[2:] - 2 * values[1:-1] + values[:-2]
    if not inside.any():
        return np.full(values.shape[1], _LEAST_NOISE)
    return np.maximum(_MAD_TO_SIGMA * np.median(np.abs(bend[inside]), 0) / np.sqrt(6), _LEAST_NOISE)


def smooth(values: Array, segments: NDArray[np.int64], fps: float, seconds: float, trust: Array | None = None) -> Array:
    """Curves (F, C) averaged over neighbours in time whose values differ by no more than noise.

    A step as large as several standard deviations of the noise stays as sharp as it is; no delay.

    Args:
        values: (F, C).
        segments: (F,) frames are averaged with those of the same number only; negative ones are left alone.
        fps: frames a second.
        seconds: standard deviation of the window.
        trust: (F,) weights of the frames; by default all alike.
    """
    scale = _RANGE * noise_level(values, segments)
    sigma = seconds * fps
    reach = int(np.ceil(2.5 * sigma))
    trust = np.ones(len(values)) if trust is None else np.maximum(trust, 1e-3)
    total = trust[:, None] * values
    weight = np.broadcast_to(trust[:, None], values.shape).copy()
    for shift in range(1, min(reach, len(values) - 1) + 1):
        same = ((segments[shift:] == segments[:-shift]) & (segments[shift:] >= 0))[:, None]
        near = np.exp(-0.5 * (shift / sigma) ** 2 - 0.5 * ((values[shift:] - values[:-shift]) / scale) ** 2) * same
        ahead, behind = near * trust[shift:, None], near * trust[:-shift, None]
        total[:-shift] += ahead * values[shift:]
        weight[:-shift] += ahead
        total[shift:] += behind * values[:-shift]
        weight[shift:] += behind
    return total / weight


def smooth_face(weights: Array, segments: NDArray[np.int64], fps: float, trust: Array | None = None) -> Array:
    """ARKit weights (F, 52): lids, gaze, jaw and lips with the short window, the rest with the long one."""
    out = smooth(weights, segments, fps, FACE_SECONDS, trust)
    out[:, FAST_COLUMNS] = smooth(weights[:, FAST_COLUMNS], segments, fps, FAST_SECONDS, trust)
    return out
