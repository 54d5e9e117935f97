"""Smooth random values in space: textures evaluated at points of a surface have no seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

_CELLS = 32
"""Lattice points along each axis before the noise repeats; at the frequencies used here no period fits on a face."""

Array = NDArray[np.float64]


class SolidNoise:
    """Interpolation of a random lattice that repeats itself; about zero mean and unit variance.

    Args:
        rng: of the lattice.
        order: 3 is cubic and smooth; 1 is linear, several times faster, and shows its cells in large pictures.
    """

    def __init__(self, rng: np.random.Generator, order: int = 3) -> None:
        lattice = rng.normal(size=(_CELLS,) * 3)
        self._order = order
        self._coefficients = spline_filter(lattice, order=order, mode="grid-wrap") if order > 1 else lattice
        probe = rng.uniform(0, _CELLS, (2000, 3))
        self._scale = 1.0
        self._scale = 1 / float(self(probe, 1.0).std())

    def __call__(self, points: Array, frequency: float | tuple[float, float, float]) -> Array:
        """(N,) values at points (N, 3).

        Args:
            points: metres, or any unit.
            frequency: lattice cells per unit; one number, or one for each axis.
        """
        if self._order == 1:
            from .mini.kernels import trilinear  # compiled: who asks for it draws many persons

            out = np.empty(len(points))
            each = np.broadcast_to(np.asarray(frequency, np.float64), 3).copy()
            trilinear(self._coefficients, np.ascontiguousarray(points, np.float64), each, out)
            return self._scale * out
        where = (np.asarray(points) * frequency).T
        return self._scale * map_coordinates(
            self._coefficients, where, order=self._order, mode="grid-wrap", prefilter=False
        )


def smooth_step(value: Array, low: float | Array, high: float | Array) -> Array:
    """0 at `low`, 1 at `high`, with a soft start and end; `high` may be the smaller one."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
