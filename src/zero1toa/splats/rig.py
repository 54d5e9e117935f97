"""Gaussians that follow a mesh: each lives in the frame of one triangle (the binding of GaussianAvatars, CVPR 2024).

This is the only file of `splats` that knows a mesh. Everything is differentiable, in the Gaussians and in the vertices.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from zero1toa.splats import quaternion
from zero1toa.splats.cpu import frames as cpu_frames
from zero1toa.splats.cpu import place as cpu_place
from zero1toa.splats.cpu.threads import run
from zero1toa.splats.gaussians import Gaussians, WorldGaussians

POSITION_THRESHOLD = 1.0
"""Distance from the centroid, in triangle scales, that costs nothing (GaussianAvatars, `threshold_xyz`)."""

SCALE_THRESHOLD = 0.6
"""Standard deviation, in triangle scales, that costs nothing (GaussianAvatars, `threshold_scale`)."""


class TriangleFrames(NamedTuple):
    """A place, an orientation and a size for each triangle."""

    origin: Tensor  # (..., T, 3) centroid, metres
    rotation: Tensor  # (..., T, 3, 3) columns: first edge, normal, edge x normal; right-handed
    scale: Tensor  # (..., T) mean of the first edge's length and the height over it, metres


def triangle_frames(vertices: Tensor, faces: Tensor) -> TriangleFrames:
    """The frame of each triangle.

    A triangle without area gets some rotation that agrees with its first edge as far as there is one; its scale is what
    the definition says, down to 0. Nothing becomes NaN, neither values nor gradients.

    Args:
        vertices: (..., V, 3) metres.
        faces: (T, 3) integer indices; the order of the corners decides the frame.
    """
    assert vertices.shape[-1] == 3, vertices.shape
    assert faces.shape[-1] == 3, faces.shape
    first, second, third = vertices[..., faces.long(), :].unbind(-2)
    along, across = second - first, third - first
    axis = torch.eye(3, dtype=vertices.dtype, device=vertices.device)
    edge, length = _direction(along, cpu_frames.SHORTEST, axis[0])
    # Without area any normal at right angles to the edge will do.
    steep = edge.detach()[..., :1].abs() < cpu_frames.STEEP
    spare = torch.linalg.cross(edge, torch.where(steep, axis[0], axis[1]))
    upright = torch.linalg.cross(edge, across)
    reach = across.detach().norm(dim=-1, keepdim=True).clamp_min(cpu_frames.SHORTEST)
    normal, _ = _direction(upright, cpu_frames.NARROWEST * reach, spare / spare.norm(dim=-1, keepdim=True))
    _, height = _direction(upright, 0.0, upright)
    return TriangleFrames(
        (first + second + third) / 3,
        torch.stack([edge, normal, torch.linalg.cross(edge, normal)], -1),
        (length + height) / 2,
    )


def to_world(gaussians: Gaussians, vertices: Tensor, faces: Tensor) -> WorldGaussians:
    """Places the Gaussians of a mesh in the pose that `vertices` (V, 3) show.

    With the frame (T, R, k) of its triangle, a Gaussian's mean is k R mean + T, its rotation R r, its scales k s. The
    result differentiates to the Gaussians and to the vertices. On the CPU, in float32 and with vertices that need no
    gradient, it is some ten times as fast.

    Raises:
        IndexError: a triangle, or a corner of one, does not exist.
    """
    tensors = (*gaussians[:5], vertices)
    if not vertices.requires_grad and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors):
        local = (tensor.contiguous() for tensor in gaussians[:4])
        means, quats, scales, opacities = _Place.apply(*local, gaussians.triangle, vertices, faces)
        return WorldGaussians(means, quats, scales, opacities, gaussians.colors)
    origin, rotation, scale = triangle_frames(vertices, faces)
    of = gaussians.triangle
    scale_of = scale[of, None]
    frame = quaternion.from_matrix(rotation)[of]
    return WorldGaussians(
        quaternion.rotate(frame, gaussians.means) * scale_of + origin[of],
        quaternion.multiply(frame, quaternion.normalize(gaussians.quats)),
        gaussians.log_scales.exp() * scale_of,
        gaussians.opacity_logits.sigmoid(),
        gaussians.colors,
    )


def to_local(world: WorldGaussians, triangle: Tensor, vertices: Tensor, faces: Tensor) -> Gaussians:
    """Binds Gaussians to triangles: the inverse of `to_world`, for triangles with an area and opacities inside (0, 1).

    Args:
        world: N Gaussians; their scales must be positive.
        triangle: (N,) int64, the triangle that each shall follow.
        vertices: (V, 3) the pose in which `world` is seen, metres.
        faces: (T, 3) corners of the triangles.
    """
    origin, rotation, scale = triangle_frames(vertices, faces)
    scale_of = scale[triangle, None].clamp_min(cpu_frames.SHORTEST)
    back = quaternion.conjugate(quaternion.from_matrix(rotation))[triangle]
    return Gaussians(
        quaternion.rotate(back, world.means - origin[triangle]) / scale_of,
        quaternion.multiply(back, quaternion.normalize(world.quats)),
        (world.scales / scale_of).log(),
        world.opacities.logit(),
        world.colors,
        triangle,
    )


def position_loss(
    gaussians: Gaussians, threshold: float | Tensor = POSITION_THRESHOLD, weight: Tensor | None = None
) -> Tensor:
    """How far the Gaussians stray from their triangles: mean of relu(|mean| - threshold), in triangle scales.

    Args:
        gaussians: N Gaussians.
        threshold: one number, or (N,) numbers where parts of the head are held differently.
        weight: (N,) factors, 1 each if absent.
    """
    return _mean((_length(gaussians.means) - threshold).relu(), weight)


def scale_loss(
    gaussians: Gaussians, threshold: float | Tensor = SCALE_THRESHOLD, weight: Tensor | None = None
) -> Tensor:
    """How far the Gaussians outgrow their triangles: mean of |relu(scales - threshold)|, in triangle scales.

    Args:
        gaussians: N Gaussians.
        threshold: one number, or (N,) numbers where parts of the head are held differently.
        weight: (N,) factors, 1 each if absent.
    """
    limit = threshold[..., None] if isinstance(threshold, Tensor) else threshold
    return _mean(_length((gaussians.log_scales.exp() - limit).relu()), weight)


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    if values.numel() == 0:
        return values.sum()
    return values.mean() if weight is None else (values * weight).mean()


def _length(vectors: Tensor) -> Tensor:
    """Lengths (...) of vectors (..., 3), with a gradient of zero, and not NaN, where a vector is zero."""
    return (vectors.square().sum(-1) + torch.finfo(vectors.dtype).tiny).sqrt()


def _direction(vectors: Tensor, shortest: Tensor | float, fallback: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (..., 3) and lengths (...); where a vector is not longer than `shortest`, the fallback and 0."""
    squared = vectors.square().sum(-1, keepdim=True)
    usable = squared > shortest**2
    length = torch.where(usable, squared, torch.ones_like(squared)).sqrt()
    return torch.where(usable, vectors / length, fallback), torch.where(usable, length, 0 * squared)[..., 0]


