"""What a blink does to the skin around an eye: which of it unfolds, and where the lids' margins are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..heads import RiggedHead, arkit, facemesh
from .spread import smooth_step

_MOTION = (0.001, 0.003)  # metres that a blink draws down skin which is no lid, and skin which is all lid
_UPPER = (-0.001, 0.001)  # metres by which the lower lid's edge is farther than the upper's: lower skin, upper skin
_MARGIN = (0.9, 0.98)  # share of the largest movement in a blink at which a lid's margin begins, and is reached
_RINGS = {"Left": facemesh.EYE_LEFT, "Right": facemesh.EYE_RIGHT}


def upper_lids(head: RiggedHead) -> NDArray[np.float64]:
    """(V,) 1 on skin of the upper lids that a blink draws down: folded over an open eye, it is not what an open eye's
    photo shows.

    The lower lids move by a millimetre or two and look the same.
    """
    return np.maximum(*(smooth_step(-_risen(head, side), *_MOTION) * _upper(head, side) for side in _RINGS))


def lid_margins(head: RiggedHead) -> NDArray[np.float32]:
    """(V,) 1 at the upper lids' margins, where the lashes stand: they move farthest in a blink and stay in sight."""
    margins = []
    for side in _RINGS:
        drawn_down = (-_risen(head, side)).clip(0) * head.topology.part_vertices("skin")
        share = (drawn_down / max(drawn_down.max(), 1e-9) - _MARGIN[0]) / (_MARGIN[1] - _MARGIN[0])
        margins.append(share.clip(0, 1))
    return np.maximum.reduce(margins).astype(np.float32)


def _upper(head: RiggedHead, side: str) -> NDArray[np.float64]:
    """(V,) 1 on what lies nearer to the upper lid's edge than to the lower one's."""
    topology, rest = head.topology, head.vertices.numpy().astype(np.float64)
    ring = list(_RINGS[side])
    corners = rest[topology.faces[topology.landmark_faces[ring]]]
    points = np.einsum("nk,nkc->nc", topology.landmark_barycentrics[ring], corners)
    half = len(ring) // 2  # from the outer corner below the eye to the inner one, and back above it
    upper, lower = (cKDTree(points[rows]).query(rest)[0] for rows in (slice(half + 1, None), slice(1, half)))
    share: NDArray[np.float64] = smooth_step(lower - upper, *_UPPER)
    return share


def _risen(head: RiggedHead, side: str) -> NDArray[np.float32]:
    """(V,) metres by which a blink of that eye raises a vertex."""
    height: NDArray[np.float32] = head.expression_deltas[arkit.INDEX[f"eyeBlink{side}"], :, 1].numpy()
    return height
