"""How the bare mesh looks in a program that does not know splats: normals, and colours taken from the splats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.avatar_io.data import AvatarData

_SPREAD_ROUNDS = 12  # a vertex without splats takes its colour from neighbours this many edges away at most


def surface_colors(data: AvatarData) -> NDArray[np.float64]:
    """(V, 3) sRGB display colours of the vertices: the mean of the splats on the triangles around each.

    Splats count by their opacity. A vertex that has none takes the mean of its neighbours, or of the whole head.
    """
    faces = data.topology.faces
    opacity = 1 / (1 + np.exp(-data.opacity_logits.astype(np.float64)))
    color = np.concatenate([data.colors.astype(np.float64).clip(0, 1) * opacity[:, None], opacity[:, None]], 1)
    total = np.zeros((len(data.vertices), 4))
    for corner in faces[data.triangle].T:
        for channel in range(4):
            total[:, channel] += np.bincount(corner, color[:, channel], len(total))
    known = total[:, 3] > 0
    for _ in range(_SPREAD_ROUNDS):
        if known.all():
            break
        mean = np.where(known[:, None], total / np.maximum(total[:, 3:], 1e-12), 0)
        around = np.zeros_like(total)
        for shift in (1, 2):
            np.add.at(around, faces.ravel(), mean[np.roll(faces, shift, 1).ravel()])
        fresh = ~known & (around[:, 3] > 0)
        total[fresh] = around[fresh]
        known = known | fresh
    total[~known] = total[known].mean(0)
    return total[:, :3] / total[:, 3:]


def vertex_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(V, 3) unit normals, area-weighted; a vertex without area gets +z."""
    corners = vertices.astype(np.float64)[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for corner in faces.T:
        np.add.at(normals, corner, area)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-300), [0.0, 0.0, 1.0]).astype(np.float32)


def linear_colors(srgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """sRGB display values in [0, 1] to linear light (IEC 61966-2-1); glTF's COLOR_0 is linear."""
    value = srgb.astype(np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
