"""Texture by example: detail of a picture's region, laid endlessly over a surface that the picture does not show.

Random windows of the region are blended on a lattice with weights that keep the variance (Heitz and Neyret 2018,
"High-performance by-example noise using a histogram-preserving blending operator", without their histogram transform).
Only what is finer than `coarsest` is taken, so that no window brings its own light: no blotches and no seams.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

_TILES_PX = ((28, 44), (20, 28), (14, 18), (9, 9), (6, 6))  # across and along, at 512; the first that fits the region
_FULL = 0.93  # share of a window that must lie in the region
_LEAST_WINDOWS = 6  # different windows without which a repeat would be seen
_RESPONSE = 2.5  # standard deviations at which outliers are cut: one bright hair must not be seen everywhere
_GRADIENT_BLUR, _TENSOR_BLUR = 1.0, 5.0  # px of the structure tensor
_COHERENT = 0.25  # anisotropy of the structure tensor from which strands have a direction


class Grain:
    """Detail with the statistics of a picture's region, with mean 0, at any place of a plane."""

    def __init__(
        self,
        picture: NDArray[np.floating],
        region: NDArray[np.bool_],
        *,
        metres_per_pixel: float,
        coarsest: float,
        period: float | None = None,
        strands: bool = False,
        seed: int = 0,
    ) -> None:
        """Takes the detail of a region.

        Args:
            picture: (H, W, 3) in [0, 1].
            region: (H, W) where the picture shows the material.
            metres_per_pixel: size of its pixels.
            coarsest: px; standard deviation of the blur that is taken off.
            period: metres after which the first coordinate repeats; None if it does not.
            strands: whether windows are turned so that their strands run along the second coordinate.
            seed: of the choice of windows.
        """
        self._scale = 1 / metres_per_pixel
        self._detail = _high_pass(picture, region, coarsest)
        self._tile, self._centers = _windows(region)
        self.known = len(self._centers) >= _LEAST_WINDOWS
        self._seed = seed
        self._columns = None
        if period is not None and self.known:
            self._columns = max(1, round(period * self._scale / self._tile[0]))
            self._scale = self._columns * self._tile[0] / period
        self._angles = None
        if strands:
            angle, clarity = strand_angles(picture)
            self._angles = np.where(clarity > _COHERENT, angle, 0.0)

    def __call__(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) additions to colours at places (N, 2) in metres; the second coordinate points up."""
        out = np.zeros((len(places), 3))
        if not self.known or len(places) == 0:
            return out
        grid = places * self._scale / self._tile
        corner = np.floor(grid).astype(np.int64)
        part = grid - corner
        energy = np.zeros(len(places))
        for i in (0, 1):
            for j in (0, 1):
                weight = _window(part[:, 0] if i else 1 - part[:, 0]) * _window(part[:, 1] if j else 1 - part[:, 1])
                step = (part - [i, j]) * self._tile  # px from the window's centre, up positive
                out += weight[:, None] * self._look_up(corner + [i, j], step)
                energy += weight**2
        return out / np.sqrt(energy)[:, None]

    def _look_up(self, cell: NDArray[np.int64], step: NDArray[np.float64]) -> NDArray[np.float64]:
        column = cell[:, 0] if self._columns is None else cell[:, 0] % self._columns
        chosen = self._centers[_hash(column, cell[:, 1], self._seed) % len(self._centers)]
        right, down = step[:, 0], -step[:, 1]
        if self._angles is not None:
            angle = self._angles[chosen[:, 0], chosen[:, 1]]
            cosine, sine = np.cos(angle), np.sin(angle)
            right, down = cosine * right - sine * down, sine * right + cosine * down
        where = np.stack([chosen[:, 0] + down, chosen[:, 1] + right])
        return np.stack([map_coordinates(self._detail[..., c], where, order=1, mode="nearest") for c in range(3)], -1)


def _window(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return t * t * (3 - 2 * t)


def _hash(a: NDArray[np.int64], b: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Numbers that look random but depend on the lattice's place alone."""
    x = (a * 73856093) ^ (b * 19349663) ^ (seed * 83492791 + 12345)
    x = (x ^ (x >> 13)) * 1274126177 & 0x7FFFFFFF
    return (x ^ (x >> 16)) & 0x7FFFFFFF


def _high_pass(picture: NDArray[np.floating], region: NDArray[np.bool_], coarsest: float) -> NDArray[np.float64]:
    share = np.maximum(gaussian_filter(region.astype(np.float64), coarsest), 1e-3)
    detail = np.zeros(picture.shape)
    if not region.any():
        return detail
    for c in range(3):
        inside = np.where(region, picture[..., c], 0.0).astype(np.float64)
        detail[..., c] = np.where(region, inside - gaussian_filter(inside, coarsest) / share, 0)
        most = _RESPONSE * detail[..., c][region].std()
        detail[..., c] = (detail[..., c] - detail[..., c][region].mean()).clip(-most, most) * region
    return detail


def _windows(region: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Lattice steps (across, along) in px, and centres (K, 2) as row and column of windows inside the region."""
    mask = region.astype(np.float32)
    zoom = len(region) / 512
    for across, along in _TILES_PX:
        tile = np.maximum(np.round(np.array([across, along]) * zoom), 2)
        size = (2 * tile).astype(int)
        full = uniform_filter(mask, (size[1], size[0]), mode="constant") > _FULL
        centers = np.argwhere(full)
        if len(centers) >= _LEAST_WINDOWS * 4:
            return tile, centers
    return tile, centers


def strand_angles(picture: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(H, W) radians by which a step down the picture must be turned, clockwise as one looks at it, to run along the
    strands; and (H, W) in [0, 1] how clear these are."""
    grey = gaussian_filter(np.asarray(picture, np.float64).mean(-1), _GRADIENT_BLUR)
    y, x = np.gradient(grey)
    xx, yy, xy = (gaussian_filter(p, _TENSOR_BLUR) for p in (x * x, y * y, x * y))
    difference, double = xx - yy, 2 * xy
    anisotropy = np.hypot(difference, double) / np.maximum(xx + yy, 1e-12)
    return 0.5 * np.arctan2(double, difference), anisotropy  # the gradient runs across the strands
