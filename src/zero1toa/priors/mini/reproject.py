"""What one photo says about another view of a head: its colours there, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...heads import HeadTopology
from ..animate_anyone.landmark_image import ANIPORTRAIT_STYLE
from . import kernels

Array32 = NDArray[np.float32]

_SCALE = 2  # rays along each side of a pixel
_MIRRORED = np.float32(0.06)  # weight of what the photo shows of the other side, against 1 for the place itself
_LAYER = -0.035  # world z, metres, of the plane on which hair that no head has lies: through the ears
_LAYER_SURE = 0.35  # confidence of that hair
_BACKGROUND_SURE = 0.75  # confidence of the photo's background where it is seen
_LINE = 2.6  # px of a picture twice as large
_IRISES = ((468, (0.98, 0.24, 0.24)), (473, (0.24, 0.24, 0.98)))


class Photo(NamedTuple):
    """A photo and the head that was fitted to it."""

    image: Array32  # (R, R, 3) over any background
    alpha: Array32  # (R, R) the matte
    vertices: Array32  # (V, 3) the fitted head, posed as in the photo
    camera: Camera  # of R x R pixels
    expression: NDArray[np.float64]  # (52,)


@dataclass(frozen=True, eq=False)
class Source:
    """A photo, read: what the head's vertices are in it."""

    topology: HeadTopology
    photo: Photo
    points: Array32  # (V, 3) pixels and depth
    seen: Array32  # (V,) how well it shows each vertex
    pixels: Array32  # (R, R, 4) colours and the matte
    beyond: Array32  # (R, R) share of a pixel that is of the person, but not of the head
    behind: Array32  # (R, R, 3) the background, filled in behind the person
    behind_seen: Array32  # (R, R) share of a pixel that shows the background


class Lift:
    """Reads photos of heads of one topology."""

    def __init__(self, topology: HeadTopology) -> None:
        self.topology = topology
        self.faces = topology.faces.astype(np.int32)

    def read(self, photo: Photo) -> Source:
        """What a photo shows of each vertex."""
        size, camera = len(photo.image), photo.camera
        points = _projected(photo.vertices, camera, 1)
        depth = np.full((size, size), 1e9, np.float32)
        face = np.full((size, size), -1, np.int32)
        kernels.rasterize(points, self.faces, 0, 0, depth, face, np.zeros((size, size, 2), np.float32))
        normal = np.empty_like(photo.vertices)
        kernels.normals(photo.vertices, self.faces, normal)
        rays = camera.position.astype(np.float32) - photo.vertices
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        seen = np.empty(len(points), np.float32)
        kernels.seen_in_photo(points, depth, (normal * rays).sum(1), seen)
        matte = np.ascontiguousarray(photo.alpha, np.float32)
        pixels = np.ascontiguousarray(np.concatenate([photo.image, matte[..., None]], -1), np.float32)
        beyond = matte * (face < 0)
        free = _eroded(1 - matte)
        behind = np.ascontiguousarray(photo.image * free[..., None], np.float32)
        kernels.fill(behind, free)
        return Source(self.topology, photo, points, seen, pixels, beyond, behind, free)


def _eroded(values: Array32) -> Array32:
    """Smallest value of the neighbours: pixels at the matte's edge are no background."""
    padded = np.pad(values, 1, mode="edge")
    size = len(values)
    shifted = [padded[y : y + size, x : x + size] for y in range(3) for x in range(3)]
    return np.ascontiguousarray(np.minimum.reduce(shifted), np.float32)


