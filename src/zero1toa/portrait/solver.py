"""Gauss-Newton fit of head rotation, translation, identity and expression to 478 image landmarks.

The landmarks of a head model are linear in identity and expression once the joints are posed, so each step is one small
dense least-squares problem (about 140 unknowns) with bounds on the expression weights, solved by an active set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..config import FitConfig
from ..heads import arkit, facemesh

Array = NDArray[np.float64]

_CONVERGED = 2e-3  # radians, metres, standard deviations, weights: a step below it is the last
_RIGID_SCALE = 16 / 384  # of the picture's side: residual at which a landmark of the rigid fit counts half
_RIGID_STEPS, _IDENTITY_STEPS = 3, 5  # the first steps move only the pose, the next ones pose and identity

# Two weights of which at most one may act: a face cannot look in and out at once.
OPPOSITES: tuple[tuple[str, str], ...] = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("mouthRollLower", "mouthShrugLower"),
    *((f"eyeLookIn{s}", f"eyeLookOut{s}") for s in ("Left", "Right")),
    *((f"eyeLookUp{s}", f"eyeLookDown{s}") for s in ("Left", "Right")),
    *((f"eyeBlink{s}", f"eyeWide{s}") for s in ("Left", "Right")),
    *((f"mouthSmile{s}", f"mouthFrown{s}") for s in ("Left", "Right")),
)
_JAW, _CLOSE = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
_OPPOSITES = np.array([[arkit.INDEX[a], arkit.INDEX[b]] for a, b in OPPOSITES])


@dataclass(frozen=True)
class LandmarkModel:
    """The 478 landmarks of a posed head as a linear function of identity and expression, head axes, metres."""

    mean: Array  # (478, 3)
    identity: Array  # (I, 478, 3)
    expression: Array  # (52, 478, 3)
    spread: Array  # (478,) metres; how unsure the embedding of each landmark is

    def points(self, identity: Array, expression: Array) -> Array:
        """(478, 3) landmarks in head axes, metres."""
        shape = self.mean + np.tensordot(identity, self.identity[: len(identity)], 1)
        return shape + np.tensordot(expression, self.expression, 1)


@dataclass(frozen=True)
class ExpressionPrior:
    """What is believed of the expression before the solver looks: a Gaussian over the 52 weights."""

    mean: Array  # (52,)
    precision: Array  # (52, 52) symmetric, positive semi-definite


@dataclass(frozen=True)
class Pinhole:
    """Intrinsics in pixels."""

    focal: float
    cx: float
    cy: float

    @classmethod
    def from_fov(cls, fov: float, size: int) -> Pinhole:
        """A square picture of `size` px with a vertical field of view of `fov` degrees."""
        return cls(size / 2 / np.tan(np.radians(fov) / 2), size / 2, size / 2)

    def project(self, points: Array) -> Array:
        """Camera points (N, 3) to pixels (N, 2)."""
        return self.focal * points[:, :2] / points[:, 2:] + [self.cx, self.cy]


@dataclass(frozen=True)
class Solution:
    """The fitted parameters. `rotation` and `translation` map head axes to camera axes."""

    rotation: Array  # (3, 3)
    translation: Array  # (3,) metres
    identity: Array  # (I,)
    expression: Array  # (52,) in [0, 1]
    projected: Array  # (478, 2) px
    residuals: Array  # (478,) px
    iterations: int


def landmark_weights(model: LandmarkModel) -> Array:
    """(478,) how much each landmark counts: little where the embedding is unsure, more at lips, lids and irises."""
    weights = 1.0 / (1.0 + (model.spread / 0.004) ** 2)  # half at 4 mm of spread
    weights[list(facemesh.IRISES)] = 1.0
    weights[list(facemesh.LIPS)] *= 1.5
    weights[list(facemesh.EYES)] *= 2.0
    weights[list(facemesh.IRISES)] *= 1.5
    return weights


def solve_pose(model: LandmarkModel, landmarks: Array, pinhole: Pinhole, steps: int = 8) -> tuple[Array, Array]:
    """Rigid pose alone, for the model's mean face. Returns rotation (3, 3) and translation (3,)."""
    weights = landmark_weights(model)
    rotation, translation = _initial_pose(model.mean, landmarks, pinhole, weights)
    half = _RIGID_SCALE * 2 * pinhole.cy
    for _ in range(steps):
        rows, residual, *_ = _linearize(model.mean, rotation, translation, landmarks, pinhole)
        scale = np.repeat(weights / (1 + (np.linalg.norm(residual.reshape(-1, 2), axis=1) / half) ** 2), 2)
        step = -np.linalg.solve(rows.T @ (rows * scale[:, None]) + 1e-9 * np.eye(6), rows.T @ (scale * residual))
        rotation, translation = _rotate(step[:3], rotation), translation + step[3:6]
    return rotation, translation


