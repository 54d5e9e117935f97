"""A pinhole camera in OpenCV axes: x right, y down, z forward; the centre of the first pixel is at (0.5, 0.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FRONTAL = np.diag([1.0, -1.0, -1.0])
"""Rotation from world axes (x to the subject's left, y up, z out of the face) to those of a camera in front; its own
inverse."""


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a picture is taken from.

    `viewmat` maps world metres to camera metres. Focal lengths and centre are in pixels.
    """

    viewmat: NDArray[np.float64]  # (4, 4) world -> camera, rigid
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        assert self.viewmat.shape == (4, 4), self.viewmat.shape

    @classmethod
    def orbit(
        cls,
        yaw: float = 0.0,
        pitch: float = 0.0,
        *,
        distance: float = 0.9,
        target: tuple[float, float, float] = (0.0, 0.0, 0.0),
        fov: float = 25.0,
        size: int | tuple[int, int] = 512,
    ) -> Camera:
        """A camera on a sphere around `target`, looking at it, upright.

        Args:
            yaw: degrees; positive moves the camera to the subject's left (+x), so that side of the face is seen.
            pitch: degrees in (-90, 90); positive moves the camera up.
            distance: metres from the target.
            target: point looked at, metres, world axes.
            fov: vertical field of view in degrees.
            size: pixels, either one number for a square or (width, height).
        """
        width, height = (size, size) if isinstance(size, int) else size
        y, p = np.radians([yaw, pitch])
        turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        tilt = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        rotation = FRONTAL @ tilt @ turn
        viewmat = np.eye(4)
        viewmat[:3, :3] = rotation
        viewmat[:3, 3] = np.array([0.0, 0.0, distance]) - rotation @ np.asarray(target, float)
        focal = height / 2 / np.tan(np.radians(fov) / 2)
        return cls(viewmat, focal, focal, width / 2, height / 2, width, height)

    @property
    def position(self) -> NDArray[np.float64]:
        """(3,) centre of projection in world metres."""
        return -self.viewmat[:3, :3].T @ self.viewmat[:3, 3]

    def to_camera(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """World points (..., 3) to camera points (..., 3), metres."""
        return points @ self.viewmat[:3, :3].T + self.viewmat[:3, 3]

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """World points (..., 3) to pixels and depth (..., 3): x, y in pixels, z in metres along the view axis."""
        local = self.to_camera(points)
        z = local[..., 2]
        return np.stack([self.fx * local[..., 0] / z + self.cx, self.fy * local[..., 1] / z + self.cy, z], -1)

    def resized(self, width: int, height: int) -> Camera:
        """The same view with another number of pixels."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy, width=width, height=height
        )
