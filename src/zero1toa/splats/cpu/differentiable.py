"""The kernels as one operation that torch can differentiate: one picture, or all of a clip."""

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
from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu import pipeline
from zero1toa.splats.cpu.measure import measure
from zero1toa.splats.cpu.threads import Run, share
from zero1toa.splats.statistics import RasterStatistics

NAMES = ("means", "quats", "scales", "opacities", "colors")
DIMENSIONS = (2, 2, 2, 1, 2)
"""Of the five tensors when they hold for all pictures; one more when each picture has its own."""

Floats = NDArray[np.float32]
Drawn = tuple[Tensor, Tensor, Tensor]


class Task(NamedTuple):
    """What is drawn besides the Gaussians."""

    cameras: tuple[Camera, ...]  # F, all of one size
    background: Floats  # (3,)
    statistics: RasterStatistics | None
    stacked: bool  # whether the pictures have a dimension for F, or are one picture


def draw(tensors: Sequence[Tensor], task: Task) -> Drawn:
    """Image (F, H, W, 3), alpha and depth (F, H, W), without F if the task is not stacked.

    Args:
        tensors: means, quats, scales, opacities and colors, contiguous float32 on the CPU.
    """
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        image, alpha, depth = _Draw.apply(*tensors, task)
        return image, alpha, depth
    return _draw(tensors, task, way_back=False)[0]


def _draw(tensors: Sequence[Tensor], task: Task, way_back: bool) -> tuple[Drawn, list[pipeline.Lists]]:
    size = (task.cameras[0].height, task.cameras[0].width)
    frames = (len(task.cameras),) if task.stacked else ()
    drawn = (torch.empty(*frames, *size, 3), torch.empty(*frames, *size), torch.empty(*frames, *size))
    kept: list[Any] = [None] * len(task.cameras)

    def work(number: int, how: Run) -> None:
        picture = _picture(drawn, number, task.stacked)
        lists = pipeline.forward(
            _inputs(tensors, number), task.cameras[number], task.background, picture, way_back, how
        )
        kept[number] = lists if way_back or task.statistics is not None else None

    try:
        share(work, len(task.cameras))
    except pipeline.NotFinite:
        check_finite(tensors)
        raise
    except pipeline.TooManyPairs:
        raise InputError(
            "Cannot rasterize: too many Gaussians are too large; check the scales or draw a smaller picture."
        ) from None
    if task.statistics is not None:
        for lists in kept:
            measure(lists.records, task.statistics.visible.numpy(), task.statistics.radii.numpy())
    return drawn, kept


class _Draw(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, colors: Tensor, task: Task
    ) -> Drawn:
        tensors = (means, quats, scales, opacities, colors)
        drawn, ctx.kept = _draw(tensors, task, way_back=True)
        ctx.save_for_backward(*tensors, *drawn)
        ctx.task = task
        ctx.set_materialize_grads(False)
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if all(gradient is None for gradient in gradients):
            return (None,) * 6
        task, kept = ctx.task, ctx.kept
        tensors, drawn = ctx.saved_tensors[:5], ctx.saved_tensors[5:]
        given = [
            torch.zeros(nothing) if gradient is None else gradient.to(torch.float32).contiguous()
            for gradient, nothing in zip(gradients, (drawn[0].shape, *2 * [(*drawn[0].shape[:-3], 0, 0)]))
        ]
        count, frames = tensors[0].shape[-2], len(task.cameras)
        results = [torch.empty(frames, *tensor.shape[-dimension:]) for tensor, dimension in zip(tensors, DIMENSIONS)]
        centres = None if task.statistics is None else torch.empty(frames, count, 2)

        def work(number: int, how: Run) -> None:
            pipeline.backward(
                _inputs(tensors, number),
                task.cameras[number],
                _picture(drawn, number, task.stacked),
                kept[number],
                _picture(given, number, task.stacked),
                _inputs(results, number),
                None if centres is None else centres[number].numpy(),
                how,
            )

        share(work, frames)
        if centres is not None:
            for camera, lists, gradient in zip(task.cameras, kept, centres):
                task.statistics.add_gradients(gradient, torch.from_numpy(lists.records[:, L.REACH] > 0), camera)
        return (
            *(
                result if tensor.ndim > dimension else _over_frames(result)
                for result, tensor, dimension in zip(results, tensors, DIMENSIONS)
            ),
            None,
        )


def _over_frames(result: Tensor) -> Tensor:
    return result[0] if len(result) == 1 else result.sum(0)


def _inputs(tensors: Sequence[Tensor], number: int) -> pipeline.Inputs:
    return pipeline.Inputs(
        *(
            (tensor[number] if tensor.ndim > dimension else tensor).detach().numpy()
            for tensor, dimension in zip(tensors, DIMENSIONS)
        )
    )


def _picture(drawn: Sequence[Tensor], number: int, stacked: bool) -> pipeline.Picture:
    return pipeline.Picture(*((tensor[number] if stacked else tensor).detach().numpy() for tensor in drawn))


def check_finite(tensors: Sequence[Tensor]) -> None:
    """Raises InputError, with the names of the tensors that hold NaN or infinite numbers, if there are any."""
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in tensors])
    if not bool(finite.all()):
        which = " and ".join(name for name, good in zip(NAMES, finite.tolist()) if not good)
        raise InputError(
            f"Cannot rasterize: {which} hold NaN or infinite numbers; check the input, or train with a lower rate."
        )
