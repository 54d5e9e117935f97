"""Pictures of a textured head: z-buffer, bilinear texture look-up, several rays a pixel."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zero1toa.camera import Camera
from zero1toa.compiled import compiled

from .mesh_render import rasterize_mesh
from .topology import HeadTopology


def render_texture(
    vertices: NDArray[np.floating],
    topology: HeadTopology,
    texture: NDArray[np.float32],
    camera: Camera,
    supersample: int = 2,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a camera sees of a head with a texture. Releases Python's lock: several threads may draw at once.

    Args:
        vertices: (V, 3) posed, world metres.
        topology: of the head.
        texture: (S, S, C) values at texel centres; row 0 is at v = 1.
        camera: the view; the result has its width and height.
        supersample: rays per pixel along each side.

    Returns:
        (H, W, C) float32 mean of the texture over the rays that meet the head, zero where none does; (H, W) float32 the
        share of rays that meet it.
    """
    assert texture.ndim == 3 and texture.shape[0] == texture.shape[1], texture.shape
    fine = camera.resized(camera.width * supersample, camera.height * supersample)
    buffers = rasterize_mesh(vertices, topology.faces, fine)
    values = np.zeros((camera.height, camera.width, texture.shape[2]), np.float32)
    cover = np.zeros((camera.height, camera.width), np.float32)
    _look_up(buffers.face, buffers.barycentric, topology.uvs, topology.uv_faces, texture, supersample, values, cover)
    return values, cover


@partial(compiled, nogil=True)
def _look_up(face, barycentric, uvs, uv_faces, texture, supersample, values, cover):  # type: ignore[no-untyped-def]
    size, channels = texture.shape[0], texture.shape[2]
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            hits = 0
            for i in range(row * supersample, (row + 1) * supersample):
                for j in range(column * supersample, (column + 1) * supersample):
                    f = face[i, j]
                    if f < 0:
                        continue
                    hits += 1
                    u, v = np.float32(0), np.float32(0)
                    for k in range(3):
                        u += barycentric[i, j, k] * uvs[uv_faces[f, k], 0]
                        v += barycentric[i, j, k] * uvs[uv_faces[f, k], 1]
                    x = min(max(u * size - 0.5, 0.0), size - 1.0)
                    y = min(max((1 - v) * size - 0.5, 0.0), size - 1.0)
                    x0, y0 = math.floor(x), math.floor(y)
                    x1, y1 = min(x0 + 1, size - 1), min(y0 + 1, size - 1)
                    fx, fy = x - x0, y - y0
                    for c in range(channels):
                        top = texture[y0, x0, c] * (1 - fx) + texture[y0, x1, c] * fx
                        bottom = texture[y1, x0, c] * (1 - fx) + texture[y1, x1, c] * fx
                        values[row, column, c] += top * (1 - fy) + bottom * fy
            if hits:
                cover[row, column] = hits / (supersample * supersample)
                for c in range(channels):
                    values[row, column, c] /= hits
