"""The warping error with the true flow: a frame against the one before, carried along by the known mesh.

Lai et al. (2018) warp by an estimated optical flow; here the mesh, its pose and the cameras are known, so the flow is
exact, and so is which pixels were hidden before. Unlike the measures on the texture every pixel counts alike, and the
mouth is in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, minimum_filter

from ..camera import Camera
from ..heads import RiggedHead
from ..heads.mesh_render import rasterize_mesh
from ..priors import Drive, Video

_DEPTH_TOLERANCE = 0.004  # metres behind the nearest surface that still count as seen
_INSIDE = 0.98  # alpha that a pixel and its neighbours must have in both frames


def warping_errors(head: RiggedHead, drive: Drive, video: Video) -> NDArray[np.float64]:
    """(F - 1,) root mean square colour difference, sRGB, of each frame and the warped one before; NaN where they show
    nothing in common."""
    posed = head.pose(drive.expressions, drive.poses).detach().numpy().astype(np.float64)
    faces = head.topology.faces
    frames, alpha = video.frames.numpy(), video.alpha[:, 0].numpy()
    solid = [minimum_filter(a, 3, mode="nearest") > _INSIDE for a in alpha]
    errors = []
    before = rasterize_mesh(posed[0], faces, drive.cameras[0])
    for t in range(1, len(posed)):
        now = rasterize_mesh(posed[t], faces, drive.cameras[t])
        rows, columns = np.nonzero((now.face >= 0) & solid[t])
        corners = posed[t - 1][faces[now.face[rows, columns]]]
        place = (corners * now.barycentric[rows, columns][..., None]).sum(1)
        x, y, seen = _where(place, drive.cameras[t - 1], before.depth)
        seen &= solid[t - 1][y.clip(0, alpha.shape[1] - 1).astype(int), x.clip(0, alpha.shape[2] - 1).astype(int)]
        warped = np.stack([map_coordinates(c, [y - 0.5, x - 0.5], order=1, mode="nearest") for c in frames[t - 1]], -1)
        shown = frames[t][:, rows, columns].T
        squared = ((warped - shown) ** 2).mean(-1)[seen]
        errors.append(float(np.sqrt(squared.mean())) if squared.size else float("nan"))
        before = now
    return np.array(errors)


def _where(
    place: NDArray[np.float64], camera: Camera, depth: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Pixel coordinates of places, and whether the nearest surface is there."""
    x, y, z = camera.project(place).T
    inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    row, column = y.clip(0, camera.height - 1).astype(int), x.clip(0, camera.width - 1).astype(int)
    return x, y, inside & (z < depth[row, column] + _DEPTH_TOLERANCE)
