"""How large the Gaussians are in the picture, for density control."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.jit import kernel

RADIUS = 3
"""Standard deviations that count as the radius of a Gaussian, as in 3D Gaussian Splatting."""


@kernel
def measure(
    records: NDArray[np.float32],  # (N, RECORD)
    visible: NDArray[np.int64],  # (N,) in and out: one is added where a Gaussian is in the picture
    radii: NDArray[np.float32],  # (N,) in and out: the largest radius that was seen, pixels
) -> None:
    """Adds what one picture shows to the statistics."""
    for i in range(records.shape[0]):
        if not records[i, L.REACH] > 0:
            continue
        visible[i] += 1
        xx, xy, yy = (
            np.float64(records[i, L.WHITEN_XX]),
            np.float64(records[i, L.WHITEN_XY]),
            np.float64(records[i, L.WHITEN_YY]),
        )
        # The whitening's W^T W is the inverse of the covariance times log2(e) / 2; its eigenvalues multiply to the
        # square of xx yy.
        p, r, q = xx * xx, xy * xy + yy * yy, xx * xy
        greatest = 0.5 * (p + r) + math.hypot(0.5 * (p - r), q)
        variance = 0.5 * L.LOG2_E * greatest / (xx * yy) ** 2
        radii[i] = max(radii[i], np.float32(RADIUS * math.sqrt(variance)))
