"""A mesh that morphs and is skinned, and the pixels of a picture, without gradients: what playing a motion needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu.jit import kernel, summing_kernel

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@summing_kernel
def morph_and_skin(
    vertices: Floats,  # (V, 3) at rest, neutral
    starts: NDArray[np.int64],  # (K + 1,) where the rows of each shape start
    rows: Integers,  # (R,) vertices that a shape moves
    deltas: Floats,  # (R, 3) by how much at weight 1
    weights: Floats,  # (K,)
    transforms: Floats,  # (J, 3, 4) carry rest points to posed points
    bones: Floats,  # (V, J) skin weights
    posed: Floats,  # (V, 3) out
) -> None:
    """Adds the shapes and skins the sum: `RiggedHead.pose` of one frame."""
    count, joints = vertices.shape[0], bones.shape[1]
    for i in range(count):
        posed[i, 0], posed[i, 1], posed[i, 2] = vertices[i, 0], vertices[i, 1], vertices[i, 2]
    for k in range(weights.shape[0]):
        w = weights[k]
        if w == 0:
            continue
        for r in range(starts[k], starts[k + 1]):
            i = rows[r]
            posed[i, 0] += w * deltas[r, 0]
            posed[i, 1] += w * deltas[r, 1]
            posed[i, 2] += w * deltas[r, 2]
    for i in range(count):
        x, y, z = posed[i, 0], posed[i, 1], posed[i, 2]
        px = py = pz = np.float32(0)
        for j in range(joints):
            b = bones[i, j]
            if b == 0:
                continue
            m = transforms[j]
            px += b * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
            py += b * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
            pz += b * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        posed[i, 0], posed[i, 1], posed[i, 2] = px, py, pz


@kernel
def to_bytes(image: Floats, pixels: NDArray[np.uint8]) -> None:
    """(H, W, 3) in [0, 1] to 0..255, rounded and clipped."""
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            for channel in range(3):
                value = image[row, column, channel] * np.float32(255) + np.float32(0.5)
                pixels[row, column, channel] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@kernel
def to_straight_bytes(image: Floats, alpha: Floats, pixels: NDArray[np.uint8]) -> None:
    """(H, W, 3) premultiplied over black and (H, W) to RGBA 0..255 with straight alpha."""
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            a = min(max(alpha[row, column], np.float32(0)), np.float32(1))
            whole = np.float32(255) / max(a, np.float32(1e-4))
            for channel in range(3):
                value = image[row, column, channel] * whole + np.float32(0.5)
                pixels[row, column, channel] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
            pixels[row, column, 3] = np.uint8(a * np.float32(255) + np.float32(0.5))