def reprojection(
    source: Source, vertices: Array32, camera: Camera, *, blind: bool = False
) -> tuple[Array32, Array32]:
    """The photo's colours in another view, completed, and how sure they are.

    Args:
        source: from `Lift.read`.
        vertices: (V, 3) the head, posed.
        camera: the view, square, a power of two on a side.
        blind: True knows the background alone.

    Returns:
        (H, W, 3) colours in [0, 1], opaque; (H, W, 2) confidence in [0, 1], and the head's coverage.
    """
    size = camera.height
    topology = source.topology
    fine = size * _SCALE
    points = _projected(vertices, camera, _SCALE)
    depth = np.full((fine, fine), 1e9, np.float32)
    face = np.full((fine, fine), -1, np.int32)
    weights = np.zeros((fine, fine, 2), np.float32)
    kernels.rasterize(points, topology.faces, 0, 0, depth, face, weights)
    color = np.empty((size, size, 3), np.float32)
    known = np.empty((size, size, 2), np.float32)
    cover = np.empty((size, size), np.float32)
    kernels.lift(
        face, weights, topology.faces, topology.mirror, source.points, source.seen, source.pixels, _MIRRORED, _SCALE,
        color, known, cover,
    )  # fmt: skip
    sure, total = known[..., 0], np.ascontiguousarray(known[..., 1])
    if blind:
        color[:], total[:], sure = 0, 0, np.zeros_like(sure)
        color += source.photo.image.mean((0, 1))
        total += 1
    kernels.fill(color, total)
    back, back_sure = _background(source, camera, blind)
    share = cover[..., None]
    mixed = share * color + (1 - share) * back
    confidence = cover * sure + (1 - cover) * back_sure
    return mixed, np.stack([confidence, cover * (not blind)], -1)


def _background(source: Source, camera: Camera, blind: bool) -> tuple[Array32, Array32]:
    """What lies beside the head: hair on a plane through the ears, and the photo's background where it stands."""
    size = camera.height
    step = len(source.behind) // size
    shape = (size, step, size, step)
    picture = source.behind.reshape(*shape, 3).mean((1, 3))
    sure = _BACKGROUND_SURE * source.behind_seen.reshape(shape).mean((1, 3))
    if blind:
        return picture, sure
    columns, rows = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    rays = np.stack([(columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy, np.ones_like(rows)], -1)
    directions = rays @ camera.viewmat[:3, :3]
    origin = camera.position
    with np.errstate(divide="ignore", invalid="ignore"):
        places = origin + directions * ((_LAYER - origin[2]) / directions[..., 2])[..., None]
    found = source.photo.camera.project(places)
    limit = len(source.beyond) - 1
    inside = np.isfinite(found).all(-1) & (found[..., 0] >= 0) & (found[..., 1] >= 0)
    inside &= (found[..., 0] <= limit) & (found[..., 1] <= limit) & (directions[..., 2] < -0.1)
    x = np.where(inside, found[..., 0], 0).astype(int)
    y = np.where(inside, found[..., 1], 0).astype(int)
    hair = (source.beyond[y, x] * inside).astype(np.float32)
    mixed = hair[..., None] * source.photo.image[y, x] + (1 - hair[..., None]) * picture
    return mixed.astype(np.float32), (hair * _LAYER_SURE + (1 - hair) * sure).astype(np.float32)


def _projected(vertices: Array32, camera: Camera, scale: int) -> Array32:
    points = np.empty((len(vertices), 3), np.float32)
    numbers = (np.float32(scale * value) for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    kernels.project(vertices, camera.viewmat[:3].astype(np.float32), *numbers, points)
    return points


def screen_landmarks(vertices: Array32, topology: HeadTopology, camera: Camera) -> NDArray[np.float64]:
    """(478, 3) MediaPipe's landmarks of posed vertices (V, 3): pixels and depth in metres."""
    corners = vertices[topology.faces[topology.landmark_faces]]
    return camera.project((corners * topology.landmark_barycentrics[..., None]).sum(1))


@lru_cache(maxsize=1)
def _edges() -> tuple[NDArray[np.int32], Array32]:
    edges = ANIPORTRAIT_STYLE.edges
    pairs = [(first, second) for _, first, second in edges] + [(index, index) for index, _ in _IRISES]
    colors = [tuple(c / 255 for c in color) for color, _, _ in edges] + [color for _, color in _IRISES]
    return np.array(pairs, np.int32), np.array(colors, np.float32)


def landmark_picture(points: NDArray[np.floating], size: int) -> Array32:
    """(size, size, 3) lines between landmarks (478, 2 or 3), as AniPortrait colours them, and the irises.

    Args:
        points: pixels of a picture of `size` px.
        size: px on a side.
    """
    edges, colors = _edges()
    image = np.zeros((2 * size, 2 * size, 3), np.float32)
    kernels.draw_lines((2 * points[:, :2]).astype(np.float32), edges, colors, np.float32(_LINE), image)
    return image.reshape(size, 2, size, 2, 3).mean((1, 3))
