"""What a head's own mouth, tongue and teeth take from our parts of those names: weights, regions, lacking movements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .bare import PARTS, BareHead
from .model import LinearHead

Array = NDArray[np.float64]

_FROM = 4  # vertices of our part that one of theirs follows
_CLOSE = 0.0005  # metres: keeps the nearest from deciding alone


@dataclass(frozen=True)
class Counterpart:
    """For each vertex of a head's own parts, the vertices of our part that it follows."""

    rows: NDArray[np.int64]  # (P,) of the other head
    sources: NDArray[np.int64]  # (P, 4) of ours
    shares: Array  # (P, 4) summing to 1

    def of(self, values: Array) -> Array:
        """Values (..., V, C) on our head as (..., P, C) on the other head's parts."""
        taken: Array = np.einsum("ps,...psc->...pc", self.shares, values[..., self.sources, :])
        return taken


def counterpart(bare: BareHead, own: LinearHead, place: Array) -> Counterpart:
    """By nearness to our parts, brought to their places (V, 3) on the other head."""
    rows, sources, shares = [np.zeros(0, np.int64)], [np.zeros((0, _FROM), np.int64)], [np.zeros((0, _FROM))]
    for index, name in enumerate(bare.part_names[len(PARTS) :], len(PARTS)):
        theirs = np.flatnonzero(bare.vertex_part == index)
        ours = np.flatnonzero(own.topology.part_vertices(name))
        distance, near = cKDTree(place[ours]).query(bare.template[theirs], _FROM)
        share = 1 / (distance + _CLOSE)
        rows.append(theirs)
        sources.append(ours[near])
        shares.append(share / share.sum(1, keepdims=True))
    return Counterpart(np.concatenate(rows), np.concatenate(sources), np.concatenate(shares))
