"""What one photo says about another view of a head: its colours there, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...heads import HeadTopology, load_head
from ..animate_anyone.landmark_image import ANIPORTRAIT_STYLE
from . import kernels, photo_kernels
from .complete import completed

Array32 = NDArray[np.float32]

SCALE = 2
"""Rays along each side of a pixel."""

_MIRRORED = np.float32(0.1)  # weight of what the photo shows of the other side, against 1 for the place itself
_GUESSED = np.float32(0.02)  # weight of the guess from like places, against the same
_LAYER = -0.035  # world z, metres, of the plane on which hair that no head has lies: through the ears
_LAYER_SURE = 0.35  # confidence of that hair
_BACKGROUND_SURE = 0.75  # confidence of the photo's background where it is seen
_NONE = np.zeros(0, np.uint8)
_FOLDS, _OPEN = ("shoulders", "lidsLeft", "lidsRight", "lidEdges", "lips", "innerMouth"), 0.02
"""Regions, and the membership from which on triangles are seen from both sides."""

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
    guess: Array32  # (V, 3) colours for what it does not show
    beyond: Array32  # (R, R) share of a pixel that is of the person, but not of the head
    behind: Array32  # (S, S, 3) the background, filled in behind the person, at the size of the other views
    behind_seen: Array32  # (S, S) share of a pixel that shows the background

    @cached_property
    def mean(self) -> Array32:
        """(3,) the photo's mean colour."""
        return np.asarray(self.photo.image.mean((0, 1)), np.float32)

    @cached_property
    def lifted(self) -> Array32:
        """(V, 9) of each vertex what `photo_kernels.lift` reads, side by side in memory."""
        own = np.concatenate([self.seen[:, None], self.points[:, :2]], 1)
        return np.ascontiguousarray(np.concatenate([own, own[self.topology.mirror], self.guess], 1), np.float32)


class Lift:
    """Reads photos of heads of one topology."""

    def __init__(self, topology: HeadTopology) -> None:
        self.topology = topology
        self.faces = topology.faces.astype(np.int32)

    def read(self, photo: Photo, side: int) -> Source:
        """What a photo shows of each vertex; `side` is that of the other views, px."""
        camera = photo.camera
        points = projected(photo.vertices, camera, 1)
        depth, face, _ = rays_of(photo.vertices, self.topology, camera, 1)
        normal = np.empty_like(photo.vertices)
        kernels.normals(photo.vertices, self.faces, normal)
        rays = camera.position.astype(np.float32) - photo.vertices
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        seen = np.empty(len(points), np.float32)
        photo_kernels.seen_in_photo(points, depth, (normal * rays).sum(1), seen)
        matte = np.ascontiguousarray(photo.alpha, np.float32)
        pixels = np.ascontiguousarray(np.concatenate([photo.image, matte[..., None]], -1), np.float32)
        under = np.empty((len(points), 3), np.float32)
        photo_kernels.sample_points(pixels, points, under)
        guess = completed(self.topology, under, seen * _inside(matte, points))
        beyond = matte * (face < 0)
        free = _eroded(1 - matte)
        behind = np.ascontiguousarray(photo.image * free[..., None], np.float32)
        photo_kernels.fill(behind, free)
        behind, free = shrunk(behind, side), shrunk(free[..., None], side)[..., 0]
        return Source(self.topology, photo, points, seen, pixels, guess, beyond, behind, free)


def _inside(matte: Array32, points: Array32) -> Array32:
    """(V,) whether vertices at points (V, 3) lie inside a matte, a pixel away from its edge."""
    size = len(matte)
    column = points[:, 0].astype(int).clip(0, size - 1)
    row = points[:, 1].astype(int).clip(0, size - 1)
    return (_eroded(matte)[row, column] > 0.9).astype(np.float32)


def shrunk(picture: Array32, side: int) -> Array32:
    """(side, side, C) means of blocks of a picture (R, R, C), R a multiple of `side`."""
    step = len(picture) // side
    total = sum(picture[y::step, x::step] for y in range(step) for x in range(step))
    return np.ascontiguousarray(total / np.float32(step * step), np.float32)


def _eroded(values: Array32) -> Array32:
    """Smallest value of the neighbours: pixels at the matte's edge are no background."""
    padded = np.pad(values, 1, mode="edge")
    size = len(values)
    shifted = [padded[y : y + size, x : x + size] for y in range(3) for x in range(3)]
    return np.ascontiguousarray(np.minimum.reduce(shifted), np.float32)


class Rays(NamedTuple):
    """What the rays of a view meet: depth in metres (1e9 where nothing is), triangle, two barycentric weights."""

    depth: Array32
    face: NDArray[np.int32]
    weights: Array32


