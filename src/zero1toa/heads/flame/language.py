"""FLAME's parameters in ARKit's language and back, fitted by ourselves to the user's own FLAME.

FLAME says a face by 100 components without names and a jaw joint; ARKit by 52 movements with names. Our movements,
carried over to the FLAME mesh (`heads.dress`), are the dictionary: each is said in components and jaw angles by least
squares, and each FLAME face in movements by least squares with weights in [0, 1]. No published table is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from .. import arkit
from ..model import LinearHead
from ..skinning import gaze_rotation
from .file import NUM_EXPRESSION, FlameFile
from .model import FlameModel

Array = NDArray[np.float64]

JAW = 3  # rotation vector, radians
_COMPONENT_COST = 1e-4  # metres (root mean square over the face) that a component of 1 costs as much as
_JAW_STEP = 0.05  # radians over which the jaw's effect is taken for linear
_WEIGHT_COST = 5e-5  # metres, the same for an ARKit weight of 1: weights that explain nothing stay 0
_FACE = 0.3  # region membership from which on a vertex counts


@dataclass(frozen=True)
class FlameExpression:
    """A face in FLAME's parameters."""

    expression: Array  # (F, 100)
    jaw: Array  # (F, 3) rotation vectors, radians
    eyes: Array  # (F, 2, 3) rotation vectors, radians, left and right


class FlameLanguage:
    """Translates between both languages for one FLAME model."""

    def __init__(self, file: FlameFile, head: LinearHead) -> None:
        """From a FLAME file and the head that `heads.dress` made of it."""
        self._model = FlameModel.from_file(file, torch.float64)
        self._rows = np.flatnonzero(_face_vertices(head, len(file.template)))
        self._scale = 1 / np.sqrt(len(self._rows))  # sums over vertices become root mean squares
        deltas = head.expression_deltas[:, self._rows].double().numpy()
        self._deltas = deltas.reshape(len(arkit.NAMES), -1) * self._scale
        self._gaze = np.array([name.startswith("eyeLook") for name in arkit.NAMES])

    @cached_property
    def matrix(self) -> Array:
        """(52, 103): the components and the jaw's rotation vector that say each ARKit movement at weight 1."""
        columns = np.concatenate([self._components, self._jaw_directions])  # (103, 3 R)
        gram = columns @ columns.T
        gram[np.arange(NUM_EXPRESSION), np.arange(NUM_EXPRESSION)] += _COMPONENT_COST**2
        return np.linalg.solve(gram, columns @ self._deltas.T).T

    def to_flame(self, weights: Array) -> FlameExpression:
        """FLAME's parameters of ARKit weights (F, 52)."""
        weights = np.atleast_2d(np.asarray(weights, np.float64))
        assert weights.shape[1] == len(arkit.NAMES), weights.shape
        values = weights @ self.matrix
        eyes = gaze_rotation(torch.from_numpy(weights)).numpy()
        return FlameExpression(values[:, :NUM_EXPRESSION], values[:, NUM_EXPRESSION:], eyes)

    def to_arkit(self, face: FlameExpression) -> Array:
        """ARKit weights (F, 52) in [0, 1] of faces in FLAME's parameters; missing components are zero.

        Eyes that roll, or turn farther than the eyeLook weights reach, are brought to what those can say.
        """
        gaze = self._gaze_weights(face.eyes)
        moved = self._displacements(face) - gaze @ self._deltas
        free = np.flatnonzero(~self._gaze)
        design = np.concatenate([self._deltas[free].T, _WEIGHT_COST * np.eye(len(free))])
        # With an orthogonal basis of its columns the problem has 52 rows instead of thousands.
        basis, small = np.linalg.qr(design)
        out = gaze.copy()
        for frame, target in enumerate(moved):
            out[frame, free] = lsq_linear(small, basis[: len(target)].T @ target, (0.0, 1.0), method="bvls").x.clip(
                0, 1
            )
        return out

    def error(self, weights: Array, face: FlameExpression) -> Array:
        """(F,) metres, root mean square over the face, between ARKit weights (F, 52) and FLAME's parameters."""
        difference = np.atleast_2d(weights) @ self._deltas - self._displacements(face)
        return np.linalg.norm(difference, axis=1)

    @cached_property
    def _components(self) -> Array:
        chosen = self._model.expressions[:, self._rows].numpy()
        return chosen.reshape(len(chosen), -1) * self._scale

    @cached_property
    def _jaw_directions(self) -> Array:
        """(3, 3 R) what a radian of the jaw does, by a small turn."""
        turns = np.concatenate([np.eye(3), -np.eye(3)]) * _JAW_STEP
        nothing = np.zeros((6, 0))
        moved = self._displacements(FlameExpression(nothing, turns, np.zeros((6, 2, 3))))
        directions: Array = (moved[:3] - moved[3:]) / (2 * _JAW_STEP)
        return directions

    def _displacements(self, face: FlameExpression) -> Array:
        """(F, 3 R) of the face's skin from neutral, the head at rest."""
        frames = len(face.jaw)
        pose = torch.zeros(frames, 5, 3, dtype=torch.float64)
        pose[:, 2] = torch.from_numpy(np.asarray(face.jaw, np.float64))
        expression = torch.from_numpy(np.asarray(face.expression, np.float64))
        vertices = self._model.vertices(torch.zeros(frames, 0, dtype=torch.float64), expression, pose)
        moved = (vertices - self._model.template)[:, self._rows].numpy()
        return moved.reshape(frames, -1) * self._scale

    def _gaze_weights(self, eyes: Array) -> Array:
        """(F, 52) the eyeLook weights that turn the eyeballs (F, 2, 3) as far as they can."""
        unit = gaze_rotation(torch.eye(len(arkit.NAMES), dtype=torch.float64)).numpy()  # (52, 2, 3)
        weights = np.zeros((len(eyes), len(arkit.NAMES)))
        for index in np.flatnonzero(self._gaze):
            direction = unit[index].ravel()
            weights[:, index] = eyes.reshape(len(eyes), 6) @ direction / (direction @ direction)
        return weights.clip(0, 1)


def _face_vertices(head: LinearHead, count: int) -> NDArray[np.bool_]:
    """Skin in front, where expressions are; not the scalp and not the neck."""
    topology = head.topology
    face = np.maximum.reduce([topology.regions[n] for n in ("face", "lips", "nose", "lidsLeft", "lidsRight")])
    chosen: NDArray[np.bool_] = (face > _FACE) & topology.part_vertices("skin")
    return chosen[:count]
