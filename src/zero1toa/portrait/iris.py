"""Where an iris is in a photo, to a fraction of a pixel.

The landmark detector puts irises a little low where lids cover them. The edge between iris and white tells better: of
circles near the detector's, that one is taken across whose edge the picture brightens most on both sides, as far as the
lids leave it free (after Daugman's operator, How Iris Recognition Works, 2004).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.measure import points_in_poly

from ..heads import facemesh

RINGS = {"Left": facemesh.EYE_LEFT, "Right": facemesh.EYE_RIGHT}
"""Landmarks of the lids' edges: from the outer corner below the eye to the inner one, and back above it."""
IRISES = {"Left": facemesh.IRIS_LEFT, "Right": facemesh.IRIS_RIGHT}
"""Of the irises: the middle, then right, top, left, below."""
_REACH = 0.2  # radii by which the middle may be off the detector's
_RADII = (0.8, 1.1)  # of the detector's radius
_STEPS = 11  # places tried along each axis; radii too
_SIDES = np.radians(np.arange(-30, 46, 5))  # of the edge to the right, below the horizontal more than above
_ANGLES = np.concatenate([_SIDES, np.pi - _SIDES])
_EDGE = 0.12  # radii to both sides of the edge between which brightness is compared
_LIDS = 0.08  # of the eye's width that an edge must keep from the lids
_STRAY = 0.06  # sRGB of brightening that a middle as far off as `_REACH` costs
_LEAST_FREE = 5  # angles on each side at which the edge must be free, and
_LEAST_EDGE = 0.03  # sRGB by which it must brighten on both; with less the detector is believed


class Iris(NamedTuple):
    """A circle in the photo."""

    middle: NDArray[np.float64]  # (2,) px
    radius: float  # px


def find_iris(picture: NDArray[np.floating], landmarks: NDArray[np.floating], side: str) -> Iris:
    """The iris of one eye.

    Args:
        picture: (H, W, 3) sRGB.
        landmarks: (478, 2 or more) px.
        side: "Left" or "Right", the person's.
    """
    middle, right, _, left, _ = landmarks[list(IRISES[side]), :2].astype(np.float64)
    radius = max(float(np.linalg.norm(right - left)) / 2, 1e-3)
    ring = landmarks[list(RINGS[side]), :2].astype(np.float64)
    opening = ring.mean(0) + (ring - ring.mean(0)) * (1 - 2 * _LIDS)
    grey = np.asarray(picture, np.float64).mean(-1)
    steps = np.linspace(-1, 1, _STEPS)
    shifts = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    middles = middle + shifts * _REACH * radius  # (M, 2)
    radii = radius * np.linspace(*_RADII, _STEPS)
    directions = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)

    def brightness(factor: float) -> NDArray[np.float64]:
        """(M, R, A) a little inside or outside of every circle."""
        places = middles[:, None, None] + (radii * factor)[:, None, None] * directions
        return np.asarray(map_coordinates(grey, [places[..., 1] - 0.5, places[..., 0] - 0.5], order=1, mode="nearest"))

    edges = middles[:, None, None] + (radii * (1 + _EDGE))[:, None, None] * directions
    free = points_in_poly(edges.reshape(-1, 2), opening).reshape(edges.shape[:-1])
    gain = (brightness(1 + _EDGE) - brightness(1 - _EDGE)) * free
    half = len(_SIDES)
    sides = []
    for part in (slice(None, half), slice(half, None)):
        count = free[..., part].sum(-1)
        sides.append(np.where(count >= _LEAST_FREE, gain[..., part].sum(-1) / np.maximum(count, 1), -np.inf))
    edge = np.minimum(*sides)
    score = edge - _STRAY * np.square(shifts).sum(-1)[:, None]
    best = np.unravel_index(np.argmax(score), score.shape)
    if edge[best] < _LEAST_EDGE:
        return Iris(middle, radius)
    return Iris(middles[best[0]], float(radii[best[1]]))
