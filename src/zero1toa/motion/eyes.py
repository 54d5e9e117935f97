"""Blinks, lids and gaze."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.heads import arkit

from .curves import Curve, ease, pulse
from .shapes import Weights

# A spontaneous blink, seconds. Lids fall faster than they rise (about 90 and 170 ms).
BLINK_CLOSE = (0.08, 0.10)
BLINK_SHUT = (0.03, 0.06)
BLINK_OPEN = (0.15, 0.20)
BLINKS_PER_MINUTE = 15.0  # people at rest; more when they speak
_SHORTEST_GAP = 1.0  # seconds between the beginnings of two blinks
_GAP_SHAPE = 2.0  # of the gamma distribution of the gaps: irregular, yet not clustered

# The main sequence of saccades (Carpenter 1988): 21 ms + 2.2 ms a degree; eyeLook weight 1 is about 30 degrees.
# Seconds.
_SACCADE_BASE, _SACCADE_PER_WEIGHT = 0.021, 0.066
_BLINK_WITH_GAZE = 0.25  # ours: chance that a large shift of gaze comes with a blink
_LARGE_SHIFT = 0.3  # eyeLook weight
_GAZE_RANGE = 0.9  # largest eyeLook weight
_LID_FOLLOWS_DOWN = 0.12  # share of eyeBlink that goes with eyeLookDown at weight 1, besides that shape's own


def blink_starts(seconds: float, rng: np.random.Generator, rate: float = BLINKS_PER_MINUTE) -> list[float]:
    """Times at which spontaneous blinks begin, of a person who has been blinking before time 0 already."""
    mean_gap = 60 / rate - _SHORTEST_GAP
    gap = _SHORTEST_GAP + rng.gamma(_GAP_SHAPE, mean_gap / _GAP_SHAPE)
    time = -gap * rng.random()
    starts = []
    while time < seconds:
        starts.append(float(time))
        time += _SHORTEST_GAP + rng.gamma(_GAP_SHAPE, mean_gap / _GAP_SHAPE)
    return starts


def blinks(t: Curve, starts: list[float], rng: np.random.Generator, fps: float) -> Curve:
    """(F,) how far the lids are closed, 0 to 1. Each blink is fully shut in at least one frame if it lies inside."""
    closed = np.zeros(len(t))
    for start in starts:
        close, shut, reopen = (rng.uniform(*span) for span in (BLINK_CLOSE, BLINK_SHUT, BLINK_OPEN))
        closed = np.maximum(closed, pulse(t, start, close, max(shut, 1 / fps), reopen))
    return closed


def fixations(
    t: Curve, rng: np.random.Generator, spread: tuple[float, float], every: tuple[float, float], home: float = 0.5
) -> tuple[NDArray[np.float64], list[float]]:
    """Where the eyes rest, with saccades between.

    Args:
        t: (F,) seconds.
        rng: the dice.
        spread: standard deviation sideways and up and down, as eyeLook weights.
        every: shortest and longest rest, seconds.
        home: chance that the next rest is on the camera.

    Returns:
        (F, 2) gaze to the subject's left and up, as eyeLook weights, and the times of blinks that go with large shifts.
    """
    blink_times: list[float] = []
    end = t[-1] if len(t) else 0.0
    here = np.zeros(2) if rng.random() < home else rng.normal(size=2) * spread
    here = here.clip(-_GAZE_RANGE, _GAZE_RANGE)
    gaze = np.tile(here, (len(t), 1))
    time = rng.uniform(0, every[1])
    while time < end:
        there = np.zeros(2) if rng.random() < home else rng.normal(size=2) * spread
        there = there.clip(-_GAZE_RANGE, _GAZE_RANGE)
        size = float(np.linalg.norm(there - here))
        gaze = gaze + ease((t - time) / (_SACCADE_BASE + _SACCADE_PER_WEIGHT * size))[:, None] * (there - here)
        here = there
        if size > _LARGE_SHIFT and rng.random() < _BLINK_WITH_GAZE:
            blink_times.append(float(time) - BLINK_CLOSE[0] / 2)
        time += rng.uniform(*every)
    return gaze, blink_times


def merged_blinks(spontaneous: list[float], others: list[float]) -> list[float]:
    """All blinks in order; where two come too close to each other, a spontaneous one gives way, else the later."""
    merged: list[float] = []
    for time in (*sorted(others), *sorted(spontaneous)):
        if all(abs(time - other) > _SHORTEST_GAP / 2 for other in merged):
            merged.append(time)
    return sorted(merged)


def write_gaze(weights: Weights, gaze: NDArray[np.float64]) -> None:
    """Sets the eyeLook weights of (F, 52) in place from a gaze (F, 2) to the subject's left and up; both eyes alike."""
    left, up = gaze[:, 0], gaze[:, 1]
    for name, value in (
        ("OutLeft", left), ("InRight", left), ("InLeft", -left), ("OutRight", -left),
        ("UpLeft", up), ("UpRight", up), ("DownLeft", -up), ("DownRight", -up),
    ):  # fmt: skip
        weights[:, arkit.INDEX["eyeLook" + name]] = value.clip(0, _GAZE_RANGE)


def write_lids(weights: Weights, closed: Curve) -> None:
    """Sets eyeBlink and eyeWide of (F, 52) in place, of which at most one is above 0 on each side.

    A lid has one opening: what the weights hold already (wide less blink) is where it rests, and a blink `closed` (F,)
    takes it from there to shut and back. Lids follow the gaze down.
    """
    for side in ("Left", "Right"):
        blink, wide = arkit.INDEX["eyeBlink" + side], arkit.INDEX["eyeWide" + side]
        rest = weights[:, wide] - weights[:, blink] - _LID_FOLLOWS_DOWN * weights[:, arkit.INDEX["eyeLookDown" + side]]
        opening = rest * (1 - closed) - closed
        weights[:, wide], weights[:, blink] = opening.clip(0, 1), (-opening).clip(0, 1)
