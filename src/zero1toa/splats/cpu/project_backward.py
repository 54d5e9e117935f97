"""From sums over pixels to gradients of what the user gave: means, quaternions, scales, opacities, colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.intrinsics import next_number, prefetch
from zero1toa.splats.cpu.jit import kernel
from zero1toa.splats.cpu.project import PIECE, jacobian, rotation_of, slope_limits, unit_quaternion

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

_AHEAD = 8  # Gaussians between asking for sums and using them
_PREFETCHED = 8  # sums of one Gaussian that are asked for ahead; most have fewer tiles


@kernel
def project_backward(
    turn: Integers,  # see `threads.run`; pieces of PIECE Gaussians
    means: Floats,  # (N, 3)
    quats: Floats,  # (N, 4)
    scales: Floats,  # (N, 3)
    opacities: Floats,  # (N,)
    view: NDArray[np.float64],  # (4, 4)
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    width: int,
    height: int,
    records: Floats,  # (N, RECORD)
    first_slot: Integers,  # (N,)
    slots: Integers,  # (N,)
    sums: Floats,  # (P, GRADIENT) by slot
    grad_means: Floats,  # (N, 3) out
    grad_quats: Floats,  # (N, 4) out
    grad_scales: Floats,  # (N, 3) out
    grad_opacities: Floats,  # (N,) out
    grad_colors: Floats,  # (N, 3) out
    grad_centres: Floats,  # (N, 2) out: to the centre on the image plane, per pixel; or empty
) -> None:
    """Adds the sums of each Gaussian's tiles, always in the same order, and takes them back through `project`."""
    centres_wanted = grad_centres.shape[0] > 0
    limits = slope_limits(fx, fy, cx, cy, width, height)
    v00, v01, v02 = view[0, 0], view[0, 1], view[0, 2]
    v10, v11, v12 = view[1, 0], view[1, 1], view[1, 2]
    v20, v21, v22 = view[2, 0], view[2, 1], view[2, 2]
    piece = next_number(turn)
    while piece * PIECE < means.shape[0]:
        for i in range(piece * PIECE, min((piece + 1) * PIECE, means.shape[0])):
            if not records[i, L.REACH] > 0:
                grad_means[i] = 0
                grad_quats[i] = 0
                grad_scales[i] = 0
                grad_opacities[i] = 0
                grad_colors[i] = 0
                if centres_wanted:
                    grad_centres[i] = 0
                continue
            ahead = min(i + _AHEAD, means.shape[0] - 1)
            for slot in range(first_slot[ahead], first_slot[ahead] + min(slots[ahead], _PREFETCHED)):
                prefetch(sums, slot)
            red, green, blue, to_depth = 0.0, 0.0, 0.0, 0.0
            v, va, vb, vaa, vab, vbb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for slot in range(first_slot[i], first_slot[i] + slots[i]):
                red += sums[slot, L.SUM_W_RED]
                green += sums[slot, L.SUM_W_GREEN]
                blue += sums[slot, L.SUM_W_BLUE]
                to_depth += sums[slot, L.SUM_W_DEPTH]
                v += sums[slot, L.SUM_V]
                va += sums[slot, L.SUM_VA]
                vb += sums[slot, L.SUM_VB]
                vaa += sums[slot, L.SUM_VAA]
                vab += sums[slot, L.SUM_VAB]
                vbb += sums[slot, L.SUM_VBB]
            grad_colors[i, 0], grad_colors[i, 1], grad_colors[i, 2] = red, green, blue
            opacity = np.float64(opacities[i])
            grad_opacities[i] = v / opacity if opacity <= 1 else 0.0

            # The gradients of the centre and of the covariance on the image plane, through W = [[xx, xy], [0, yy]]:
            # d(exponent)/d(centre) = 2 ln2 W^T W d and d(exponent)/d(covariance) = 2 ln2^2 W^T (W d)(W d)^T W.
            xx, xy, yy = (
                np.float64(records[i, L.WHITEN_XX]),
                np.float64(records[i, L.WHITEN_XY]),
                np.float64(records[i, L.WHITEN_YY]),
            )
            twice, square = 2 * L.LN_2, 2 * L.LN_2 * L.LN_2
            grad_x = twice * xx * va
            grad_y = twice * (xy * va + yy * vb)
            if centres_wanted:
                grad_centres[i, 0], grad_centres[i, 1] = grad_x, grad_y
            cov_xx = square * xx * xx * vaa
            cov_xy = square * xx * (xy * vaa + yy * vab)
            cov_yy = square * (xy * xy * vaa + 2 * xy * yy * vab + yy * yy * vbb)

            # The forward pass again.
            mx, my, mz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
            s0, s1, s2 = np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2])
            qw, qx, qy, qz, shorten = unit_quaternion(
                np.float64(quats[i, 0]), np.float64(quats[i, 1]), np.float64(quats[i, 2]), np.float64(quats[i, 3])
            )
            x = v00 * mx + v01 * my + v02 * mz + view[0, 3]
            y = v10 * mx + v11 * my + v12 * mz + view[1, 3]
            z = v20 * mx + v21 * my + v22 * mz + view[2, 3]
            inverse_z = 1 / z
            jx, jy = fx * inverse_z, fy * inverse_z
            slope_x, slope_y = x * inverse_z, y * inverse_z
            a0, a1, a2, b0, b1, b2 = jacobian(view, fx, fy, x, y, inverse_z, limits)
            r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation_of(qw, qx, qy, qz)
            ar0, ar1, ar2 = (
                a0 * r00 + a1 * r10 + a2 * r20,
                a0 * r01 + a1 * r11 + a2 * r21,
                a0 * r02 + a1 * r12 + a2 * r22,
            )
            br0, br1, br2 = (
                b0 * r00 + b1 * r10 + b2 * r20,
                b0 * r01 + b1 * r11 + b2 * r21,
                b0 * r02 + b1 * r12 + b2 * r22,
            )
            p0, p1, p2, q0, q1, q2 = s0 * ar0, s1 * ar1, s2 * ar2, s0 * br0, s1 * br1, s2 * br2

            # covariance = P P^T with P = [p; q] = [a; b] R S.
            gp0, gp1, gp2 = (
                2 * (cov_xx * p0 + cov_xy * q0),
                2 * (cov_xx * p1 + cov_xy * q1),
                2 * (cov_xx * p2 + cov_xy * q2),
            )
            gq0, gq1, gq2 = (
                2 * (cov_xy * p0 + cov_yy * q0),
                2 * (cov_xy * p1 + cov_yy * q1),
                2 * (cov_xy * p2 + cov_yy * q2),
            )
            grad_scales[i, 0] = gp0 * ar0 + gq0 * br0
            grad_scales[i, 1] = gp1 * ar1 + gq1 * br1
            grad_scales[i, 2] = gp2 * ar2 + gq2 * br2
            gp0, gp1, gp2, gq0, gq1, gq2 = gp0 * s0, gp1 * s1, gp2 * s2, gq0 * s0, gq1 * s1, gq2 * s2

            g00, g01, g02 = a0 * gp0 + b0 * gq0, a0 * gp1 + b0 * gq1, a0 * gp2 + b0 * gq2
            g10, g11, g12 = a1 * gp0 + b1 * gq0, a1 * gp1 + b1 * gq1, a1 * gp2 + b1 * gq2
            g20, g21, g22 = a2 * gp0 + b2 * gq0, a2 * gp1 + b2 * gq1, a2 * gp2 + b2 * gq2
            gw = 2 * (qx * (g21 - g12) + qy * (g02 - g20) + qz * (g10 - g01))
            gx = 2 * (-2 * qx * (g11 + g22) + qy * (g10 + g01) + qz * (g20 + g02) + qw * (g21 - g12))
            gy = 2 * (qx * (g10 + g01) - 2 * qy * (g00 + g22) + qz * (g21 + g12) + qw * (g02 - g20))
            gz = 2 * (qx * (g20 + g02) + qy * (g21 + g12) - 2 * qz * (g00 + g11) + qw * (g10 - g01))
            along = gw * qw + gx * qx + gy * qy + gz * qz
            grad_quats[i, 0] = (gw - along * qw) * shorten
            grad_quats[i, 1] = (gx - along * qx) * shorten
            grad_quats[i, 2] = (gy - along * qy) * shorten
            grad_quats[i, 3] = (gz - along * qz) * shorten

            # a = jx (view_x - tx view_z), b = jy (view_y - ty view_z); jx = fx / z and tx = x / z between its limits.
            ga0, ga1, ga2 = (
                gp0 * r00 + gp1 * r01 + gp2 * r02,
                gp0 * r10 + gp1 * r11 + gp2 * r12,
                gp0 * r20 + gp1 * r21 + gp2 * r22,
            )
            gb0, gb1, gb2 = (
                gq0 * r00 + gq1 * r01 + gq2 * r02,
                gq0 * r10 + gq1 * r11 + gq2 * r12,
                gq0 * r20 + gq1 * r21 + gq2 * r22,
            )
            to_z = to_depth - (ga0 * a0 + ga1 * a1 + ga2 * a2 + gb0 * b0 + gb1 * b1 + gb2 * b2) * inverse_z
            to_tx = -jx * (ga0 * v20 + ga1 * v21 + ga2 * v22)
            to_ty = -jy * (gb0 * v20 + gb1 * v21 + gb2 * v22)
            to_x, to_y = jx * grad_x, jy * grad_y
            to_z -= to_x * slope_x + to_y * slope_y
            if limits[0] < slope_x < limits[1]:
                to_x += to_tx * inverse_z
                to_z -= to_tx * slope_x * inverse_z
            if limits[2] < slope_y < limits[3]:
                to_y += to_ty * inverse_z
                to_z -= to_ty * slope_y * inverse_z
            grad_means[i, 0] = v00 * to_x + v10 * to_y + v20 * to_z
            grad_means[i, 1] = v01 * to_x + v11 * to_y + v21 * to_z
            grad_means[i, 2] = v02 * to_x + v12 * to_y + v22 * to_z
        piece = next_number(turn)
