"""A face in a picture as MediaPipe's landmarks tell it: where points are, what expression, what pose.

The measures made of it are marked `-mp`. AED and APD of the literature compare the codes of a 3D face model that is
fitted by a network of its own (DECA, Deep3DFaceRecon); their weights are not free. Here the expression is the 52 ARKit
weights that `portrait.expression_prior` reads in the landmarks, and the pose is that of the mean head.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..heads import arkit, facemesh, load_head
from ..portrait.expression_prior import frontal_features, frontal_points, load_regressor
from ..portrait.landmark_model import landmark_model
from ..portrait.landmarks import mirrored
from ..portrait.solver import LandmarkModel, Pinhole
from .metrics import landmark_distance
from .readings import find_landmarks

_UPPER_LIP: Final = (82, 13, 312)  # inner lips: right of the middle, middle, left of it
_LOWER_LIP: Final = (87, 14, 317)
_UPPER_LIDS: Final = (160, 159, 158, 385, 386, 387)  # of both eyes, each above the one of `_LOWER_LIDS`
_LOWER_LIDS: Final = (144, 145, 153, 380, 374, 373)

MEASURES: Final[dict[str, str]] = {
    "akd": "AKD-mp: mean distance of the 478 landmarks, px at 512",
    "mouth": "mouth: the same of the 40 lip landmarks, px at 512",
    "eyes": "eyes: the same of the 32 lid landmarks, px at 512",
    "irises": "irises: the same of the 10 iris landmarks, px at 512",
    "mouth_gap": "mouth opening: difference of the gap between the lips, px at 512",
    "eye_gap": "eye opening: difference of the gap between the lids, px at 512",
    "aed": "AED-mp: mean difference of the 52 ARKit weights read in the landmarks, 0 to 1",
    "apd": "APD-mp: angle between the head rotations read in the landmarks, degrees",
    "apd_cm": "APD-mp, position: distance between the head positions read in the landmarks, cm",
}
"""What two faces are compared by, with its unit."""


class Face(NamedTuple):
    """One face."""

    landmarks: NDArray[np.float64]  # (478, 3) px, z relative depth
    weights: NDArray[np.float64]  # (52,) ARKit weights
    rotation: NDArray[np.float64]  # (3, 3) head to camera axes
    translation: NDArray[np.float64]  # (3,) metres


class FaceReader:
    """Reads faces in square pictures of one size.

    Args:
        size: px.
        fov: vertical field of view that is assumed, degrees.
    """

    def __init__(self, size: int, fov: float) -> None:
        self._size, self._pinhole = size, Pinhole.from_fov(fov, size)
        self._mean: LandmarkModel = landmark_model(load_head(), 0)

    def find(self, picture: NDArray[np.floating]) -> Face | None:
        """The largest face of a picture (S, S, 3) in [0, 1]; None if there is none."""
        landmarks = find_landmarks(picture)
        return None if landmarks is None else self.read(landmarks)

    def read(self, landmarks: NDArray[np.floating]) -> Face:
        """What landmarks (478, 3), px, say."""
        points = np.asarray(landmarks, np.float64)
        regressor = load_regressor()
        straight = regressor.expected(frontal_features(self._mean, points, self._pinhole))
        other = regressor.expected(frontal_features(self._mean, mirrored(points, self._size), self._pinhole))
        weights = regressor.calibrated((straight + other[list(arkit.MIRROR)]) / 2)
        _, rotation, translation = frontal_points(self._mean, points, self._pinhole)
        return Face(points, np.asarray(weights, np.float64), rotation, translation)


def compare_faces(face: Face, truth: Face, size: int) -> dict[str, float]:
    """`MEASURES` between two faces in pictures of `size` px."""
    turn = Rotation.from_matrix(face.rotation @ truth.rotation.T).magnitude()
    distances = {
        name: landmark_distance(face.landmarks, truth.landmarks, size, index)
        for name, index in (("akd", None), ("mouth", facemesh.LIPS), ("eyes", facemesh.EYES),
                            ("irises", facemesh.IRISES))
    }  # fmt: skip
    unit = 512 / size
    return distances | {
        "mouth_gap": abs(lip_gap(face.landmarks) - lip_gap(truth.landmarks)) * unit,
        "eye_gap": abs(lid_gap(face.landmarks) - lid_gap(truth.landmarks)) * unit,
        "aed": float(np.abs(face.weights - truth.weights).mean()),
        "apd": float(np.degrees(turn)),
        "apd_cm": float(np.linalg.norm(face.translation - truth.translation)) * 100,
    }


def lip_gap(landmarks: NDArray[np.floating]) -> float:
    """Mean distance of the lips near the middle of the mouth, px."""
    return _gap(landmarks, _UPPER_LIP, _LOWER_LIP)


def lid_gap(landmarks: NDArray[np.floating]) -> float:
    """Mean distance of upper and lower lids over both eyes, px."""
    return _gap(landmarks, _UPPER_LIDS, _LOWER_LIDS)


def _gap(landmarks: NDArray[np.floating], upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    return float(np.linalg.norm(landmarks[list(upper), :2] - landmarks[list(lower), :2], axis=1).mean())
