"""Pieces of the head mesh and how each of their vertices follows the source mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from .source import Source

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """Triangles of one or more parts. A piece is either a fixed sparse linear map of source vertices, or rigid."""

    faces: Index  # (T, 3) into this piece's vertices
    face_part: NDArray[np.str_]  # (T,) part name
    uvs: Array  # (U, 2) any scale; packed into the atlas later
    uv_faces: Index  # (T, 3)
    mirror: Index  # (V,) mirrored vertex; of the other side's piece if the piece itself has a side
    map: sparse.csr_matrix | None = None  # (V, N) rows sum to 1: vertices = map @ source vertices
    rest: Array | None = None  # (V, 3) of a rigid piece, on the mean head
    follows: str = ""  # of a rigid piece: source group whose affine motion it takes
    joint: str = ""  # of a rigid piece: the joint it hangs on

    @property
    def num_vertices(self) -> int:
        return len(self.mirror)

    @property
    def linear(self) -> sparse.csr_matrix:
        """`map` of a piece that has one."""
        assert self.map is not None, self.face_part[0]
        return self.map

    @property
    def placed(self) -> Array:
        """`rest` of a rigid piece."""
        assert self.rest is not None, self.face_part[0]
        return self.rest


def triangulate(quads: Index, vertices: Array) -> tuple[Index, Index]:
    """Split quads (Q, 4, 2) of vertex and uv indices along the shorter diagonal; a tie takes the higher corner's.

    The rule depends on shape only, so a mirrored quad is split along the mirrored diagonal.
    Returns triangles (2Q, 3) of vertex indices and of uv indices.
    """
    corner = vertices[quads[..., 0]]
    length = [np.linalg.norm(corner[:, i] - corner[:, i + 2], axis=1) for i in (0, 1)]
    highest = np.round(corner[..., 1], 9).argmax(1) % 2 == 0
    tie = np.abs(length[0] - length[1]) < 1e-9
    first = np.where(tie, highest, length[0] < length[1])
    a = np.where(first[:, None, None], quads[:, [0, 1, 2]], quads[:, [1, 2, 3]])
    b = np.where(first[:, None, None], quads[:, [0, 2, 3]], quads[:, [1, 3, 0]])
    both = np.concatenate([a, b])
    return both[..., 0], both[..., 1]


def clip(faces: Index, uv_faces: Index, inside: Array, uvs: Array) -> tuple[Index, Index, sparse.csr_matrix, Array]:
    """Cut a triangle mesh along the zero line of a value per vertex and keep the positive side.

    New vertices lie on the cut edges; vertices that are almost on the line count as on it, which avoids slivers.

    Returns faces (T, 3) into the new vertices, uv faces, the map (V', N) from old to new vertices, and the uvs, with
    new ones appended. Unused vertices are dropped, unused uvs are not.
    """
    near = 0.1  # of an edge's length: closer ends are moved onto the line by calling them inside
    value = inside.copy()
    for i, j in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
        a, b = faces[:, i], faces[:, j]
        crossing = (inside[a] < 0) & (inside[b] > 0) & (-inside[a] < near * (inside[b] - inside[a]))
        value[a[crossing]] = 0
    rows: dict[tuple[int, int], int] = {}
    uv_rows: dict[tuple[int, int], int] = {}
    weights: list[tuple[int, int, float]] = []
    new_uvs: list[Array] = []
    out: list[list[int]] = []
    uv_out: list[list[int]] = []
    count = len(inside)

    def cut(a: int, b: int, ta: int, tb: int) -> tuple[int, int]:
        if a > b:
            a, b, ta, tb = b, a, tb, ta
        t = value[a] / (value[a] - value[b])
        if (a, b) not in rows:
            rows[a, b] = count + len(rows)
            weights.append((a, b, t))
        if (ta, tb) not in uv_rows:
            uv_rows[ta, tb] = len(uvs) + len(uv_rows)
            new_uvs.append((1 - t) * uvs[ta] + t * uvs[tb])
        return rows[a, b], uv_rows[ta, tb]

    for face, uv_face in zip(faces, uv_faces, strict=True):
        if (value[face] >= 0).all():
            out.append(list(face))
            uv_out.append(list(uv_face))
            continue
        polygon = []
        for k in range(3):
            a, b = face[k], face[(k + 1) % 3]
            if value[a] >= 0:
                polygon.append((a, uv_face[k]))
            if value[a] * value[b] < 0:
                polygon.append(cut(a, b, uv_face[k], uv_face[(k + 1) % 3]))
        for k in range(1, len(polygon) - 1):
            corners = (polygon[0], polygon[k], polygon[k + 1])
            out.append([c[0] for c in corners])
            uv_out.append([c[1] for c in corners])
    total = count + len(weights)
    a, b, t = (np.array(column) for column in zip(*weights, strict=True)) if weights else (np.zeros(0, int),) * 3
    below = np.arange(count, total)
    matrix = sparse.csr_matrix(
        (
            np.r_[np.ones(count), 1 - t, t],
            (np.r_[np.arange(count), below, below], np.r_[np.arange(count), a, b]),
        ),
        shape=(total, count),
    )
    used, flat = np.unique(np.array(out), return_inverse=True)
    return flat.reshape(-1, 3), np.array(uv_out), matrix[used], np.concatenate([uvs, np.array(new_uvs).reshape(-1, 2)])


def largest_component(faces: Index, num_vertices: int) -> NDArray[np.bool_]:
    """(T,) which triangles hang together with most others."""
    label = components(faces, num_vertices)[faces[:, 0]]
    return label == np.bincount(label).argmax()


def components(faces: Index, num_vertices: int) -> Index:
    """(V,) number of the connected component of each vertex."""
    pairs = sparse.coo_matrix(
        (np.ones(faces.size), (faces.ravel(), np.roll(faces, 1, 1).ravel())), shape=(num_vertices,) * 2
    )
    return np.asarray(sparse.csgraph.connected_components(pairs, directed=False)[1], np.int64)


def edge_graph(faces: Index, points: Array) -> sparse.csr_matrix:
    """(V, V) symmetric graph of edge lengths."""
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1), axis=0)
    a, b = edges.T
    length = np.linalg.norm(points[a] - points[b], axis=1).clip(1e-9)
    return sparse.csr_matrix((np.r_[length, length], (np.r_[a, b], np.r_[b, a])), shape=(len(points),) * 2)


def mirror_by_place(points: Array, mirrored_of: Array | None = None, tolerance: float = 1e-6) -> Index:
    """(V,) the vertex of `points` at the mirrored place of each vertex of `mirrored_of` (default: the same points).

    Raises AssertionError if some vertex has no partner within `tolerance` metres or two share one.
    """
    from scipy.spatial import cKDTree

    wanted = (points if mirrored_of is None else mirrored_of) * [-1, 1, 1]
    distance, partner = cKDTree(points).query(wanted)
    assert distance.max() < tolerance, f"{distance.max() * 1000:.4f} mm between mirrored vertices"
    assert len(np.unique(partner)) == len(partner)
    return np.asarray(partner, np.int64)


def piece_of_groups(source: Source, groups: list[str], part: str) -> Piece:
    """Whole groups of the source as one piece. `mirror` is left empty: it needs the other pieces."""
    quads = np.concatenate([source.groups[g] for g in groups])
    faces, uv_faces = triangulate(quads, source.vertices)
    used, flat = np.unique(faces, return_inverse=True)
    uv_used, uv_flat = np.unique(uv_faces, return_inverse=True)
    chosen = sparse.csr_matrix(
        (np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), len(source.vertices))
    )
    return Piece(
        faces=flat.reshape(-1, 3),
        face_part=np.full(len(faces), part),
        uvs=source.uvs[uv_used],
        uv_faces=uv_flat.reshape(-1, 3),
        mirror=np.arange(len(used)),
        map=chosen,
    )
