"""Scenes for the tests of the rasteriser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zero1toa.camera import Camera

INPUTS = ("means", "quats", "scales", "opacities", "colors")


@dataclass
class Scene:
    means: Tensor  # float32, as all
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    camera: Camera
    background: Tensor

    def inputs(self, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        return [getattr(self, name).to(dtype).clone().requires_grad_() for name in INPUTS]


def random_scene(
    count: int,
    size: tuple[int, int] = (64, 64),
    *,
    seed: int = 0,
    radius: tuple[float, float] = (0.5, 12.0),
    thinnest: float = 0.05,
    opacity: tuple[float, float] = (0.02, 0.98),
    off_centre: bool = True,
) -> Scene:
    """Gaussians of every shape around the middle, some outside the picture and behind the camera.

    Args:
        size: width and height.
        radius: range of the largest standard deviation, pixels.
        thinnest: least ratio of the smallest to the largest standard deviation.
    """
    random = np.random.default_rng(seed)
    width, height = size
    camera = Camera.orbit(random.uniform(-60, 60), random.uniform(-30, 30), distance=0.9, fov=30, size=size)
    if off_centre:
        camera = Camera(camera.viewmat, camera.fx, camera.fy * 1.1, width * 0.45, height * 0.53, width, height)
    metres_per_pixel = 0.9 / camera.fx
    pixels = random.uniform(-0.15, 1.15, (count, 2)) * size
    z = np.where(random.random(count) < 0.03, random.uniform(-0.5, 0.0, count), random.uniform(0.6, 1.2, count))
    local = np.stack([(pixels[:, 0] - camera.cx) / camera.fx * z, (pixels[:, 1] - camera.cy) / camera.fy * z, z], -1)
    means = (local - camera.viewmat[:3, 3]) @ camera.viewmat[:3, :3]
    largest = np.exp(random.uniform(*np.log(radius), count)) * metres_per_pixel
    scales = largest[:, None] * np.exp(random.uniform(np.log(thinnest), 0, (count, 3)))
    quats = random.normal(size=(count, 4))
    return Scene(
        *(
            torch.tensor(values, dtype=torch.float32)
            for values in (
                means,
                quats,
                scales,
                random.uniform(*opacity, count),
                random.uniform(0, 1, (count, 3)),
            )
        ),
        camera=camera,
        background=torch.tensor([0.1, 0.25, 0.4]),
    )
