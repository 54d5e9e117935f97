"""The matte continued beyond the photo, where the picture ends and the person does not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates

from ..camera import Camera
from .portrait import Portrait

_MARGIN = 0.25  # of the crop's side, added all around
_FADE = (0.002, 0.03)  # metres beyond the photo at which the bust begins to fade, and has faded


class WideMatte(NamedTuple):
    """Matte and colours on a frame wider than the crop by `margin` px on each side; M = S + 2 margin."""

    alpha: NDArray[np.float32]  # (M, M) the matte; beyond the photo that of the nearest pixel
    colors: NDArray[np.float32]  # (M, M, 3) the person's colours; beyond the photo those of the nearest pixel
    beyond: NDArray[np.float32]  # (M, M) px to the photo, 0 inside it
    margin: int  # px

    def sample(self, values: NDArray[np.float32], pixels: NDArray[np.floating]) -> NDArray[np.float32]:
        """One of the (M, M) arrays at places (N, 2) in px of the crop; beyond the frame its border goes on."""
        where = np.stack([pixels[:, 1], pixels[:, 0]]) + self.margin - 0.5
        return np.maximum(map_coordinates(values, where, order=1, mode="nearest"), 0)  # rounding may go below 0

    def fade(self, values: NDArray[np.float32], metres_per_pixel: float) -> NDArray[np.float64]:
        """1 in the photo and close to it, 0 farther away; `values` are distances in px as in `beyond`."""
        t = np.clip((values * metres_per_pixel - _FADE[0]) / (_FADE[1] - _FADE[0]), 0, 1)
        return np.asarray(1 - t * t * (3 - 2 * t), np.float64)


def wide_matte(portrait: Portrait) -> WideMatte:
    """The portrait's matte, continued beyond the photo."""
    side = len(portrait.alpha)
    margin = round(_MARGIN * side)
    known = np.pad(portrait.valid, margin)
    distance, (row, column) = distance_transform_edt(~known, return_indices=True)
    row, column = row - margin, column - margin
    return WideMatte(portrait.alpha[row, column], portrait.foreground[row, column], distance.astype(np.float32), margin)


def metres_per_pixel(camera: Camera, points: NDArray[np.floating]) -> float:
    """Size of a pixel at the depth of the points (N, 3)."""
    return float(camera.to_camera(points)[:, 2].mean() / camera.fx)
