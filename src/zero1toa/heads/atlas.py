"""Texture coordinates for heads that come without: the skin unrolled about the vertical axis, the rest in tiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .mesh_render import vertex_normals

Array = NDArray[np.float64]

_STRIP = 0.22  # of the height, at the bottom, for everything but the skin's outside
_INNER = 0.16  # of the width of that strip, for the skin that is folded behind other skin
_GAP = 0.004  # between tiles


class Chart(NamedTuple):
    """A set of triangles with their own flat coordinates."""

    faces: NDArray[np.int64]  # (n,) rows of the head's triangles
    corners: Array  # (n, 3, 2) any scale


class Atlas(NamedTuple):
    uvs: NDArray[np.float32]  # (U, 2) in [0, 1], v up
    uv_faces: NDArray[np.int32]  # (T, 3)


def unroll(
    vertices: Array, faces: NDArray[np.int32], skin: NDArray[np.bool_], parts: NDArray[np.integer], axis: Array
) -> Atlas:
    """Coordinates without overlaps but for skin that is folded more than once, such as in the ears.

    Args:
        vertices: (V, 3) the mean head.
        faces: (T, 3).
        skin: (T,) the skin's triangles; the others are laid out by part.
        parts: (T,) number of the part.
        axis: (3,) a point of the vertical axis in the middle of the head.
    """
    outside, folded = _cylinder(vertices, faces, np.flatnonzero(skin), axis)
    placed = [_placed(outside, (0.0, _STRIP, 1.0, 1.0))]
    if len(folded.faces):
        placed.append(_placed(folded, (0.0, 0.0, _INNER, _STRIP)))
    tiles = list(_flat_parts(vertices, faces, skin, parts))
    width = (1 - _INNER) / max(len(tiles), 1)
    placed += [_placed(t, (_INNER + k * width, 0.0, _INNER + (k + 1) * width, _STRIP)) for k, t in enumerate(tiles)]
    corners = np.zeros((len(faces), 3, 2))
    for chart in placed:
        corners[chart.faces] = chart.corners
    keys = np.concatenate([faces.reshape(-1, 1), np.round(corners.reshape(-1, 2) * 1e6).astype(np.int64)], 1)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Atlas(corners.reshape(-1, 2)[first].astype(np.float32), inverse.reshape(-1, 3).astype(np.int32))


def _cylinder(vertices: Array, faces: NDArray[np.int32], rows: NDArray[np.int64], axis: Array) -> tuple[Chart, Chart]:
    """The skin as seen from the axis' outside, and apart the triangles that show it their back."""
    offset = vertices - axis
    angle = np.arctan2(offset[:, 0], offset[:, 2])[faces[rows]]  # 0 at the face, the seam at the back
    angle = np.where(np.ptp(angle, axis=1)[:, None] > np.pi, np.where(angle < 0, angle + 2 * np.pi, angle), angle)
    radius = np.median(np.hypot(offset[:, 0], offset[:, 2])[faces[rows]])
    corners = np.stack([angle * radius, offset[:, 1][faces[rows]]], -1)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    front = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0
    return Chart(rows[front], corners[front]), Chart(rows[~front], corners[~front])


def _flat_parts(
    vertices: Array, faces: NDArray[np.int32], skin: NDArray[np.bool_], parts: NDArray[np.integer]
) -> Iterator[Chart]:
    """Each part twice: what faces the front, seen from the front, and what faces the back, from there."""
    normals = vertex_normals(vertices, faces)[faces].sum(1)
    for part in np.unique(parts[~skin]):
        for side in (True, False):
            rows = np.flatnonzero((parts == part) & ~skin & ((normals[:, 2] > 0) == side))
            if len(rows):
                yield Chart(rows, vertices[faces[rows]][..., :2] * (1, 1))


def _placed(chart: Chart, box: tuple[float, float, float, float]) -> Chart:
    """The chart stretched into a box (left, bottom, right, top)."""
    low, high = chart.corners.min((0, 1)), chart.corners.max((0, 1))
    unit = (chart.corners - low) / np.maximum(high - low, 1e-9)
    left, bottom, right, top = box
    size = np.array([right - left - 2 * _GAP, top - bottom - 2 * _GAP])
    return Chart(chart.faces, unit * size + (left + _GAP, bottom + _GAP))
