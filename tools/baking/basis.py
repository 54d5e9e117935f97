"""Mirror-symmetric principal components of a population of heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Basis:
    """Components scaled so that coefficients have unit variance in the sample."""

    mean: Array  # (M, 3)
    components: Array  # (I, M, 3), largest variance first
    mirror_sign: NDArray[np.int8]  # (I,) +1: both sides move alike; -1: they move oppositely
    explained: Array  # (I,) share of the weighted variance up to and with each component

    def encode(self, heads: Array, weights: Array) -> Array:
        """(S, I) least-squares coefficients of heads (S, M, 3) under vertex weights (M,)."""
        root = np.sqrt(weights)[:, None]
        basis = (self.components * root).reshape(len(self.components), -1)
        target = ((heads - self.mean) * root).reshape(len(heads), -1)
        return np.linalg.lstsq(basis.T, target.T, rcond=None)[0].T


def mirrored(deltas: Array, mirror: NDArray[np.int64]) -> Array:
    """Displacements (..., M, 3) of the mirror image."""
    return deltas[..., mirror, :] * np.array([-1.0, 1.0, 1.0])


def fit_basis(sample: Array, weights: Array, mirror: NDArray[np.int64], count: int) -> Basis:
    """Principal components of heads (S, M, 3) together with their mirror images.

    With the mirror images in, the mean is symmetric and every component is either symmetric or antisymmetric; the two
    kinds are found apart, so this holds to machine precision.

    Args:
        sample: heads in metres.
        weights: (M,) importance of each vertex, equal on both sides.
        mirror: (M,) mirrored vertex.
        count: number of components.
    """
    flipped = mirrored(sample, mirror)
    mean = ((sample + flipped) / 2).mean(0)
    parts = ((sample + flipped) / 2 - mean, (sample - flipped) / 2)
    kinds = []
    for sign, part in zip((1, -1), parts, strict=True):
        flat = part.reshape(len(part), -1)
        root = (np.sqrt(weights)[:, None].repeat(3, 1)).ravel()
        gram = (flat * root) @ (flat * root).T
        variance, vectors = np.linalg.eigh(gram)
        order = np.argsort(-variance)[:count]
        scale = np.sqrt(len(part))  # unit variance of the coefficients
        components = (vectors[:, order].T @ flat) / scale
        kinds.append((variance[order].clip(0), components, np.full(len(order), sign)))
        total = variance.clip(0).sum()
        kinds[-1] += (total,)  # type: ignore[assignment]
    variance = np.concatenate([k[0] for k in kinds])
    order = np.argsort(-variance, kind="stable")[:count]
    components = np.concatenate([k[1] for k in kinds])[order].reshape(count, *sample.shape[1:])
    sign = np.concatenate([k[2] for k in kinds])[order].astype(np.int8)
    # The sign of an eigenvector is free: fix it by a pattern without symmetry, so that baking is repeatable.
    flat = components.reshape(count, -1)
    pattern = np.cos(np.arange(flat.shape[1]))
    components = components * np.where(flat @ pattern < 0, -1.0, 1.0)[:, None, None]
    explained = np.cumsum(variance[order]) / sum(k[3] for k in kinds)  # type: ignore[misc]
    return Basis(mean, components, sign, explained)
