"""Where on the head the first splats go: fine parts get more of them, and so does what is fine in the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..heads import HeadTopology
from ..portrait.eyes import front_of_eyes
from ..portrait.surface import PhotoSurface, SurfacePoints

# Splats per square metre relative to plain skin; fine structures need more. Tuned by eye on the demo portrait.
_PART_DENSITY = {
    "eyeLeft": 12.0, "eyeRight": 12.0, "lashesLeft": 16.0, "lashesRight": 16.0, "teethUpper": 2.0, "teethLower": 2.0,
    "gumsUpper": 1.5, "gumsLower": 1.5, "tongue": 1.0, "mouth": 3.0,
}  # fmt: skip
_REGION_DENSITY = {"face": 3.0, "lips": 5.0, "lidsLeft": 5.0, "lidsRight": 5.0, "ears": 2.0, "scalp": 2.5}
_R2 = 1 / 1.324717957244746 ** np.array([1, 2])  # steps of the R2 low-discrepancy sequence (Roberts, 2018)
_DETAIL, _NEIGHBOURHOOD = 1.5, 3.0  # px: what is finer is detail; over that distance its strength is averaged
_PLAIN = 0.01  # sRGB, contrast of detail that a plain surface counts as having


def splat_mass(surface: PhotoSurface, photo_share: float) -> NDArray[np.float64]:
    """(T,) share of the splats that each triangle gets.

    Args:
        surface: the fitted head in its photo.
        photo_share: in [0, 1], share of the splats that goes where the photo shows detail, by pixels; the rest goes
            by area and part of the head, seen or not.
    """
    topology = surface.topology
    corners = surface.rest[topology.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1) / 2
    everywhere = area * face_density(topology) * front_of_eyes(topology, surface.rest)[topology.faces].mean(1)
    shown = photo_mass(surface)
    total = shown.sum()
    share = photo_share if total > 0 else 0.0
    return (1 - share) * everywhere / everywhere.sum() + share * shown / max(total, 1e-9)


def photo_mass(surface: PhotoSurface) -> NDArray[np.float64]:
    """(T,) sum over the pixels in which the photo shows a triangle of the contrast of fine detail there, sRGB."""
    portrait, drawn = surface.portrait, surface.buffers.face
    counts = (drawn >= 0) * portrait.alpha * portrait.valid
    weights = counts * (_PLAIN + detail(portrait.foreground))
    mass = np.bincount(drawn[drawn >= 0], weights[drawn >= 0], minlength=len(surface.topology.faces))
    return mass.astype(np.float64)


def detail(picture: NDArray[np.floating]) -> NDArray[np.float64]:
    """(H, W) root mean square of what is finer than `_DETAIL` px in a picture (H, W, 3), around each pixel."""
    fine = picture - gaussian_filter(picture, (_DETAIL, _DETAIL, 0))
    power = gaussian_filter(np.square(fine, dtype=np.float64).mean(-1), _NEIGHBOURHOOD)
    return np.sqrt(np.maximum(power, 0))


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
