"""What all people of one head model share: triangles, texture coordinates, parts, regions, landmarks. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

JOINTS: tuple[str, ...] = ("root", "neck", "head", "jaw", "eyeLeft", "eyeRight")
"""Order of the joints in every (6, ...) array."""

PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 2, 2)
"""Index of the parent of each joint in `JOINTS`; -1 for the root."""

NUM_LANDMARKS = 478
"""MediaPipe Face Mesh with refined eyes: 468 points of the face, then 5 per iris."""


@dataclass(frozen=True)
class HeadTopology:
    """The constant side of a head model. Arrays are never written to."""

    faces: NDArray[np.int32]  # (T, 3) vertex indices, counter-clockwise seen from outside
    uvs: NDArray[np.float32]  # (U, 2) in [0, 1], v up
    uv_faces: NDArray[np.int32]  # (T, 3) indices into uvs
    part_names: tuple[str, ...]  # "skin", "mouth", "eyeLeft", ...
    vertex_part: NDArray[np.int8]  # (V,) index into part_names
    face_part: NDArray[np.int8]  # (T,) index into part_names
    regions: dict[str, NDArray[np.float32]]  # name -> (V,) soft membership in [0, 1]
    mirror: NDArray[np.int32]  # (V,) the vertex at the mirrored place
    landmark_faces: NDArray[np.int32]  # (478,) triangle that carries the landmark
    landmark_barycentrics: NDArray[np.float32]  # (478, 3) place in that triangle, rows sum to 1
    landmark_spread: NDArray[np.float32]  # (478,) metres: how far the detections that made it lay apart (median)

    def __post_init__(self) -> None:
        num_vertices, num_faces = len(self.vertex_part), len(self.faces)
        assert self.faces.shape == (num_faces, 3) and self.faces.max() < num_vertices, self.faces.shape
        assert self.uv_faces.shape == (num_faces, 3) and self.uv_faces.max() < len(self.uvs), self.uv_faces.shape
        assert self.face_part.shape == (num_faces,), self.face_part.shape
        assert self.mirror.shape == (num_vertices,), self.mirror.shape
        assert all(r.shape == (num_vertices,) for r in self.regions.values())
        assert self.landmark_faces.shape == (NUM_LANDMARKS,), self.landmark_faces.shape
        assert self.landmark_barycentrics.shape == (NUM_LANDMARKS, 3), self.landmark_barycentrics.shape
        assert self.landmark_spread.shape == (NUM_LANDMARKS,), self.landmark_spread.shape

    @property
    def num_vertices(self) -> int:
        return len(self.vertex_part)

    def part_index(self, name: str) -> int:
        """Index of a part in `part_names`; ValueError if the model has no such part."""
        return self.part_names.index(name)

    def part_vertices(self, *names: str) -> NDArray[np.bool_]:
        """(V,) whether a vertex belongs to one of the named parts."""
        return np.isin(self.vertex_part, [self.part_index(n) for n in names])

    def part_faces(self, *names: str) -> NDArray[np.bool_]:
        """(T,) whether a triangle belongs to one of the named parts."""
        return np.isin(self.face_part, [self.part_index(n) for n in names])
