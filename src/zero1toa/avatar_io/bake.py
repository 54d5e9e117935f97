"""The avatar's look as a texture: its splats, photographed from all sides at rest, on the head's texture coordinates.

Each part of the head is photographed by itself, so that lids do not stand before the eyes nor lips before the teeth;
only lashes are seen on what is behind them.
A texel takes its colour from the pictures that see it, by far the most from the one that looks at it straightest.
What no picture sees (folds, the inside of a nostril) gets the mean colour of the splats around it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, minimum_filter

from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.posed import PosedSplats, Poser
from zero1toa.avatar_io.surface import surface_colors, vertex_normals
from zero1toa.camera import Camera
from zero1toa.heads.mesh_render import rasterize_mesh
from zero1toa.portrait.texture import fill_texture, texel_map
from zero1toa.splats.rasterize import rasterize

TEXTURE_SIZE = 1024
"""Pixels on a side: a texel of the face is about a third of a millimetre, finer than the photo's 512 px show it."""

_RINGS = ((0.0, 8), (42.0, 8), (-42.0, 8), (85.0, 1), (-85.0, 1))  # pitch in degrees, pictures all around
_FOV = 8.0  # degrees: nearly parallel rays, so that the side of a part is seen as well as its middle
_PICTURE_SHARE = 1.0  # pixels on a side of a picture of the whole head, per pixel of the texture
_SMALLEST_PICTURE = 64
_MARGIN = 1.05  # of a picture around the part
_PART_SHARE = 3.0  # a part's picture is so much finer than it is large next to the head: eyes and teeth are looked at

_GRAZING = 0.3  # cosine to the surface's normal below which a picture does not count
_STRAIGHTEST = 8  # power of that cosine: of two pictures 45 degrees apart the better one counts 16-fold
_HIDDEN = 0.015  # of the part's radius: a texel farther behind what the picture shows of the mesh is hidden
_HIDDEN_LEAST = 0.0015  # metres, of that distance: a small part's surface is steep within a few pixels
_EDGE = 7  # pixels around a texel that must not show anything in front of it: splats reach over the mesh's edges
_THIN = 0.5  # opacity below which a picture shows too little of the surface
_SHEER_PARTS = ("lashesLeft", "lashesRight")  # hairs on a strip: shown with what shines through, as it is seen
_PRIOR = 0.01  # weight of the splats' mean colour, against pictures of weight up to 1


def bake_texture(data: AvatarData, size: int = TEXTURE_SIZE) -> NDArray[np.float32]:
    """(S, S, 3) sRGB in [0, 1]; row 0 is at v = 1, and texels between the islands repeat the nearest one inside."""
    topology = data.topology
    texels = texel_map(topology, size)
    face, barycentric = texels.points
    corners = topology.faces[face]

    def on_texels(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.einsum("kc,kcd->kd", barycentric.astype(np.float64), values.astype(np.float64)[corners])

    points, normals = on_texels(data.vertices), on_texels(vertex_normals(data.vertices, topology.faces))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    total = np.concatenate([on_texels(surface_colors(data)), np.ones((len(points), 1))], 1) * _PRIOR
    part_of = topology.face_part[face]
    radius_of_all = _sphere(data.vertices)[1]
    splats = Poser(data).splats()
    for part in np.unique(part_of):
        mine = np.flatnonzero(part_of == part)
        own = topology.face_part[data.triangle] == part
        drawn = own | (topology.part_names[part] in _SHEER_PARTS)
        faces = topology.faces[topology.face_part == part]
        if not drawn.any():
            continue
        middle, radius = _sphere(data.vertices[np.unique(faces)])
        tolerance = max(_HIDDEN * radius, _HIDDEN_LEAST)
        share = min(1.0, _PART_SHARE * radius / radius_of_all)
        pixels = max(_SMALLEST_PICTURE, round(size * _PICTURE_SHARE * share))
        for camera in _cameras(middle, radius, pixels):
            picture = _photograph(PosedSplats(*(value[drawn] for value in splats)), camera)
            depth = rasterize_mesh(data.vertices, faces, camera).depth
            total[mine] += _seen(points[mine], normals[mine], picture, depth, camera, tolerance)
    colors = (total[:, :3] / total[:, 3:]).clip(0, 1)
    return fill_texture(texels, colors)


def _seen(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    picture: NDArray[np.float32],  # (H, W, 4) colours times opacity, opacity
    depth: NDArray[np.float32],
    camera: Camera,
    tolerance: float,
) -> NDArray[np.float64]:
    """(K, 4) what one picture adds: colour times weight, weight."""
    result = np.zeros((len(points), 4))
    toward = camera.position - points
    facing = (normals * toward).sum(1) / np.linalg.norm(toward, axis=1)
    rows = np.flatnonzero(facing > _GRAZING)
    x, y, z = camera.project(points[rows]).T
    column = np.floor(x).astype(int).clip(0, camera.width - 1)
    row = np.floor(y).astype(int).clip(0, camera.height - 1)
    front = z <= minimum_filter(depth, _EDGE)[row, column] + tolerance
    rows, x, y = rows[front], x[front], y[front]
    at = np.stack([y - 0.5, x - 0.5])
    shown = np.stack([map_coordinates(picture[..., c], at, order=1, mode="nearest") for c in range(4)], 1)
    weight = facing[rows] ** _STRAIGHTEST * (shown[:, 3] > _THIN)
    result[rows] = shown * weight[:, None]
    return result


def _photograph(splats: PosedSplats, camera: Camera) -> NDArray[np.float32]:
    means, quats, scales, opacities, colors = (torch.from_numpy(value) for value in splats)
    with torch.no_grad():
        out = rasterize(means, quats, scales, opacities, colors, camera)
    return torch.cat([out.image, out.alpha[..., None]], -1).numpy()


def _cameras(middle: NDArray[np.float64], radius: float, size: int) -> Iterator[Camera]:
    distance = _MARGIN * radius / np.sin(np.radians(_FOV) / 2)
    target = (float(middle[0]), float(middle[1]), float(middle[2]))
    for pitch, number in _RINGS:
        for k in range(number):
            yield Camera.orbit(360 * k / number, pitch, distance=distance, target=target, fov=_FOV, size=size)


def _sphere(points: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Middle (3,) and radius of a ball around points (V, 3)."""
    middle = (points.min(0).astype(np.float64) + points.max(0)) / 2
    return middle, float(np.linalg.norm(points - middle, axis=1).max())
