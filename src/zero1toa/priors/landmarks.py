"""MediaPipe's 478 landmarks of a drive, projected from the head model: nothing is detected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads import HeadTopology


def project_landmarks(
    vertices: NDArray[np.floating], topology: HeadTopology, cameras: Sequence[Camera]
) -> NDArray[np.float64]:
    """(F, 478, 3) landmarks in pixels (the first pixel's centre is 0.5) and relative depth.

    The depth is that from the landmarks' middle, in the same unit as x; smaller is nearer, as MediaPipe has it.

    Args:
        vertices: (F, V, 3) posed, world metres.
        topology: of the head.
        cameras: F views.
    """
    corners = np.asarray(vertices, np.float64)[:, topology.faces[topology.landmark_faces]]  # (F, 478, 3, 3)
    points = np.einsum("fvcx,vc->fvx", corners, topology.landmark_barycentrics)
    projected = np.stack([camera.project(frame) for camera, frame in zip(cameras, points, strict=True)])
    for frame, camera in zip(projected, cameras):
        middle = frame[:, 2].mean()
        frame[:, 2] = (frame[:, 2] - middle) * camera.fx / middle
    return projected
