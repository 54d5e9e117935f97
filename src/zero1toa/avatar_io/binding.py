"""Splats between their triangles and the rest pose, in float64, so that the file's float32 is the only rounding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa.splats import rig
from zero1toa.splats.gaussians import Gaussians, WorldGaussians


class RestSplats(NamedTuple):
    """Splats in the head's rest pose, as a file shows them."""

    means: NDArray[np.float64]  # (N, 3) metres
    quats: NDArray[np.float64]  # (N, 4) wxyz, unit length
    scales: NDArray[np.float64]  # (N, 3) standard deviations, metres
    opacities: NDArray[np.float64]  # (N,)


def to_rest(gaussians: Gaussians, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> RestSplats:
    """Places splats on the rest mesh (V, 3), (T, 3)."""
    exact = _converted(gaussians, torch.float64)
    world = rig.to_world(exact, torch.tensor(vertices).double(), torch.tensor(faces))
    return RestSplats(*(value.numpy() for value in world[:4]))


def from_rest(
    splats: RestSplats,
    colors: NDArray[np.floating],
    triangle: NDArray[np.int64],
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
) -> Gaussians:
    """The inverse of `to_rest`, as float32."""
    world = WorldGaussians(*(torch.tensor(value).double() for value in (*splats, colors)))
    local = rig.to_local(world, torch.tensor(triangle), torch.tensor(vertices).double(), torch.tensor(faces))
    return _converted(local, torch.float32)


def _converted(gaussians: Gaussians, dtype: torch.dtype) -> Gaussians:
    return Gaussians(
        gaussians.means.to(dtype),
        gaussians.quats.to(dtype),
        gaussians.log_scales.to(dtype),
        gaussians.opacity_logits.to(dtype),
        gaussians.colors.to(dtype),
        gaussians.triangle,
    )
