"""A smooth change of colour over what is held: it can follow the light of the photo, and paints no line and no spot.

What the photo shows at a grazing angle is held, since a dark outline or an earring there would become a smear as wide
as the cheek. How light falls on it, the photo does show: that varies over centimetres.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ..splats import Gaussians, to_world, triangle_frames

_NEIGHBOURS = 8  # nodes that a Gaussian takes its change from
_WIDTH = 0.6  # standard deviation of a node's weight over the distance between nodes
_LEAST = 1e-12  # weight of a node that is far, lest all of a Gaussian's vanish


class ShadeField(NamedTuple):
    """Nodes in space that share out a change of colour among N Gaussians. A node's place is a point and a normal, so
    that skin and collar, or both sides of an ear, are not neighbours."""

    nodes: Tensor  # (N, 8) numbers of the nodes next to each Gaussian
    weights: Tensor  # (N, 8) in [0, 1], of those; a row's sum is how much of the change the Gaussian takes
    total: int  # K, how many nodes there are

    def spread(self, values: Tensor) -> Tensor:
        """(N, C) what each Gaussian takes of `values` (K, C) at the nodes."""
        return (self.weights[..., None] * values[self.nodes]).sum(1)

    def gather(self, values: Tensor) -> Tensor:
        """(K, C): the transpose of `spread`, for `values` (N, C) of the Gaussians."""
        parts = (self.weights[..., None] * values[:, None]).flatten(0, 1)
        return values.new_zeros((self.total, values.shape[1])).index_add_(0, self.nodes.flatten(), parts)


@torch.no_grad()
def shade_field(splats: Gaussians, vertices: Tensor, faces: Tensor, share: Tensor, spacing: float) -> ShadeField:
    """Nodes about `spacing` metres apart over the Gaussians that have a share.

    Args:
        splats: N Gaussians on the head.
        vertices: (V, 3) of the head at rest.
        faces: (T, 3) of it.
        share: (N,) in [0, 1], how much of the change each takes.
        spacing: metres; a turn of the normal by 1 radian counts as this far.
    """
    device = splats.means.device
    places = to_world(splats, vertices, faces).means
    normals = triangle_frames(vertices, faces).rotation[splats.triangle][..., 1]  # the frame's second axis
    points = torch.cat([places / spacing, normals], 1).double().cpu().numpy()
    taking = np.flatnonzero(share.cpu().numpy() > 0)
    shape = (len(points), _NEIGHBOURS)
    if not len(taking):
        return ShadeField(torch.zeros(shape, dtype=torch.long, device=device), share.new_zeros(shape), 1)
    _, first = np.unique(np.floor(points[taking]).astype(np.int64), axis=0, return_index=True)
    nodes = points[taking[np.sort(first)]]
    near = min(_NEIGHBOURS, len(nodes))
    distance, number = (a.reshape(len(taking), near) for a in cKDTree(nodes).query(points[taking], k=near))
    weight = np.exp(-0.5 * (distance / _WIDTH) ** 2) + _LEAST
    weight /= weight.sum(1, keepdims=True)
    numbers, weights = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    numbers[taking, :near], weights[taking, :near] = number, weight
    return ShadeField(
        torch.as_tensor(numbers, device=device), torch.as_tensor(weights, device=device) * share[:, None], len(nodes)
    )
