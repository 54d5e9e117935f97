"""Mend what the source does wrong: lips that gape in some people, one-sided face units, lashes like brushes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from zero1toa.heads import arkit

from .basis import mirrored
from .mesh import Piece, components, edge_graph
from .motion import apply_motion

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_LIP_OVERLAP = 0.0004  # metres: closed lips press into each other by this much, so that no light shines through
_LIP_SLIDE = 0.75  # share of the forward sliding of one lip over the other that is taken out too
_LIP_REACH = 0.0025  # metres along the skin at which the correction has fallen to 1/e
_LASH_LENGTHS = (0.5, 0.3)  # upper and lower, of the source's, which are made for transparent textures
_LASH_ROOT = 0.0011  # metres from the skin: closer lash vertices are roots
_LID_EDGE, _LID_END = 0.003, 0.011  # metres along the skin from the lashes: full and no effect of the lid correction


# The source's eyeLook units are made for a gaze of 10 to 15 degrees; ours goes further (`skinning.GAZE_DEGREES`), and
# the lids follow it up and down. Less than in proportion: chosen by eye so that looking down shows no white above.
_LIDS_FOLLOW = {"eyeLookUp": 1.6, "eyeLookDown": 1.5}
_LINING_NEAR, _LINING_FAR = 0.012, 0.022  # metres from the skin: the lining of the mouth follows it fully, and not


def expressions(deltas: Array, mirror: Index) -> Array:
    """Face units (52, M, 3), ARKit order, made exact mirror images of each other, with lids that follow our gaze."""
    out = (deltas + mirrored(deltas[list(arkit.MIRROR)], mirror)) / 2
    for name, factor in _LIDS_FOLLOW.items():
        for side in ("Left", "Right"):
            out[arkit.INDEX[name + side]] *= factor
    return out


def lining_follows(faces: Index, is_mouth: NDArray[np.bool_], points: Array) -> sparse.csr_matrix:
    """(V, V) map of displacements: the lining of lips and cheeks moves with the skin over it, so that it stays inside.

    What lines the upper lip follows the upper lip, although the closed lower lip is as near.

    Args:
        faces: triangles of skin and mouth.
        is_mouth: (T,) which triangles are lining.
        points: (V, 3) mean head.
    """
    from scipy.spatial import cKDTree

    seam = np.intersect1d(faces[is_mouth].ravel(), faces[~is_mouth].ravel())
    upper, _ = _upper_and_lower(faces[is_mouth], seam, points)
    _, _, origin = dijkstra(edge_graph(faces, points), indices=seam, min_only=True, return_predecessors=True)
    is_upper = np.isin(origin, upper)
    is_skin = np.zeros(len(points), bool)
    is_skin[faces[~is_mouth]] = True
    follow = sparse.csr_matrix((len(points), len(points)))
    share = np.zeros(len(points))
    for half in (is_upper, ~is_upper):
        skin, lining = np.flatnonzero(half & is_skin), np.flatnonzero(half & ~is_skin)
        distance, near = cKDTree(points[skin]).query(points[lining], k=8)
        share[lining] = np.clip((_LINING_FAR - distance[:, 0]) / (_LINING_FAR - _LINING_NEAR), 0, 1)
        weight = 1 / distance**2
        weight *= (share[lining] / weight.sum(1))[:, None]
        follow = follow + sparse.csr_matrix(
            (weight.ravel(), (np.repeat(lining, near.shape[1]), skin[near].ravel())), shape=follow.shape
        )
    return (follow + sparse.diags(1 - share)).tocsr()


class LipSeal:
    """Keeps the lips of the neutral face closed for every identity: a linear correction of the lips' places.

    The seam is where skin and mouth meet. Every seam vertex of the upper lip has a partner on the lower lip at the same
    x; identity may move both, but not apart in height, and one in front of the other only a quarter as far.
    """

    def __init__(self, faces: Index, is_mouth: NDArray[np.bool_], points: Array) -> None:
        seam = np.intersect1d(faces[is_mouth].ravel(), faces[~is_mouth].ravel())
        upper, lower = _upper_and_lower(faces[is_mouth], seam, points)
        gap = sparse.vstack([_difference(upper, lower, points), -_difference(lower, upper, points)])
        # The upper lip moves down by half of the gap, the lower lip up.
        move = sparse.diags(np.r_[-np.full(len(upper), 0.5), np.full(len(lower), 0.5)]) @ gap
        sources = np.r_[upper, lower]
        distance = dijkstra(edge_graph(faces, points), indices=sources, limit=4 * _LIP_REACH)
        nearness = np.exp(-((distance / _LIP_REACH) ** 2))
        share = nearness / nearness.sum(0).clip(1e-9) * nearness.max(0)
        self._move = (sparse.csr_matrix(share.T) @ move).tocsr()  # (V, V): coordinates to their corrections
        signs = np.r_[-np.ones(len(upper)), np.ones(len(lower))]
        self._overlap = share.T @ (signs * _LIP_OVERLAP / 2)

    def deltas(self, deltas: Array) -> Array:
        """Displacements (..., V, 3) without the part that opens or presses the lips."""
        out = deltas.copy()
        for axis, share in ((1, 1.0), (2, _LIP_SLIDE)):
            flat = out[..., axis].reshape(-1, out.shape[-2])
            out[..., axis] = (flat + share * (self._move @ flat.T).T).reshape(out.shape[:-1])
        return out

    def template(self, points: Array) -> Array:
        """The mean head (V, 3) with lips that overlap a little."""
        out = points.copy()
        out[:, 1] += self._move @ points[:, 1] + self._overlap
        return out


def _upper_and_lower(mouth: Index, seam: Index, points: Array) -> tuple[Index, Index]:
    """The seam's two halves, corners in neither. Upper vertices belong to mouth triangles that lead upwards."""
    inner = np.zeros((len(seam), 3))
    for k, vertex in enumerate(seam):
        around = mouth[(mouth == vertex).any(1)]
        inner[k] = points[np.setdiff1d(around, seam)].mean(0) - points[vertex] if len(around) else 0
    corner = np.abs(points[seam, 0]) > np.abs(points[seam, 0]).max() - 1e-4
    return seam[(inner[:, 1] > 0) & ~corner], seam[(inner[:, 1] <= 0) & ~corner]


