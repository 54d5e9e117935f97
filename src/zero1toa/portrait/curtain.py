"""Long hair behind the neck, which no frontal photo shows: it hangs between what is seen of it on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, gaussian_filter, label

_LEAST_WIDTH = 4  # cells of hair on either side in a row
_OFF = 0.006  # metres behind skull and neck
_SLOPE = 0.5  # metres inwards for each metre down: from the back of the skull hair follows the neck halfway
_GAP, _LEAST_LENGTH = 0.04, 0.07  # metres: gaps bridged, and length below which what stands off is no long hair
_RISE = 0.02  # metres from the top edge, under the hair above it, in which it comes out to its full distance
_SMOOTH = 2.0  # cells


def hang_behind(
    hair: NDArray[np.bool_], covered: NDArray[np.bool_], back: NDArray[np.floating], size: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Where there is hair behind the head, and how deep.

    Args:
        hair: (H, W) cells beside the head that show its hair.
        covered: (H, W) cells that the head's mesh covers.
        back: (H, W) depth of the back of the mesh, metres.
        size: of a cell, metres.

    Returns:
        (H, W) the cells between hair on the left and hair on the right, and (H, W) metres of depth there, 0 elsewhere.
    """
    middle = np.median(np.nonzero(covered)[1]) if covered.any() else 0
    columns = np.arange(hair.shape[1])
    left = (hair & (columns < middle)).sum(1) >= _LEAST_WIDTH
    right = (hair & (columns > middle)).sum(1) >= _LEAST_WIDTH
    rows = binary_closing(left & right, iterations=max(1, round(_GAP / size / 2)))
    runs, number = label(rows)
    nothing = np.zeros_like(hair), np.zeros(hair.shape)
    longest = np.bincount(runs.ravel())[1:].max(initial=0)
    if number == 0 or longest * size < _LEAST_LENGTH:
        return nothing
    rows = runs == 1 + np.argmax(np.bincount(runs.ravel())[1:])
    first, last = np.flatnonzero(rows)[[0, -1]]
    off = _OFF * np.clip((np.arange(len(hair)) - first) * size / _RISE * 1.3 - 0.3, -0.3, 1)[:, None]
    hung = np.where(covered & np.isfinite(back), back + off, 0.0)
    for row in range(1, last + 1):  # what hangs down keeps the depth of what it hangs from
        hung[row] = np.maximum(hung[row], hung[row - 1] - _SLOPE * size)
    inside = np.zeros_like(hair)
    ends = (0, 0)
    for row in np.flatnonzero(rows):
        near = np.flatnonzero(hair[max(0, row - 2) : row + 3].any(0))
        ends = (near[0], near[-1]) if len(near) and near[0] < middle < near[-1] else ends
        inside[row, ends[0] : ends[1]] = True
    inside &= covered
    if not inside.any():
        return nothing
    share = np.maximum(gaussian_filter(inside * 1.0, _SMOOTH), 1e-6)
    smooth = gaussian_filter(hung * inside, _SMOOTH) / share
    return inside, np.where(inside, np.maximum(smooth, np.where(covered, back, 0) + off / 2), 0.0)
