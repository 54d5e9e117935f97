"""Where a head is: rigid poses of known points from their pixels, many frames at once."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..portrait.detector_bias import DetectorBias, view_terms
from ..portrait.expression_prior import FEATURE_UNIT
from ..portrait.solver import Array, LandmarkModel, Pinhole, solve_pose

_SPREAD_UNIT: Final = 0.003  # metres at which a landmark's uncertainty halves its weight
_TYPICAL_SQUARE: Final = 0.05  # mean square of an ARKit weight in talking, laughing, blinking faces
_ROBUST: Final = 0.004  # metres at which a residual of the rigid fit counts half: a hand, a moved mouth
_STEPS: Final = 4


class Poses(NamedTuple):
    """Rigid motions from head to camera axes."""

    rotation: Array  # (F, 3, 3)
    translation: Array  # (F, 3) metres


def rigid_weights(model: LandmarkModel) -> Array:
    """(478,) how much a landmark says of where the head is: little where it moves with the face or is ill defined."""
    movement = np.sqrt(_TYPICAL_SQUARE * (model.expression**2).sum((0, 2)))
    return 1 / (1 + (model.spread**2 + movement**2) / _SPREAD_UNIT**2)


def align(
    points: Array, landmarks: Array, pinhole: Pinhole, weights: Array, start: Poses | None = None, steps: int = _STEPS
) -> Poses:
    """Poses of a head in frames, by robust Gauss-Newton.

    Args:
        points: (478, 3), or (F, 478, 3) where they differ from frame to frame; head axes, metres.
        landmarks: (F, 478, 2) px.
        pinhole: of all frames.
        weights: (478,) of the landmarks.
        start: where to begin; by default the first frame's from scratch, and the others' each from its own.
        steps: Gauss-Newton steps.
    """
    points = np.broadcast_to(points, (len(landmarks), *points.shape[-2:]))
    if start is None:
        start = _initial(points, landmarks, pinhole, weights)
    rotation, translation = start.rotation.copy(), start.translation.copy()
    for _ in range(steps):
        turned = np.einsum("fab,fvb->fva", rotation, points)
        local = turned + translation[:, None]
        z = local[..., 2]
        residual = pinhole.focal * local[..., :2] / z[..., None] + [pinhole.cx, pinhole.cy] - landmarks
        unit = pinhole.focal / translation[:, 2]  # px a metre
        error = np.linalg.norm(residual, axis=-1) / unit[:, None]
        scale = weights / (1 + (error / _ROBUST) ** 2)
        rows = pose_rows(turned, local, pinhole.focal)
        weighted = rows * scale[..., None, None]
        hessian = np.einsum("fvia,fvib->fab", weighted, rows)
        gradient = np.einsum("fvia,fvi->fa", weighted, residual)
        step = -np.linalg.solve(hessian + 1e-9 * np.eye(6), gradient[..., None])[..., 0]
        rotation = Rotation.from_rotvec(step[:, :3]).as_matrix() @ rotation
        translation = translation + step[:, 3:]
    return Poses(rotation, translation)


def frontal(
    points: Array, landmarks: Array, pinhole: Pinhole, poses: Poses, bias: DetectorBias, sliding: NDArray[np.bool_]
) -> Array:
    """(F, 478, 2) offsets in cm of landmarks from the projected points, as seen from the front.

    Each landmark is cast back to the depth that its point (478, 3) has in the frame; the detector's mean error in that
    view is taken off where landmarks slide, (478,).
    """
    depth = (np.einsum("fab,vb->fva", poses.rotation, points) + poses.translation[:, None])[..., 2:]
    rays = (landmarks - [pinhole.cx, pinhole.cy]) / pinhole.focal
    local = np.concatenate([rays, np.ones_like(depth)], -1) * depth - poses.translation[:, None]
    seen = np.einsum("fva,fab->fvb", local, poses.rotation)[..., :2]
    return (seen - points[:, :2]) * FEATURE_UNIT - view_bias(poses, bias, sliding)


def view_bias(poses: Poses, bias: DetectorBias, sliding: NDArray[np.bool_]) -> Array:
    """(F, 478, 2) cm: the detector's mean error in each view, zero where landmarks do not slide."""
    terms = view_terms(poses.rotation[:, 2, :2])
    return np.einsum("ft,tvc->fvc", terms, bias.coefficients.astype(np.float64)) * sliding[:, None]


def unbiased(landmarks: Array, poses: Poses, pinhole: Pinhole, bias: DetectorBias, sliding: NDArray[np.bool_]) -> Array:
    """(F, 478, 2) px: landmarks where a detector without that error would have put them."""
    offset = view_bias(poses, bias, sliding) / FEATURE_UNIT
    turned = np.einsum("fab,fvb->fva", poses.rotation[:, :2, :2], offset)
    return landmarks - turned * (pinhole.focal / poses.translation[:, None, 2:])


def pose_rows(turned: Array, local: Array, focal: float) -> Array:
    """(F, N, 2, 6) derivatives of pixels by a small rotation and a translation."""
    z = local[..., 2]
    jacobian = np.zeros((*turned.shape[:2], 2, 3))
    jacobian[..., 0, 0] = jacobian[..., 1, 1] = focal / z
    jacobian[..., 0, 2] = -focal * local[..., 0] / z**2
    jacobian[..., 1, 2] = -focal * local[..., 1] / z**2
    cross = np.zeros((*turned.shape[:2], 3, 3))
    cross[..., 0, 1], cross[..., 0, 2], cross[..., 1, 2] = turned[..., 2], -turned[..., 1], turned[..., 0]
    cross -= cross.swapaxes(-1, -2)
    return np.concatenate([jacobian @ cross, jacobian], -1)


def _initial(points: Array, landmarks: Array, pinhole: Pinhole, weights: Array) -> Poses:
    """Each frame by itself, from scratch."""
    none = np.zeros((0, *points.shape[-2:]))
    spread = np.full(points.shape[-2], 0.004)
    solved = [
        solve_pose(LandmarkModel(p, none, np.zeros((52, *p.shape)), spread), target, pinhole, steps=3)
        for p, target in zip(points, landmarks, strict=True)
    ]
    return Poses(np.stack([r for r, _ in solved]), np.stack([t for _, t in solved]))
