"""Who the person in a video is, and what the face does, found in turn."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..config import FitConfig
from ..heads import HeadModel, arkit
from ..portrait.expression_prior import frontal_features, load_regressor
from ..portrait.landmark_model import landmark_model
from ..portrait.landmarks import mirrored
from ..portrait.solver import Array, Pinhole
from . import calibrate, lips
from .person import Person, movements, solve_person
from .reader import load_reader

_CANDIDATES: Final = 120  # frames spread over the video among which those that show the person are chosen
_KEYFRAMES: Final = 24
_ROUNDS: Final = 2  # who it is and what the face does, in turn
_TURNED: Final = 0.5  # sine of the angle from the front at which a frame counts half for the identity


class Identified(NamedTuple):
    """A person in F frames."""

    person: Person
    weights: Array  # (F, 52) ARKit weights as read: neither smooth nor clipped
    opening: Array  # (F,) cm by which the lips are farther apart than at rest


def identify(head: HeadModel, landmarks: Array, confidence: Array, pinhole: Pinhole, config: FitConfig) -> Identified:
    """Who is seen in frames, and what the face does in them.

    Args:
        head: the model.
        landmarks: (F, 478, 2) px.
        confidence: (F,) in [0, 1].
        pinhole: of the video.
        config: weights of the fit.
    """
    candidates = np.unique(np.linspace(0, len(landmarks) - 1, min(_CANDIDATES, len(landmarks))).round().astype(int))
    guess = _first_guess(head, landmarks[candidates], pinhole, config)
    weights = np.zeros((len(landmarks), len(arkit.NAMES)))
    weights[candidates] = guess
    chosen, expressions = candidates, guess
    front = np.ones(len(candidates))
    person = None
    for _ in range(_ROUNDS):
        quality = confidence[chosen] * front
        keys = calibrate.calm_frames(expressions, quality)
        keys = keys[np.unique(np.linspace(0, len(keys) - 1, min(_KEYFRAMES, len(keys))).round().astype(int))]
        moved = expressions[keys] - calibrate.rest_level(expressions, quality)
        person = solve_person(head, landmarks[chosen[keys]], moved, pinhole, config, quality[keys])
        offsets, poses = movements(person, landmarks, pinhole)
        weights = load_reader()(offsets, poses.rotation[:, 2, :2])
        chosen, expressions = np.arange(len(landmarks)), weights
        front = 1 / (1 + (poses.rotation[:, 2, :2] ** 2).sum(1) / _TURNED**2)
    assert person is not None
    return Identified(person, weights, lips.opening(offsets))


def _first_guess(head: HeadModel, landmarks: Array, pinhole: Pinhole, config: FitConfig) -> Array:
    """(K, 52) what single pictures tell, less what they all show."""
    rest, regressor = landmark_model(head, config.identity_components), load_regressor()
    width = 2 * pinhole.cx
    straight = np.stack([frontal_features(rest, points, pinhole) for points in landmarks])
    other = np.stack([frontal_features(rest, mirrored(points, width), pinhole) for points in landmarks])
    both = (regressor.expected(straight) + regressor.expected(other)[:, list(arkit.MIRROR)]) / 2
    weights = regressor.calibrated(both)
    return (weights - calibrate.common_level(weights)).clip(0, 1)
