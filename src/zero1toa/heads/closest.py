"""The nearest point of a triangle mesh, by brute force; enough for some hundred points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def closest_points(points: Array, triangles: Array) -> tuple[NDArray[np.int64], Array]:
    """For each point the nearest triangle and the barycentric weights of the nearest place in it.

    Args:
        points: (N, 3).
        triangles: (T, 3, 3) corners; degenerate ones are allowed.

    Returns:
        (N,) triangle index and (N, 3) weights, at least 0 and summing to 1.
    """
    index, weights = np.zeros(len(points), np.int64), np.zeros((len(points), 3))
    for i, point in enumerate(points):
        candidates = weights_of_nearest(point, triangles)
        distance = np.linalg.norm(np.einsum("tk,tkc->tc", candidates, triangles) - point, axis=1)
        index[i] = distance.argmin()
        weights[i] = candidates[index[i]]
    return index, weights


def weights_of_nearest(point: Array, triangles: Array) -> Array:
    """(T, 3) weights of the place in each triangle nearest to one point (3,), or to its own (T, 3)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    ab, ac, ap = b - a, c - a, point - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    area = d00 * d11 - d01 * d01
    safe = np.where(area > 0, area, 1.0)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    inside = (area > 0) & (v >= 0) & (w >= 0) & (v + w <= 1)
    best = np.stack([1 - v - w, v, w], 1)
    least = np.where(inside, -1.0, np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edge = triangles[:, j] - triangles[:, i]
        length = (edge * edge).sum(1)
        t = (((point - triangles[:, i]) * edge).sum(1) / np.where(length > 0, length, 1.0)).clip(0, 1)
        distance = ((triangles[:, i] + t[:, None] * edge - point) ** 2).sum(1)
        closer = distance < least
        candidate = np.zeros_like(best)
        candidate[:, i], candidate[:, j] = 1 - t, t
        best[closer], least = candidate[closer], np.where(closer, distance, least)
    return best
