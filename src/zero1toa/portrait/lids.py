"""What a blink does to the skin around an eye: which of it unfolds, and where the lids' margins are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads import RiggedHead, arkit
from .spread import smooth_step

_MOTION = (0.0002, 0.001)  # metres that a blink draws down skin which is no lid, and skin which is all lid
_MARGIN = (0.8, 0.97)  # share of the largest movement in a blink at which a lid's margin begins, and is reached


def upper_lids(head: RiggedHead) -> NDArray[np.float64]:
    """(V,) 1 on skin that a blink draws down: folded over an open eye, it is not what an open eye's photo shows.

    The lower lid rises in a blink and looks the same.
    """
    return np.maximum(*(smooth_step(-_risen(head, side), *_MOTION) for side in ("Left", "Right")))


def lid_margins(head: RiggedHead) -> NDArray[np.float32]:
    """(V,) 1 at the lids' margins, where the lashes stand: they move farthest in a blink, the upper ones down and the
    lower ones up, and stay in sight."""
    margins = []
    for side in ("Left", "Right"):
        for direction in (-1, 1):
            moved = (direction * _risen(head, side)).clip(0) * head.topology.part_vertices("skin")
            share = (moved / max(moved.max(), 1e-9) - _MARGIN[0]) / (_MARGIN[1] - _MARGIN[0])
            margins.append(share.clip(0, 1))
    return np.maximum.reduce(margins).astype(np.float32)


def _risen(head: RiggedHead, side: str) -> NDArray[np.float32]:
    """(V,) metres by which a blink of that eye raises a vertex."""
    height: NDArray[np.float32] = head.expression_deltas[arkit.INDEX[f"eyeBlink{side}"], :, 1].numpy()
    return height
