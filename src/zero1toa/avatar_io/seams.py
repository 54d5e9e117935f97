"""glTF knows one texture coordinate per vertex, so a vertex on a seam is written once per coordinate. And back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SplitMesh(NamedTuple):
    """A mesh whose vertices carry their own texture coordinate. The first V rows are the original vertices in order."""

    vertex: NDArray[np.int64]  # (S,) original vertex of each row
    uv: NDArray[np.int64]  # (S,) original texture coordinate of each row
    faces: NDArray[np.int64]  # (T, 3) indices of rows


def split_seams(num_vertices: int, faces: NDArray[np.int32], uv_faces: NDArray[np.int32]) -> SplitMesh:
    """One row per pair of vertex and texture coordinate that some corner uses.

    A vertex keeps its own row for the lowest of its texture coordinates, the others follow after row V - 1, sorted by
    vertex and coordinate. A vertex that no face uses gets coordinate 0.
    """
    pairs = np.stack([faces.ravel(), uv_faces.ravel()], 1).astype(np.int64)
    unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
    is_first = np.diff(unique[:, 0], prepend=-1) != 0  # rows are sorted by vertex, then coordinate
    row = np.empty(len(unique), np.int64)
    row[is_first] = unique[is_first, 0]
    row[~is_first] = num_vertices + np.arange(np.count_nonzero(~is_first))
    vertex = np.concatenate([np.arange(num_vertices), unique[~is_first, 0]])
    uv = np.zeros(len(vertex), np.int64)
    uv[row] = unique[:, 1]
    return SplitMesh(vertex, uv, row[inverse.ravel()].reshape(faces.shape))


def join_seams(mesh: SplitMesh) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The faces (T, 3) and uv_faces (T, 3) that `split_seams` was given."""
    return mesh.vertex[mesh.faces].astype(np.int32), mesh.uv[mesh.faces].astype(np.int32)
