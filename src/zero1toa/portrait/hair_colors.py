"""Hair that the photo does not show: the visible hair is continued behind the outline as in a mirror."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from .surface import PhotoSurface, SurfacePoints

_SCALP = 0.5  # membership from which a vertex is hair
_SEEN = 0.4  # confidence from which its colour is a source
_RIM = 0.15  # cosine to the view at the outline where the visible hair ends
_FARTHEST = 0.15  # radians from a source vertex; what lies farther away would be sampled beside the hair
_ALIKE = 0.1  # distance of two sRGB colours below which hair cannot be told from skin
_LEAST_SOURCES = 30  # a bald or covered head has no hair to continue


def continue_hair(
    surface: PhotoSurface, points: SurfacePoints, colors: NDArray[np.float32], confidence: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Colours (N, 3) in which unseen points of the scalp have taken the hair's texture.

    A direction that points away from the camera is reflected at the outline; where it then meets the face it is
    reflected once more at the hairline, so that the texture goes on without a seam.

    Args:
        surface: the fitted head in its photo.
        points: N surface points.
        colors: (N, 3) of `surface.colors`.
        confidence: (N,) of the same.
    """
    topology, camera = surface.topology, surface.portrait.camera
    scalp = topology.regions["scalp"] * topology.part_vertices("skin")
    vertex_colors, vertex_confidence = surface.vertices_seen
    shown = (scalp > _SCALP) & (vertex_confidence > _SEEN)
    face = (topology.regions["face"] > _SCALP) & (scalp == 0) & (vertex_confidence > _SEEN)
    if not shown.any() or not face.any():
        return colors
    is_hair = _HairTest(vertex_colors, shown, face, surface.vertices)
    sources = np.flatnonzero(shown & (is_hair(vertex_colors) > 0.5))
    if len(sources) < _LEAST_SOURCES:
        return colors
    center = surface.vertices[scalp > _SCALP].mean(0)
    toward = camera.position - center
    toward /= np.linalg.norm(toward)

    def directions(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        arm = places - center
        length = np.linalg.norm(arm, axis=-1, keepdims=True)
        return arm / length, length[:, 0]

    known, radius = directions(surface.vertices[sources])
    tree = cKDTree(known)
    share = points.interpolate(scalp[:, None], topology.faces)[:, 0] * (1 - confidence)
    hidden = np.flatnonzero(share > 0.05)
    direction, _ = directions(points.interpolate(surface.vertices, topology.faces)[hidden])
    depth = direction @ toward
    direction -= 2 * np.minimum(depth - _RIM, 0)[:, None] * toward
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    direction = 2 * known[tree.query(direction)[1]] - direction
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    distance, nearest = tree.query(direction)
    pull = np.minimum(1, _FARTHEST / np.maximum(distance, 1e-9))[:, None]
    direction = known[nearest] + pull * (direction - known[nearest])
    x, y, _ = camera.project(center + direction * radius[nearest, None]).T
    where = np.stack([y - 0.5, x - 0.5])
    portrait = surface.portrait
    inside = map_coordinates((portrait.alpha > 0.95).astype(np.float32), where, order=1, mode="nearest")
    found = np.stack(
        [map_coordinates(portrait.foreground[..., c], where, order=1, mode="nearest") for c in range(3)], -1
    )
    weight = (share[hidden] * inside * is_hair(found))[:, None]
    out = colors.copy()
    out[hidden] = (1 - weight) * colors[hidden] + weight * found
    return out


class _HairTest:
    """Tells hair (or a hat) from the skin of forehead and temples by colour: which of two medians is nearer."""

    def __init__(
        self,
        colors: NDArray[np.float64],
        scalp: NDArray[np.bool_],
        face: NDArray[np.bool_],
        vertices: NDArray[np.float64],
    ) -> None:
        high = scalp & (vertices[:, 1] >= np.median(vertices[scalp, 1]))  # below, a high forehead may be bare
        self._hair, self._skin = np.median(colors[high], axis=0), np.median(colors[face], axis=0)

    def __call__(self, colors: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) 1 for hair, 0 for skin, with a soft change; all hair where the two medians are alike."""
        apart = np.linalg.norm(self._hair - self._skin)
        to_hair = np.linalg.norm(colors - self._hair, axis=-1)
        to_skin = np.linalg.norm(colors - self._skin, axis=-1)
        return np.clip((to_skin - to_hair) / apart + 0.5, 0, 1) if apart > _ALIKE else np.ones(len(colors))
