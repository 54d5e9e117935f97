"""Gaussians to pixels, differentiable: the one function that everything else draws with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.splats.cpu.differentiable import NAMES, Task, draw
from zero1toa.splats.statistics import RasterStatistics

MAX_SIZE = 32767
"""Pixels on a side of a picture: spans of pixels are held in 16 bits."""

Backend = Literal["auto", "numba", "gsplat"]


class RasterOutput(NamedTuple):
    """A drawn picture, as sums over the Gaussians. Of a clip, each tensor has F in front.

    w is the weight of a Gaussian in a pixel: its alpha times the transmittance that those in front have left. z is the
    depth of its mean along the view axis in metres. `depth / alpha` is the mean depth of what is seen.
    """

    image: Tensor  # (H, W, 3) sum of w color, plus background (1 - alpha)
    alpha: Tensor  # (H, W) sum of w, in [0, 1)
    depth: Tensor  # (H, W) sum of w z: not divided by alpha, and 0 where nothing is


def rasterize(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    camera: Camera,
    background: Tensor | Sequence[float] = (0.0, 0.0, 0.0),
    *,
    statistics: RasterStatistics | None = None,
    backend: Backend = "auto",
) -> RasterOutput:
    """Draws N Gaussians, differentiable to the five tensors.

    The rules are those of 3D Gaussian Splatting (Kerbl et al. 2023): covariances are projected by the local affine
    approximation of the camera and dilated by 0.3 square pixels; means nearer than 0.01 m are not drawn; Gaussians are
    blended front to back by the depth of their means, with alpha at most 0.99, left out where alpha is below 1/255, and
    a pixel is finished before the Gaussian that would take its transmittance to 1e-4.

    Where no gradient is needed, as under `torch.no_grad()`, nothing is kept for one, and it is faster.

    Args:
        means: (N, 3) metres, world axes.
        quats: (N, 4) wxyz, need not have length 1.
        scales: (N, 3) standard deviations along the Gaussian's axes, metres.
        opacities: (N,) in (0, 1); what is 0 or less is not drawn, what is more than 1 counts as 1.
        colors: (N, 3) RGB, usually in [0, 1]; nothing is clamped.
        camera: where the picture is taken from, and its size.
        background: (3,) RGB behind everything; carries no gradient.
        statistics: to which what density control needs is added, in this pass and in the backward pass.
        backend: `numba` runs on the CPU, `gsplat` on an NVIDIA GPU; `auto` goes by where the tensors are.

    Returns:
        image, alpha and depth as float32 tensors.

    Raises:
        InputError: a shape does not fit, a number is NaN or infinite, the tensors are not where the back end works.
        MissingDependency: the tensors are on a GPU, and gsplat is not installed.
    """
    tensors = (means, quats, scales, opacities, colors)
    return _rasterize(tensors, (camera,), background, statistics, backend, stacked=False)


def rasterize_clip(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    cameras: Sequence[Camera],
    background: Tensor | Sequence[float] = (0.0, 0.0, 0.0),
    *,
    statistics: RasterStatistics | None = None,
    backend: Backend = "auto",
) -> RasterOutput:
    """Draws F pictures of one size at once: the same as F calls of `rasterize`, to the bit.

    Each of the five tensors is given either once, for all pictures, or with F in front, where the Gaussians move or
    change. On the CPU each thread draws pictures of its own, which leaves no thread waiting for others. With gradients,
    what the backward pass needs is held for all pictures at the same time.

    Args:
        means: (N, 3) or (F, N, 3), as for `rasterize`; so are the others.
        quats: (N, 4) or (F, N, 4).
        scales: (N, 3) or (F, N, 3).
        opacities: (N,) or (F, N).
        colors: (N, 3) or (F, N, 3).
        cameras: one for each of F >= 1 pictures, all of the same size.
        background: (3,) RGB behind everything; carries no gradient.
        statistics: as for `rasterize`, of all pictures.
        backend: as for `rasterize`.

    Returns:
        image (F, H, W, 3), alpha (F, H, W) and depth (F, H, W).

    Raises:
        InputError, MissingDependency: as for `rasterize`, or the cameras differ in size.
    """
    cameras = tuple(cameras)
    if not cameras:
        raise InputError("Cannot rasterize a clip without cameras.")
    if len({(camera.width, camera.height) for camera in cameras}) > 1:
        raise InputError("Cannot rasterize: the cameras of a clip must all have the same size.")
    tensors = (means, quats, scales, opacities, colors)
    return _rasterize(tensors, cameras, background, statistics, backend, stacked=True)


def _rasterize(
    tensors: tuple[Tensor, ...],
    cameras: tuple[Camera, ...],
    background: Tensor | Sequence[float],
    statistics: RasterStatistics | None,
    backend: Backend,
    stacked: bool,
) -> RasterOutput:
    count = _check_shapes(tensors, len(cameras) if stacked else None)
    for camera in cameras:
        _check_camera(camera)
    if statistics is not None and len(statistics) != count:
        raise InputError(f"Cannot rasterize: the statistics are of {len(statistics)} Gaussians, not of {count}.")
    behind = _background(background)
    given = [tensor.to(torch.float32).contiguous() for tensor in tensors]
    task = Task(cameras, behind, statistics, stacked)
    if _check_device(tensors, statistics, backend) == "gsplat":
        from zero1toa.splats.gsplat_backend import draw as draw_with_gsplat

        return RasterOutput(*draw_with_gsplat(given, task))
    return RasterOutput(*draw(given, task))


def _check_shapes(tensors: Sequence[Tensor], frames: int | None) -> int:
    """The number of Gaussians."""
    means = tensors[0]
    count = means.shape[-2] if means.ndim > 1 else 0
    for name, tensor, last in zip(NAMES, tensors, (3, 4, 3, None, 3)):
        expected = (count,) if last is None else (count, last)
        shape = tuple(tensor.shape)
        if shape == expected or (frames is not None and shape == (frames, *expected)):
            continue
        fitting = str(expected) if frames is None else f"{expected} or {(frames, *expected)}"
        raise InputError(f"Cannot rasterize: {name} has the shape {shape}, not {fitting}.")
    return count


def _check_device(tensors: Sequence[Tensor], statistics: RasterStatistics | None, backend: Backend) -> str:
    """Which back end shall draw."""
    devices = {tensor.device.type for tensor in tensors}
    if statistics is not None:
        devices.add(statistics.visible.device.type)
    if len(devices) > 1:
        raise InputError(f"Cannot rasterize: the tensors are on different devices, {' and '.join(sorted(devices))}.")
    device = devices.pop()
    chosen = {"cpu": "numba", "cuda": "gsplat"}.get(device) if backend == "auto" else backend
    if (chosen, device) not in (("numba", "cpu"), ("gsplat", "cuda")):
        where = {"numba": "the CPU", "gsplat": "an NVIDIA GPU"}.get(chosen or "", "the CPU or an NVIDIA GPU")
        raise InputError(f"Cannot rasterize: the tensors are on the device {device}; move them to {where} first.")
    return str(chosen)


def _check_camera(camera: Camera) -> None:
    if not (1 <= camera.width <= MAX_SIZE and 1 <= camera.height <= MAX_SIZE):
        raise InputError(
            f"Cannot rasterize {camera.width} x {camera.height} pixels: each side must have between 1 and {MAX_SIZE}."
        )
    numbers = (*camera.viewmat.ravel(), camera.fx, camera.fy, camera.cx, camera.cy)
    if not (np.isfinite(numbers).all() and camera.fx > 0 and camera.fy > 0):
        raise InputError("Cannot rasterize: the camera's numbers must be finite and its focal lengths positive.")


def _background(background: Tensor | Sequence[float]) -> NDArray[np.float32]:
    values = torch.as_tensor(background, dtype=torch.float32).detach().cpu().contiguous().numpy()
    if values.shape != (3,) or not np.isfinite(values).all():
        raise InputError(f"Cannot rasterize: the background must be three finite numbers, not {background}.")
    return values
