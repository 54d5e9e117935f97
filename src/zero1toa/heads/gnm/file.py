"""GNM Head's file `gnm_head.npz`, version 3: read and checked.

Names, axes and units are those of its published loader and documentation (github.com/google/gnm, gnm/shape). The file
itself was not at hand when this was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zero1toa.arrays import DamagedArrays, read_arrays
from zero1toa.errors import AssetError, told

Array = NDArray[np.float64]

JOINTS = ("neck", "head", "left_eye", "right_eye")
NUM_POSE = 9 * len(JOINTS)
FILE = "gnm_head.npz"
GROUPS = ("skin_exterior", "left_eye", "right_eye", "eye_exteriors", "lower_teeth_and_gums")
"""The vertex groups that are used here."""

_MAJOR, _VARIANT = "3", "head"
_MOST_BYTES = 1 << 30  # that the file unpacks to; theirs has 136 MB of shapes
_MOST_VERTICES, _MOST_SHAPES = 200_000, 2000
_HEIGHT = (0.15, 0.6)  # metres from shoulders to crown
_FAR = 10.0  # metres; no displacement and no place is as far


@dataclass(frozen=True)
class GnmFile:
    """The content of the file. Metres, y up, the face to +z, the subject's left to +x."""

    template: Array  # (V, 3)
    faces: NDArray[np.int32]  # (T, 3)
    identities: NDArray[np.float32]  # (I, V, 3) per standard deviation
    identity_names: tuple[str, ...]  # (I,) such as "head_000"
    expressions: NDArray[np.float32]  # (E, V, 3)
    expression_names: tuple[str, ...]  # (E,) such as "lower_face_region_000"
    joints: Array  # (4, 3) order JOINTS
    joint_identities: Array  # (I, 4, 3)
    weights: Array  # (V, 4)
    pose_correctives: NDArray[np.float32]  # (36, V, 3) per entry of the rotation matrices less 1, all joints
    groups: dict[str, NDArray[np.bool_]]  # name -> (V,)


def read_gnm(path: str | Path) -> GnmFile:
    """Reads the user's GNM Head.

    Args:
        path: the npz, or the folder that holds it under its own name.

    Raises:
        AssetError: it is missing, damaged or another model.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        file = file / FILE
    try:
        content = read_arrays(file, _MOST_BYTES, lambda name: name in _NEEDED)
    except FileNotFoundError as error:
        raise AssetError(
            f"There is no file {file}; get GNM Head at https://github.com/google/gnm and say --head gnm:{FILE}."
        ) from error
    except (OSError, DamagedArrays) as error:
        raise AssetError(
            f"{path} cannot be read as an npz ({told(str(error))}); get a fresh copy of {FILE}."
        ) from error
    return check_gnm(content, str(path))


_NEEDED = (
    "version", "variant", "template_vertex_positions", "triangles", "vertex_identity_basis", "identity_names",
    "expression_basis", "expression_names", "template_joint_positions", "joint_identity_basis", "joint_names",
    "skinning_weights", "pose_correctives_regressor", "vertex_groups", "vertex_group_names",
)  # fmt: skip


def check_gnm(content: Mapping[str, Any], shown: str) -> GnmFile:
    """The model from arrays by GNM's names.

    Raises:
        AssetError: one is missing, has another shape, or holds what no head can have.
    """
    for name in _NEEDED:
        if name not in content:
            raise AssetError(f"{shown} is no GNM Head: it has no '{name}'.")
    version, variant = str(content["version"]), str(content["variant"])
    if version.split(".")[0] != _MAJOR or variant != _VARIANT:
        raise AssetError(
            f"{shown} is GNM '{variant[:20]}', version {version[:20]}; only the head of version 3 is known."
        )
    joint_names = _names(content, "joint_names", shown)
    if joint_names != JOINTS:
        raise AssetError(f"{shown} is no GNM Head of version 3: its joints are not {', '.join(JOINTS)}.")
    template = _numbers(content, "template_vertex_positions", (None, 3), shown)
    count = len(template)
    if not 0 < count <= _MOST_VERTICES:
        raise AssetError(f"{shown} is no GNM Head: it has {count} vertices.")
    height = float(np.ptp(template[:, 1]))
    if not _HEIGHT[0] < height < _HEIGHT[1]:
        raise AssetError(f"{shown} is {height:.3g} high, which is no head in metres.")
    identity_names = _names(content, "identity_names", shown)
    expression_names = _names(content, "expression_names", shown)
    people, faces = len(identity_names), _numbers(content, "triangles", (None, 3), shown)
    if not len(faces) or faces.min() < 0 or faces.max() >= count or (faces != np.floor(faces)).any():
        raise AssetError(f"{shown} is damaged: its triangles name vertices that it does not have.")
    weights = _numbers(content, "skinning_weights", (len(JOINTS), count), shown).T
    if weights.min() < -1e-4 or abs(weights.sum(1) - 1).max() > 1e-3:
        raise AssetError(f"{shown} is damaged: its skinning weights do not sum to 1.")
    group_names = _names(content, "vertex_group_names", shown)
    groups = _numbers(content, "vertex_groups", (len(group_names), count), shown)
    lacking = [name for name in GROUPS if name not in group_names]
    if lacking:
        raise AssetError(f"{shown} is no GNM Head of version 3: it has no vertex group {', '.join(lacking)}.")
    correctives = _numbers(content, "pose_correctives_regressor", (NUM_POSE, 3 * count), shown)
    return GnmFile(
        template=template,
        faces=faces.astype(np.int32),
        identities=_numbers(content, "vertex_identity_basis", (people, count, 3), shown).astype(np.float32),
        identity_names=identity_names,
        expressions=_numbers(content, "expression_basis", (len(expression_names), count, 3), shown).astype(np.float32),
        expression_names=expression_names,
        joints=_numbers(content, "template_joint_positions", (len(JOINTS), 3), shown),
        joint_identities=_numbers(content, "joint_identity_basis", (people, len(JOINTS), 3), shown),
        weights=weights,
        pose_correctives=correctives.astype(np.float32).reshape(NUM_POSE, count, 3),
        groups={name: groups[group_names.index(name)] > 0.5 for name in GROUPS},
    )


def _names(content: Mapping[str, Any], name: str, shown: str) -> tuple[str, ...]:
    array = np.asarray(content[name])
    if array.ndim != 1 or array.dtype.kind != "U" or not 0 < len(array) <= _MOST_SHAPES:
        raise AssetError(f"{shown} is no GNM Head: its '{name}' is no list of names.")
    return tuple(str(text) for text in array)


def _numbers(content: Mapping[str, Any], name: str, shape: tuple[int | None, ...], shown: str) -> Array:
    array = np.asarray(content[name])
    if array.dtype.kind not in "fiu":
        raise AssetError(f"{shown} is no GNM Head: its '{name}' holds no numbers.")
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        expected = " x ".join("n" if n is None else str(n) for n in shape)
        found = " x ".join(map(str, array.shape)) or "a single number"
        raise AssetError(f"{shown} is no GNM Head: its '{name}' is {found} instead of {expected}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all() or (name != "triangles" and (abs(array) > _FAR).any()):
        raise AssetError(f"{shown} is damaged: its '{name}' holds values that no head has.")
    return array
