"""Gaussians from the frames of their triangles to the world and back: `rig.to_world` in two passes over memory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu.frames import ORIGIN, QUAT, SCALE
from zero1toa.splats.cpu.intrinsics import next_number
from zero1toa.splats.cpu.jit import inlined, kernel
from zero1toa.splats.cpu.project import unit_quaternion

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

PIECE = 1024
"""Gaussians that a thread takes at a time."""


@inlined
def _product(aw, ax, ay, az, bw, bx, by, bz):  # type: ignore[no-untyped-def]
    """Hamilton product."""
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


@inlined
def _rotated(w, x, y, z, px, py, pz):  # type: ignore[no-untyped-def]
    """A point turned by a unit quaternion."""
    tx, ty, tz = 2 * (y * pz - z * py), 2 * (z * px - x * pz), 2 * (x * py - y * px)
    return px + w * tx + y * tz - z * ty, py + w * ty + z * tx - x * tz, pz + w * tz + x * ty - y * tx


@kernel
def place(
    turn: NDArray[np.int32],  # see `threads.run`; pieces of PIECE Gaussians
    frames: Floats,  # (T, FRAME)
    triangle: Integers,  # (N,) each at least 0 and less than T
    means: Floats,  # (N, 3)
    quats: Floats,  # (N, 4)
    log_scales: Floats,  # (N, 3)
    opacity_logits: Floats,  # (N,)
    world_means: Floats,  # (N, 3) out
    world_quats: Floats,  # (N, 4) out
    world_scales: Floats,  # (N, 3) out
    opacities: Floats,  # (N,) out
) -> None:
    """Places Gaussians in the world."""
    piece = next_number(turn)
    while piece * PIECE < means.shape[0]:
        for i in range(piece * PIECE, min((piece + 1) * PIECE, means.shape[0])):
            frame = frames[triangle[i]]
            scale = frame[SCALE]
            w, x, y, z = frame[QUAT], frame[QUAT + 1], frame[QUAT + 2], frame[QUAT + 3]
            px, py, pz = _rotated(w, x, y, z, means[i, 0], means[i, 1], means[i, 2])
            world_means[i, 0] = scale * px + frame[ORIGIN]
            world_means[i, 1] = scale * py + frame[ORIGIN + 1]
            world_means[i, 2] = scale * pz + frame[ORIGIN + 2]
            qw, qx, qy, qz, _ = unit_quaternion(
                np.float64(quats[i, 0]), np.float64(quats[i, 1]), np.float64(quats[i, 2]), np.float64(quats[i, 3])
            )
            qw, qx, qy, qz = _product(w, x, y, z, qw, qx, qy, qz)
            world_quats[i, 0], world_quats[i, 1], world_quats[i, 2], world_quats[i, 3] = qw, qx, qy, qz
            for axis in range(3):
                world_scales[i, axis] = scale * math.exp(log_scales[i, axis])
            opacities[i] = np.float32(1) / (np.float32(1) + math.exp(-opacity_logits[i]))
        piece = next_number(turn)


@kernel
def follow(
    frames: Floats,  # (T, FRAME)
    triangle: Integers,  # (N,) each at least 0 and less than T
    means: Floats,  # (N, 3)
    quats: Floats,  # (N, 4) of length 1
    scales: Floats,  # (N, 3) in units of the triangle's scale
    world_means: Floats,  # (N, 3) out
    world_quats: Floats,  # (N, 4) out
    world_scales: Floats,  # (N, 3) out
) -> None:
    """`place` for frame after frame: all on one thread, and what does not change is not computed again."""
    for i in range(means.shape[0]):
        frame = frames[triangle[i]]
        scale = frame[SCALE]
        w, x, y, z = frame[QUAT], frame[QUAT + 1], frame[QUAT + 2], frame[QUAT + 3]
        px, py, pz = _rotated(w, x, y, z, means[i, 0], means[i, 1], means[i, 2])
        world_means[i, 0] = scale * px + frame[ORIGIN]
        world_means[i, 1] = scale * py + frame[ORIGIN + 1]
        world_means[i, 2] = scale * pz + frame[ORIGIN + 2]
        qw, qx, qy, qz = _product(w, x, y, z, quats[i, 0], quats[i, 1], quats[i, 2], quats[i, 3])
        world_quats[i, 0], world_quats[i, 1], world_quats[i, 2], world_quats[i, 3] = qw, qx, qy, qz
        for axis in range(3):
            world_scales[i, axis] = scale * scales[i, axis]


@kernel
def place_backward(
    turn: NDArray[np.int32],  # see `threads.run`; pieces of PIECE Gaussians
    frames: Floats,  # (T, FRAME)
    triangle: Integers,  # (N,)
    quats: Floats,  # (N, 4)
    world_scales: Floats,  # (N, 3)
    opacities: Floats,  # (N,)
    grad_world_means: Floats,  # (N, 3)
    grad_world_quats: Floats,  # (N, 4)
    grad_world_scales: Floats,  # (N, 3)
    grad_opacities: Floats,  # (N,)
    grad_means: Floats,  # (N, 3) out
    grad_quats: Floats,  # (N, 4) out
    grad_log_scales: Floats,  # (N, 3) out
    grad_logits: Floats,  # (N,) out
) -> None:
    """Takes gradients back through `place`."""
    piece = next_number(turn)
    while piece * PIECE < quats.shape[0]:
        for i in range(piece * PIECE, min((piece + 1) * PIECE, quats.shape[0])):
            frame = frames[triangle[i]]
            scale = frame[SCALE]
            w, x, y, z = frame[QUAT], frame[QUAT + 1], frame[QUAT + 2], frame[QUAT + 3]
            gx, gy, gz = _rotated(w, -x, -y, -z, grad_world_means[i, 0], grad_world_means[i, 1], grad_world_means[i, 2])
            grad_means[i, 0], grad_means[i, 1], grad_means[i, 2] = scale * gx, scale * gy, scale * gz
            qw, qx, qy, qz, shorten = unit_quaternion(
                np.float64(quats[i, 0]), np.float64(quats[i, 1]), np.float64(quats[i, 2]), np.float64(quats[i, 3])
            )
            hw, hx, hy, hz = _product(
                w,
                -x,
                -y,
                -z,
                grad_world_quats[i, 0],
                grad_world_quats[i, 1],
                grad_world_quats[i, 2],
                grad_world_quats[i, 3],
            )
            along = hw * qw + hx * qx + hy * qy + hz * qz
            grad_quats[i, 0] = (hw - along * qw) * shorten
            grad_quats[i, 1] = (hx - along * qx) * shorten
            grad_quats[i, 2] = (hy - along * qy) * shorten
            grad_quats[i, 3] = (hz - along * qz) * shorten
            for axis in range(3):
                grad_log_scales[i, axis] = grad_world_scales[i, axis] * world_scales[i, axis]
            grad_logits[i] = grad_opacities[i] * opacities[i] * (np.float32(1) - opacities[i])
        piece = next_number(turn)
