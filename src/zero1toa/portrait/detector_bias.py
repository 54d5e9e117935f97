"""The landmark detector's systematic error, and its removal.

MediaPipe's face contour slides over the head as it turns, on all heads in much the same way. That part of its error is
a smooth function of the viewing direction. It is learned by `tools/train_expression_prior.py` and taken off before the
solver sees the landmarks, so that pose and identity do not bend to it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from ..heads import facemesh
from .expression_prior import FEATURE_UNIT, frontal_points
from .solver import Array, LandmarkModel, Pinhole

NUM_TERMS = 7
SLIDING = 0.003  # metres of spread in the embedding from which a landmark slides: the contour, not lips or lids


def view_terms(direction: Array) -> Array:
    """(..., 7) polynomial terms of the viewing direction (..., 2): its x and y in head axes, sines of yaw and pitch."""
    x, y = direction[..., 0], direction[..., 1]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x**3], -1)


@dataclass(frozen=True)
class DetectorBias:
    """Mean error of each landmark, seen from the front, by viewing direction."""

    coefficients: NDArray[np.float32]  # (7, 478, 2) centimetres

    def corrected(self, model: LandmarkModel, landmarks: Array, pinhole: Pinhole) -> Array:
        """Landmarks (478, 2) in px where an unbiased detector would have put them.

        Args:
            model: mean landmarks of the head.
            landmarks: (478, 2 or more) measured, px.
            pinhole: of the same picture.
        """
        points, rotation, translation = frontal_points(model, landmarks, pinhole)
        bias = np.tensordot(view_terms(rotation[2, :2]), self.coefficients.astype(np.float64), 1)
        points[:, :2] -= (model.spread > SLIDING)[:, None] * bias / FEATURE_UNIT
        return pinhole.project(points @ rotation.T + translation)

    @classmethod
    def load(cls, path: Path) -> DetectorBias:
        """Reads what `save` wrote.

        Raises:
            AssetError: the file is missing or not of this kind.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                coefficients = file["coefficients"].astype(np.float32)
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AssetError(f"{path} is no detector bias of this version; reinstall zero1toa.") from error
        if coefficients.shape != (NUM_TERMS, facemesh.NUM_LANDMARKS, 2):
            raise AssetError(f"{path} is no detector bias of this version; reinstall zero1toa.")
        return cls(coefficients)

    def save(self, path: Path) -> None:
        """Writes one npz."""
        np.savez_compressed(path, coefficients=self.coefficients)


@cache
def load_bias() -> DetectorBias:
    """The committed bias of the default head's embedding, read once per process."""
    with resources.as_file(resources.files(__package__) / "assets" / "detector_bias.npz") as path:
        return DetectorBias.load(path)
