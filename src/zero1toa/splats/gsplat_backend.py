"""The rasteriser for NVIDIA GPUs: the same pictures from gsplat (the extra `cuda`).

gsplat has the rules of `rasterize` but for one: its alpha is limited to 0.999 and not to 0.99, and that cannot be set.
The two differ where a pixel lies near the centre of a Gaussian whose opacity is above 0.99: by up to 0.009 of its
colour, and in that Gaussian's gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from zero1toa.camera import Camera
from zero1toa.errors import MissingDependency
from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.differentiable import DIMENSIONS, Drawn, Task, check_finite
from zero1toa.splats.cpu.measure import RADIUS
from zero1toa.splats.statistics import RasterStatistics


def draw(tensors: Sequence[Tensor], task: Task) -> Drawn:
    """Image (F, H, W, 3), alpha and depth (F, H, W), without F if the task is not stacked.

    Args:
        tensors: means, quats, scales, opacities and colors, contiguous float32 on a GPU.

    Raises:
        InputError: a number is NaN or infinite.
        MissingDependency: gsplat is not installed.
    """
    gsplat = _import()
    check_finite(tensors)
    device, frames = tensors[0].device, len(task.cameras)
    size = (task.cameras[0].height, task.cameras[0].width)
    front = (frames,) if task.stacked else ()
    if tensors[0].shape[-2] == 0:
        nothing = torch.zeros(*front, *size, device=device)
        return torch.tensor(task.background, device=device).expand(*front, *size, 3), nothing, nothing.clone()
    means, quats, scales, opacities, colors = tensors
    viewmats = torch.tensor(np.stack([camera.viewmat for camera in task.cameras]), dtype=torch.float32, device=device)
    intrinsics = torch.tensor([_intrinsics(camera) for camera in task.cameras], dtype=torch.float32, device=device)
    backgrounds = torch.tensor(task.background, device=device).expand(frames, 3)
    moving = any(tensor.ndim > dimension for tensor, dimension in zip(tensors[:4], DIMENSIONS))
    if moving:  # F scenes with one camera each; otherwise it is one scene with F cameras
        means, quats, scales, opacities, colors = (
            tensor if tensor.ndim > dimension else tensor.expand(frames, *tensor.shape)
            for tensor, dimension in zip(tensors, DIMENSIONS)
        )
        viewmats, intrinsics, backgrounds = viewmats[:, None], intrinsics[:, None], backgrounds[:, None]
    drawn, alpha, found = gsplat.rasterization(
        means,
        quats,
        scales,
        opacities.clamp(max=1.0),
        colors,
        viewmats,
        intrinsics,
        task.cameras[0].width,
        task.cameras[0].height,
        near_plane=L.NEAR,
        far_plane=L.LARGEST,
        eps2d=L.DILATION,
        packed=False,
        tile_size=L.TILE,
        backgrounds=backgrounds,
        render_mode="RGB+D",  # D is the sum of w z, as here; ED would be divided by alpha
        rasterize_mode="classic",
    )
    if task.statistics is not None:
        _watch(task.statistics, found, task.cameras)
    drawn = drawn.reshape(*front, *size, 4)
    return drawn[..., :3], alpha.reshape(*front, *size), drawn[..., 3]


def _import() -> ModuleType:
    try:
        import gsplat
    except ImportError as error:
        raise MissingDependency(
            "Rasterizing on a GPU needs gsplat; install it with pip install 'zero1toa[cuda]', or move the tensors to "
            "the CPU."
        ) from error
    module: ModuleType = gsplat
    return module


def _intrinsics(camera: Camera) -> list[list[float]]:
    return [[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]]


def _watch(statistics: RasterStatistics, found: dict[str, Tensor], cameras: Sequence[Camera]) -> None:
    """Adds what the pictures show to the statistics, and has the gradients added when they come."""
    frames, count = len(cameras), len(statistics)
    radii = found["radii"].reshape(frames, count, -1)  # one number or two, by gsplat's version; 0 is not in the picture
    seen = (radii > 0).all(-1)
    xx, xy, yy = found["conics"].detach().reshape(frames, count, 3).unbind(-1)  # inverse of the covariance
    greatest = 0.5 * (xx + yy) + torch.hypot(0.5 * (xx - yy), xy)
    radius = RADIUS * (greatest / (xx * yy - xy * xy)).sqrt()
    statistics.visible += seen.sum(0)
    statistics.radii = torch.maximum(statistics.radii, torch.where(seen, radius, 0.0).amax(0))
    centres = found["means2d"]
    if not centres.requires_grad:
        return

    def add(gradient: Tensor) -> None:
        for camera, per_pixel, here in zip(cameras, gradient.reshape(frames, count, 2), seen):
            statistics.add_gradients(per_pixel, here, camera)

    centres.register_hook(add)
