"""What needs no avatar: the photo as it is, and the photo moved rigidly with the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from ..portrait.frame import wide_matte
from ..portrait.portrait import Portrait


class StaticPhoto:
    """The cut-out photo, unmoved."""

    def __init__(self, portrait: Portrait) -> None:
        self._picture = np.concatenate([portrait.foreground, portrait.alpha[..., None]], -1)

    def __call__(self, frame: int) -> NDArray[np.float32]:
        """(S, S, 4) straight alpha."""
        return self._picture


class RigidPhoto:
    """The cut-out photo, shifted, turned in its plane and scaled so that the landmarks that do not move with the face
    come as close as they can to those measured in the frame. Where the moved photo ends, its border is repeated.

    Args:
        portrait: the photo.
        landmarks: (F, 478, 2) measured in the frames, px of the crop.
        source: the photo's own frame.
        weights: (478,) how much a landmark says of where the head is.
    """

    def __init__(
        self, portrait: Portrait, landmarks: NDArray[np.floating], source: int, weights: NDArray[np.floating]
    ) -> None:
        wide = wide_matte(portrait)
        self._layers = np.concatenate([wide.colors * wide.alpha[..., None], wide.alpha[..., None]], -1)
        self._margin, self._size = wide.margin, len(portrait.alpha)
        self._landmarks, self._source, self._weights = landmarks, source, weights

    def __call__(self, frame: int) -> NDArray[np.float32]:
        """(S, S, 4) straight alpha."""
        matrix = similarity(self._landmarks[self._source], self._landmarks[frame], self._weights)
        back = np.linalg.inv(matrix[:, :2])[::-1, ::-1]  # rows and columns instead of x and y
        shift = self._margin - 0.5 + (back @ (0.5 - matrix[::-1, 2]))
        moved = [
            affine_transform(layer, back, shift, (self._size, self._size), order=1, mode="nearest")
            for layer in np.moveaxis(self._layers, -1, 0)
        ]
        alpha = moved[3].clip(0, 1)
        colors = np.stack(moved[:3], -1) / np.maximum(alpha, 1e-4)[..., None]
        return np.concatenate([colors.clip(0, 1), alpha[..., None]], -1).astype(np.float32)


def similarity(
    points: NDArray[np.floating], target: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(2, 3) shift, turn and scale that bring points (N, 2) closest to target (N, 2), weighted squares (N,)."""
    share = np.asarray(weights, np.float64)[:, None] / np.sum(weights)
    middle, aim = (points * share).sum(0), (target * share).sum(0)
    a, b = points - middle, target - aim
    spread = (share * a**2).sum()
    along = (share * a * b).sum() / spread
    across = (share[:, 0] * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).sum() / spread
    linear = np.array([[along, -across], [across, along]])
    return np.concatenate([linear, (aim - linear @ middle)[:, None]], 1)