def solve(
    model: LandmarkModel,
    landmarks: Array,
    pinhole: Pinhole,
    prior: ExpressionPrior,
    config: FitConfig,
    start: Solution | None = None,
    *,
    hold_identity: bool = False,
) -> Solution:
    """Fits pose, identity and expression jointly.

    Args:
        model: landmarks of the head; its identity basis decides how many coefficients are fitted.
        landmarks: (478, 2 or more) measured, px.
        pinhole: intrinsics of the same picture.
        prior: belief about the expression, e.g. of the learned regressor.
        config: weights.
        start: where to begin; without it a rigid pose is found first.
        hold_identity: keep the identity of `start`.
    """
    target = np.asarray(landmarks[:, :2], np.float64)
    unit = 512.0 / (2 * pinhole.cy)  # residuals are weighed as if the picture had 512 px
    weights = landmark_weights(model) / config.landmark_sigma**2 * unit**2
    count = len(model.identity)
    problem = _Regularizer(count, prior, config)
    if start is None:
        rotation, translation = solve_pose(model, target, pinhole)
        identity, expression = np.zeros(count), np.clip(prior.mean, 0, 1)
    else:
        rotation, translation, identity, expression = (
            start.rotation, start.translation, start.identity.copy(), start.expression.copy(),
        )  # fmt: skip
    shapes = np.concatenate([model.identity, model.expression]).transpose(1, 2, 0).copy()  # (478, 3, I + 52)
    iteration = 0
    for iteration in range(1, config.max_iterations + 1):
        late = iteration if start is None else _IDENTITY_STEPS + 4
        points = model.points(identity, expression)
        pose_rows, residual, jacobian = _linearize(points, rotation, translation, target, pinhole)
        rows = np.concatenate(
            [
                pose_rows,
                (jacobian @ rotation @ shapes).reshape(-1, shapes.shape[-1]),
            ],
            axis=1,
        )
        error = np.linalg.norm(residual.reshape(-1, 2), axis=1) * unit
        scale = np.repeat(weights / (1 + (error / config.robust_scale) ** 2) ** 2, 2)
        hessian = rows.T @ (rows * scale[:, None])
        gradient = rows.T @ (scale * residual)
        problem.add(hessian, gradient, identity, expression)
        free = np.ones(len(gradient), bool)
        free[6 : 6 + count] = late > _RIGID_STEPS and not hold_identity
        free[6 + count :] = late > _IDENTITY_STEPS
        if late > _IDENTITY_STEPS + 2:
            free[6 + count :] &= ~_suppressed(expression)
        step = _bounded_step(hessian, gradient, expression, free)
        rotation, translation = _rotate(step[:3], rotation), translation + step[3:6]
        identity = identity + step[6 : 6 + count]
        before = expression
        expression = np.clip(expression + step[6 + count :], 0, 1)
        if late >= _IDENTITY_STEPS + 2:
            expression[_suppressed(expression)] = 0
        expression[_CLOSE] = min(expression[_CLOSE], expression[_JAW])  # the head does not close a mouth that is closed
        moved = max(np.abs(step[: 6 + count]).max(), np.abs(expression - before).max())
        if late > _IDENTITY_STEPS + 3 and moved < _CONVERGED:
            break
    projected = pinhole.project(model.points(identity, expression) @ rotation.T + translation)
    residuals = np.linalg.norm(projected - target, axis=1)
    return Solution(rotation, translation, identity, expression, projected, residuals, iteration)


