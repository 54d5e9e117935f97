"""A head on its neck laid on measured landmarks: pose and expression together, frame by frame.

The maximum of a posterior: landmarks say where points of the face are, the tracker has said what the face does, and a
torso that was seen stays where it was seen, with a neck that bends about as far as a turn of the head wants it to.
Without the torso, depth would be free, and a grin that is read a little too strong passes for a head that moves back.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from ..heads import JOINTS, arkit, facemesh
from ..portrait.solver import Array, LandmarkModel, Pinhole, landmark_weights

_STEPS: Final = 6  # Gauss-Newton steps
_LANDMARK_SIGMA: Final = 4.0  # px at 512, of the detector and of the shapes together
_ROBUST: Final = 10.0  # px at 512 at which a landmark counts half
_DETAIL: Final = 3.0  # how much more lips and lids count, of which there are few
_WEIGHT_SIGMA: Final = 0.2  # ARKit weight, of the tracker; that of the gaze:
_GAZE_SIGMA: Final = 0.15
_NECK_SIGMA: Final = float(np.radians(0.3))  # from half of the head's turn; tuned on a talking man
_HEAD_SIGMA: Final = float(np.radians(8.0))
_TORSO_SEEN: Final = np.array([1e-4, 1e-4, 5e-5])  # metres: measured, and far firmer than what 478 like errors say
_TORSO_UNSEEN: Final = np.array([0.05, 0.05, 0.05])
_STEP: Final = 1e-4  # radians and metres, of the difference quotients
_NECK, _HEAD = JOINTS.index("neck"), JOINTS.index("head")
_SIGMAS: Final = np.array([_GAZE_SIGMA if name.startswith("eyeLook") else _WEIGHT_SIGMA for name in arkit.NAMES])


class Bust(NamedTuple):
    """A torso before the camera, and the joints on it."""

    rotation: Array  # (3, 3) torso to camera axes
    place: Array  # (3,) metres, camera axes
    neck: Array  # (3,) the neck's joint at rest
    head: Array  # (3,) the head's

    def head_pose(self, angles: Array) -> tuple[Array, Array]:
        """Rotation (3, 3) and translation (3,) from the head at rest to the camera.

        Args:
            angles: (9,) rotation vectors of neck and head, and metres by which the torso is moved (its own axes).
        """
        neck, head = (Rotation.from_rotvec(angles[a : a + 3]).as_matrix() for a in (0, 3))
        shift = neck @ (self.head - head @ self.head - self.neck) + self.neck + angles[6:]
        return self.rotation @ neck @ head, self.rotation @ shift + self.place


class Belief(NamedTuple):
    """What is known of a frame before its landmarks are looked at."""

    angles: Array  # (9,) as in `Bust.head_pose`
    torso_seen: bool
    weights: Array  # (52,) ARKit weights


def lay_on_landmarks(
    bust: Bust, model: LandmarkModel, landmarks: Array, pinhole: Pinhole, belief: Belief
) -> tuple[Array, Array]:
    """Angles (9,) and ARKit weights (52,) of one frame.

    Args:
        bust: the person's.
        model: of this person; its mean is where the landmarks rest.
        landmarks: (478, 2) px as measured.
        pinhole: of the crop.
        belief: where to begin, and what to stay close to.
    """
    unit = 2 * pinhole.cy / 512
    torso = _TORSO_SEEN if belief.torso_seen else _TORSO_UNSEEN
    sigma = np.concatenate([np.full(3, _NECK_SIGMA), np.full(3, _HEAD_SIGMA), torso, _SIGMAS])
    prior = 1 / sigma**2
    mean = np.concatenate([belief.angles, belief.weights])
    importance = landmark_weights(model) / (_LANDMARK_SIGMA * unit) ** 2
    importance[list(facemesh.LIPS + facemesh.EYES)] *= _DETAIL
    shapes = model.expression.transpose(1, 2, 0)  # (478, 3, 52)
    values = mean.copy()
    for _ in range(_STEPS):
        points = model.mean + shapes @ values[9:]
        rotation, translation = bust.head_pose(values[:9])
        local = points @ rotation.T + translation
        residual = pinhole.project(local) - landmarks
        jacobian = _projection(local, pinhole.focal)
        turns = [bust.head_pose(values[:9] + step) for step in _STEP * np.eye(9)]
        moves = np.stack([(points @ r.T + t - local) / _STEP for r, t in turns], -1)
        rows = np.concatenate([jacobian @ moves, (jacobian @ rotation) @ shapes], -1).reshape(2 * len(points), -1)
        error = np.linalg.norm(residual, axis=1)
        scale = np.repeat(importance / (1 + (error / (_ROBUST * unit)) ** 2), 2)
        hessian = rows.T @ (rows * scale[:, None]) + np.diag(prior)
        gradient = rows.T @ (scale * residual.ravel()) + prior * (values - mean)
        values = values - np.linalg.solve(hessian, gradient)
        values[9:] = values[9:].clip(0, 1)
    return values[:9], values[9:]


def _projection(local: Array, focal: float) -> Array:
    """(N, 2, 3) derivatives of pixels by camera points."""
    z = local[:, 2]
    out = np.zeros((len(local), 2, 3))
    out[:, 0, 0] = out[:, 1, 1] = focal / z
    out[:, :, 2] = -focal * local[:, :2] / z[:, None] ** 2
    return out
