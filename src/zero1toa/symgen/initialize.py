"""The first splats of an avatar: spread over the fitted mesh, coloured from the photo."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..heads import HeadTopology, RiggedHead
from ..portrait.hair_colors import continue_hair
from ..portrait.surface import PhotoSurface, SurfacePoints
from ..splats import Gaussians, WorldGaussians, quaternion, to_local, triangle_frames

# Splats per square metre relative to plain skin; fine structures need more. Tuned by eye on the demo portrait.
_PART_DENSITY = {
    "eyeLeft": 6.0, "eyeRight": 6.0, "lashesLeft": 16.0, "lashesRight": 16.0, "teethUpper": 2.0, "teethLower": 2.0,
    "gumsUpper": 1.5, "gumsLower": 1.5, "tongue": 1.0, "mouth": 3.0,
}  # fmt: skip
_REGION_DENSITY = {"face": 3.0, "lips": 5.0, "lidsLeft": 5.0, "lidsRight": 5.0, "ears": 2.0, "scalp": 1.5}
_R2 = 1 / 1.324717957244746 ** np.array([1, 2])  # steps of the R2 low-discrepancy sequence (Roberts, 2018)
_COVER = 0.8  # standard deviation along the surface over the mean distance between splats
_THICKNESS = 0.25  # standard deviation across the surface over that along it
_OPACITY = 0.95
_LASH_OPACITY = 0.2


def initial_splats(
    head: RiggedHead, surface: PhotoSurface, count: int, rng: np.random.Generator
) -> tuple[Gaussians, NDArray[np.float32]]:
    """Samples about `count` splats on the head at rest, at least one on every triangle.

    Returns:
        The splats, bound to their triangles, and for each the confidence (N,) in [0, 1] of its colour in the photo.
    """
    topology = head.topology
    vertices = head.vertices
    corners = vertices.numpy().astype(np.float64)[topology.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1) / 2
    density = face_density(topology)
    points = sample_surface(area * density, count, rng)
    number = np.bincount(points.triangle, minlength=len(area))
    spacing = np.sqrt(area / number)[points.triangle]
    colors, confidence = surface.colors(points)
    colors = continue_hair(surface, points, colors, confidence)
    means = torch.tensor(points.interpolate(vertices.numpy(), topology.faces), dtype=torch.float32)
    triangle = torch.tensor(points.triangle)
    faces = torch.as_tensor(topology.faces)
    frame = quaternion.from_matrix(triangle_frames(vertices, faces).rotation)[triangle]
    along = torch.tensor(spacing * _COVER, dtype=torch.float32)
    scales = torch.stack([along, along * _THICKNESS, along], -1)  # the frame's second axis is the normal
    lashes = np.isin(
        topology.face_part[points.triangle], [topology.part_index(n) for n in ("lashesLeft", "lashesRight")]
    )
    opacities = torch.where(torch.tensor(lashes), _LASH_OPACITY, _OPACITY)
    world = WorldGaussians(means, frame, scales, opacities, torch.tensor(colors))
    return to_local(world, triangle, vertices, faces), confidence


def face_density(topology: HeadTopology) -> NDArray[np.float64]:
    """(T,) relative number of splats per area."""
    density = np.ones(len(topology.faces))
    for region, factor in _REGION_DENSITY.items():
        share = topology.regions[region][topology.faces].mean(1)
        density = np.maximum(density, 1 + (factor - 1) * share)
    for part, factor in _PART_DENSITY.items():
        if part in topology.part_names:
            density[topology.part_faces(part)] = factor
    return density


def sample_surface(mass: NDArray[np.floating], count: int, rng: np.random.Generator) -> SurfacePoints:
    """`count` points on triangles with chances in proportion to `mass` (T,): each triangle gets its share rounded up or
    down, and at least one, so that the cover is even."""
    share = mass / mass.sum() * max(count - len(mass), 0)
    number = 1 + np.floor(share + rng.random(len(mass))).astype(np.int64)
    triangle = np.repeat(np.arange(len(mass)), number)
    first = np.cumsum(number) - number
    rank = np.arange(len(triangle)) - first[triangle]
    start = rng.random((2, len(mass)))[:, triangle]
    a, b = (start + _R2[:, None] * rank) % 1  # each triangle has its own stretch of an even sequence
    fold = a + b > 1
    a, b = np.where(fold, 1 - a, a), np.where(fold, 1 - b, b)
    return SurfacePoints(triangle, np.stack([1 - a - b, a, b], -1).astype(np.float32))
