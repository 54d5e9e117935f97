"""What the landmarks alone say of the expression: a small network learned from rendered heads of our own.

Identity and expression look alike in landmarks (a smile can pass for a wide mouth), and a solver with a simple prior
gives most of a smile to identity. The network has seen many heads of known identity and expression through the landmark
detector itself, so it knows how faces differ, how they move, and what the detector loses (it reports less than half of
a blink). `tools/train_expression_prior.py` makes the committed file.
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
from ..heads import arkit, facemesh
from .solver import Array, ExpressionPrior, LandmarkModel, Pinhole, solve_pose

FEATURE_UNIT = 100.0  # features are in centimetres, so that they are of order one
_FLOOR = 1e-3  # added to the variances, so that the covariance can be inverted
NUM_FEATURES = 2 * facemesh.NUM_LANDMARKS + 2


def frontal_features(model: LandmarkModel, landmarks: Array, pinhole: Pinhole) -> Array:
    """Landmarks as seen from the front: (958,) offsets from the mean head in cm, then the viewing direction.

    Each landmark is cast back to the depth that the mean head has there, after a rigid fit.

    Args:
        model: mean landmarks.
        landmarks: (478, 2 or more) px.
        pinhole: of the same picture.
    """
    points, rotation, _ = frontal_points(model, landmarks, pinhole)
    return np.concatenate([((points - model.mean)[:, :2] * FEATURE_UNIT).ravel(), rotation[2, :2]])


def frontal_points(model: LandmarkModel, landmarks: Array, pinhole: Pinhole) -> tuple[Array, Array, Array]:
    """Landmarks cast back to the depth that the mean head has at each of them, after a rigid fit.

    Returns:
        Points (478, 3) in head axes, metres; rotation (3, 3) and translation (3,) from head to camera axes.
    """
    rotation, translation = solve_pose(model, landmarks, pinhole, steps=5)
    depth = (model.mean @ rotation.T + translation)[:, 2:]
    rays = np.concatenate([(landmarks[:, :2] - [pinhole.cx, pinhole.cy]) / pinhole.focal, np.ones((len(depth), 1))], 1)
    return (rays * depth - translation) @ rotation, rotation, translation


@dataclass(frozen=True)
class ExpressionRegressor:
    """A network of dense layers; its output is 52 ARKit weights."""

    mean: NDArray[np.float32]  # (958,) of the features
    weights: tuple[NDArray[np.float32], ...]  # (out, in) of each layer
    biases: tuple[NDArray[np.float32], ...]  # (out,)
    threshold: NDArray[np.float32]  # (52,) outputs below it count as no movement
    gain: NDArray[np.float32]  # (52,) by which the rest is enlarged: least squares shrinks what it is unsure of
    residual_covariance: NDArray[np.float32]  # (52, 52) of prediction minus truth on held-out heads

    def __call__(self, features: Array) -> Array:
        """Features (..., 958) to weights (..., 52) in [0, 1]."""
        return self.calibrated(self.expected(features))

    def calibrated(self, expected: Array) -> Array:
        """Least-squares weights (..., 52) with their threshold and gain applied, in [0, 1]."""
        return np.clip((np.clip(expected, 0, 1) - self.threshold) * self.gain, 0, 1)

    def expected(self, features: Array) -> Array:
        """The network alone: features (..., 958) to least-squares weights (..., 52), neither calibrated nor clipped."""
        hidden = features - self.mean
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = hidden @ weight.T + bias
            if layer < len(self.weights) - 1:
                hidden = hidden / (1 + np.exp(-np.clip(hidden, -60, 60)))  # SiLU
        return hidden

    def prior(self, features: Array, mirrored: Array) -> ExpressionPrior:
        """The Gaussian belief about the expression behind one face.

        Args:
            features: (958,) of its landmarks.
            mirrored: (958,) of the same landmarks in a mirror. Both readings are averaged, so that the belief does not
                depend on which side of the face is which.
        """
        mirror = list(arkit.MIRROR)
        covariance = (self.residual_covariance + self.residual_covariance[mirror][:, mirror]).astype(np.float64) / 2
        mean = self.calibrated((self.expected(features) + self.expected(mirrored)[mirror]) / 2)
        return ExpressionPrior(mean.astype(np.float64), np.linalg.inv(covariance + _FLOOR * np.eye(len(mean))))

    @classmethod
    def load(cls, path: Path) -> ExpressionRegressor:
        """Reads what `save` wrote.

        Raises:
            AssetError: the file is missing or not of this kind.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                layers = int(file["layers"])
                return cls(
                    file["mean"].astype(np.float32),
                    tuple(file[f"weight{i}"].astype(np.float32) for i in range(layers)),
                    tuple(file[f"bias{i}"].astype(np.float32) for i in range(layers)),
                    file["threshold"].astype(np.float32),
                    file["gain"].astype(np.float32),
                    file["residual_covariance"].astype(np.float32),
                )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AssetError(f"{path} is no expression prior of this version; reinstall zero1toa.") from error

    def save(self, path: Path) -> None:
        """Writes one npz, the large matrices in half precision."""
        arrays: dict[str, NDArray] = {f"weight{i}": w.astype(np.float16) for i, w in enumerate(self.weights)}
        arrays |= {f"bias{i}": b for i, b in enumerate(self.biases)}
        np.savez_compressed(
            path,
            layers=len(self.weights),
            mean=self.mean,
            threshold=self.threshold,
            gain=self.gain,
            residual_covariance=self.residual_covariance,
            **arrays,
        )


@cache
def load_regressor() -> ExpressionRegressor:
    """The committed regressor of the default head, read once per process."""
    with resources.as_file(resources.files(__package__) / "assets" / "expression_prior.npz") as path:
        return ExpressionRegressor.load(path)
