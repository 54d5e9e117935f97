"""Hair that the photo does not show: the visible hair's colours, spread smoothly, with strands like its own.

A copy of the visible hair, mirrored or stretched, repeats its highlights as blotches. So colour and detail go apart:
the colour spreads over the scalp and tends to the hair's mean, the detail is synthesised (`grain`), its strands running
down from the crown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .frame import metres_per_pixel
from .grain import Grain
from .spread import spread_over_mesh
from .surface import PhotoSurface, SurfacePoints

_SCALP = 0.5  # membership from which a vertex is hair
_SEEN = 0.4  # confidence from which its colour is a source
_ALIKE = 0.1  # distance of two sRGB colours below which hair cannot be told from skin
_LEAST_SOURCES = 30  # a bald or covered head has no hair to continue
_RIM = 0.1  # confidence from which it counts at all
_KEEP, _TO_MEAN = 2.0, 0.004  # weights of a seen colour and of the mean, against 1 for each edge of the mesh
_MIRRORED = 0.1  # weight of the other side's colour beside one's own
_COARSEST = 9.0  # px at 512; what is coarser is colour, not strands


def continue_hair(
    surface: PhotoSurface, points: SurfacePoints, colors: NDArray[np.float32], confidence: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Colours (N, 3) in which unseen points of the scalp have taken the hair's colour and strands.

    Args:
        surface: the fitted head in its photo.
        points: N surface points.
        colors: (N, 3) of `surface.colors`.
        confidence: (N,) of the same.
    """
    topology = surface.topology
    scalp = topology.regions["scalp"] * topology.part_vertices("skin")
    seen, trust = surface.vertices_seen
    shown = (scalp > _SCALP) & (trust > _SEEN)
    face = (topology.regions["face"] > _SCALP) & (scalp == 0) & (trust > _SEEN)
    if not shown.any() or not face.any():
        return colors
    is_hair = HairTest(seen, shown, face, surface.vertices)
    source = shown * is_hair(seen)
    if (source > 0.5).sum() < _LEAST_SOURCES:
        return colors
    share = points.interpolate(scalp[:, None], topology.faces)[:, 0] * (1 - confidence)
    hidden = np.flatnonzero(share > 0.01)
    base = _spread_colors(surface, seen, trust * (trust > _RIM) * (scalp > _SCALP) * is_hair(seen))
    some = SurfacePoints(points.triangle[hidden], points.barycentric[hidden])
    grain = hair_grain(surface, is_hair)(strand_coordinates(surface, some))
    hair = some.interpolate(base, topology.faces)
    hair = (hair + grain).clip(0, 1)
    own = surface.seen(
        some.interpolate(surface.vertices, topology.faces), some.interpolate(surface.normals, topology.faces),
        np.ones(len(hidden), bool),
    )[0]  # fmt: skip
    mix = confidence[hidden, None] * own + (1 - confidence[hidden, None]) * hair
    weight = points.interpolate(scalp[:, None], topology.faces)[hidden]
    out = colors.copy()
    out[hidden] = ((1 - weight) * colors[hidden] + weight * mix).clip(0, 1)
    return out


def strand_coordinates(surface: PhotoSurface, points: SurfacePoints) -> NDArray[np.float64]:
    """(N, 2) metres: around the head's upright axis, and up along the skull to the crown."""
    arm = points.interpolate(surface.rest, surface.topology.faces) - surface.scalp_center
    radius = surface.scalp_radius
    height = np.arctan2(arm[:, 1], np.hypot(arm[:, 0], arm[:, 2]))
    return radius * np.stack([np.arctan2(arm[:, 0], arm[:, 2]), height], -1)


def hair_grain(surface: PhotoSurface, is_hair: HairTest) -> Grain:
    """The visible hair's strands, around the head without a seam."""
    portrait, topology = surface.portrait, surface.topology
    scalp = topology.regions["scalp"][topology.faces].mean(1) * topology.part_faces("skin")
    drawn = surface.buffers.face >= 0
    on_scalp = np.where(drawn, scalp[surface.buffers.face], 0.0) > _SCALP
    lowest = np.flatnonzero(on_scalp.any(1))[-1] if on_scalp.any() else 0
    beside = ~drawn & (np.arange(len(drawn))[:, None] <= lowest)  # hair beyond the mesh, no clothes
    like = is_hair(portrait.foreground.reshape(-1, 3)).reshape(drawn.shape) > 0.5
    region = (on_scalp | beside) & (portrait.alpha > 0.9) & like & portrait.valid
    return Grain(
        portrait.foreground, region, metres_per_pixel=metres_per_pixel(portrait.camera, surface.vertices),
        coarsest=_COARSEST * len(drawn) / 512, period=2 * np.pi * surface.scalp_radius, strands=True,
    )  # fmt: skip


def _spread_colors(surface: PhotoSurface, seen: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 3) the hair's colour without its detail."""
    topology = surface.topology
    other = topology.mirror
    weight = trust + _MIRRORED * trust[other] * (1 - trust)
    known = (trust[:, None] * seen + (weight - trust)[:, None] * seen[other]) / np.maximum(weight, 1e-9)[:, None]
    default = np.broadcast_to(np.average(seen, axis=0, weights=trust), seen.shape)
    return spread_over_mesh(known, weight, surface.laplacian, default, keep=_KEEP, toward_default=_TO_MEAN)


class HairTest:
    """Tells hair (or a hat) from the skin of forehead and temples by colour: which of two medians is nearer."""

    def __init__(
        self,
        colors: NDArray[np.float64],
        scalp: NDArray[np.bool_],
        face: NDArray[np.bool_],
        vertices: NDArray[np.float64],
    ) -> None:
        high = scalp & (vertices[:, 1] >= np.median(vertices[scalp, 1]))  # below, a high forehead may be bare
        self.hair, self.skin = np.median(colors[high], axis=0), np.median(colors[face], axis=0)

    def __call__(self, colors: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) 1 for hair, 0 for skin, with a soft change; all hair where the two medians are alike."""
        apart = np.linalg.norm(self.hair - self.skin)
        to_hair = np.linalg.norm(colors - self.hair, axis=-1)
        to_skin = np.linalg.norm(colors - self.skin, axis=-1)
        return np.clip((to_skin - to_hair) / apart + 0.5, 0, 1) if apart > _ALIKE else np.ones(len(colors))
