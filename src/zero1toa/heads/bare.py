"""A head model as somebody else's file gives it: a mesh with identities and joints, without our movements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from . import arkit
from .model import LinearHead
from .skinning import PoseCorrectives
from .topology import JOINTS, NUM_LANDMARKS, HeadTopology

Array = NDArray[np.float64]

IRIS_RADIUS, PUPIL_RADIUS = 0.0059, 0.0018
"""Metres: half the visible iris (11.8 mm across in adults), and a pupil in daylight; as in the default head."""

SKIN, EYE_LEFT, EYE_RIGHT = range(3)
PARTS = ("skin", "eyeLeft", "eyeRight")
"""What every head brings; names of the default head's other parts may follow."""

_JOINT_OF_PART = np.array([JOINTS.index(name) for name in ("head", "eyeLeft", "eyeRight", "head")])


@dataclass(frozen=True)
class BareHead:
    """World axes: metres, x to the subject's left, y up, the face to +z; symmetric about x = 0 but for details."""

    name: str
    template: Array  # (V, 3)
    faces: NDArray[np.int32]  # (T, 3)
    vertex_part: NDArray[np.int8]  # (V,) index into part_names
    identity_basis: Array  # (I, V, 3) metres per standard deviation
    joints: Array  # (6, 3) order JOINTS
    joint_identity_basis: Array  # (I, 6, 3)
    skin_weights: Array | None  # (V, 6); None for a head without: ours are carried over
    open_mouth: Array  # (V, 3) what opens the mouth by about a centimetre or two
    pose_correctives: PoseCorrectives | None
    fingerprint: int
    part_names: tuple[str, ...] = PARTS  # begins with PARTS
    movements: Mapping[str, Array] = field(default_factory=dict)  # ARKit movements of its own, (V, 3) at weight 1

    @cached_property
    def face_part(self) -> NDArray[np.int8]:
        """(T,) the part of each triangle; one between skin and another part belongs to that."""
        part: NDArray[np.int8] = self.vertex_part[self.faces].max(1)
        return part

    @cached_property
    def eyeballs(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Centre (3,) and vertices (E, 3) of the left and the right eyeball."""
        left, right = (
            (self.joints[JOINTS.index(PARTS[part])], self.template[self.vertex_part == part])
            for part in (EYE_LEFT, EYE_RIGHT)
        )
        return left, right

    def iris_regions(self) -> dict[str, NDArray[np.float32]]:
        """Soft membership (V,) in iris and pupil, by the distance from the axis of each eyeball."""
        iris, pupil = np.zeros((2, len(self.template)), np.float32)
        for part, (center, _) in zip((EYE_LEFT, EYE_RIGHT), self.eyeballs, strict=True):
            rows = np.flatnonzero(self.vertex_part == part)
            offset = self.template[rows] - center
            across = np.where(offset[:, 2] > 0, np.hypot(offset[:, 0], offset[:, 1]), np.inf)
            iris[rows] = across < IRIS_RADIUS
            pupil[rows] = across < PUPIL_RADIUS
        return {"iris": iris, "pupil": pupil}

    def mirror(self) -> NDArray[np.int32]:
        """(V,) the vertex nearest to the mirrored place, of the mirrored part."""
        other = [self.part_names.index(arkit.mirrored(name)) for name in self.part_names]
        return mirrored_vertices(self.template, self.vertex_part, np.array(other))

    def as_linear(self) -> LinearHead:
        """A head that can be shown to a landmark detector; of the 52 movements it has only an open jaw."""
        count = len(self.template)
        weights = self.skin_weights
        if weights is None:
            weights = np.zeros((count, len(JOINTS)))
            weights[np.arange(count), _JOINT_OF_PART[np.minimum(self.vertex_part, len(_JOINT_OF_PART) - 1)]] = 1
        deltas = torch.zeros(len(arkit.NAMES), count, 3)
        deltas[arkit.INDEX["jawOpen"]] = _float(self.open_mouth) / 0.4  # the embedding opens it to weight 0.4
        topology = HeadTopology(
            faces=self.faces,
            uvs=np.zeros((1, 2), np.float32),
            uv_faces=np.zeros_like(self.faces),
            part_names=self.part_names,
            vertex_part=self.vertex_part,
            face_part=self.face_part,
            regions=self.iris_regions(),
            mirror=self.mirror(),
            landmark_faces=np.zeros(NUM_LANDMARKS, np.int32),
            landmark_barycentrics=np.full((NUM_LANDMARKS, 3), 1 / 3, np.float32),
            landmark_spread=np.ones(NUM_LANDMARKS, np.float32),
        )
        return LinearHead(
            name=self.name,
            topology=topology,
            template=_float(self.template),
            identity_basis=_float(self.identity_basis),
            expression_deltas=deltas,
            joint_template=_float(self.joints),
            joint_identity_basis=_float(self.joint_identity_basis),
            skin_weights=_float(weights),
        )


def mirrored_vertices(template: Array, part: NDArray[np.integer], other_part: NDArray[np.integer]) -> NDArray[np.int32]:
    """(V,) the vertex of `other_part[part]` nearest to the place mirrored at x = 0."""
    out = np.zeros(len(template), np.int32)
    for index, other in enumerate(other_part):
        rows, candidates = np.flatnonzero(part == index), np.flatnonzero(part == other)
        if len(rows):
            out[rows] = candidates[cKDTree(template[candidates]).query(template[rows] * [-1, 1, 1])[1]]
    return out


def _float(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
