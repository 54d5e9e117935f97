"""Lids of another head that close: our blink, carried over, brought down to the lower lid and out of the eyeball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

LID_PAIRS = {
    "Left": ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
    "Right": ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)),
}
"""Landmarks of the upper lid's margin, each with the one that it meets on the lower lid; from the outer corner."""

_CLEAR = 0.0004  # metres between a closed lid and the eyeball
_ON_THE_WAY = (0.25, 0.5, 0.75, 1.0)  # weights at which the lid must lie outside: it moves along a chord of the ball
_PUSHES = 4
_LINING = 0.001  # metres below the eyeball's surface from which on skin is taken for the lid's lining
_MOVES = 0.0005  # metres: a vertex that a blink moves by less is not the lid's
_NEAR = 2.0  # eyeball radii from its centre within which lids lie
_BLEND = 0.004  # metres along the margin over which the landmarks' corrections blend
_MARGIN_SHARE = (0.15, 0.85)  # of the largest movement: below the first nothing is mended, above the second all


def close_lids(rest: Array, delta: Array, gaps: Array, upper: Array, lower: Array, moved: tuple[Array, Array]) -> Array:
    """A blink whose upper lid meets the lower one.

    Args:
        rest: (V, 3) skin vertices.
        delta: (V, 3) the blink as it was carried over.
        gaps: (L, 3) what is left between each pair of landmarks on the head it comes from, at weight 1.
        upper, lower: (L, 3) the landmarks on this head, at rest.
        moved: (L, 3) twice, how far `delta` moves them.

    Returns:
        (V, 3) the mended blink.
    """
    missing = (lower + moved[1] + gaps) - (upper + moved[0])
    weight = np.exp(-(((rest[:, None] - upper[None]) / _BLEND) ** 2).sum(-1) / 2) + 1e-9
    correction = weight @ missing / weight.sum(1, keepdims=True)
    return delta + margin_share(delta)[:, None] * correction


def margin_share(delta: Array) -> Array:
    """(V,) how far each vertex belongs to the lid's margin, which moves farthest: in [0, 1]."""
    size = np.linalg.norm(delta, axis=1)
    low, high = _MARGIN_SHARE
    share = np.clip((size / max(size.max(), 1e-9) - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def push_outside(rest: Array, delta: Array, center: Array, eyeball: Array) -> Array:
    """A movement (V, 3) of skin at rest (V, 3) that stays outside the eyeball (E, 3) on its whole way.

    A vertex that touches the eyeball at rest (the lid's edge) leaves it as it moves; one that lies well inside (the
    lid's lining, which nobody sees) gets no deeper.
    """
    delta = delta.copy()
    arms = eyeball - center
    lengths = np.linalg.norm(arms, axis=1)
    directions = cKDTree(arms / lengths[:, None])
    rows = np.flatnonzero(
        (np.linalg.norm(delta, axis=1) > _MOVES) & (np.linalg.norm(rest - center, axis=1) < _NEAR * lengths.max())
    )

    def height(points: Array) -> tuple[Array, Array]:
        """Metres above the eyeball's surface (n,), and the directions (n, 3) away from its centre."""
        offset = points - center
        distance = np.linalg.norm(offset, axis=1, keepdims=True)
        outward = offset / np.maximum(distance, 1e-9)
        return distance[:, 0] - lengths[directions.query(outward)[1]], outward

    start = height(rest[rows])[0]
    lining = start < -_LINING
    for _ in range(_PUSHES):
        for weight in _ON_THE_WAY:
            above, outward = height(rest[rows] + weight * delta[rows])
            wanted = np.where(start < _CLEAR, start + (_CLEAR - start) * weight, _CLEAR)
            wanted = np.where(lining, start, wanted)
            delta[rows] += (np.maximum(wanted - above, 0) / weight)[:, None] * outward
    return delta


def lid_corrective(rest: Array, delta: Array, identity_basis: Array) -> tuple[NDArray[np.int64], Array]:
    """What other people's blinks need besides: the closed margin follows the skin it comes to lie on, not its own.

    Args:
        rest, delta: (V, 3) skin and its blink.
        identity_basis: (I, V, 3).

    Returns:
        (K,) vertices, and (I, K, 3) displacements at weight 1 per unit of identity.
    """
    share = margin_share(delta)
    rows = np.flatnonzero(share > 0.05)
    size = np.linalg.norm(delta, axis=1)
    still = np.flatnonzero(size < 0.3 * size.max())
    nearest = still[cKDTree(rest[still] + delta[still]).query(rest[rows] + delta[rows])[1]]
    return rows, share[rows, None] * (identity_basis[:, nearest] - identity_basis[:, rows])
