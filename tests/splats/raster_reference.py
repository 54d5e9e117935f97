"""A plain float64 rasteriser in torch, Gaussian by Gaussian over all pixels, differentiated by autograd. The judge."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zero1toa.camera import Camera

NEAR_THRESHOLD = 1e-4
"""Relative distance to a threshold within which float32 may decide otherwise than float64."""


class Reference(NamedTuple):
    image: Tensor  # (H, W, 3)
    alpha: Tensor  # (H, W)
    depth: Tensor  # (H, W)
    sure: Tensor  # (H, W) bool: no Gaussian is so near a threshold in this pixel that rounding could decide


def rotation_matrices(quats: Tensor) -> Tensor:
    w, x, y, z = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).reshape(-1, 3, 3)


def project(means: Tensor, quats: Tensor, scales: Tensor, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Centres (N, 2), covariances (N, 2, 2) in pixels, depths (N,)."""
    view = torch.tensor(camera.viewmat)
    local = means @ view[:3, :3].T + view[:3, 3]
    x, y, z = local.unbind(-1)
    w, h = camera.width, camera.height
    tx = (x / z).clamp(-(camera.cx + 0.15 * w) / camera.fx, (w - camera.cx + 0.15 * w) / camera.fx)
    ty = (y / z).clamp(-(camera.cy + 0.15 * h) / camera.fy, (h - camera.cy + 0.15 * h) / camera.fy)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [camera.fx / z, zero, -camera.fx * tx / z, zero, camera.fy / z, -camera.fy * ty / z], -1
    ).reshape(-1, 2, 3)
    spread = rotation_matrices(quats) * scales[:, None, :]
    flat = jacobian @ view[:3, :3] @ spread
    covariance = flat @ flat.transpose(1, 2) + 0.3 * torch.eye(2, dtype=z.dtype)
    return torch.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], -1), covariance, z


def render(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    camera: Camera,
    background: Tensor,
    shift: Tensor | float = 0.0,
) -> Reference:
    """Draws all; `shift` (N, 2) pixels moves the centres on the image plane, to be differentiated to."""
    centres, covariances, depths = project(means, quats, scales, camera)
    centres = centres + shift
    conics = torch.linalg.inv(covariances)
    ys, xs = torch.meshgrid(
        torch.arange(camera.height, dtype=torch.float64) + 0.5,
        torch.arange(camera.width, dtype=torch.float64) + 0.5,
        indexing="ij",
    )
    clear = torch.ones_like(xs)
    finished = torch.zeros_like(xs, dtype=torch.bool)
    sure = torch.ones_like(finished)
    image, depth = torch.zeros(*xs.shape, 3, dtype=xs.dtype), torch.zeros_like(xs)
    for i in torch.argsort(depths, stable=True).tolist():
        if depths[i] <= 0.01:
            continue
        offset = torch.stack([xs - centres[i, 0], ys - centres[i, 1]], -1)
        raw = opacities[i] * torch.exp(-0.5 * ((offset @ conics[i]) * offset).sum(-1))
        alpha = raw.clamp(max=0.99)
        hit = (alpha >= 1 / 255) & ~finished
        after = clear * (1 - alpha)
        drawn = hit & (after > 1e-4)
        for value, threshold in ((raw, 1 / 255), (raw, 0.99), (after, 1e-4)):
            sure &= finished | ((value.detach() / threshold - 1).abs() > NEAR_THRESHOLD)
        finished |= hit & ~drawn
        weight = torch.where(drawn, alpha * clear, torch.zeros_like(alpha))
        image = image + weight[..., None] * colors[i]
        depth = depth + weight * depths[i]
        clear = torch.where(drawn, after, clear)
    return Reference(image + clear[..., None] * background, 1 - clear, depth, sure)
