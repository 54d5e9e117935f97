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

_FREE = 0.5  # share from which a colour is free
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
    give: Tensor,
    config: SettleConfig,
) -> Tensor:
    """(N, 3) colours in [0, 1] that reproduce the pictures, each pixel counting by its confidence.

    Minimises the sum over pictures of weight * confidence * (render - picture)^2, plus hold * change^2 for each
    Gaussian and `field_hold` * change^2 for each node of the field: what the pictures show in fewer pixels than that
    keeps the colour it had. At first held colours change by the field alone; then each by up to `tolerance`, and the
    free ones make up for the rest.

    Args:
        splats: the Gaussians; only colours change.
        pictures: what they should look like, each with the posed vertices (V, 3) of the head in it.
        faces: (T, 3) of that head.
        share: (N,) in [0, 1], how freely each colour may change by itself; 0 holds it.
        field: smooth changes, which are added to those.
        give: (N,) in [0, 1], how much of the tolerance each has.
        config: rounds of conjugate gradients, and what holds.
    """
    before = splats.colors.detach()
    if config.rounds == 0 or not pictures:
        return before.clamp(0, 1)
    with torch.no_grad():
        renders = [(picture, to_world(splats, vertices, faces)) for picture, vertices in pictures]
    with threads_for_kernels_alone():
        colors = _solve(renders, before, share, field, config.rounds, config)
        bound = config.tolerance * give[:, None]
        if bound.any():
            change = _solve(renders, colors, torch.where(give > 0, 1.0, share), None, config.again, config) - colors
            colors = colors + torch.where(share[:, None] > _FREE, change, change.clamp(-bound, bound))
            colors = _solve(renders, colors, share, None, config.again, config)
    return colors.clamp(0, 1)


def _solve(
    renders: Sequence[tuple[Weighed, WorldGaussians]],
    before: Tensor,
    share: Tensor,
    field: ShadeField | None,
    rounds: int,
    config: SettleConfig,
) -> Tensor:
    """(N, 3) colours after some rounds of conjugate gradients from those before, each with its share of freedom."""
    count = len(before)
    freedom = share[:, None].sqrt()
    holds = [before.new_full((count, 1), config.hold)]
    if field is not None:
        holds.append(before.new_full((field.total, 1), config.field_hold))
    hold = torch.cat(holds)

    def change_of(unknowns: Tensor) -> Tensor:
        own = freedom * unknowns[:count]
        return own if field is None else own + field.spread(unknowns[count:])

    def unknowns_of(colors: Tensor, factor: Tensor) -> Tensor:
        """With the freedom as the factor the transpose of `change_of`."""
        own = factor * colors
        return own if field is None else torch.cat([own, field.gather(colors)])

    def normal_product(colors: Tensor, against: bool) -> Tensor:
        """Sum of weight * R^T C (R colors - picture), without the pictures unless `against` them."""
        leaf = colors.clone().requires_grad_()
        for picture, world in renders:
            _half_square(world, leaf, picture, against).backward()
        assert leaf.grad is not None
        return leaf.grad

    residual = -unknowns_of(normal_product(before, True), freedom)
    sums = normal_product(torch.ones_like(before), False)  # a row's sum bounds its diagonal
    diagonal = unknowns_of(sums, freedom**2) + hold
    found = torch.zeros_like(residual)
    scaled = residual / diagonal
    direction, size = scaled, (residual * scaled).sum(0)
    for _ in range(rounds):
        product = unknowns_of(normal_product(change_of(direction), False), freedom) + hold * direction
        step = size / (direction * product).sum(0).clamp_min(_TINY)
        found = found + step * direction
        residual = residual - step * product
        scaled = residual / diagonal
        size, old = (residual * scaled).sum(0), size
        direction = scaled + size / old.clamp_min(_TINY) * direction
    return before + change_of(found)


def _half_square(world: WorldGaussians, colors: Tensor, picture: Weighed, against: bool) -> Tensor:
    sample = picture.sample
    image = rasterize(*world._replace(colors=colors), sample.camera, colors.new_zeros(3)).image
    if against:
        image = image - sample.image
    return picture.weight / 2 * (sample.confidence[..., None] * image.square()).sum()
