"""How far a render is from the picture that it should be."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 3
"""Sizes at which `gradient_distance` compares: full, half and quarter."""


def weighted_distance(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1: mean of |image - target| (H, W, C) or (H, W), each pixel times its weight (H, W)."""
    difference = (image - target).abs()
    return (difference * (weight[..., None] if difference.ndim == 3 else weight)).mean()


def gradient_distance(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The stand-in for LPIPS that needs no weights: L1 of the pictures' gradients, at several sizes.

    Like LPIPS it compares edges and texture and does not mind a smooth change of brightness; unlike LPIPS it knows
    nothing of what people find alike. It is the sum over `LEVELS` sizes of the mean absolute difference between the
    horizontal and vertical neighbour differences of the two pictures.

    Args:
        image: (H, W, 3).
        target: (H, W, 3).
        weight: (H, W) how much each pixel counts.
    """
    difference = (image - target).permute(2, 0, 1)[None]
    share = weight[None, None]
    total = difference.new_zeros(())
    for level in range(LEVELS):
        if level:
            if min(difference.shape[-2:]) < 4:
                break
            difference, share = F.avg_pool2d(difference, 2), F.avg_pool2d(share, 2)
        across = (difference[..., 1:] - difference[..., :-1]).abs() * torch.minimum(share[..., 1:], share[..., :-1])
        down = (difference[..., 1:, :] - difference[..., :-1, :]).abs() * torch.minimum(
            share[..., 1:, :], share[..., :-1, :]
        )
        total = total + across.mean() + down.mean()
    return total