class _Place(torch.autograd.Function):
    """`to_world` with kernels, for float32 on the CPU. Tested to be equal to the lines in `to_world`."""

    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        quats: Tensor,
        log_scales: Tensor,
        opacity_logits: Tensor,
        triangle: Tensor,
        vertices: Tensor,
        faces: Tensor,
    ) -> tuple[Tensor, ...]:
        corners = _indices(faces, len(vertices), "corner")
        of = _indices(triangle, len(corners), "triangle")
        frames = np.empty((len(corners), cpu_frames.FRAME), np.float32)
        run(
            cpu_frames.frame_triangles,
            -(-len(corners) // cpu_frames.PIECE),
            vertices.detach().contiguous().numpy(),
            corners,
            frames,
        )
        placed = tuple(torch.empty_like(tensor) for tensor in (means, quats, log_scales, opacity_logits))
        run(
            cpu_place.place,
            -(-len(of) // cpu_place.PIECE),
            frames,
            of,
            *(tensor.detach().numpy() for tensor in (means, quats, log_scales, opacity_logits)),
            *(tensor.numpy() for tensor in placed),
        )
        ctx.save_for_backward(quats, placed[2], placed[3])
        ctx.frames, ctx.of = frames, of
        return placed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        quats, scales, opacities = ctx.saved_tensors
        local = tuple(torch.empty_like(gradient, memory_format=torch.contiguous_format) for gradient in gradients)
        run(
            cpu_place.place_backward,
            -(-len(quats) // cpu_place.PIECE),
            ctx.frames,
            ctx.of,
            *(tensor.detach().numpy() for tensor in (quats, scales, opacities)),
            *(gradient.contiguous().numpy() for gradient in gradients),
            *(tensor.numpy() for tensor in local),
        )
        return (*local, None, None, None)


def _indices(tensor: Tensor, count: int, what: str) -> NDArray[np.int64]:
    array = tensor.to(torch.int64).contiguous().numpy()
    if array.size and (array.min() < 0 or array.max() >= count):
        raise IndexError(f"a {what} is not between 0 and {count - 1}")
    return array
