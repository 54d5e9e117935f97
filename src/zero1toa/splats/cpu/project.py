"""From Gaussians in the world to ellipses on the image plane (EWA splatting)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.intrinsics import next_number
from zero1toa.splats.cpu.jit import inlined, kernel

Floats = NDArray[np.float32]

PIECE = 512
"""Gaussians that a thread takes at a time."""

SMALLEST_QUATERNION = 1e-30
"""Squared length below which a quaternion has no direction and counts as no rotation."""


@inlined
def rotation_of(qw, qx, qy, qz):  # type: ignore[no-untyped-def]
    """Row-major rotation matrix of a unit quaternion, nine numbers."""
    return (
        1 - 2 * (qy * qy + qz * qz),
        2 * (qx * qy - qw * qz),
        2 * (qx * qz + qw * qy),
        2 * (qx * qy + qw * qz),
        1 - 2 * (qx * qx + qz * qz),
        2 * (qy * qz - qw * qx),
        2 * (qx * qz - qw * qy),
        2 * (qy * qz + qw * qx),
        1 - 2 * (qx * qx + qy * qy),
    )


@inlined
def unit_quaternion(w, x, y, z):  # type: ignore[no-untyped-def]
    """The quaternion at length 1, and 1 / length; (1, 0, 0, 0) and 0 if it has no direction."""
    squared = w * w + x * x + y * y + z * z
    if squared < SMALLEST_QUATERNION:
        return 1.0, 0.0, 0.0, 0.0, 0.0
    inverse = 1 / math.sqrt(squared)
    return w * inverse, x * inverse, y * inverse, z * inverse, inverse


@inlined
def slope_limits(fx, fy, cx, cy, width, height):  # type: ignore[no-untyped-def]
    """How far x / z and y / z reach in the picture and MARGIN around it: lowest and highest x, lowest and highest y."""
    beside, above = L.MARGIN * 0.5 * width, L.MARGIN * 0.5 * height
    return -(cx + beside) / fx, (width - cx + beside) / fx, -(cy + above) / fy, (height - cy + above) / fy


@inlined
def jacobian(view, fx, fy, x, y, inverse_z, limits):  # type: ignore[no-untyped-def]
    """Pixels per metre at a point with camera coordinates x, y, z: of x along the three world axes, then of y."""
    tx = min(max(x * inverse_z, limits[0]), limits[1])
    ty = min(max(y * inverse_z, limits[2]), limits[3])
    jx, jy = fx * inverse_z, fy * inverse_z
    return (
        jx * (view[0, 0] - tx * view[2, 0]),
        jx * (view[0, 1] - tx * view[2, 1]),
        jx * (view[0, 2] - tx * view[2, 2]),
        jy * (view[1, 0] - ty * view[2, 0]),
        jy * (view[1, 1] - ty * view[2, 1]),
        jy * (view[1, 2] - ty * view[2, 2]),
    )


@kernel
def project(
    turn: NDArray[np.int32],  # see `threads.run`; pieces of PIECE Gaussians
    means: Floats,  # (N, 3)
    quats: Floats,  # (N, 4)
    scales: Floats,  # (N, 3)
    opacities: Floats,  # (N,)
    colors: Floats,  # (N, 3)
    view: NDArray[np.float64],  # (4, 4) world to camera
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    width: int,
    height: int,
    records: Floats,  # (N, RECORD) out
    invalid: NDArray[np.bool_],  # (N,) out: some input is NaN or infinite
) -> None:
    """Fills one record for each Gaussian. Works in float64 inside, so no finite input overflows."""
    limits = slope_limits(fx, fy, cx, cy, width, height)
    piece = next_number(turn)
    while piece * PIECE < means.shape[0]:
        for i in range(piece * PIECE, min((piece + 1) * PIECE, means.shape[0])):
            mx, my, mz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
            s0, s1, s2 = np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2])
            qw, qx, qy, qz, _ = unit_quaternion(
                np.float64(quats[i, 0]), np.float64(quats[i, 1]), np.float64(quats[i, 2]), np.float64(quats[i, 3])
            )
            opacity = np.float64(opacities[i])
            # Zero times a number is zero unless the number is NaN or infinite.
            finite = 0 * (mx + my + mz + s0 + s1 + s2 + qw + qx + qy + qz + opacity)
            finite += 0 * (np.float64(colors[i, 0]) + np.float64(colors[i, 1]) + np.float64(colors[i, 2]))
            invalid[i] = finite != 0
            records[i, L.REACH] = -1

            z = view[2, 0] * mx + view[2, 1] * my + view[2, 2] * mz + view[2, 3]
            reach = np.float64(-1)
            if opacity > 0:
                reach = np.float64(math.log2(min(np.float32(opacity), np.float32(1)))) - L.LOG2_ALPHA_MIN
            if not (z > L.NEAR and reach > 0):
                continue
            x = view[0, 0] * mx + view[0, 1] * my + view[0, 2] * mz + view[0, 3]
            y = view[1, 0] * mx + view[1, 1] * my + view[1, 2] * mz + view[1, 3]
            inverse_z = 1 / z
            px, py = fx * x * inverse_z + cx, fy * y * inverse_z + cy

            a0, a1, a2, b0, b1, b2 = jacobian(view, fx, fy, x, y, inverse_z, limits)
            r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation_of(qw, qx, qy, qz)
            p0, q0 = s0 * (a0 * r00 + a1 * r10 + a2 * r20), s0 * (b0 * r00 + b1 * r10 + b2 * r20)
            p1, q1 = s1 * (a0 * r01 + a1 * r11 + a2 * r21), s1 * (b0 * r01 + b1 * r11 + b2 * r21)
            p2, q2 = s2 * (a0 * r02 + a1 * r12 + a2 * r22), s2 * (b0 * r02 + b1 * r12 + b2 * r22)
            pp, qq, pq = p0 * p0 + p1 * p1 + p2 * p2, q0 * q0 + q1 * q1 + q2 * q2, p0 * q0 + p1 * q1 + p2 * q2
            n0, n1, n2 = p1 * q2 - p2 * q1, p2 * q0 - p0 * q2, p0 * q1 - p1 * q0
            # The determinant of the dilated covariance as a sum of positive terms (Lagrange's identity).
            determinant = n0 * n0 + n1 * n1 + n2 * n2 + L.DILATION * (pp + qq) + L.DILATION * L.DILATION
            xx, yy = pp + L.DILATION, qq + L.DILATION

            # exp(-d K d / 2) = 2^-(|white d|^2), so |white d|^2 = reach on the outline and d K d = 2 ln 2 reach.
            radius, deviation_y = math.sqrt(2 * L.LN_2 * reach), math.sqrt(yy)
            half_width, half_height = radius * math.sqrt(xx), radius * deviation_y
            seen = (
                max(abs(px), abs(py), half_width, half_height) < L.LARGEST
                and z < L.LARGEST
                and px + half_width > 0
                and px - half_width < width
                and py + half_height > 0
                and py - half_height < height
            )
            if not seen:  # also where something has become NaN
                continue
            first_row = math.ceil(max(py - half_height - 0.5, 0.0))
            last_row = math.floor(min(py + half_height - 0.5, height - 1.0))
            if first_row > last_row:
                continue
            unit = math.sqrt(0.5 * L.LOG2_E)
            record = records[i]
            record[L.X], record[L.Y] = math.floor(px), math.floor(py)
            record[L.X_PART], record[L.Y_PART] = px - record[L.X], py - record[L.Y]
            across, down = unit / math.sqrt(determinant), 1 / deviation_y
            record[L.WHITEN_XX] = across * deviation_y
            record[L.WHITEN_XY] = -across * pq * down
            record[L.WHITEN_YY] = unit * down
            record[L.LOG2_OPACITY] = reach + L.LOG2_ALPHA_MIN
            record[L.RED], record[L.GREEN], record[L.BLUE] = colors[i, 0], colors[i, 1], colors[i, 2]
            record[L.DEPTH] = z
            record[L.FIRST_ROW], record[L.LAST_ROW] = first_row, last_row
            record[L.EXTREME_DY] = pq / xx * half_width
            record[L.REACH] = reach
        piece = next_number(turn)
