"""A tile rasteriser in nothing but torch, differentiated by autograd: what one would write first, to compare with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zero1toa.camera import Camera
from zero1toa.splats import WorldGaussians, quaternion

_TILE = 16  # pixels
_CHUNK = 64  # Gaussians of a tile that are blended at a time, so that tiles that are full need not go on
_DILATION, _ALPHA_MIN, _ALPHA_MAX, _TRANSMITTANCE_MIN, _NEAR = 0.3, 1 / 255, 0.99, 1e-4, 0.01


def _project(gaussians: WorldGaussians, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Centres (N, 2), conics (N, 3) as xx, xy, yy, and depths (N,)."""
    view = torch.tensor(camera.viewmat, dtype=torch.float32)
    x, y, z = (gaussians.means @ view[:3, :3].T + view[:3, 3]).unbind(-1)
    safe = z.clamp_min(_NEAR)
    zero = torch.zeros_like(z)
    to_pixels = torch.stack(
        [camera.fx / safe, zero, -camera.fx * x / safe**2, zero, camera.fy / safe, -camera.fy * y / safe**2], -1
    ).reshape(-1, 2, 3)
    turn = quaternion.to_matrix(quaternion.normalize(gaussians.quats))
    flat = to_pixels @ view[:3, :3] @ (turn * gaussians.scales[:, None, :])
    covariance = flat @ flat.transpose(1, 2)
    xx, xy, yy = covariance[:, 0, 0] + _DILATION, covariance[:, 0, 1], covariance[:, 1, 1] + _DILATION
    determinant = xx * yy - xy * xy
    centres = torch.stack([camera.fx * x / safe + camera.cx, camera.fy * y / safe + camera.cy], -1)
    return centres, torch.stack([yy, -xy, xx], -1) / determinant[:, None], z


@torch.no_grad()
def _tile_lists(centres: Tensor, conics: Tensor, depths: Tensor, opacities: Tensor, camera: Camera) -> list[Tensor]:
    """For each tile the Gaussians whose bounding boxes meet it, front to back."""
    columns, rows = math.ceil(camera.width / _TILE), math.ceil(camera.height / _TILE)
    determinant = conics[:, 0] * conics[:, 2] - conics[:, 1] ** 2
    squared = 2 * (opacities / _ALPHA_MIN).clamp_min(1).log()
    reach = (squared[:, None] * torch.stack([conics[:, 2], conics[:, 0]], -1) / determinant[:, None]).sqrt()
    last = torch.tensor([columns - 1, rows - 1])
    low = ((centres - reach) / _TILE).floor().long()
    high = ((centres + reach) / _TILE).floor().long()
    seen = (depths > _NEAR) & (squared > 0) & (high >= 0).all(-1) & (low <= last).all(-1)
    order = torch.nonzero(seen)[:, 0]
    order = order[depths[order].argsort(stable=True)]
    low, high = torch.minimum(low.clamp_min(0), last)[order], torch.minimum(high, last)[order]
    wide, tall = (high - low + 1).unbind(-1)
    count = wide * tall
    which = torch.repeat_interleave(torch.arange(len(order)), count)
    number = torch.arange(len(which)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    tile = (low[which, 1] + number // wide[which]) * columns + low[which, 0] + number % wide[which]
    sorted_tile, by_tile = tile.sort(stable=True)
    lists = order[which[by_tile]]
    return list(lists.split(torch.bincount(sorted_tile, minlength=columns * rows).tolist()))


def rasterize_with_torch(gaussians: WorldGaussians, camera: Camera) -> Tensor:
    """The picture (H, W, 3) on black."""
    centres, conics, depths = _project(gaussians, camera)
    lists = _tile_lists(centres, conics, depths, gaussians.opacities, camera)
    columns = math.ceil(camera.width / _TILE)
    within = torch.arange(_TILE) + 0.5
    ys, xs = (grid.reshape(-1) for grid in torch.meshgrid(within, within, indexing="ij"))
    tiles = []
    for number, members in enumerate(lists):
        x, y = xs + (number % columns) * _TILE, ys + (number // columns) * _TILE
        color, clear = torch.zeros(_TILE * _TILE, 3), torch.ones(_TILE * _TILE)
        for chunk in members.split(_CHUNK) if len(members) else ():
            dx, dy = x - centres[chunk, 0, None], y - centres[chunk, 1, None]
            a, b, c = (value[:, None] for value in conics[chunk].unbind(-1))
            alpha = gaussians.opacities[chunk, None] * torch.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
            alpha = torch.where(alpha >= _ALPHA_MIN, alpha.clamp(max=_ALPHA_MAX), 0.0)
            after = clear * (1 - alpha).cumprod(0)
            before = torch.cat([clear[None], after[:-1]])
            weight = torch.where(after > _TRANSMITTANCE_MIN, alpha * before, 0.0)
            color = color + weight.T @ gaussians.colors[chunk]
            clear = after[-1]
            if bool((clear <= _TRANSMITTANCE_MIN).all()):
                break
        tiles.append(color.reshape(_TILE, _TILE, 3))
    rows = math.ceil(camera.height / _TILE)
    grid = torch.stack(tiles).reshape(rows, columns, _TILE, _TILE, 3).transpose(1, 2)
    return grid.reshape(rows * _TILE, columns * _TILE, 3)[: camera.height, : camera.width]
