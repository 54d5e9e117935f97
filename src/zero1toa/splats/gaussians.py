"""The two forms of a set of 3D Gaussians: bound to the triangles of a mesh, and placed in the world."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Gaussians(NamedTuple):
    """Gaussians in the frames of their triangles, as they are trained and stored.

    Lengths are in units of the triangle's scale (see `rig.triangle_frames`), so they follow the mesh as it deforms.
    """

    means: Tensor  # (N, 3) relative to the triangle's centroid, in its axes, in units of its scale
    quats: Tensor  # (N, 4) wxyz, any length but zero
    log_scales: Tensor  # (N, 3) natural logarithm of the standard deviations, in units of the triangle's scale
    opacity_logits: Tensor  # (N,) the opacity before the sigmoid
    colors: Tensor  # (N, 3) RGB in [0, 1], sRGB display values
    triangle: Tensor  # (N,) int64, index of the triangle


class WorldGaussians(NamedTuple):
    """Gaussians in the world, as `rasterize` takes them."""

    means: Tensor  # (N, 3) metres
    quats: Tensor  # (N, 4) wxyz, any length but zero
    scales: Tensor  # (N, 3) standard deviations, metres, positive
    opacities: Tensor  # (N,) in (0, 1)
    colors: Tensor  # (N, 3) RGB in [0, 1], sRGB display values
