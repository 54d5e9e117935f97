"""One texture square for all pieces: islands are scaled by how much detail they deserve and packed in shelves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mesh import components

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_MARGIN = 0.004  # of the square, between islands: 4 texels at 1024


@dataclass(frozen=True)
class Detail:
    """How one part goes into the texture."""

    density: float = 1.0  # texture length per metre of surface, relative to the face
    turn: int = 0  # quarter turns counter-clockwise


def magnify(uvs: Array, centre: Array, strength: float) -> Array:
    """Texture coordinates (U, 2) spread out around a point: (1 + strength) times at the point, less towards the rim.

    Points move along rays from the centre and keep their order, so the map stays one-to-one.
    """
    arm = uvs - centre
    radius = np.linalg.norm(arm, axis=1, keepdims=True)
    return centre + arm * (1 + strength) / (1 + strength * radius / radius.max())


def pack(
    points: Array,
    faces: Index,
    uvs: Array,
    uv_faces: Index,
    face_part: NDArray[np.str_],
    details: dict[str, Detail],
    importance: Array,
) -> Array:
    """(U, 2) texture coordinates in [0, 1], no two islands overlapping.

    Every island is scaled so that its mean edge has one common length per metre times the `density` of its part and
    the mean `importance` (V,) of its vertices; then all are packed with the largest common factor that fits.
    """
    island = components(uv_faces, len(uvs))
    of_face = island[uv_faces[:, 0]]
    placed = uvs.copy()
    boxes = []
    for k in np.unique(of_face):
        mine = of_face == k
        detail = details[str(face_part[mine][0])]
        world = _mean_edge(points[faces[mine]])
        flat = _mean_edge(uvs[uv_faces[mine]])
        rows = np.flatnonzero(island == k)
        moved = uvs[rows] * (detail.density * importance[faces[mine]].mean() * world / flat)
        for _ in range(detail.turn):
            moved = np.stack([-moved[:, 1], moved[:, 0]], 1)
        if _signed_area(placed[uv_faces[mine]]) < 0:
            moved = moved * [-1, 1]  # all islands are seen from outside
        placed[rows] = moved - moved.min(0)
        boxes.append((rows, np.ptp(moved, axis=0)))
    boxes.sort(key=lambda box: (-box[1][1], box[0][0]))
    low, high = 0.0, 1.0 / max(size.max() for _, size in boxes)
    for _ in range(30):
        factor = (low + high) / 2
        if _shelves([size * factor for _, size in boxes]) is None:
            high = factor
        else:
            low = factor
    corners = _shelves([size * low for _, size in boxes])
    assert corners is not None
    for (rows, _), corner in zip(boxes, corners, strict=True):
        placed[rows] = placed[rows] * low + corner
    return placed


def _signed_area(corners: Array) -> float:
    """Sum over triangles (T, 3, 2), positive where they turn counter-clockwise."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())


def _mean_edge(corners: Array) -> float:
    """Mean edge length of triangles (T, 3, D)."""
    return float(np.linalg.norm(corners - np.roll(corners, 1, 1), axis=-1).mean())


def _shelves(sizes: list[Array]) -> list[Array] | None:
    """Lower left corners of boxes, tallest first, from the top of the square; None if they do not fit.

    Each box goes into the first gap it fits: free space right of a shelf's boxes, or above a lower box on it.
    """
    gaps: list[list[float]] = [[0.0, 0.0, 1.0, 1.0]]  # left, bottom, right, top
    corners = []
    for width, height in sizes:
        w, h = width + _MARGIN, height + _MARGIN
        fitting = [g for g in gaps if g[2] - g[0] >= w and g[3] - g[1] >= h]
        if not fitting:
            return None
        gap = min(fitting, key=lambda g: (g[3] - g[1] - h, g[2] - g[0] - w))
        gaps.remove(gap)
        left, bottom, right, top = gap
        corners.append(np.array([left + _MARGIN / 2, top - h + _MARGIN / 2]))
        if gap == [0.0, bottom, 1.0, top] and right - left == 1.0:
            gaps.append([left + w, top - h, right, top])
            gaps.append([left, bottom, right, top - h])
        else:
            gaps.append([left + w, bottom, right, top])
            gaps.append([left, bottom, left + w, top - h])
    return corners
