"""ICT-FaceKit's folder FaceXModel: read and checked.

Its README says what each range of vertices is; a shape is an OBJ file of the same mesh, and what it adds is its
difference from `generic_neutral_mesh.obj`. Lengths are in centimetres.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import AssetError

Array = NDArray[np.float64]

NUM_VERTICES = 26719
FOLDER = "FaceXModel"
NEUTRAL = "generic_neutral_mesh.obj"
EXPRESSIONS: tuple[str, ...] = (
    "browDown_L", "browDown_R", "browInnerUp_L", "browInnerUp_R", "browOuterUp_L", "browOuterUp_R", "cheekPuff_L",
    "cheekPuff_R", "cheekSquint_L", "cheekSquint_R", "eyeBlink_L", "eyeBlink_R", "eyeLookDown_L", "eyeLookDown_R",
    "eyeLookIn_L", "eyeLookIn_R", "eyeLookOut_L", "eyeLookOut_R", "eyeLookUp_L", "eyeLookUp_R", "eyeSquint_L",
    "eyeSquint_R", "eyeWide_L", "eyeWide_R", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthDimple_L", "mouthDimple_R", "mouthFrown_L", "mouthFrown_R", "mouthFunnel", "mouthLeft", "mouthLowerDown_L",
    "mouthLowerDown_R", "mouthPress_L", "mouthPress_R", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmile_L", "mouthSmile_R", "mouthStretch_L",
    "mouthStretch_R", "mouthUpperUp_L", "mouthUpperUp_R", "noseSneer_L", "noseSneer_R",
)  # fmt: skip
"""The list `expressions` of its vertex_indices.json, in that order; each is a file."""

_METRES = 0.01  # per unit
_MOST_BYTES = 1 << 25  # of one OBJ; theirs have 2.6 MB
_MOST_IDENTITIES = 1000  # theirs are 100
_FARTHEST = 100.0  # centimetres from the origin: the head is 34 high


@dataclass(frozen=True)
class IctFile:
    """The content of the folder. Metres, y up, the face to +z, the subject's left to +x."""

    template: Array  # (26719, 3)
    faces: NDArray[np.int32]  # (T, 3)
    identities: NDArray[np.float32]  # (I, 26719, 3) per standard deviation
    expressions: dict[str, NDArray[np.float32]]  # by its names, (26719, 3) at weight 1


def read_ict(path: str | Path) -> IctFile:
    """Reads the user's copy of ICT-FaceKit.

    Args:
        path: the folder FaceXModel, or the one that holds it.

    Raises:
        AssetError: files are missing, damaged, or of another mesh.
    """
    folder = Path(path).expanduser()
    if (folder / FOLDER).is_dir():
        folder = folder / FOLDER
    if not folder.is_dir():
        raise AssetError(
            f"There is no folder {path}; get ICT-FaceKit at https://github.com/ICT-VGL/ICT-FaceKit and give its "
            f"{FOLDER} by --head ict:FOLDER."
        )
    if not (folder / NEUTRAL).is_file():
        raise AssetError(f"{path} is not ICT-FaceKit's {FOLDER}: it has no {NEUTRAL}.")
    raw = _bytes(folder / NEUTRAL)
    template, faces = _vertices(raw, NEUTRAL), _triangles(raw)
    identities: list[NDArray[np.float32]] = []
    while (file := folder / f"identity{len(identities):03d}.obj").is_file() and len(identities) < _MOST_IDENTITIES:
        identities.append(_shape(file, template))
    if not identities:
        raise AssetError(f"{path} has no people: identity000.obj is missing; get a complete copy of ICT-FaceKit.")
    expressions = {n: _shape(folder / f"{n}.obj", template) for n in EXPRESSIONS if (folder / f"{n}.obj").is_file()}
    if "jawOpen" not in expressions:
        raise AssetError(f"{path} has no jawOpen.obj; get a complete copy of ICT-FaceKit.")
    return IctFile(template, faces, np.stack(identities), expressions)


def _shape(file: Path, template: Array) -> NDArray[np.float32]:
    return (_vertices(_bytes(file), file.name) - template).astype(np.float32)


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise AssetError(f"{file.name} is too large for a shape of ICT-FaceKit.")
        return file.read_bytes()
    except OSError as error:
        raise AssetError(f"{file} cannot be read ({(error.strerror or 'unknown error').lower()}).") from error


def _vertices(raw: bytes, shown: str) -> Array:
    """(26719, 3) metres."""
    lines = [line[2:] for line in raw.split(b"\n") if line.startswith(b"v ")]
    if len(lines) != NUM_VERTICES:
        raise AssetError(f"{shown} has {len(lines)} vertices; those of ICT-FaceKit have {NUM_VERTICES}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of text that is no number, where it stops
        values = np.fromstring(b" ".join(lines).decode("latin-1"), np.float64, sep=" ")
    if values.size != 3 * NUM_VERTICES or not (abs(values) < _FARTHEST).all():
        raise AssetError(f"{shown} is damaged: it holds vertices that are no places.")
    return values.reshape(-1, 3) * _METRES


def _triangles(raw: bytes) -> NDArray[np.int32]:
    """(T, 3) the polygons, cut into fans."""
    triangles: list[Sequence[int]] = []
    try:
        for line in raw.split(b"\n"):
            if line.startswith(b"f "):
                corners = [int(corner.split(b"/")[0]) - 1 for corner in line[2:].split()]
                triangles += [(corners[0], b, c) for b, c in pairwise(corners[1:])]
        faces = np.array(triangles, np.int64).reshape(-1, 3)
    except (ValueError, OverflowError) as error:
        raise AssetError(f"{NEUTRAL} is damaged: a polygon has no corners.") from error
    if not len(faces) or faces.min() < 0 or faces.max() >= NUM_VERTICES:
        raise AssetError(f"{NEUTRAL} is damaged: its polygons name vertices that it does not have.")
    return faces.astype(np.int32)
