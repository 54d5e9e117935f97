"""From one face to another: what is the driver's own face, and how far it moves, is taken out.

A tracker that does not know a person reads that person's resting face as a weak expression: thin lips as a press, heavy
lids as half a blink. Subtracting the driver's neutral leaves the movement. How strongly a shape is read differs, too:
one person's broadest smile is 0.5, another's 0.9. Mapping the range evens that out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError
from zero1toa.heads import arkit

from .gaze import gaze_angles, write_gaze_angles
from .head_motion import split_turn, whole_turn
from .motion import Motion

NEUTRAL_PERCENTILE = 10.0
"""Of each weight over time: a face comes back to rest again and again, so what it hardly ever falls below is itself."""

_LARGEST_NEUTRAL = 0.6  # a weight that never falls below this is a performance and no resting face; it is taken as this
_LIDS = [arkit.INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")]
_LID_NEUTRAL = 0.35  # the same for lids, which a sleepy take must not pull open
_LOOK = [i for i, name in enumerate(arkit.NAMES) if name.startswith("eyeLook")]
_LIMITS = (1 / 3, 3.0)  # of the gain of a shape in `range_adapted`
_MOVES = 0.08  # a range of a weight below this is noise, and no measure of how far a shape goes
_RANGE = (10.0, 97.0)  # percentiles that a shape's range lies between: single frames do not decide


def neutral_of(motion: Motion) -> Motion:
    """The driver's resting face and posture, as a motion of one frame.

    Weights are low percentiles over time; gaze and head are medians: most of the time people look ahead.
    """
    weights = np.percentile(motion.weights.astype(np.float64), NEUTRAL_PERCENTILE, axis=0).clip(0, _LARGEST_NEUTRAL)
    weights[_LIDS] = np.minimum(weights[_LIDS], _LID_NEUTRAL)
    weights = weights[None]
    write_gaze_angles(weights, np.median(gaze_angles(motion.weights), axis=0, keepdims=True))
    turn = np.median(whole_turn(motion.neck, motion.head), axis=0, keepdims=True)
    neck, head = split_turn(turn)
    return Motion.of(motion.fps, weights, head, neck)


def calibrated(motion: Motion, neutral: Motion | None = None) -> Motion:
    """The motion without the driver's own resting face.

    A weight w over its neutral n becomes (w - n) / (1 - n), at least 0: rest is 0 and a full expression stays 1. Gaze
    and head are turned back by the neutral's. A motion that is at rest already does not change.

    Args:
        motion: of the driver.
        neutral: a take, or one frame, of the driver at rest; its mean counts. By default `neutral_of(motion)`.
    """
    from scipy.spatial.transform import Rotation

    if neutral is None:
        rest = neutral_of(motion)
    else:
        rest = neutral.frames([0]) if len(neutral) == 1 else _mean(neutral)
    base = rest.weights[0].astype(np.float64)
    look = gaze_angles(motion.weights) - gaze_angles(rest.weights)
    weights = ((motion.weights - base) / np.maximum(1 - base, 1e-3)).clip(0, 1)
    beyond = write_gaze_angles(weights, look)
    back = Rotation.from_rotvec(whole_turn(rest.neck, rest.head)).inv()
    neck, head = split_turn((back * Rotation.from_rotvec(whole_turn(motion.neck, motion.head))).as_rotvec())
    eyes = None if motion.eyes is None else motion.eyes.astype(np.float64)
    if beyond.any():
        eyes = np.zeros((len(motion), 2, 3)) if eyes is None else eyes
        eyes[..., :2] += beyond
    return Motion.of(motion.fps, weights, head, neck, eyes)


def range_adapted(motion: Motion, like: Motion) -> Motion:
    """The motion with each shape's range over time stretched to that of another motion.

    Ranges lie between two percentiles, so that one wild frame does not decide. Shapes that hardly move in one of the
    two stay as they are, gains lie between 1/3 and 3, and gaze, which is measured in degrees, is not changed.

    Args:
        motion: to adapt, best after `calibrated`.
        like: how far the shapes shall go: a take of whoever the avatar shows.
    """
    (low, high), (low_like, high_like) = (
        np.percentile(m.weights.astype(np.float64), _RANGE, axis=0) for m in (motion, like)
    )
    size, size_like = high - low, high_like - low_like
    gain = np.clip(np.divide(size_like, size, out=np.ones_like(size), where=size > 0), *_LIMITS)
    moves = (size > _MOVES) & (size_like > _MOVES)
    moves[_LOOK] = False
    weights: NDArray[np.float64] = motion.weights.astype(np.float64)
    weights[:, moves] = (low_like + (weights - low) * gain)[:, moves]
    return replace(motion, weights=weights.clip(0, 1))


def _mean(motion: Motion) -> Motion:
    from scipy.spatial.transform import Rotation

    if not len(motion):
        raise InputError("A neutral take holds at least one frame.")
    turn = Rotation.from_rotvec(whole_turn(motion.neck, motion.head)).mean().as_rotvec()[None]
    neck, head = split_turn(turn)
    return Motion.of(motion.fps, motion.weights.mean(0, keepdims=True), head, neck)
