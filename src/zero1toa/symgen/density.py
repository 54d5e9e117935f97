"""Density control: Gaussians are cloned and split where the pictures pull at them, and pruned where they are not seen.

The rules of 3D Gaussian Splatting (section 5.2) with GaussianAvatars' binding: children keep the triangle of their
parent, and the last Gaussian of a triangle is never pruned.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..config import DensityConfig
from ..splats import Gaussians, quaternion
from ..splats.statistics import RasterStatistics

_SPLIT_SHRINK = 1.6  # a half has the standard deviation of its parent over this (3DGS, section 5.2)


class Change(NamedTuple):
    """A new set of M Gaussians made of an old one of N."""

    splats: Gaussians  # M
    parents: Tensor  # (M,) int64, the row of the old set from which each descends
    fresh: Tensor  # (M,) bool, not simply kept


def controlled(
    splats: Gaussians,
    statistics: RasterStatistics,
    movable: Tensor,
    config: DensityConfig,
    most: int,
    generator: torch.Generator,
) -> Change:
    """Clones, splits and prunes.

    Args:
        splats: N Gaussians.
        statistics: what the pictures since the last look said of them.
        movable: (N,) bool, those that may change shape; others are neither cloned, split nor pruned.
        config: shares and thresholds.
        most: the number that is never exceeded by growth.
        generator: of the places of halves.
    """
    count, device = len(splats.means), splats.means.device
    pull = torch.where(movable, statistics.mean_gradient_norms(), 0.0)
    wanted = min(int(config.growth * count), max(most - count, 0), int((pull > 0).sum()))
    chosen = torch.zeros(count, dtype=torch.bool, device=device)
    chosen[pull.topk(wanted).indices] = True
    large = splats.log_scales.exp().amax(-1) > config.split_above
    split = chosen & large

    doomed = movable & (splats.opacity_logits.sigmoid() < config.least_opacity) & ~chosen
    kept = _keep_one_each(splats, ~doomed)
    old, added = kept.nonzero()[:, 0], chosen.nonzero()[:, 0]
    parents = torch.cat([old, added])
    fresh = torch.cat([split[old], torch.ones(len(added), dtype=torch.bool, device=device)])
    children = Gaussians(*(tensor[parents] for tensor in splats))
    halves = split[parents]
    log_scales = children.log_scales.clone()
    log_scales[halves] -= math.log(_SPLIT_SHRINK)
    means = children.means.clone()
    offset = torch.randn(int(halves.sum()), 3, generator=generator).to(device) * children.log_scales[halves].exp()
    means[halves] += quaternion.rotate(quaternion.normalize(children.quats[halves]), offset)
    return Change(children._replace(means=means, log_scales=log_scales), parents, fresh)


def _keep_one_each(splats: Gaussians, kept: Tensor) -> Tensor:
    """(N,) `kept`, and of every triangle that would lose all the most opaque one."""
    triangles = int(splats.triangle.max()) + 1 if len(splats.triangle) else 0
    device = kept.device
    left = torch.zeros(triangles, dtype=torch.int64, device=device).index_add_(0, splats.triangle, kept.long())
    orphaned = left[splats.triangle] == 0
    best = torch.full((triangles,), -torch.inf, device=device)
    best.scatter_reduce_(0, splats.triangle, splats.opacity_logits, "amax")
    champion = orphaned & (splats.opacity_logits == best[splats.triangle])
    first = torch.full((triangles,), len(kept), dtype=torch.int64, device=device)
    rows = torch.arange(len(kept), device=device)
    first.scatter_reduce_(0, splats.triangle, torch.where(champion, rows, len(kept)), "amin")
    return kept | (champion & (first[splats.triangle] == rows))
