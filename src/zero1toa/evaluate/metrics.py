"""Distances between a picture and the one it should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Picture = NDArray[np.floating]
Mask = NDArray[np.bool_]

_SSIM_SIGMA = 1.5  # px, of the Gaussian window (Wang et al. 2004)
_SSIM_WINDOW = 11  # px, its width; smaller pictures cannot be compared


def psnr(image: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures, NaN for an empty mask.

    Args:
        image: (H, W, C) in [0, 1].
        truth: (H, W, C) in [0, 1].
        mask: (H, W) pixels that count; by default all.
    """
    assert image.shape == truth.shape, (image.shape, truth.shape)
    difference = np.asarray(image, np.float64) - truth
    squared = difference**2 if mask is None else difference[mask] ** 2
    if squared.size == 0:
        return float("nan")
    error = float(squared.mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def ssim(image: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Structural similarity (Wang et al. 2004: Gaussian window of 1.5 px), mean over channels and the mask's pixels.

    Args:
        image: (H, W, C) in [0, 1], at least 11 px on a side.
        truth: (H, W, C) in [0, 1].
        mask: (H, W) pixels that count; by default all. NaN for an empty one.
    """
    assert image.shape == truth.shape and min(image.shape[:2]) >= _SSIM_WINDOW, (image.shape, truth.shape)
    _, similarity = structural_similarity(
        np.asarray(image, np.float64),
        np.asarray(truth, np.float64),
        data_range=1.0,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=_SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    counted = similarity if mask is None else similarity[mask]
    return float(counted.mean()) if counted.size else float("nan")


def silhouette_iou(alpha: Picture, truth: Picture, valid: Mask | None = None) -> float:
    """Intersection over union of what two mattes (H, W) cover by more than half; 1 where both are empty."""
    a, b = np.asarray(alpha) > 0.5, np.asarray(truth) > 0.5
    if valid is not None:
        a, b = a & valid, b & valid
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def landmark_distance(
    found: NDArray[np.floating], commanded: NDArray[np.floating], size: int, index: tuple[int, ...] | None = None
) -> float:
    """Mean distance in px of a picture of 512 px.

    Args:
        found: (478, 2 or more) px.
        commanded: (478, 2 or more) px.
        size: height of the picture that the landmarks lie in, px.
        index: which landmarks count (groups: `heads.facemesh`); by default all.
    """
    distance = np.linalg.norm(np.asarray(found)[:, :2] - np.asarray(commanded)[:, :2], axis=1) * 512 / size
    return float((distance if index is None else distance[list(index)]).mean())
