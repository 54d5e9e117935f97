"""Fields on the cells of a picture: solved, differentiated, shifted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

_COLOR_EDGE, _LEAST_FLOW = 60.0, 1e-4  # how much a step in sRGB stops the flow, and what always flows


def poisson(
    region: NDArray[np.bool_],
    fixed: NDArray[np.bool_],
    values: NDArray[np.float64],
    zero: NDArray[np.bool_] | None,
    source: float,
    colors: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Solves minus Laplacian = source on a region of cells; 0 elsewhere.

    Next to it, `fixed` cells have `values` and `zero` cells 0; across any other border nothing flows. With `zero` None
    only the fixed cells hold it. Where `colors` (H, W, 3) change, little flows.
    """
    index = np.full(region.shape, -1)
    index[region] = np.arange(region.sum())
    number = int(region.sum())
    here = index[region]
    diagonal, right = np.full(number, 1e-6), np.full(number, source)
    links = []
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        there = shift(index, axis, step, -1)[region]
        flow = np.ones(number)
        if colors is not None:
            change = np.stack([shift(colors[..., c], axis, step, 0.0) - colors[..., c] for c in range(3)], -1)[region]
            flow = np.exp(-_COLOR_EDGE * (change**2).sum(-1)) + _LEAST_FLOW
        free = there >= 0
        held = shift(fixed, axis, step, False)[region] & ~free
        links.append((here[free], there[free], -flow[free]))
        diagonal += flow * (free | held)
        right[held] += (flow * shift(values, axis, step, 0.0)[region])[held]
        if zero is not None:
            diagonal += shift(zero, axis, step, False)[region] & ~free & ~held
    rows, columns, entries = (np.concatenate(parts) for parts in zip(*links, strict=True))
    system = sparse.coo_matrix((entries, (rows, columns)), shape=(number, number)).tocsc() + sparse.diags(diagonal)
    out = np.zeros(region.shape)
    out[region] = splu(system.tocsc()).solve(right)
    return out


def shift(values: NDArray, axis: int, step: int, fill: float) -> NDArray:
    """Each cell's neighbour `step` along an axis (0 down, 1 right); `fill` where there is none."""
    moved = np.roll(values, -step, axis)
    edge = [slice(None)] * 2
    edge[axis] = slice(-1, None) if step > 0 else slice(0, 1)
    moved[tuple(edge)] = fill
    return moved


def gradient(values: NDArray[np.float64], known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences along rows and columns, (H, W) each, of known neighbours only."""
    out = []
    for axis in (0, 1):
        ahead = shift(known, axis, 1, False) * (shift(values, axis, 1, 0.0) - values)
        behind = shift(known, axis, -1, False) * (values - shift(values, axis, -1, 0.0))
        count = shift(known, axis, 1, False).astype(int) + shift(known, axis, -1, False)
        out.append(np.where(known, (ahead + behind) / np.maximum(count, 1), 0.0))
    return out[0], out[1]


def disk(radius: int) -> NDArray[np.bool_]:
    """A filled circle as a structuring element."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2 + 0.5
