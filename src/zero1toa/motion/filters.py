"""Smoothing that keeps what is fast: the One Euro filter (Casiez, Roussel and Vogel, CHI 2012).

A low-pass filter whose cutoff rises with the speed of the signal: a still face does not tremble, a blink stays a blink.
Run over a recording in both directions and averaged, it has no lag.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError

from .motion import Motion

Signal = NDArray[np.float64]  # (F, C)

MIN_CUTOFF = 1.5
"""Hz: of a signal that stands still. Tuned with `BETA` on MediaPipe's weights at 25 and 30 frames a second."""

BETA_WEIGHTS = 6.0
"""Hz by which the cutoff rises for a speed of one weight a second; a blink has about ten."""

BETA_TURNS = 3.0
"""The same for radians a second."""

_SPEED_CUTOFF = 1.0  # Hz, of the speed itself (the paper's value)


def smoothed(motion: Motion, strength: float = 1.0) -> Motion:
    """A motion without tremor.

    Args:
        motion: any.
        strength: 0 changes nothing; 2 smooths twice as much: the cutoff of a still face is `MIN_CUTOFF / strength`.

    Raises:
        InputError: the strength is negative or not a number.
    """
    if not (np.isfinite(strength) and strength >= 0):
        raise InputError(f"A motion is smoothed with a strength of 0 or more, not {strength}.")
    if strength == 0 or len(motion) < 2:
        return motion
    cutoff = MIN_CUTOFF / strength

    def turn(values: NDArray[np.float32]) -> NDArray[np.floating]:
        flat = unwrapped(values.reshape(len(values), -1, 3)).reshape(len(values), -1)
        return both_ways(flat, motion.fps, cutoff, BETA_TURNS / strength).reshape(values.shape)

    return replace(
        motion,
        weights=both_ways(motion.weights.astype(np.float64), motion.fps, cutoff, BETA_WEIGHTS / strength).clip(0, 1),
        head=turn(motion.head),
        neck=turn(motion.neck),
        eyes=None if motion.eyes is None else turn(motion.eyes),
    )


def both_ways(signal: Signal, fps: float, min_cutoff: float, beta: float) -> Signal:
    """The mean of the filter forward and backward: no lag."""
    return (one_euro(signal, fps, min_cutoff, beta) + one_euro(signal[::-1], fps, min_cutoff, beta)[::-1]) / 2


def one_euro(signal: Signal, fps: float, min_cutoff: float = MIN_CUTOFF, beta: float = BETA_WEIGHTS) -> Signal:
    """Filters each column of (F, C), causally.

    Args:
        signal: (F, C) values at even times.
        fps: values a second.
        min_cutoff: Hz, of a signal that stands still.
        beta: Hz by which the cutoff rises for each unit a second.
    """
    result = np.array(signal, np.float64)
    speed = np.zeros(signal.shape[1])
    speed_share = _share(np.full(signal.shape[1], _SPEED_CUTOFF), fps)
    for frame in range(1, len(signal)):
        speed += speed_share * ((signal[frame] - signal[frame - 1]) * fps - speed)
        share = _share(min_cutoff + beta * np.abs(speed), fps)
        result[frame] = result[frame - 1] + share * (signal[frame] - result[frame - 1])
    return result


def _share(cutoff: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """What of a new value a low-pass filter of that cutoff takes."""
    step = 2 * np.pi * cutoff / fps
    share: NDArray[np.float64] = step / (step + 1)
    return share


def unwrapped(turns: NDArray[np.floating]) -> Signal:
    """Rotation vectors (F, J, 3) of the same rotations in which neighbours are near each other, so that they can be
    filtered: a vector of length a stands for one of length a - 2 pi, too."""
    result = np.array(turns, np.float64)
    for frame in range(1, len(result)):
        for joint in range(result.shape[1]):
            vector = result[frame, joint]
            angle = float(np.linalg.norm(vector))
            if angle < np.pi / 2:  # the other one is longer than 3/2 pi: farther from anything a head does
                continue
            other = vector * (1 - 2 * np.pi / angle)
            before = result[frame - 1, joint]
            if np.linalg.norm(other - before) < np.linalg.norm(vector - before):
                result[frame, joint] = other
    return result
