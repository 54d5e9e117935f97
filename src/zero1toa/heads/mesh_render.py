"""A plain z-buffer renderer of triangle meshes: depth, triangle and barycentric coordinates per pixel."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zero1toa.camera import Camera
from zero1toa.compiled import compiled

from .topology import HeadTopology

NEAR = 0.01  # metres; a triangle with a corner closer than this to the camera plane is not drawn
_FILL = 0.25  # share of the light that comes from the camera: shadows keep their shape
_EDGE = -1e-6  # a pixel centre on an edge belongs to both triangles; the z-buffer decides


class MeshBuffers(NamedTuple):
    """What a camera sees of a mesh."""

    depth: NDArray[np.float32]  # (H, W) metres along the view axis, inf where nothing is
    face: NDArray[np.int32]  # (H, W) triangle index, -1 where nothing is
    barycentric: NDArray[np.float32]  # (H, W, 3) perspective-correct weights of the triangle's corners


@partial(compiled, nogil=True)
def _fill(points, faces, depth, face, barycentric):  # type: ignore[no-untyped-def]
    height, width = depth.shape
    for f in range(len(faces)):
        ax, ay, az = points[faces[f, 0]]
        bx, by, bz = points[faces[f, 1]]
        cx, cy, cz = points[faces[f, 2]]
        if az < NEAR or bz < NEAR or cz < NEAR:
            continue
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-12:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        for y in range(y0, y1 + 1):
            dy = y + 0.5 - ay
            for x in range(x0, x1 + 1):
                dx = x + 0.5 - ax
                wb = (dx * (cy - ay) - (cx - ax) * dy) / area
                wc = ((bx - ax) * dy - dx * (by - ay)) / area
                wa = 1.0 - wb - wc
                if wa < _EDGE or wb < _EDGE or wc < _EDGE:
                    continue
                z = 1.0 / (wa / az + wb / bz + wc / cz)
                if z < depth[y, x]:
                    depth[y, x] = z
                    face[y, x] = f
                    barycentric[y, x, 0] = wa / az * z
                    barycentric[y, x, 1] = wb / bz * z
                    barycentric[y, x, 2] = wc / cz * z


def rasterize_mesh(vertices: NDArray[np.floating], faces: NDArray[np.integer], camera: Camera) -> MeshBuffers:
    """Draw a mesh with a z-buffer, both sides of every triangle.

    Args:
        vertices: (V, 3) world metres.
        faces: (T, 3) vertex indices.
        camera: the view; its width and height are the buffers' size.
    """
    points = camera.project(np.asarray(vertices, np.float64))
    return rasterize_triangles(points, faces, (camera.height, camera.width))


def rasterize_triangles(points: NDArray[np.float64], faces: NDArray[np.integer], shape: tuple[int, int]) -> MeshBuffers:
    """Draw triangles whose corners are in pixels already, with a z-buffer.

    Args:
        points: (P, 3) x, y in pixels and depth; all of one depth makes a flat map, such as a texture's.
        faces: (T, 3) indices into points.
        shape: rows and columns of the buffers.
    """
    buffers = MeshBuffers(
        np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int32), np.zeros((*shape, 3), np.float32)
    )
    _fill(points, np.asarray(faces, np.int32), *buffers)
    return buffers


def farthest_depth(vertices: NDArray[np.floating], faces: NDArray[np.integer], camera: Camera) -> NDArray[np.float64]:
    """(H, W) depth of the surface farthest from the camera, metres; infinity where nothing is."""
    points = camera.project(np.asarray(vertices, np.float64))
    limit = 2 / max(points[:, 2].min(), NEAR)
    points[:, 2] = 1 / (limit - 1 / points[:, 2])  # inverse depths are linear on the screen, and so are reversed ones
    shape = (camera.height, camera.width)
    depth = np.full(shape, np.inf, np.float32)
    _fill(points, np.asarray(faces, np.int32), depth, np.full(shape, -1, np.int32), np.zeros((*shape, 3), np.float32))
    out = np.full(shape, np.inf)
    drawn = np.isfinite(depth)
    out[drawn] = 1 / (limit - 1 / depth[drawn].astype(np.float64))
    return out


def interpolate(
    attributes: NDArray[np.floating], buffers: MeshBuffers, faces: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Vertex attributes (V, C) at every pixel (H, W, C) float32; zero where nothing is.

    `faces` may be (T, 3) indices into any attribute table, such as texture coordinates with `uv_faces`.
    """
    seen = buffers.face >= 0
    out = np.zeros((*buffers.face.shape, attributes.shape[1]), np.float32)
    corners = np.asarray(attributes, np.float32)[faces[buffers.face[seen]]]
    out[seen] = np.einsum("pk,pkc->pc", buffers.barycentric[seen], corners)
    return out


