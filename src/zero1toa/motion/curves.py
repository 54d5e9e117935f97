"""Curves over time that procedural motions are made of. All are functions of seconds, so the frame rate is free."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Curve = NDArray[np.float64]  # (F,) values at the frames

_DRIFT_WAVES = 6  # enough that the eye finds no period


def frame_times(frames: int, fps: float) -> Curve:
    """(F,) seconds at which the frames begin."""
    return np.arange(frames) / fps


def ease(x: ArrayLike) -> Curve:
    """0 up to 0, 1 from 1 on, between them half a cosine wave: starts and stops without a jerk."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0, 1))


def pulse(t: Curve, start: float, attack: float, hold: float, release: float) -> Curve:
    """Up from `start` in `attack` seconds, 1 for `hold`, down again in `release`."""
    return ease((t - start) / attack) * ease((start + attack + hold + release - t) / release)


def drift(t: Curve, rng: np.random.Generator, low: float, high: float) -> Curve:
    """A wandering curve of mean 0 and RMS 1 (over long times) with frequencies between `low` and `high` Hz."""
    frequency = rng.uniform(low, high, _DRIFT_WAVES)
    phase = rng.uniform(0, 2 * np.pi, _DRIFT_WAVES)
    amplitude = rng.uniform(0.5, 1.0, _DRIFT_WAVES)
    amplitude /= np.sqrt((amplitude**2).sum() / 2)
    return (amplitude * np.sin(2 * np.pi * t[:, None] * frequency + phase)).sum(1)