def _difference(rows: Index, others: Index, points: Array) -> sparse.csr_matrix:
    """(R, V) matrix that takes heights to the height of each row vertex over the other lip at the same x."""
    order = others[np.argsort(points[others, 0])]
    x = points[order, 0]
    right = np.clip(np.searchsorted(x, points[rows, 0]), 1, len(x) - 1)
    t = np.clip((points[rows, 0] - x[right - 1]) / (x[right] - x[right - 1]), 0, 1)
    k = np.arange(len(rows))
    values = np.r_[np.ones(len(rows)), t - 1, -t]
    columns = np.r_[rows, order[right - 1], order[right]]
    return sparse.csr_matrix((values, (np.r_[k, k, k], columns)), shape=(len(rows), len(points)))


def trim_lashes(lashes: Piece, vertices: Array, skin: Index) -> Piece:
    """Lashes pulled towards their roots. `vertices` (N, 3) is the base mesh, `skin` its skin vertices."""
    from scipy.spatial import cKDTree

    points = lashes.linear @ vertices
    roots = np.flatnonzero(cKDTree(vertices[skin]).query(points)[0] < _LASH_ROOT)
    distance = dijkstra(edge_graph(lashes.faces, points), indices=roots)
    near = np.where(np.isfinite(distance), 1 / (distance + 1e-5) ** 3, 0)
    anchor = sparse.csr_matrix((near / near.sum(0)).T) @ lashes.linear[roots]
    label = components(lashes.faces, len(points))
    lower = min((0, 1), key=lambda k: points[label == k, 1].mean())
    keep = sparse.diags(np.where(label == lower, _LASH_LENGTHS[1], _LASH_LENGTHS[0]))
    return replace(lashes, map=(anchor + keep @ (lashes.linear - anchor)).tocsr())


def lids_on_eyeball(deltas: Array, points: Array, near: Array, centre: Array, motion: Array) -> Array:
    """Displacements (I, V, 3) whose lids neither sink into the eyeball nor leave it.

    Args:
        deltas: identity, per vertex.
        points: (V, 3) mean head.
        near: (V,) 1 at the edges of this eye's lids, falling to 0.
        centre: (3,) of the eyeball.
        motion: (I, 3, 4) shift and growth of the eyeball.
    """
    rows = np.flatnonzero(near > 0)
    place = points[rows]
    outwards = place - centre
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    apart = np.einsum("kvc,vc->kv", deltas[:, rows] - apply_motion(motion, place), outwards)
    out = deltas.copy()
    out[:, rows] -= (near[rows] * apart)[..., None] * outwards
    return out


def lid_edges(skin_faces: Index, points: Array, lashes: NDArray[np.bool_], num_skin: int) -> Array:
    """(V,) 1 at the edges of the lids and on the lashes, falling to 0 along the skin.

    Args:
        skin_faces: triangles of the skin, whose vertices come first.
        points: (V, 3) mean head.
        lashes: (V,) which vertices are lashes.
        num_skin: number of skin vertices.
    """
    from scipy.spatial import cKDTree

    gap, nearest = cKDTree(points[:num_skin]).query(points[lashes])
    starts = np.unique(nearest[gap < _LASH_ROOT])
    distance = dijkstra(edge_graph(skin_faces, points[:num_skin]), indices=starts, min_only=True, limit=_LID_END)
    t = np.clip((_LID_END - distance) / (_LID_END - _LID_EDGE), 0, 1)
    out = lashes.astype(float)
    out[:num_skin] = np.where(np.isfinite(distance), t * t * (3 - 2 * t), 0)
    return out
