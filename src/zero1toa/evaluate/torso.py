"""Where the torso is in the frames of a video: a patch of clothes below the chin, followed by what it looks like."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from ..portrait.solver import Array

_SIZES: Final = (64, 128, 256)  # px of the crop, from coarse to fine
_STEPS: Final = 6  # Gauss-Newton steps at each size
_STILL: Final = 0.02  # px of the smaller picture; a smaller step is the last
_BLUR: Final = 1.0  # px of the smaller picture
_BELOW_CHIN: Final = 0.12  # of the face's height, from which on it is torso and not jaw or neck
_LEAST_AREA: Final = 0.01  # of the crop; with less there is nothing to follow
_LEAST_CONTRAST: Final = 0.01  # sRGB a pixel of the smaller picture, root mean square of its slopes
_MOST_ERROR: Final = 0.5  # of the difference without any shift or of that contrast: more is not the same torso
_ROBUST: Final = 0.05  # sRGB at which a pixel counts half: a hand, a shadow
_CHIN: Final = 152  # MediaPipe's landmark


class Torso:
    """The clothes of one frame, to be found again in others.

    Args:
        image: (S, S, 3) the frame's crop.
        alpha: (S, S) the person in it.
        landmarks: (478, 2 or more) px.
        valid: (S, S) false beyond the video.
    """

    def __init__(
        self, image: NDArray[np.float32], alpha: NDArray[np.float32], landmarks: Array, valid: NDArray[np.bool_]
    ) -> None:
        size = len(image)
        chin = landmarks[_CHIN, 1] + _BELOW_CHIN * np.ptp(landmarks[:, 1])
        below = np.arange(size)[:, None] + 0.5 > chin
        self._whole = below * alpha * valid
        self._levels = [_Level.of(image, self._whole, side) for side in _SIZES if side <= size]
        self._size = size
        fine = self._levels[-1]
        slopes = np.square(np.gradient(fine.reference, axis=(0, 1))).sum((0, -1))
        self.contrast = float(np.sqrt((slopes * fine.weights).sum() / max(fine.weights.sum(), 1e-9)))

    @property
    def seen(self) -> bool:
        """Whether there is enough of it."""
        return bool(self._whole.mean() > _LEAST_AREA and self.contrast > _LEAST_CONTRAST)

    def shift(self, image: NDArray[np.float32], start: Array | None = None) -> Array | None:
        """(2,) px of the crop by which it has moved in another frame's crop (S, S, 3), or None where it is not found.

        Args:
            image: the other frame, in the same square of the video.
            start: where to begin, such as the frame before.
        """
        if not self.seen:
            return None
        moved = np.zeros(2) if start is None else np.array(start, np.float64)
        for level in self._levels:
            unit = self._size / level.reference.shape[1]
            other = _shrunk(image, level.reference.shape[1])
            step = level.shift(other, moved / unit)
            if step is None:
                return None
            moved = step * unit
        places = (moved / unit, np.zeros(2))
        error, still = (level.spread(level.moved(other, place) - level.reference) for place in places)
        return moved if error <= max(_MOST_ERROR * still, self.contrast) else None


class _Level(NamedTuple):
    """The torso in a smaller picture of N px: only the rows in which there is any."""

    reference: Array  # (R, N, 3)
    weights: Array  # (R, N)
    row: int  # the first

    @classmethod
    def of(cls, image: NDArray[np.float32], mask: NDArray[np.floating], side: int) -> _Level:
        weights = _means(np.asarray(mask, np.float64)[..., None], side)[..., 0]
        row = min(int(np.argmax(weights.any(1))), side - 2)  # two rows have a slope
        return cls(_shrunk(image, side)[row:], weights[row:], row)

    def moved(self, picture: Array, shift: Array) -> Array:
        """(R, N, 3) the same rows of another picture (N, N, 3), read `shift` px to the right and below."""
        start, shape = (self.row + shift[1], shift[0]), self.weights.shape
        planes = (
            affine_transform(plane, np.eye(2), start, shape, order=1, mode="nearest")
            for plane in np.moveaxis(picture, -1, 0)
        )
        return np.stack([*planes], -1)

    def spread(self, difference: Array) -> float:
        """Root of the weighted mean square of (R, N, 3)."""
        return float(np.sqrt((np.square(difference).mean(-1) * self.weights).sum() / self.weights.sum()))

    def shift(self, other: Array, shift: Array) -> Array | None:
        """(2,) px by which `other` (N, N, 3) is shifted against the reference, x and y; None where it runs away.

        Lucas and Kanade's method (1981), robust and with a mask; libraries register rectangles, background and all.
        """
        for _ in range(_STEPS):
            seen = self.moved(other, shift)
            residual = seen - self.reference
            down, right = np.gradient(seen, axis=(0, 1))
            scale = np.sqrt(self.weights / (1 + np.square(residual).mean(-1) / _ROBUST**2))[..., None]
            rows = np.stack([(scale * slope).ravel() for slope in (right, down)], -1)
            step = np.linalg.solve(rows.T @ rows + 1e-9 * np.eye(2), rows.T @ (scale * residual).ravel())
            shift = shift - step
            if np.abs(shift).max() > len(other) / 2:
                return None
            if np.abs(step).max() < _STILL:
                break
        return shift


def _shrunk(picture: NDArray[np.float32], side: int) -> Array:
    """(side, side, 3) area means, a little blurred so that slopes say where to go."""
    small = _means(picture.astype(np.float64), side)
    return gaussian_filter(small, (_BLUR, _BLUR, 0))


def _means(picture: Array, side: int) -> Array:
    """Means over the blocks of a square picture; a rest at the lower and right border is left out."""
    block = len(picture) // side
    cut = picture[: block * side, : block * side]
    return np.asarray(cut.reshape(side, block, side, block, -1).mean((1, 3)))
