"""From how a person's landmarks moved to what the face does: a small network learned on rendered heads of our own.

In one picture a wide mouth and a smile look alike. In a video the person's own rest is known, and what is left, seen
from the front, is movement alone. The network has seen such movements of many made-up persons through the landmark
detector itself, so it also knows what the detector loses. `tools/train_tracking_prior.py` makes the committed file.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from ..heads import arkit
from ..heads.facemesh import NUM_LANDMARKS
from ..portrait.landmarks import MIRROR
from ..portrait.solver import Array

VIEW_UNIT: Final = 4.0  # sines of yaw and pitch are multiplied by it, so that they are of order one
NUM_FEATURES: Final = 2 * NUM_LANDMARKS + 2
_BATCH: Final = 512  # frames at a time, so that a long video needs no second copy of itself


def features(offsets: Array, view: Array) -> NDArray[np.float32]:
    """(F, 958) from offsets (F, 478, 2) from rest in cm seen from the front and viewing directions (F, 2)."""
    return np.concatenate([offsets.reshape(len(offsets), -1), VIEW_UNIT * view], 1).astype(np.float32)


def mirrored(offsets: Array, view: Array) -> tuple[Array, Array]:
    """The same movements in a mirror."""
    return offsets[:, MIRROR] * [-1, 1], view * [-1, 1]


@dataclass(frozen=True)
class MovementReader:
    """A network of dense layers from features to ARKit weights."""

    mean: NDArray[np.float32]  # (958,) of the features
    weights: tuple[NDArray[np.float32], ...]  # (out, in) of each layer
    biases: tuple[NDArray[np.float32], ...]  # (out,)
    gain: NDArray[np.float32]  # (52,) least squares shrinks what it is unsure of; this gives its size back

    def __call__(self, offsets: Array, view: Array) -> Array:
        """(F, 52) ARKit weights, not clipped: noise around zero stays noise around zero until it is smoothed.

        Args:
            offsets: (F, 478, 2) cm from rest, seen from the front.
            view: (F, 2) x and y of the viewing direction in head axes.
        """
        parts = [self._both(offsets[i : i + _BATCH], view[i : i + _BATCH]) for i in range(0, len(offsets), _BATCH)]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, len(arkit.NAMES)))

    def _both(self, offsets: Array, view: Array) -> NDArray[np.float32]:
        straight = self.expected(features(offsets, view))
        other = self.expected(features(*mirrored(offsets, view)))[:, list(arkit.MIRROR)]
        return (straight + other) / 2 * self.gain

    def expected(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network alone: features (F, 958) to least-squares weights (F, 52)."""
        hidden = values - self.mean
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = hidden @ weight.T + bias
            if layer < len(self.weights) - 1:
                hidden = hidden / (1 + np.exp(-np.clip(hidden, -60, 60)))  # SiLU
        return hidden

    @classmethod
    def load(cls, path: Path) -> MovementReader:
        """Reads what `save` wrote.

        Raises:
            AssetError: the file is missing or not of this kind.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                layers = int(file["layers"])
                reader = cls(
                    file["mean"].astype(np.float32),
                    tuple(file[f"weight{i}"].astype(np.float32) for i in range(layers)),
                    tuple(file[f"bias{i}"].astype(np.float32) for i in range(layers)),
                    file["gain"].astype(np.float32),
                )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AssetError(f"{path} is no movement reader of this version; reinstall zero1toa.") from error
        if reader.mean.shape != (NUM_FEATURES,):
            raise AssetError(f"{path} is no movement reader of this version; reinstall zero1toa.")
        return reader

    def save(self, path: Path) -> None:
        """Writes one npz, the large matrices in half precision."""
        arrays: dict[str, NDArray] = {f"weight{i}": w.astype(np.float16) for i, w in enumerate(self.weights)}
        arrays |= {f"bias{i}": b for i, b in enumerate(self.biases)}
        np.savez_compressed(path, layers=len(self.weights), mean=self.mean, gain=self.gain, **arrays)


@cache
def load_reader() -> MovementReader:
    """The committed reader of the default head, read once per process."""
    with resources.as_file(resources.files(__package__) / "assets" / "movement_reader.npz") as path:
        return MovementReader.load(path)
