"""Trains an avatar's splats on its photo."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..camera import Camera
from ..config import TrainConfig
from ..heads import RiggedHead
from ..progress import Progress
from ..splats import Gaussians, position_loss, rasterize, scale_loss, to_world


class View(NamedTuple):
    """One picture that the avatar should reproduce."""

    image: Tensor  # (H, W, 3) the person's own colours, [0, 1]
    alpha: Tensor  # (H, W) matte, [0, 1]
    camera: Camera
    expression: Tensor  # (52,)
    pose: Tensor  # (6, 3)
    weight: Tensor  # (H, W) how much each pixel of the matte counts, [0, 1]; colour counts where splats may follow it


class Freedom(NamedTuple):
    """How far each splat may follow the view, in [0, 1]."""

    colors: Tensor  # (N,)
    geometry: Tensor  # (N,) place, orientation, size and opacity


def train_on_view(
    head: RiggedHead,
    splats: Gaussians,
    freedom: Freedom,
    view: View,
    config: TrainConfig,
    generator: torch.Generator,
    progress: Progress,
) -> Gaussians:
    """Fits the splats to one view; returns new splats bound to the same triangles.

    The loss is that of the paper without its perceptual term: colour and matte in L1 over a random background, plus the
    position and scale losses that keep splats at their triangles. The learning rates fall to zero along a cosine, so
    that the noise of the last steps does not stay.

    Args:
        head: the person's head.
        splats: where to begin.
        freedom: the share of each step that a splat takes. One that the view hardly shows must stay as it is: Adam
            would turn its tiny, noisy gradients into full steps.
        view: the picture.
        config: losses, rates, number of steps.
        generator: of the random backgrounds.
        progress: shows steps and loss.
    """
    faces = torch.as_tensor(head.topology.faces)
    vertices = head.pose(view.expression, view.pose)
    fields = {name: getattr(splats, name) for name in Gaussians._fields if name != "triangle"}
    share = {
        name: (freedom.colors if name == "colors" else freedom.geometry).reshape(-1, *[1] * (value.ndim - 1))
        for name, value in fields.items()
    }
    steps = {name: torch.zeros_like(value, requires_grad=True) for name, value in fields.items()}
    optimizer = torch.optim.Adam(
        [{"params": [steps[name]], "lr": rate} for name, rate in config.learning_rates.items()], eps=1e-15
    )

    def moved() -> Gaussians:
        values = {name: value + share[name] * steps[name] for name, value in fields.items()}
        return Gaussians(**values, triangle=splats.triangle)

    matte_weight = view.weight / view.weight.mean()
    color_weight = matte_weight * _shown_freedom(splats, freedom, view, vertices, faces)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(config.iterations, 1))
    with progress.stage("training", config.iterations) as stage:
        for _ in range(config.iterations):
            current = moved()
            world = to_world(current, vertices, faces)
            background = torch.rand(3, generator=generator)
            out = rasterize(*world, view.camera, background)
            target = view.image * view.alpha[..., None] + background * (1 - view.alpha[..., None])
            photo = ((out.image - target).abs() * color_weight[..., None]).mean()
            matte = ((out.alpha - view.alpha).abs() * matte_weight).mean()
            loss = (
                config.color_weight * (photo + matte)
                + config.position_weight * position_loss(current)
                + config.scale_weight * scale_loss(current)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            stage.advance(1, loss=loss.item())
    with torch.no_grad():
        trained = moved()
        return trained._replace(colors=trained.colors.clamp(0, 1))


def _shown_freedom(splats: Gaussians, freedom: Freedom, view: View, vertices: Tensor, faces: Tensor) -> Tensor:
    """(H, W) how freely the splats that a pixel shows may follow it.

    Where they may not, the pixel must not count, or their free neighbours would grow to cover them. The background
    counts.
    """
    with torch.no_grad():
        world = to_world(splats, vertices, faces)
        shown = rasterize(
            world.means, world.quats, world.scales, world.opacities, freedom.colors[:, None].expand(-1, 3), view.camera,
            torch.ones(3),
        )  # fmt: skip
        return shown.image[..., 0].clamp(0, 1) ** 2