def vertex_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """(V, 3) unit normals, outwards, weighted by triangle area; zero for a vertex without triangles."""
    corners = np.asarray(vertices, np.float64)[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    index = faces.ravel()
    total = np.stack([np.bincount(index, np.repeat(normal[:, k], 3), len(vertices)) for k in range(3)], -1)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    return total / np.where(length > 0, length, 1.0)


def visible_vertices(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], camera: Camera, tolerance: float = 1e-3
) -> NDArray[np.bool_]:
    """(V,) whether a vertex is inside the picture and at most `tolerance` metres behind what the camera sees there.

    The tolerance covers the slope of the surface within a pixel; on grazing surfaces take a finer camera.
    """
    buffers = rasterize_mesh(vertices, faces, camera)
    x, y, z = camera.project(np.asarray(vertices, np.float64)).T
    inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height) & (z > NEAR)
    column = np.clip(np.nan_to_num(x), 0, camera.width - 1).astype(int)
    row = np.clip(np.nan_to_num(y), 0, camera.height - 1).astype(int)
    return inside & (z <= buffers.depth[row, column] + tolerance)


def shade(
    vertices: NDArray[np.floating],
    topology: HeadTopology,
    camera: Camera,
    colors: NDArray[np.floating] | None = None,
    *,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    light: tuple[float, float, float] = (0.25, 0.45, 0.85),
    ambient: float = 0.45,
    supersample: int = 2,
    faces: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """A plain picture of a head: one white light far away, a weak one at the camera, matt surfaces, both sides alike.

    Args:
        vertices: (V, 3) posed, world metres.
        topology: of the head.
        camera: the view; the picture has its width and height.
        colors: (V, 3) in [0, 1]; None takes `appearance.default_colors`.
        background: RGB in [0, 1].
        light: direction towards the light, world axes; need not be a unit vector.
        ambient: share of the colour that needs no light, in [0, 1].
        supersample: rays per pixel along each side.
        faces: (T,) which triangles to draw; None draws all.

    Returns:
        (H, W, 3) float32 in [0, 1], display values.
    """
    from .appearance import default_colors

    colors = default_colors(topology) if colors is None else np.asarray(colors)
    drawn = topology.faces if faces is None else topology.faces[faces]
    fine = camera.resized(camera.width * supersample, camera.height * supersample)
    buffers = rasterize_mesh(vertices, drawn, fine)
    normals = interpolate(vertex_normals(vertices, topology.faces), buffers, drawn)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    rays = interpolate(np.asarray(vertices), buffers, drawn) - camera.position
    normals = np.where((normals * rays).sum(-1, keepdims=True) > 0, -normals, normals)
    toward = np.asarray(light, float) / np.linalg.norm(light)
    facing = -(normals * rays).sum(-1) / np.maximum(np.linalg.norm(rays, axis=-1), 1e-6)
    lit = (1 - _FILL) * np.clip(normals @ toward, 0, 1) + _FILL * np.clip(facing, 0, 1)
    diffuse = ambient + (1 - ambient) * lit
    image = np.where(
        (buffers.face >= 0)[..., None], interpolate(colors, buffers, drawn) * diffuse[..., None], background
    )
    blocks = image.reshape(camera.height, supersample, camera.width, supersample, 3)
    return blocks.mean((1, 3)).clip(0, 1).astype(np.float32)
