"""Eyeballs: spheres with rings at the edges of pupil and iris, so that vertex colours can draw them sharply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .mesh import Piece

Array = NDArray[np.float64]

SEGMENTS = 24
PUPIL = 0.0021  # metres, radius; pupils of 3 to 5 mm diameter are usual in daylight
IRIS = 0.0060  # metres, radius of the limbus; human irises measure 11.7 mm across
# Distances from the visual axis of the rings in front of the equator, metres; pairs make sharp edges.
_RINGS = (0.0012, PUPIL - 0.0001, PUPIL + 0.0002, 0.0035, 0.0048, IRIS - 0.0004, IRIS + 0.0003, 0.0082, 0.0108, 0.0130)
_BACK = (75.0, 95.0, 120.0, 150.0)  # degrees from the front pole of the other rings


def eye_piece(centre: Array, radius: float, left: bool) -> Piece:
    """One eyeball that looks along +z. Its mirror indices are those of the other eye, which is built alike."""
    angles = np.r_[np.arcsin(np.array(_RINGS) / radius), np.radians(_BACK)]
    turn = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    rings = np.stack(
        [
            np.sin(angles)[:, None] * np.cos(turn),
            np.sin(angles)[:, None] * np.sin(turn),
            np.cos(angles)[:, None].repeat(SEGMENTS, 1),
        ],
        -1,
    )
    unit = np.concatenate([[[0, 0, 1.0]], rings.reshape(-1, 3), [[0, 0, -1.0]]])
    faces = _faces(len(angles))
    # Azimuthal equidistant map, the front in the middle; the back is cut by nothing, it only shrinks to the rim.
    polar = np.r_[0.0, angles.repeat(SEGMENTS), np.pi] / np.pi
    flat = np.arctan2(unit[:, 1], unit[:, 0])
    uvs = 0.5 + 0.5 * polar[:, None] * np.stack([np.cos(flat), np.sin(flat)], 1)
    # The back pole would fold the map onto one point of the rim: leave its triangles a thin ring of their own.
    uvs, uv_faces = _open_back_pole(uvs, faces)
    name = "eyeLeft" if left else "eyeRight"
    return Piece(
        faces=faces,
        face_part=np.full(len(faces), name),
        uvs=uvs,
        uv_faces=uv_faces,
        mirror=_mirror(len(angles)),
        rest=centre + radius * unit,
        follows="helper-l-eye" if left else "helper-r-eye",
        joint=name,
    )


def _faces(rings: int) -> NDArray[np.int64]:
    def at(ring: int, k: NDArray[np.int64]) -> NDArray[np.int64]:
        return 1 + ring * SEGMENTS + k % SEGMENTS

    k = np.arange(SEGMENTS)
    last = 1 + rings * SEGMENTS
    out = [np.stack([np.zeros_like(k), at(0, k), at(0, k + 1)], 1)]
    for r in range(rings - 1):
        out.append(np.stack([at(r, k), at(r + 1, k), at(r + 1, k + 1)], 1))
        out.append(np.stack([at(r, k), at(r + 1, k + 1), at(r, k + 1)], 1))
    out.append(np.stack([at(rings - 1, k), np.full_like(k, last), at(rings - 1, k + 1)], 1))
    return np.concatenate(out)


def _open_back_pole(uvs: Array, faces: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    pole = len(uvs) - 1
    uv_faces = faces.copy()
    extra = []
    for t in np.flatnonzero((faces == pole).any(1)):
        others = uvs[faces[t][faces[t] != pole]]
        direction = others.mean(0) - 0.5
        extra.append(0.5 + 0.5 * direction / np.linalg.norm(direction))
        uv_faces[t][faces[t] == pole] = pole + len(extra) - 1
    return np.concatenate([uvs[:-1], np.array(extra)]), uv_faces


def _mirror(rings: int) -> NDArray[np.int64]:
    k = np.arange(SEGMENTS)
    mirrored = (SEGMENTS // 2 - k) % SEGMENTS  # cos -> -cos, sin -> sin
    middle = 1 + np.arange(rings)[:, None] * SEGMENTS + mirrored
    return np.r_[0, middle.ravel(), 1 + rings * SEGMENTS]
