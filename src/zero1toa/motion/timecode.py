"""Timecodes of Live Link Face: what they say about when each row was recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError

# HH:MM:SS:FF, HH:MM:SS:FF.sub and, in drop-frame spelling, HH:MM:SS;FF; also HH:MM:SS.fraction.
_FRAMES = re.compile(r"(\d+):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d*)?)")
_FRACTION = re.compile(r"(\d+):(\d{1,2}):(\d{1,2}(?:\.\d*)?)")

_RATES = (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)  # that recorders use, frames a second
_UNKNOWN_RATES = (30, 60)  # of these one is assumed where a recording is too short to show it
_MILLISECONDS = 1000  # some exporters count those instead of frames
_DAY = 86_400.0
_STEADY = 0.25  # of a frame: rows that stray less from an even rhythm are taken as even


def parse(code: str) -> tuple[float, float] | None:
    """Whole seconds and frames within the second, or None if it is no timecode. Without frames, these are NaN and the
    seconds have a fraction."""
    match = _FRAMES.fullmatch(code.strip())
    if match:
        hours, minutes, seconds, frames = match.groups()
        return 3600.0 * int(hours) + 60.0 * int(minutes) + int(seconds), float(frames)
    match = _FRACTION.fullmatch(code.strip())
    if match:
        hours, minutes, rest = match.groups()
        return 3600.0 * int(hours) + 60.0 * int(minutes) + float(rest), float("nan")
    return None


def row_times(codes: Sequence[tuple[float, float]], source: str) -> NDArray[np.float64]:
    """Seconds (F,) of rows since the first one, from `parse`d timecodes. Midnight may pass.

    How many frames a second has is seen where the seconds change; a recording too short for that has 30, or 60 if a
    frame number is above 29.

    Raises:
        InputError: time goes backwards.
    """
    seconds, frames = np.array(codes, np.float64).reshape(-1, 2).T
    fraction = np.zeros(len(seconds)) if np.isnan(frames).any() else frames / _base(seconds, frames)
    times = seconds + fraction
    steps = np.diff(times)
    steps[steps < -_DAY / 2] += _DAY
    if (steps < 0).any():
        raise InputError(f"{source} goes back in time after frame {int(np.argmax(steps < 0))}.")
    return np.concatenate([[0.0], np.cumsum(steps)])


def between(first: tuple[float, float], last: tuple[float, float]) -> float:
    """Whole seconds from one `parse`d timecode to a later one, less than a day after it. What is a little earlier
    counts as 0: `row_times` says so in its own words."""
    seconds = (last[0] - first[0]) % _DAY
    return 0.0 if seconds > _DAY * (1 - 1e-3) else seconds


def _base(seconds: NDArray[np.float64], frames: NDArray[np.float64]) -> float:
    """Frames that a second of the timecode has."""
    if frames.max() >= _RATES[-1]:
        return _MILLISECONDS
    steps = np.diff(frames)[np.diff(seconds) == 0]
    turns = np.flatnonzero(np.isin(np.diff(seconds), (1, 1 - _DAY)))
    step = float(np.median(steps)) if len(steps) else 1.0
    guesses = frames[turns] + step - frames[turns + 1]
    candidates = [rate for rate in _RATES if rate > frames.max()]
    if len(guesses):
        guess = float(np.median(guesses))
        nearest = min(candidates, key=lambda rate: abs(rate - guess))
        # A frame may have been dropped just there; what is farther from all common rates is an uncommon one.
        return float(nearest if abs(nearest - guess) < 1.5 else max(round(guess), int(frames.max()) + 1))
    return float(next((rate for rate in _UNKNOWN_RATES if rate > frames.max()), candidates[0]))


def frame_rate(times: NDArray[np.float64]) -> float:
    """Frames a second of rows at `times`: that of the usual step, to a common rate if it is within half a percent."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return float(_UNKNOWN_RATES[0])
    rate = 1 / float(np.median(steps))
    common = min((*_RATES, 29.97, 59.94, 23.976), key=lambda r: abs(r - rate))
    return float(common) if abs(common - rate) < 5e-3 * common and not _is_ntsc(rate) else round(rate, 3)


def _is_ntsc(rate: float) -> bool:
    return any(abs(rate - nominal / 1.001) < 2e-4 * nominal for nominal in (24, 30, 60))


def is_even(times: NDArray[np.float64], fps: float) -> bool:
    """Whether the rows come at an even rhythm, so that row i is frame i."""
    return bool(np.abs(times * fps - np.arange(len(times))).max() < _STEADY)


def written(frame: int, fps: float) -> str:
    """The timecode of a frame. Frame 0 is the last one of a second, so that even a short file shows its rate."""
    base = int(np.ceil(fps - 1e-6))
    at = base - 1 + frame * (base / fps)
    whole, rest = divmod(round(at * 1000), 1000)
    second, count = divmod(whole, base)
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{count:02d}.{rest:03d}"
