"""Whose face it is, when a video shows several: the person seen longest and largest is kept."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..portrait.expression_prior import FEATURE_UNIT
from ..portrait.solver import Array
from .person import Person
from .reader import load_reader

# Root mean square distance of landmarks from where the person's face with the read expression would have them, cm.
# Frames of the person itself: 0.05 to 0.15 (made-up persons, other views and expressions); of others: see
# `tests/tracking/test_people.py`.
SAME_PERSON: Final = 0.26
_LOOKED_AT: Final = 24  # frames of a segment
_FIRM: Final = 0.3  # of the rigid weights: contour, lips and brows say little of who it is


def longest_segment(segments: NDArray[np.int64], width: Array) -> int:
    """The number of the run of frames (F,) in which a face was seen longest, times its width (F,)."""
    numbers = np.unique(segments[segments >= 0])
    return int(max(numbers, key=lambda number: float(width[segments == number].sum())))


def some_frames(segments: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Indices of a few frames spread over a segment."""
    mine = np.flatnonzero(segments == number)
    return mine[np.unique(np.linspace(0, len(mine) - 1, min(_LOOKED_AT, len(mine))).round().astype(int))]


def strangeness(person: Person, offsets: Array, view: Array) -> float:
    """How far a face is from the person's, cm: the median over frames of what no expression explains.

    Args:
        person: the one that is followed.
        offsets: (K, 478, 2) cm from the person's rest, seen from the front.
        view: (K, 2) viewing directions.
    """
    weights = load_reader()(offsets, view).clip(0, 1)
    explained = np.einsum("fk,kva->fva", weights, person.model.expression)[..., :2] * FEATURE_UNIT
    firm = person.rigid > _FIRM
    left = ((offsets - explained)[:, firm] ** 2).sum(-1)
    return float(np.median(np.sqrt(left.mean(1))))
