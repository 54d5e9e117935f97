"""Rotations as quaternions: four numbers w, x, y, z in the last axis. Any leading shape; differentiable; no NaN."""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST_LENGTH = 1e-12
"""A quaternion shorter than this has no direction and stands for no rotation."""


def normalize(quats: Tensor) -> Tensor:
    """Quaternions (..., 4) scaled to length 1; those of length zero become the identity (1, 0, 0, 0)."""
    assert quats.shape[-1] == 4, quats.shape
    largest = quats.detach().abs().amax(-1, keepdim=True)
    empty = largest < _SMALLEST_LENGTH
    scaled = quats / torch.where(
        empty, torch.ones_like(largest), largest
    )  # so that the squares neither vanish nor overflow
    identity = quats.new_tensor([1.0, 0.0, 0.0, 0.0])
    scaled = torch.where(empty, identity, scaled)
    return scaled / scaled.norm(dim=-1, keepdim=True)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """The Hamilton product a b of quaternions (..., 4): first rotate by b, then by a."""
    assert a.shape[-1] == 4, a.shape
    assert b.shape[-1] == 4, b.shape
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def conjugate(quats: Tensor) -> Tensor:
    """(w, -x, -y, -z): the inverse rotation of unit quaternions (..., 4)."""
    assert quats.shape[-1] == 4, quats.shape
    return quats * quats.new_tensor([1.0, -1.0, -1.0, -1.0])


def rotate(quats: Tensor, points: Tensor) -> Tensor:
    """Points (..., 3) turned by quaternions (..., 4) of any length but zero."""
    return (to_matrix(quats) @ points[..., None])[..., 0]


def to_matrix(quats: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4) of any length; zero gives the identity matrix."""
    w, x, y, z = normalize(quats).unbind(-1)
    return torch.stack(
        [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )


def from_matrix(matrices: Tensor) -> Tensor:
    """Unit quaternions (..., 4) with w >= 0 of rotation matrices (..., 3, 3).

    Each entry of 4 q q^T is linear in the matrix. The row of its largest diagonal entry, at least 1, gives q without
    cancellation and without a square root of zero (a form of Shepperd's method).
    """
    assert matrices.shape[-2:] == (3, 3), matrices.shape
    r00, r01, r02 = matrices[..., 0, :].unbind(-1)
    r10, r11, r12 = matrices[..., 1, :].unbind(-1)
    r20, r21, r22 = matrices[..., 2, :].unbind(-1)
    wx, wy, wz = r21 - r12, r02 - r20, r10 - r01
    xy, xz, yz = r10 + r01, r20 + r02, r21 + r12
    outer = torch.stack(
        [
            torch.stack([1 + r00 + r11 + r22, wx, wy, wz], -1),
            torch.stack([wx, 1 + r00 - r11 - r22, xy, xz], -1),
            torch.stack([wy, xy, 1 - r00 + r11 - r22, yz], -1),
            torch.stack([wz, xz, yz, 1 - r00 - r11 + r22], -1),
        ],
        -2,
    )
    best = outer.detach().diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = outer.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    quats = row / row.norm(dim=-1, keepdim=True)
    return torch.where(quats[..., :1] < 0, -quats, quats)
