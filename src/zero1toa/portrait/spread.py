"""Values that are known at some vertices of a mesh, spread smoothly over the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

_KEEP, _TOWARD_DEFAULT = 10.0, 1e-6  # weights of a known value and of the default, against 1 for each edge


def mesh_laplacian(
    faces: NDArray[np.integer], num_vertices: int, edge_weight: Callable[[NDArray, NDArray], NDArray] | None = None
) -> sparse.csr_matrix:
    """(V, V) graph Laplacian: degree on the diagonal, minus the weight of each edge elsewhere.

    `edge_weight` gives the weights (E,) of edges from their ends' indices (E,) and (E,), alike both ways; 1 if absent.
    """
    a, b = np.concatenate([faces, np.roll(faces, -1, axis=1)]).reshape(2, -1)
    edges = sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(num_vertices, num_vertices))
    adjacency = ((edges + edges.T) > 0).astype(np.float64).tocoo()
    if edge_weight is not None:
        adjacency.data = edge_weight(adjacency.row, adjacency.col)
    adjacency = adjacency.tocsr()
    return (sparse.diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency).tocsr()


def spread_over_mesh(
    values: NDArray[np.floating],
    weight: NDArray[np.floating],
    laplacian: sparse.csr_matrix,
    default: NDArray[np.floating],
    toward_default: float | NDArray[np.floating] = _TOWARD_DEFAULT,
    *,
    keep: float = _KEEP,
) -> NDArray[np.float64]:
    """Harmonic interpolation: values (V, C) kept where weight (V,) is high, smooth in between and beyond.

    Where nothing at all is known the result is `default` (V, C). `keep` and `toward_default` are the weights of a
    known value and of the default against 1 for each edge: less of the first is smoother, more of the second reaches
    less far.
    """
    toward = np.broadcast_to(toward_default, len(values))[:, None]
    system = laplacian + sparse.diags(keep * weight + toward_default)
    solve = splu(system.tocsc())
    right = keep * weight[:, None] * values + toward * default
    return np.stack([solve.solve(right[:, c]) for c in range(values.shape[1])], -1)


def smooth_step(value: NDArray, low: float, high: float) -> NDArray[np.float64]:
    """0 up to `low`, 1 from `high` on, with a smooth rise between; falls where `high` is the lower one."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
