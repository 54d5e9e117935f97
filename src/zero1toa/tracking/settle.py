"""From what the network read, frame by frame, to curves: smooth, calibrated, with the doubtful frames marked."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..heads import arkit
from ..portrait.solver import Array, Pinhole
from . import calibrate, lips, smooth
from .alignment import Poses, align
from .fill import Curves
from .follow import Followed
from .identify import Identified
from .person import Person

_NOMINAL_SIDE: Final = 225.0  # px of the longer side of a face; errors are given at this size
_BATCH: Final = 256  # frames aligned at once
# Errors from which on something covers the face: in times the video's median, and px. Strong expressions reach 5 to
# 6 px (made-up persons), a covered face 12 (a square before a real one).
_UNEXPLAINED: Final = (2.5, 7.0)
_ORDINARY: Final = (2.0, 4.0)  # and those up to which confidence is not lowered
_LEAST_CONFIDENCE: Final = 0.15  # below, a frame counts as lost
_LIDS: Final = (arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"])


class Settled(NamedTuple):
    """The K frames in which the face was found."""

    weights: Array  # (K, 52) ARKit weights in [0, 1], less the rest
    rotation: Array  # (K, 3, 3) head to camera axes
    translation: Array  # (K, 3) metres
    confidence: Array  # (K,) in [0, 1]
    errors: Array  # (K,) px at a face of 225 px
    usable: NDArray[np.bool_]  # (K,) false where something covers the face
    rest: Array  # (52,) what was read at rest

    def known(self) -> Curves:
        """Of the usable frames."""
        return Curves(self.weights[self.usable], self.rotation[self.usable], self.translation[self.usable])


def settle(seen: Identified, followed: Followed, found: NDArray[np.int64], fps: float, pinhole: Pinhole) -> Settled:
    """Smooth weights and poses of the frames with a face, and how far they are to be trusted.

    Args:
        seen: who it is and what was read in the K frames.
        followed: all frames.
        found: (K,) indices of those with a face.
        fps: frames a second.
        pinhole: of the video.
    """
    segments, trust = followed.segments[found], followed.confidence[found]
    person, rest = seen.person, calibrate.rest_level(seen.weights, trust)
    weights = smooth.smooth_face(seen.weights - rest, segments, fps, trust)
    opening = smooth.smooth(seen.opening[:, None], segments, fps, smooth.FAST_SECONDS, trust)[:, 0]
    weights = lips.close_lips(calibrate.valid(weights), opening, person.model)
    weights[:, _LIDS] *= calibrate.lid_gains(weights, fps)
    weights = calibrate.valid(calibrate.gaze_through_blinks(weights, segments))
    poses, errors = _place(person, followed, found, weights, pinhole)
    typical = float(np.median(errors))
    ordinary, unexplained = (max(times * typical, px) for times, px in (_ORDINARY, _UNEXPLAINED))
    confidence = trust / (1 + np.maximum(errors / ordinary - 1, 0) ** 2)
    usable = (errors < unexplained) & (confidence > _LEAST_CONFIDENCE)
    if not usable.any():
        usable[:] = True  # nothing is sure, and nothing is better than the rest
    middle = mean_rotation(poses.rotation)
    turns = Rotation.from_matrix(poses.rotation @ middle.T).as_rotvec()
    turns = smooth.smooth(turns, segments, fps, smooth.POSE_SECONDS, confidence)
    translation = smooth.smooth(poses.translation, segments, fps, smooth.POSE_SECONDS, confidence)
    rotation = Rotation.from_rotvec(turns).as_matrix() @ middle
    return Settled(weights, rotation, translation, confidence, errors, usable, rest)


def mean_rotation(rotation: Array) -> Array:
    """(3, 3) the mean of rotations (F, 3, 3)."""
    return np.asarray(Rotation.from_matrix(rotation).mean().as_matrix())


def _place(
    person: Person, followed: Followed, found: NDArray[np.int64], weights: Array, pinhole: Pinhole
) -> tuple[Poses, Array]:
    """Poses of the moving head, and the distances (K,) of its landmarks from the measured ones."""
    rotation, translation, errors = [], [], []
    for first in range(0, len(found), _BATCH):
        part = slice(first, first + _BATCH)
        points = person.rest + np.tensordot(weights[part], person.model.expression, 1)
        landmarks = followed.landmarks[found[part]]
        poses = align(points, landmarks, pinhole, person.rigid)
        local = np.einsum("fab,fvb->fva", poses.rotation, points) + poses.translation[:, None]
        projected = pinhole.focal * local[..., :2] / local[..., 2:] + [pinhole.cx, pinhole.cy]
        rotation.append(poses.rotation)
        translation.append(poses.translation)
        errors.append(np.linalg.norm(projected - landmarks, axis=-1).mean(1))
    scale = _NOMINAL_SIDE / followed.width[found]
    return Poses(np.concatenate(rotation), np.concatenate(translation)), np.concatenate(errors) * scale
