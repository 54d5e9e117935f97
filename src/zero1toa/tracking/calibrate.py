"""What is particular to the person: the weights of the face at rest, and how far the lids go."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ..heads import arkit
from ..portrait.solver import OPPOSITES, Array

_REST_QUANTILE: Final = 20.0  # per cent of the frames in which a movement is at rest
_MOST_REST: Final = 0.35  # weight; more in every frame is taken for an expression that is held, not for the face
_CALM_SHARE: Final = 0.25  # of the frames: those with the least movement are the neutral ones
_REST_SHARE: Final = 0.06  # of the frames: the calmest of them say where rest is
_FEWEST_CALM: Final = 5
_BLINK_FROM: Final = 0.35  # a lid that closes at least this far and opens again within `_BLINK_SECONDS` blinked
_BLINK_SECONDS: Final = 0.5
_SHUT: Final = 0.97  # weight of a typical blink's deepest frame
_HIDDEN: Final = 0.45  # eyeBlink from which on the iris is covered; its neighbours in time count, too
_MOST_LID_GAIN: Final = 2.0  # the shut lids of a real person were read as 0.51
_LEAST_LID_GAIN: Final = 0.8
_FEWEST_BLINKS: Final = 1

_GAZE: Final = np.array(["eyeLook" in name for name in arkit.NAMES])
_LIDS: Final = np.array([name.startswith(("eyeBlink", "eyeWide")) for name in arkit.NAMES])


def common_level(weights: Array) -> Array:
    """(52,) what single pictures of a face show always: a low percentile over frames (F, 52), at most `_MOST_REST`.

    Gaze has none, since either direction may be at rest.
    """
    level = np.clip(np.percentile(weights, _REST_QUANTILE, axis=0), 0, _MOST_REST)
    return np.where(_GAZE, 0.0, level)


def rest_level(weights: Array, quality: Array) -> Array:
    """(52,) what the frames (F, 52) nearest to neutral have in common: it belongs to the person, not to the motion."""
    return np.median(weights[calm_frames(weights, quality, _REST_SHARE)], axis=0)


def calm_frames(weights: Array, quality: Array, share: float = _CALM_SHARE) -> NDArray[np.int64]:
    """Indices of the frames (F, 52) that are nearest to neutral, by movement and by quality (F,) in [0, 1]."""
    movement = np.abs(weights[:, ~_GAZE]).sum(1) + 0.3 * np.abs(weights[:, _GAZE]).sum(1)
    count = min(len(weights), max(_FEWEST_CALM, round(share * len(weights))))
    return np.sort(np.argsort(movement / np.maximum(quality, 0.1))[:count])


def lid_gains(weights: Array, fps: float) -> Array:
    """(2,) factors on eyeBlinkLeft and eyeBlinkRight by which the person's own blinks reach a shut eye.

    Without blinks in the video, 1. Both lids share what one of them lacks.
    """
    gains = []
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        peaks = _blink_peaks(weights[:, arkit.INDEX[name]], fps)
        if len(peaks) >= _FEWEST_BLINKS:
            gains.append(float(np.clip(_SHUT / np.percentile(peaks, 60), _LEAST_LID_GAIN, _MOST_LID_GAIN)))
        else:
            gains.append(float("nan"))
    known = [gain for gain in gains if np.isfinite(gain)]
    return np.array([gain if np.isfinite(gain) else (known[0] if known else 1.0) for gain in gains])


def gaze_through_blinks(weights: Array, segments: NDArray[np.int64]) -> Array:
    """Weights (F, 52) whose gaze is interpolated where the lids hide it: an iris behind a lid is a guess."""
    out = weights.copy()
    for side in ("Left", "Right"):
        columns = [k for k, name in enumerate(arkit.NAMES) if name.startswith("eyeLook") and name.endswith(side)]
        for number in np.unique(segments):
            mine = np.flatnonzero(segments == number)
            hidden = binary_dilation(weights[mine, arkit.INDEX["eyeBlink" + side]] > _HIDDEN)
            if hidden.all() or not hidden.any():
                continue
            open_, shut = mine[~hidden], mine[hidden]
            for column in columns:
                out[shut, column] = np.interp(shut, open_, weights[open_, column])
    return out


def valid(weights: Array) -> Array:
    """Weights (F, 52) a head can be driven by: in [0, 1], opposites exclude each other, mouthClose <= jawOpen."""
    out = weights.copy()
    for first, second in OPPOSITES:
        a, b = arkit.INDEX[first], arkit.INDEX[second]
        difference = np.clip(out[:, a], 0, None) - np.clip(out[:, b], 0, None)
        out[:, a], out[:, b] = np.maximum(difference, 0), np.maximum(-difference, 0)
    out = out.clip(0, 1)
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    out[:, close] = np.minimum(out[:, close], out[:, jaw])
    return out


def _blink_peaks(lid: Array, fps: float) -> Array:
    """Deepest values of the short closings of a lid (F,)."""
    closed = np.concatenate([[False], lid > _BLINK_FROM, [False]])
    edges = np.flatnonzero(np.diff(closed.astype(int)))
    runs = zip(edges[::2], edges[1::2], strict=True)
    short = [(a, b) for a, b in runs if (b - a) <= max(2, _BLINK_SECONDS * fps) and a > 0 and b < len(lid)]
    return np.array([lid[a:b].max() for a, b in short])
