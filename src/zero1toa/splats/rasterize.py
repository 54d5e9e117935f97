"""Gaussians to pixels, differentiable: the one function that everything else draws with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.splats.cpu import pipeline

MAX_SIZE = 32767
"""Pixels on a side of a picture: spans of pixels are held in 16 bits."""


class RasterOutput(NamedTuple):
    """A drawn picture, as sums over the Gaussians.

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
) -> RasterOutput:
    """Draws N Gaussians, differentiable to the five tensors.

    The rules are those of 3D Gaussian Splatting (Kerbl et al. 2023): covariances are projected by the local affine
    approximation of the camera and dilated by 0.3 square pixels; means nearer than 0.01 m are not drawn; Gaussians are
    blended front to back by the depth of their means, with alpha at most 0.99, left out where alpha is below 1/255, and
    a pixel is finished before the Gaussian that would take its transmittance to 1e-4.

    Args:
        means: (N, 3) metres, world axes.
        quats: (N, 4) wxyz, need not have length 1.
        scales: (N, 3) standard deviations along the Gaussian's axes, metres.
        opacities: (N,) in (0, 1); what is 0 or less is not drawn, what is more than 1 counts as 1.
        colors: (N, 3) RGB, usually in [0, 1]; nothing is clamped.
        camera: where the picture is taken from, and its size.
        background: (3,) RGB behind everything; carries no gradient.

    Returns:
        image, alpha and depth as float32 tensors.

    Raises:
        InputError: a shape does not fit, a number is NaN or infinite, a tensor is not on the CPU.
    """
    named = {"means": means, "quats": quats, "scales": scales, "opacities": opacities, "colors": colors}
    _check_shapes(named)
    _check_camera(camera)
    behind = _background(background)
    image, alpha, depth = _Rasterize.apply(
        *(tensor.to(torch.float32).contiguous() for tensor in named.values()), camera, behind
    )
    return RasterOutput(image, alpha, depth)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        colors: Tensor,
        camera: Camera,
        background: NDArray[np.float32],
    ) -> tuple[Tensor, Tensor, Tensor]:
        tensors = (means, quats, scales, opacities, colors)
        try:
            picture, lists = pipeline.forward(_as_inputs(tensors), camera, background)
        except pipeline.NotFinite:
            raise InputError(_what_is_not_finite(tensors)) from None
        except pipeline.TooManyPairs:
            raise InputError(
                "Cannot rasterize: too many Gaussians are too large; check the scales or draw a smaller picture."
            ) from None
        drawn = tuple(torch.from_numpy(array) for array in (picture.image, picture.alpha, picture.depth))
        ctx.save_for_backward(*tensors, *drawn)
        ctx.camera, ctx.lists = camera, lists
        ctx.set_materialize_grads(False)
        return drawn[0], drawn[1], drawn[2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if all(gradient is None for gradient in gradients):
            return (None,) * 7
        *tensors, image, alpha, depth = ctx.saved_tensors
        picture = pipeline.Picture(image.numpy(), alpha.numpy(), depth.numpy())
        gradient = pipeline.Picture(
            *(
                np.zeros(drawn.shape, np.float32) if given is None else given.contiguous().numpy()
                for given, drawn in zip(gradients, (image, alpha, depth))
            )
        )
        result = pipeline.backward(_as_inputs(tensors), ctx.camera, picture, ctx.lists, gradient)
        arrays = (result.means, result.quats, result.scales, result.opacities, result.colors)
        return (*(torch.from_numpy(array) for array in arrays), None, None)


def _as_inputs(tensors: Sequence[Tensor]) -> pipeline.Inputs:
    return pipeline.Inputs(*(tensor.detach().numpy() for tensor in tensors))


def _check_shapes(named: dict[str, Tensor]) -> None:
    count = len(named["means"]) if named["means"].ndim else 0
    expected = {
        "means": (count, 3),
        "quats": (count, 4),
        "scales": (count, 3),
        "opacities": (count,),
        "colors": (count, 3),
    }
    for name, tensor in named.items():
        if tuple(tensor.shape) != expected[name]:
            raise InputError(f"Cannot rasterize: {name} has the shape {tuple(tensor.shape)}, not {expected[name]}.")
        if tensor.device.type != "cpu":
            raise InputError(f"Cannot rasterize: {name} is on the device {tensor.device}; move it to the CPU first.")


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


def _what_is_not_finite(tensors: Sequence[Tensor]) -> str:
    names = ("means", "quats", "scales", "opacities", "colors")
    bad = [name for name, tensor in zip(names, tensors) if not bool(torch.isfinite(tensor).all())]
    which = " and ".join(bad)
    return f"Cannot rasterize: {which} hold NaN or infinite numbers; check the input, or train with a lower rate."
