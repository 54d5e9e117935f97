"""Rigid parts: the simplest motion that explains how a group of source vertices moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sphere_of(points: Array) -> tuple[Array, float]:
    """Centre and radius of the sphere through points (V, 3), by least squares."""
    system = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    centre = solution[:3]
    return centre, float(np.sqrt(solution[3] + centre @ centre))


def affine_motion(points: Array, deltas: Array) -> Array:
    """(K, 3, 4) maps A with `A @ [p, 1]` nearest to the displacements (K, V, 3) of points (V, 3)."""
    system = np.c_[points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, deltas.transpose(1, 0, 2).reshape(len(points), -1), rcond=None)[0]
    return np.asarray(solution.reshape(4, len(deltas), 3).transpose(1, 2, 0))


def similar_motion(points: Array, deltas: Array) -> Array:
    """(K, 3, 4) like `affine_motion` but only shift and uniform growth: a sphere stays a sphere."""
    middle = points.mean(0)
    arms = points - middle
    growth = np.einsum("vc,kvc->k", arms, deltas) / (arms**2).sum()
    out = np.zeros((len(deltas), 3, 4))
    out[:, range(3), range(3)] = growth[:, None]
    out[:, :, 3] = deltas.mean(1) - growth[:, None] * middle
    return out


def apply_motion(motion: Array, points: Array) -> Array:
    """Displacements (K, V, 3) of points (V, 3) under maps (K, 3, 4)."""
    return np.einsum("kij,vj->kvi", motion, np.c_[points, np.ones(len(points))])
