"""The last step of training: the colours that fit the pictures best, found at once and not by descent.

A render is linear in the colours of its Gaussians, so with everything else held the best colours are the solution of a
linear least-squares problem. Conjugate gradients find it in a score of renders, where descent takes hundreds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..config import SettleConfig
from ..splats import Gaussians, WorldGaussians, rasterize, to_world
from ..splats.cpu.threads import threads_for_kernels_alone
from .dataset import Sample
from .shade import ShadeField

_TINY = 1e-20  # of a squared residual: nothing is left to solve


class Weighed(NamedTuple):
    """A picture and how much it counts."""

    sample: Sample
    weight: float


def settled_colors(
    splats: Gaussians,
    pictures: Sequence[tuple[Weighed, Tensor]],
    faces: Tensor,
    share: Tensor,
    field: ShadeField,
    config: SettleConfig,
) -> Tensor:
    """(N, 3) colours in [0, 1] that reproduce the pictures, each pixel counting by its confidence.

    Minimises the sum over pictures of weight * confidence * (render - picture)^2, plus hold * change^2 for each
    Gaussian and `field_hold` * change^2 for each node of the field: what the pictures show in fewer pixels than that
    keeps the colour it had.

    Args:
        splats: the Gaussians; only colours change.
        pictures: what they should look like, each with the posed vertices (V, 3) of the head in it.
        faces: (T, 3) of that head.
        share: (N,) in [0, 1], how freely each colour may change by itself; 0 holds it.
        field: smooth changes, which are added to those.
        config: rounds of conjugate gradients, and what holds.
    """
    before = splats.colors.detach()
    if config.rounds == 0 or not pictures:
        return before.clamp(0, 1)
    count = len(before)
    freedom = share[:, None].sqrt()
    hold = torch.cat([before.new_full((count, 1), config.hold), before.new_full((field.count, 1), config.field_hold)])
    with torch.no_grad():
        worlds = [to_world(splats, vertices, faces) for _, vertices in pictures]

    def change_of(unknowns: Tensor) -> Tensor:
        return freedom * unknowns[:count] + field.spread(unknowns[count:])

    def unknowns_of(colors: Tensor) -> Tensor:
        """The transpose of `change_of`."""
        return torch.cat([freedom * colors, field.gather(colors)])

    def normal_product(colors: Tensor, against: bool) -> Tensor:
        """Sum of weight * R^T C (R colors - picture), without the pictures unless `against` them."""
        leaf = colors.clone().requires_grad_()
        for (picture, _), world in zip(pictures, worlds, strict=True):
            _half_square(world, leaf, picture, against).backward()
        assert leaf.grad is not None
        return leaf.grad

    with threads_for_kernels_alone():
        residual = -unknowns_of(normal_product(before, True))
        sums = normal_product(torch.ones_like(before), False)  # a row's sum bounds its diagonal
        diagonal = torch.cat([freedom**2 * sums, field.gather(sums)]) + hold
        found = torch.zeros_like(residual)
        scaled = residual / diagonal
        direction, size = scaled, (residual * scaled).sum(0)
        for _ in range(config.rounds):
            product = unknowns_of(normal_product(change_of(direction), False)) + hold * direction
            step = size / (direction * product).sum(0).clamp_min(_TINY)
            found = found + step * direction
            residual = residual - step * product
            scaled = residual / diagonal
            size, old = (residual * scaled).sum(0), size
            direction = scaled + size / old.clamp_min(_TINY) * direction
    return (before + change_of(found)).clamp(0, 1)


def _half_square(world: WorldGaussians, colors: Tensor, picture: Weighed, against: bool) -> Tensor:
    sample = picture.sample
    image = rasterize(*world._replace(colors=colors), sample.camera, colors.new_zeros(3)).image
    if against:
        image = image - sample.image
    return picture.weight / 2 * (sample.confidence[..., None] * image.square()).sum()
