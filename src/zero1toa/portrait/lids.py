"""What a blink does to the skin around an eye: which of it unfolds, and where the lids' margins are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..heads import RiggedHead, arkit, facemesh
from .spread import smooth_step

_MOTION = (0.001, 0.003)  # metres that a blink draws down skin which is no lid, and skin which is all lid
_UPPER = (-0.001, 0.001)  # metres by which the lower lid's edge is farther than the upper's: lower skin, upper skin
_MARGIN = (0.0004, 0.0012)  # metres from the upper lid's edge up to which all is margin, and nothing
_STEPS = 8  # points between two landmarks of an edge
_RINGS = {"Left": facemesh.EYE_LEFT, "Right": facemesh.EYE_RIGHT}


def upper_lids(head: RiggedHead) -> NDArray[np.float64]:
    """(V,) 1 on skin of the upper lids that a blink draws down: folded over an open eye, it is not what an open eye's
    photo shows.

    The lower lids move by a millimetre or two and look the same.
    """
    return np.maximum(*(smooth_step(-_risen(head, side), *_MOTION) * _upper(head, side) for side in _RINGS))


def lid_margins(head: RiggedHead) -> NDArray[np.float32]:
    """(V,) 1 at the upper lids' margins, where the lashes stand: an even line, in sight with open and closed eyes."""
    rest = head.vertices.numpy().astype(np.float64)
    skin = head.topology.part_vertices("skin")
    margins = []
    for side in _RINGS:
        upper, _ = _edges(head, side)
        along = np.linspace(0, 1, _STEPS)[:, None]
        line = np.concatenate([a + along * (b - a) for a, b in pairwise(upper)])
        margins.append((1 - smooth_step(cKDTree(line).query(rest)[0], *_MARGIN)) * skin)
    return np.maximum(*margins).astype(np.float32)


def _upper(head: RiggedHead, side: str) -> NDArray[np.float64]:
    """(V,) 1 on what lies nearer to the upper lid's edge than to the lower one's."""
    rest = head.vertices.numpy().astype(np.float64)
    upper, lower = (cKDTree(edge).query(rest)[0] for edge in _edges(head, side))
    share: NDArray[np.float64] = smooth_step(lower - upper, *_UPPER)
    return share


def _edges(head: RiggedHead, side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 3) points on the edges of the upper and of the lower lid, without the corners of the eye, metres at rest."""
    topology, rest = head.topology, head.vertices.numpy().astype(np.float64)
    ring = list(_RINGS[side])
    corners = rest[topology.faces[topology.landmark_faces[ring]]]
    points = np.einsum("nk,nkc->nc", topology.landmark_barycentrics[ring], corners)
    half = len(ring) // 2  # from the outer corner below the eye to the inner one, and back above it
    return points[half + 1 :], points[1:half]


def _risen(head: RiggedHead, side: str) -> NDArray[np.float32]:
    """(V,) metres by which a blink of that eye raises a vertex."""
    height: NDArray[np.float32] = head.expression_deltas[arkit.INDEX[f"eyeBlink{side}"], :, 1].numpy()
    return height
