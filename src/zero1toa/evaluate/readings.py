"""What the landmark detector reads in a picture of a known head, next to what the head was told to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..camera import FRONTAL, Camera
from ..heads import JOINTS, RiggedHead, facemesh, load_head
from ..portrait.detect import detect_faces
from ..portrait.landmark_model import landmark_model
from ..portrait.solver import LandmarkModel, Pinhole, solve_pose
from ..priors.landmarks import project_landmarks
from .metrics import landmark_distance

REGIONS: dict[str, tuple[int, ...]] = {
    "eyes": facemesh.EYES,
    "lips": facemesh.LIPS,
    "brows": facemesh.BROWS,
    "oval": facemesh.OVAL,
}
"""Groups of landmarks that are reported by themselves."""


class Reading(NamedTuple):
    """A found face next to the commanded one."""

    distance: float  # px at 512, mean over all landmarks
    regions: dict[str, float]  # the same by region
    yaw: float  # degrees read, of the camera around the head, positive from its left


@dataclass(frozen=True, eq=False)
class Command:
    """A posed head before a camera."""

    head: RiggedHead
    vertices: NDArray[np.float64]  # (V, 3) posed, world metres
    camera: Camera
    turn: NDArray[np.float64]  # (3, 3) rotation of the head joint, from the head at rest to the world

    @classmethod
    def of(
        cls, head: RiggedHead, camera: Camera, expression: torch.Tensor, pose: torch.Tensor | None = None
    ) -> Command:
        """From ARKit weights (52,) and joint rotations (6, 3)."""
        with torch.no_grad():
            vertices = head.pose(expression, pose).numpy().astype(np.float64)
            turn = head.joint_transforms(expression, pose)[JOINTS.index("head"), :3, :3].numpy().astype(np.float64)
        return cls(head, vertices, camera, turn)

    @property
    def yaw(self) -> float:
        """Degrees of the camera around the head, positive from its left."""
        return _yaw(self.camera.viewmat[:3, :3] @ self.turn)

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """(478, 3) where they should be: px and relative depth."""
        return project_landmarks(self.vertices[None], self.head.topology, [self.camera])[0]

    def read(self, image: NDArray[np.floating]) -> Reading | None:
        """What the detector finds in a picture (H, W, 3) in [0, 1] of this; None if no face."""
        found = find_landmarks(image)
        return None if found is None else self.compare(found)

    def compare(self, found: NDArray[np.floating]) -> Reading:
        """Found landmarks (478, 2 or more), px, next to the commanded ones."""
        size = self.camera.height
        regions = {name: landmark_distance(found, self.landmarks, size, index) for name, index in REGIONS.items()}
        return Reading(landmark_distance(found, self.landmarks, size), regions, self._read_yaw(found))

    def _read_yaw(self, found: NDArray[np.floating]) -> float:
        """By a rigid fit of the commanded points to the found ones."""
        topology = self.head.topology
        corners = self.vertices[topology.faces[topology.landmark_faces]]
        points = np.einsum("vcx,vc->vx", corners, topology.landmark_barycentrics)
        model = LandmarkModel(points, np.zeros((0, *points.shape)), np.zeros((52, *points.shape)), _spread())
        camera = self.camera
        rotation, _ = solve_pose(model, np.asarray(found, np.float64), Pinhole(camera.fy, camera.cx, camera.cy))
        return _yaw(rotation @ self.turn)


def _yaw(rotation: NDArray[np.floating]) -> float:
    """Degrees around the vertical of a rotation (3, 3) from head to camera axes."""
    return -float(Rotation.from_matrix(FRONTAL @ rotation).as_euler("YXZ", degrees=True)[0])


def find_landmarks(image: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """(478, 3) of the largest face of a picture (H, W, 3) in [0, 1], px; None if there is none."""
    faces = detect_faces(np.ascontiguousarray(image, np.float32), thorough=False)
    return faces[0].landmarks if faces else None


def _spread() -> NDArray[np.float64]:
    return landmark_model(load_head(), 0).spread
