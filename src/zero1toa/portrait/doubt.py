"""Pixels that the matte gives to the person but that look like the background beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .portrait import Portrait

_OUT, _IN = 0.05, 0.95  # matte of background and person beyond doubt
_LOCAL = 12.0  # px at 512; their colours are compared with the mean of that neighbourhood
_LEAST_SHARE = 1e-3  # of that neighbourhood; with less there is nothing to compare with
_ALIKE = 0.1  # distance in sRGB from the background below which a pixel may be part of it
_CLEARER = 0.5  # and its distance from the person must be so many times greater: 1 / this
_EDGE, _EDGE_ALPHA = 14, 0.3  # px at 512 from the matte's outline, at that alpha, within which it may be


def background_like(portrait: Portrait) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Where the matte's rim is doubtful (S, S), and the person's mean colour around each pixel (S, S, 3)."""
    scale = len(portrait.alpha) / 512
    image, alpha = portrait.image, portrait.alpha
    away = []
    local = image
    for sure in ((alpha < _OUT) & portrait.valid, alpha > _IN):
        share = gaussian_filter(sure.astype(np.float32), _LOCAL * scale)
        sums = np.stack([gaussian_filter(image[..., c] * sure, _LOCAL * scale) for c in range(3)], -1)
        local = sums / np.maximum(share, 1e-6)[..., None]
        away.append(np.where(share > _LEAST_SHARE, np.linalg.norm(image - local, axis=-1), np.inf))
    rim = distance_transform_edt(alpha > _EDGE_ALPHA) < _EDGE * scale
    doubtful = rim & (alpha > _OUT) & (away[0] < _ALIKE) & (away[0] < _CLEARER * away[1])
    return doubtful, local.astype(np.float32)
