"""The frames of triangles, as `rig.triangle_frames` defines them, with rotations as quaternions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu.intrinsics import next_number
from zero1toa.splats.cpu.jit import inlined, kernel

PIECE = 1024
"""Triangles that a thread takes at a time."""

# Columns of a frame: centroid, scale, rotation as a unit quaternion wxyz.
ORIGIN, SCALE, QUAT = 0, 3, 4
FRAME = 8

SHORTEST = 1e-12
"""Metres: an edge that is not longer has no direction."""

NARROWEST = 1e-4
"""Sine of the angle at the first corner up to which rounding decides the normal, so another is taken."""

STEEP = 0.6
"""An edge whose x is below this is safely away from the x axis, and otherwise from the y axis."""


@inlined
def _quaternion(r00, r10, r20, r01, r11, r21, r02, r12, r22):  # type: ignore[no-untyped-def]
    """Quaternion with w >= 0 of a rotation, given column by column: the row of 4 q q^T with the largest diagonal."""
    dw, dx, dy, dz = 1 + r00 + r11 + r22, 1 + r00 - r11 - r22, 1 - r00 + r11 - r22, 1 - r00 - r11 + r22
    if dw >= dx and dw >= dy and dw >= dz:
        w, x, y, z = dw, r21 - r12, r02 - r20, r10 - r01
    elif dx >= dy and dx >= dz:
        w, x, y, z = r21 - r12, dx, r10 + r01, r20 + r02
    elif dy >= dz:
        w, x, y, z = r02 - r20, r10 + r01, dy, r21 + r12
    else:
        w, x, y, z = r10 - r01, r20 + r02, r21 + r12, dz
    factor = math.copysign(1 / math.sqrt(w * w + x * x + y * y + z * z), w)
    return w * factor, x * factor, y * factor, z * factor


@kernel
def frame_triangles(
    turn: NDArray[np.int32],  # see `threads.run`; pieces of PIECE triangles
    vertices: NDArray[np.float32],  # (V, 3)
    faces: NDArray[np.int64],  # (T, 3) each at least 0 and less than V
    frames: NDArray[np.float32],  # (T, FRAME) out
) -> None:
    """Finds the frame of each triangle."""
    piece = next_number(turn)
    while piece * PIECE < faces.shape[0]:
        for i in range(piece * PIECE, min((piece + 1) * PIECE, faces.shape[0])):
            a, b, c = faces[i, 0], faces[i, 1], faces[i, 2]
            ax, ay, az = np.float64(vertices[a, 0]), np.float64(vertices[a, 1]), np.float64(vertices[a, 2])
            ex, ey, ez = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
            fx, fy, fz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
            frames[i, ORIGIN] = ax + (ex + fx) / 3
            frames[i, ORIGIN + 1] = ay + (ey + fy) / 3
            frames[i, ORIGIN + 2] = az + (ez + fz) / 3

            length = math.sqrt(ex * ex + ey * ey + ez * ez)
            if length > SHORTEST:
                ex, ey, ez = ex / length, ey / length, ez / length
            else:
                ex, ey, ez, length = 1.0, 0.0, 0.0, 0.0
            nx, ny, nz = ey * fz - ez * fy, ez * fx - ex * fz, ex * fy - ey * fx
            height = math.sqrt(nx * nx + ny * ny + nz * nz)
            frames[i, SCALE] = (length + height) / 2
            if height <= NARROWEST * max(math.sqrt(fx * fx + fy * fy + fz * fz), SHORTEST):
                if abs(ex) < STEEP:
                    nx, ny, nz = 0.0, ez, -ey
                else:
                    nx, ny, nz = -ez, 0.0, ex
                height = math.sqrt(nx * nx + ny * ny + nz * nz)
            nx, ny, nz = nx / height, ny / height, nz / height
            sx, sy, sz = ey * nz - ez * ny, ez * nx - ex * nz, ex * ny - ey * nx
            w, x, y, z = _quaternion(ex, ey, ez, nx, ny, nz, sx, sy, sz)
            frames[i, QUAT], frames[i, QUAT + 1], frames[i, QUAT + 2], frames[i, QUAT + 3] = w, x, y, z
        piece = next_number(turn)
