"""Who is seen: one identity for all frames, and where the person's landmarks rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..config import FitConfig
from ..heads import HeadModel
from ..portrait.detector_bias import SLIDING, load_bias
from ..portrait.expression_prior import FEATURE_UNIT
from ..portrait.landmark_model import landmark_model
from ..portrait.solver import Array, LandmarkModel, Pinhole, landmark_weights
from .alignment import Poses, align, frontal, pose_rows, rigid_weights, unbiased

_ROUNDS: Final = 5
_BATCH: Final = 256  # frames aligned at once
# The detector's errors on one person are alike in all frames: many frames say little more than a few.
_INDEPENDENT_FRAMES: Final = 4.0


@dataclass(frozen=True, eq=False)
class Person:
    """One person's head as the landmark detector sees it."""

    identity: Array  # (I,) coefficients of the head model
    model: LandmarkModel  # of this person; its mean is the head model's neutral face
    rest: Array  # (478, 3) metres, head axes: the landmarks at rest, with what the detector reads differently here
    rigid: Array  # (478,) weights for alignment


def sliding_landmarks(model: LandmarkModel) -> NDArray[np.bool_]:
    """(478,) which landmarks belong to the contour that moves over the head as it turns."""
    return model.spread > SLIDING


def solve_person(
    head: HeadModel, landmarks: Array, expressions: Array, pinhole: Pinhole, config: FitConfig, confidence: Array
) -> Person:
    """One identity for several frames of one person whose expressions are about known.

    Args:
        head: the model.
        landmarks: (K, 478, 2) px.
        expressions: (K, 52) ARKit weights.
        pinhole: of all frames.
        config: weights of the fit.
        confidence: (K,) weights of the frames, in [0, 1].
    """
    mean = landmark_model(head, config.identity_components)
    rigid = rigid_weights(mean)
    sliding, bias = sliding_landmarks(mean), load_bias()
    weights = landmark_weights(mean)
    identity = np.zeros(len(mean.identity))
    moved = np.einsum("fk,kva->fva", expressions, mean.expression)
    poses = align(mean.mean + moved, landmarks, pinhole, rigid)
    total = max(float(confidence.sum()), 1e-6)
    share = confidence / total * min(total, _INDEPENDENT_FRAMES)
    for _ in range(_ROUNDS):
        points = mean.points(identity, np.zeros(52)) + moved
        target = unbiased(landmarks, poses, pinhole, bias, sliding)
        hessian = config.identity_weight * np.eye(len(identity))
        gradient = hessian @ identity
        for k in range(len(landmarks)):
            h, g = _marginal(points[k], mean.identity, target[k], pinhole, poses, k, weights, config)
            hessian += share[k] * h
            gradient += share[k] * g
        identity = identity - np.linalg.solve(hessian, gradient)
        poses = align(mean.points(identity, np.zeros(52)) + moved, landmarks, pinhole, rigid, poses, steps=2)
    model = landmark_model(head, config.identity_components, identity)
    neutral = model.points(identity, np.zeros(52))
    model = LandmarkModel(neutral, model.identity[:0], model.expression, model.spread)
    offsets = frontal(neutral, landmarks, pinhole, align(neutral + moved, landmarks, pinhole, rigid), bias, sliding)
    offsets -= np.einsum("fk,kva->fva", expressions, model.expression)[..., :2] * FEATURE_UNIT
    rest = neutral.copy()
    rest[:, :2] += np.average(offsets, 0, weights=np.maximum(confidence, 1e-6)) / FEATURE_UNIT
    return Person(identity, model, rest, rigid)


def _marginal(
    points: Array, basis: Array, target: Array, pinhole: Pinhole, poses: Poses, frame: int, weights: Array,
    config: FitConfig,
) -> tuple[Array, Array]:  # fmt: skip
    """Normal equations of the identity from one frame, its pose eliminated. Residuals in px at 512 as in `FitConfig`.

    A crop of 512 px at `config.fov` sees a metre at the head's distance as that many px.
    """
    rotation, translation = poses.rotation[frame], poses.translation[frame]
    turned = points @ rotation.T
    local = turned + translation
    residual = pinhole.project(local) - target
    rows = pose_rows(turned[None], local[None], pinhole.focal)[0]  # (478, 2, 6)
    shape = rows[..., 3:] @ rotation @ basis.transpose(1, 2, 0)  # (478, 2, I)
    unit = 1 / (pinhole.focal / translation[2]) * _pixels_per_metre(config)
    error = np.linalg.norm(residual, axis=1) * unit
    scale = weights * unit**2 / config.landmark_sigma**2 / (1 + (error / config.robust_scale) ** 2) ** 2
    both = np.concatenate([rows, shape], -1).reshape(2 * len(points), -1)
    weighted = both * np.repeat(scale, 2)[:, None]
    hessian, gradient = both.T @ weighted, weighted.T @ residual.ravel()
    elimination = np.linalg.solve(hessian[:6, :6] + 1e-9 * np.eye(6), hessian[:6, 6:])
    return hessian[6:, 6:] - hessian[6:, :6] @ elimination, gradient[6:] - elimination.T @ gradient[:6]


def _pixels_per_metre(config: FitConfig) -> float:
    """Of a portrait crop of 512 px whose face is 223 px tall, as `portrait.crop` makes it."""
    return 223.0 / 0.164  # the mean head's landmarks span 0.164 m from forehead to chin


def movements(person: Person, landmarks: Array, pinhole: Pinhole) -> tuple[Array, Poses]:
    """Offsets (F, 478, 2) from the person's rest in cm, seen from the front, and the poses they were seen in."""
    bias, sliding = load_bias(), sliding_landmarks(person.model)
    poses, offsets = [], []
    for first in range(0, len(landmarks), _BATCH):
        part = landmarks[first : first + _BATCH]
        poses.append(align(person.rest, part, pinhole, person.rigid))
        offsets.append(frontal(person.rest, part, pinhole, poses[-1], bias, sliding))
    return np.concatenate(offsets), Poses(*(np.concatenate(p) for p in zip(*poses, strict=True)))