def rays_of(vertices: Array32, topology: HeadTopology, camera: Camera, scale: int = SCALE) -> Rays:
    """What the rays of a camera meet of a head; `scale` of them along each side of a pixel."""
    shape = (camera.height * scale, camera.width * scale)
    rays = Rays(np.full(shape, 1e9, np.float32), np.full(shape, -1, np.int32), np.empty((*shape, 2), np.float32))
    points = projected(vertices, camera, scale)
    kernels.rasterize(points, topology.faces, 0, closed_faces(topology), *rays)
    return rays


def closed_faces(topology: HeadTopology) -> NDArray[np.uint8]:
    """(T,) 1 for triangles whose back no camera sees. Other heads than the default one may be open anywhere."""
    return _closed_faces() if topology is load_head().topology else _NONE


@lru_cache(maxsize=1)
def _closed_faces() -> NDArray[np.uint8]:
    """Of the default head: all but those of the shoulders, into which one sees from below, and of lids and lips, which
    meet with their backs where they are shut."""
    topology = load_head().topology
    folds = np.max([topology.regions[name] for name in _FOLDS], 0)
    return (folds[topology.faces].max(1) <= _OPEN).astype(np.uint8)


def reprojection(
    source: Source, vertices: Array32, camera: Camera, *, rays: Rays | None = None, blind: bool = False
) -> tuple[Array32, Array32]:
    """The photo's colours in another view, completed, and how sure they are.

    Args:
        source: from `Lift.read`.
        vertices: (V, 3) the head, posed.
        camera: the view, square, a power of two on a side.
        rays: what the view's rays meet, if that is known.
        blind: True knows the background alone.

    Returns:
        (H, W, 3) colours in [0, 1], opaque; (H, W, 2) confidence in [0, 1], and the head's coverage.
    """
    size = camera.height
    topology = source.topology
    _, face, weights = rays or rays_of(vertices, topology, camera)
    color = np.empty((size, size, 3), np.float32)
    known = np.empty((size, size, 2), np.float32)
    cover = np.empty((size, size), np.float32)
    photo_kernels.lift(
        face, weights, topology.faces, source.lifted, source.pixels, _MIRRORED, _GUESSED, SCALE, color, known, cover,
    )  # fmt: skip
    if blind:
        color[:] = source.mean
        known[:] = 0, 1
    back, back_sure = _background(source, camera, blind)
    mixed = np.empty_like(color)
    photo_kernels.over(color, known, cover, back, back_sure, mixed)
    if blind:
        known[..., 1] = 0
    return mixed, known


def _background(source: Source, camera: Camera, blind: bool) -> tuple[Array32, Array32]:
    """What lies beside the head: hair on a plane through the ears, and the photo's background where it stands."""
    picture, sure = source.behind, _BACKGROUND_SURE * source.behind_seen
    if blind or not source.beyond.any():
        return picture, sure
    mixed, confidence = picture.copy(), np.ascontiguousarray(sure, np.float32)
    photo = source.photo
    photo_kernels.layer(
        _flat(camera), _flat(photo.camera), np.float32(_LAYER), source.beyond, photo.image, mixed, confidence,
        np.float32(_LAYER_SURE),
    )  # fmt: skip
    return mixed, confidence


def _flat(camera: Camera) -> Array32:
    """(16,) a camera as `photo_kernels.layer` takes it."""
    numbers = [camera.fx, camera.fy, camera.cx, camera.cy]
    return np.concatenate([camera.viewmat[:3, :3].ravel(), camera.position, numbers]).astype(np.float32)


def projected(vertices: Array32, camera: Camera, scale: int) -> Array32:
    """(V, 3) pixels, `scale` times as fine as the camera's, and depth of vertices (V, 3)."""
    points = np.empty((len(vertices), 3), np.float32)
    numbers = (np.float32(scale * value) for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    kernels.project(vertices, camera.viewmat[:3].astype(np.float32), *numbers, points)
    return points


def screen_landmarks(vertices: Array32, topology: HeadTopology, camera: Camera) -> NDArray[np.float64]:
    """(478, 3) MediaPipe's landmarks of posed vertices (V, 3): pixels and depth in metres."""
    corners = topology.faces[topology.landmark_faces]
    places = np.empty((len(corners), 3))
    kernels.between(vertices, corners, topology.landmark_barycentrics, places)
    return camera.project(places)


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
    photo_kernels.draw_lines((2 * points[:, :2]).astype(np.float32), edges, colors, np.float32(_LINE), image)
    out = np.empty((size, size, 3), np.float32)
    photo_kernels.halved(image, out)
    return out
