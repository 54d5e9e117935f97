"""Which way hair lies on the scalp, and how far it stands off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, map_coordinates

from .frame import metres_per_pixel
from .grain import strand_angles
from .surface import PhotoSurface

_BAND = (0.1, 0.9)  # matte between which an outline is soft
_NEAR_SCALP = 25  # px at 512 from the scalp's picture within which the outline is hair's
_GRAZING = 0.25  # cosine to the view below which the photo does not tell how strands lie
_FUZZ = (0.0015, 0.007)  # metres of loose hair over a crisp outline (a cap, a cartoon) and over a very soft one


def strand_directions(surface: PhotoSurface, places: NDArray[np.floating], normals: NDArray[np.floating]) -> NDArray:
    """(N, 3) unit vectors along the surface, down from the crown, at points at rest with these normals (N, 3)."""
    arm = places - surface.scalp_center
    outward = arm / np.maximum(np.linalg.norm(arm, axis=-1, keepdims=True), 1e-9)
    down = outward * outward[:, 1:2] - [0, 1, 0]  # along the meridian of the sphere around the scalp's middle
    down = down - (down * normals).sum(-1, keepdims=True) * normals
    length = np.linalg.norm(down, axis=-1, keepdims=True)
    side = np.cross(normals, [0.0, 0, 1])  # at the very crown any direction will do
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    return np.where(length > 1e-3, down / np.maximum(length, 1e-9), side)


def photo_directions(
    surface: PhotoSurface, places: NDArray[np.floating], normals: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The strands that the photo shows at posed points with normals (N, 3).

    Returns:
        Unit vectors (N, 3) along them, of which the sign means nothing, and how clear they are, (N,) in [0, 1].
    """
    camera = surface.portrait.camera
    pixels = camera.project(places)
    where = np.stack([pixels[:, 1], pixels[:, 0]]) - 0.5
    angle, clarity = strand_angles(surface.portrait.foreground)
    nearest = [map_coordinates(values, where, order=0, mode="nearest") for values in (angle, clarity)]
    # the direction in the picture, taken along the plane that touches the surface
    flat = np.stack([-np.sin(nearest[0]), np.cos(nearest[0]), np.zeros(len(places))], -1) @ camera.viewmat[:3, :3]
    view = places - camera.position
    view /= np.linalg.norm(view, axis=-1, keepdims=True)
    facing = (view * normals).sum(-1, keepdims=True)
    steep = np.where(np.abs(facing) < _GRAZING, -_GRAZING, facing)
    along = flat - (flat * normals).sum(-1, keepdims=True) / steep * view
    along -= (along * normals).sum(-1, keepdims=True) * normals
    along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    return along, nearest[1] * (np.abs(facing[:, 0]) > _GRAZING)


def hair_fuzz(surface: PhotoSurface) -> float:
    """Metres that loose hair stands off, as far as the matte's outline beside the scalp is soft."""
    portrait, topology = surface.portrait, surface.topology
    scalp = topology.regions["scalp"][topology.faces].mean(1) > 0.5
    drawn = (surface.buffers.face >= 0) & scalp[surface.buffers.face]
    near = binary_dilation(drawn, iterations=round(_NEAR_SCALP * len(drawn) / 512)) & portrait.valid
    solid = portrait.alpha > 0.5
    outline = (solid & ~binary_erosion(solid) & near).sum()
    soft = ((portrait.alpha > _BAND[0]) & (portrait.alpha < _BAND[1]) & near).sum()
    width = soft / max(outline, 1) * metres_per_pixel(portrait.camera, surface.vertices)
    return float(np.clip(width, *_FUZZ))
