"""What the matte leaves of the head: where the photo shows the background there is nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import grey_dilation, grey_erosion

from .frame import WideMatte, metres_per_pixel
from .surface import PhotoSurface, SurfacePoints

_HAIR_EDGE = 1  # px by which the matte is widened before it carves the head: training finds the edge
_MOUTH_EDGE = 14  # px from the matte's edge within which there is nothing of the mouth's inside


def matte_share(
    surface: PhotoSurface, matte: WideMatte, points: SurfacePoints, lift: float | NDArray[np.floating] = 0.0
) -> NDArray[np.float64]:
    """(N,) how much of each surface point the matte leaves: 0 where the photo shows the background, fading to 0 below
    the photo. Hair that the photo cuts off stays. `lift` (N,) raises the points along the normal, metres."""
    topology = surface.topology
    place = points.interpolate(surface.vertices, topology.faces)
    place += np.multiply(lift, points.interpolate(surface.normals, topology.faces).T).T
    pixels = surface.portrait.camera.project(place)[:, :2]
    alpha = matte.sample(matte.alpha, pixels)
    beyond = matte.sample(matte.beyond, pixels)
    fade = matte.fade(beyond, metres_per_pixel(surface.portrait.camera, surface.vertices))
    bust = points.interpolate((topology.regions["scalp"] == 0)[:, None], topology.faces)[:, 0]
    head = np.maximum.reduce([topology.regions[name] for name in ("scalp", "face", "ears")])
    inside = topology.regions["innerMouth"] * (1 - topology.regions["lips"])
    mouth = points.interpolate(inside[:, None], topology.faces)[:, 0] > 0.5
    deep = matte.sample(grey_erosion(matte.alpha, 2 * _MOUTH_EDGE + 1), pixels)
    alpha = np.where(mouth, deep, alpha)  # it must not show through skin that was carved thin
    near = np.where(mouth, deep, matte.sample(grey_dilation(matte.alpha, 2 * _HAIR_EDGE + 1), pixels))
    spared = points.interpolate(head[:, None], topology.faces)[:, 0]
    return np.where(beyond > 0, 1 - bust * (1 - alpha * fade), (alpha + spared * (near - alpha)).clip(0, 1))