class _Regularizer:
    """The quadratic prior on identity and expression, added to the normal equations."""

    def __init__(self, count: int, prior: ExpressionPrior, config: FitConfig) -> None:
        self.identity = config.identity_weight
        self.count = count
        self.mean = prior.mean
        self.precision = prior.precision * config.expression_weight

    def add(self, hessian: Array, gradient: Array, identity: Array, expression: Array) -> None:
        split = 6 + self.count
        diagonal = np.arange(6, split)
        hessian[diagonal, diagonal] += self.identity
        gradient[6:split] += self.identity * identity
        hessian[split:, split:] += self.precision
        gradient[split:] += self.precision @ (expression - self.mean)


def _initial_pose(points: Array, landmarks: Array, pinhole: Pinhole, weights: Array) -> tuple[Array, Array]:
    """Weak-perspective pose (scaled orthography): a linear solve made orthonormal."""
    w = np.sqrt(weights)[:, None]
    columns = np.c_[points, np.ones(len(points))]
    rays = (landmarks[:, :2] - [pinhole.cx, pinhole.cy]) / pinhole.focal
    affine = np.linalg.lstsq(columns * w, rays * w, rcond=None)[0].T  # (2, 4)
    x, y = affine[0, :3], affine[1, :3]
    scale = np.sqrt(np.linalg.norm(x) * np.linalg.norm(y))
    u, _, vt = np.linalg.svd(np.stack([x, y]), full_matrices=False)
    xy = u @ vt
    rotation = np.stack([xy[0], xy[1], np.cross(xy[0], xy[1])])
    return rotation, np.array([*(affine[:, 3] / scale), 1.0 / scale])


def _linearize(
    points: Array, rotation: Array, translation: Array, target: Array, pinhole: Pinhole
) -> tuple[Array, Array, Array]:
    """Pose columns (2N, 6), residuals (2N,) and the projection Jacobian (N, 2, 3) at the current state."""
    turned = points @ rotation.T
    local = turned + translation
    z = local[:, 2]
    residual = pinhole.project(local) - target[:, :2]
    jacobian = np.zeros((len(points), 2, 3))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = pinhole.focal / z
    jacobian[:, 0, 2] = -pinhole.focal * local[:, 0] / z**2
    jacobian[:, 1, 2] = -pinhole.focal * local[:, 1] / z**2
    cross = np.zeros((len(points), 3, 3))  # d(exp(w) x)/dw = -[x]_cross
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = turned[:, 2], -turned[:, 1], turned[:, 0]
    cross -= cross.transpose(0, 2, 1)
    rows = np.concatenate([jacobian @ cross, jacobian], axis=2).reshape(-1, 6)
    return rows, residual.reshape(-1), jacobian


def _rotate(step: Array, rotation: Array) -> Array:
    return Rotation.from_rotvec(step).as_matrix() @ rotation


def _suppressed(expression: Array) -> NDArray[np.bool_]:
    """(52,) the weaker of each pair of opposites of which one acts; it must stay zero."""
    values = expression[_OPPOSITES]
    weaker = _OPPOSITES[np.arange(len(values)), values.argmin(1)]
    off = np.zeros(len(expression), bool)
    off[weaker[values.max(1) > 0]] = True  # where both are zero either may begin to act
    return off


def _bounded_step(hessian: Array, gradient: Array, expression: Array, free: NDArray[np.bool_]) -> Array:
    """The Gauss-Newton step with expression weights held at a bound they push against."""
    free = free.copy()
    split = len(gradient) - len(expression)
    step = np.zeros(len(gradient))
    for _ in range(6):
        index = np.flatnonzero(free)
        step[:] = 0
        step[index] = -np.linalg.solve(hessian[np.ix_(index, index)] + 1e-6 * np.eye(len(index)), gradient[index])
        after = expression + step[split:]
        blocked = ((after < -1e-9) & (expression <= 1e-9)) | ((after > 1 + 1e-9) & (expression >= 1 - 1e-9))
        blocked &= free[split:]
        if not blocked.any():
            break
        free[split:] &= ~blocked
    return step
