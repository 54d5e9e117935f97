"""Whether the frames of a clip show one and the same person: each is laid back on the known mesh and compared there.

On the surface the movement of head and camera is gone. What differs between the frames of one place is what the paper
calls inconsistency: spatial when the view changes (its Fig. 7), temporal from one frame to the next (its Fig. 13).
Light that truly changes with the view would count too; our subjects and avatars have none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, minimum_filter

from ..heads import RiggedHead
from ..heads.mesh_render import rasterize_mesh, vertex_normals
from ..portrait.surface import SurfacePoints
from ..portrait.texture import texel_map
from ..priors import Drive, Video

_TEXELS = 160  # px on a side of the texture on which frames are compared
_FACING = (0.25, 0.6)  # cosine to the view below which a place does not count, above which it counts fully
_DEPTH_TOLERANCE = 0.004  # metres behind the nearest surface that still count as seen
_INSIDE = 0.98  # alpha that a pixel and its neighbours must have: edges mix with the background
_PARTS_LEFT_OUT = ("mouth", "teethUpper", "teethLower", "gumsUpper", "gumsLower", "tongue", "lashesLeft", "lashesRight")


class Lifted(NamedTuple):
    """Frames on the surface."""

    colors: NDArray[np.float64]  # (F, N, 3) of N places
    weight: NDArray[np.float64]  # (F, N) in [0, 1]; 0 where a frame does not show a place


class Consistency(NamedTuple):
    """Root mean square colour differences, sRGB; 0 is perfect."""

    spread: float  # between the frames of a place and their mean
    flicker: float  # between a frame and the next at the same place


def clip_consistency(head: RiggedHead, drive: Drive, video: Video) -> Consistency:
    """How far the frames of a video contradict each other.

    Args:
        head: of the person whom the video should show.
        drive: what it should show.
        video: F frames.
    """
    lifted = lift(head, drive, video)
    return Consistency(spread(lifted), flicker(lifted))


def lift(head: RiggedHead, drive: Drive, video: Video) -> Lifted:
    """Colours of places spread evenly over the texture, from every frame. Mouth and lashes are left out."""
    topology = head.topology
    points = texel_map(topology, _TEXELS).points
    kept = ~topology.part_faces(*(n for n in _PARTS_LEFT_OUT if n in topology.part_names))[points.triangle]
    points = SurfacePoints(points.triangle[kept], points.barycentric[kept])
    posed = head.pose(drive.expressions, drive.poses).detach().numpy().astype(np.float64)
    colors, weights = [], []
    for vertices, camera, frame, alpha in zip(posed, drive.cameras, video.frames.numpy(), video.alpha[:, 0].numpy()):
        place = points.interpolate(vertices, topology.faces)
        normal = points.interpolate(vertex_normals(vertices, topology.faces), topology.faces)
        toward = camera.position - place
        facing = (normal * toward).sum(-1) / (np.linalg.norm(toward, axis=1) * np.linalg.norm(normal, axis=1))
        x, y, z = camera.project(place).T
        inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        row, column = y.clip(0, camera.height - 1).astype(int), x.clip(0, camera.width - 1).astype(int)
        depth = rasterize_mesh(vertices, topology.faces, camera).depth
        shown = inside & (z < depth[row, column] + _DEPTH_TOLERANCE)
        shown &= minimum_filter(alpha, 3, mode="nearest")[row, column] > _INSIDE
        where = np.stack([y - 0.5, x - 0.5])
        colors.append(np.stack([map_coordinates(c, where, order=1, mode="nearest") for c in frame], -1))
        weights.append(shown * np.clip((facing - _FACING[0]) / (_FACING[1] - _FACING[0]), 0, 1))
    return Lifted(np.stack(colors).astype(np.float64), np.stack(weights))


def spread(lifted: Lifted) -> float:
    """Root mean square distance from the weighted mean of all frames, over places that at least two frames show; NaN
    if there are none."""
    weight = lifted.weight * ((lifted.weight > 0).sum(0) > 1)
    total = weight.sum(0)
    if not total.any():
        return float("nan")
    mean = (weight[..., None] * lifted.colors).sum(0) / np.maximum(total, 1e-9)[:, None]
    squared = ((lifted.colors - mean) ** 2).mean(-1)
    return float(np.sqrt((weight * squared).sum() / weight.sum()))


def flicker(lifted: Lifted) -> float:
    """Root mean square difference between neighbouring frames, over places that both show; NaN if there are none."""
    weight = np.minimum(lifted.weight[1:], lifted.weight[:-1])
    squared = (np.diff(lifted.colors, axis=0) ** 2).mean(-1)
    return float(np.sqrt((weight * squared).sum() / weight.sum())) if weight.any() else float("nan")


def frame_differences(lifted: Lifted) -> NDArray[np.float64]:
    """(F - 1,) `flicker` of each frame and the next; NaN where they show no place in common."""
    weight = np.minimum(lifted.weight[1:], lifted.weight[:-1])
    squared = (np.diff(lifted.colors, axis=0) ** 2).mean(-1)
    return _weighted_root(weight, squared)


def frame_spread(lifted: Lifted) -> NDArray[np.float64]:
    """(F,) root mean square distance of each frame from the mean of all; NaN where a frame shares no place."""
    weight = lifted.weight * ((lifted.weight > 0).sum(0) > 1)
    mean = (weight[..., None] * lifted.colors).sum(0) / np.maximum(weight.sum(0), 1e-9)[:, None]
    return _weighted_root(weight, ((lifted.colors - mean) ** 2).mean(-1))


def _weighted_root(weight: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weight.sum(1)
    sums = (weight * squared).sum(1)
    return np.sqrt(np.divide(sums, total, out=np.full_like(total, np.nan), where=total > 0))
