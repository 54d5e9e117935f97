"""FLAME's file: read, told apart, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zero1toa.arrays import DamagedArrays, read_arrays
from zero1toa.errors import AssetError

from ..fingerprint import fingerprint
from .unpickle import read_pickle

Array = NDArray[np.float64]

NUM_VERTICES, NUM_FACES, NUM_JOINTS = 5023, 9976, 5
NUM_SHAPE, NUM_EXPRESSION = 300, 100
NUM_POSE = 9 * (NUM_JOINTS - 1)
JOINT_PARENTS = (-1, 0, 1, 1, 1)
"""Root, neck, jaw, left eye, right eye."""

UNKNOWN = "edition unknown"
_ARRAYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_MOST_BYTES = 512 << 20  # of a file and of what an npz unpacks to; FLAME's have 50 to 80 MB
_HEIGHT = (0.15, 0.6)  # metres from chin or chest to crown: the model is in metres, not in millimetres


@dataclass(frozen=True)
class FlameFile:
    """The content of a FLAME file. Metres, y up, the face to +z, the subject's left to +x."""

    edition: str  # "2020", "2023", "2023 Open" or `UNKNOWN`
    template: Array  # (5023, 3)
    faces: NDArray[np.int32]  # (9976, 3)
    shapes: Array  # (300, 5023, 3) per standard deviation
    expressions: Array  # (100, 5023, 3)
    pose_correctives: Array  # (36, 5023, 3) per entry of the rotation matrices of all joints but the root, less 1
    joint_regressor: Array  # (5, 5023)
    weights: Array  # (5023, 5)

    @property
    def fingerprint(self) -> int:
        """A number that tells one model from another."""
        return fingerprint({"t": self.template, "f": self.faces, "s": self.shapes[:10], "e": self.expressions[:10]})


def read_flame(path: str | Path) -> FlameFile:
    """Reads the user's FLAME 2020, 2023 or 2023 Open, a pickle or an npz.

    Raises:
        AssetError: the file is missing, damaged, asks to run code, or is no FLAME model.
    """
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise AssetError(
                f"{path} is too large for a FLAME model; give the model's file, such as generic_model.pkl."
            )
        raw = file.read_bytes()
    except OSError as error:
        raise AssetError(
            f"The FLAME model {path} cannot be read ({(error.strerror or 'unknown error').lower()}); get yours at "
            "https://flame.is.tue.mpg.de and say --head flame:FILE."
        ) from error
    content = _read_npz(raw, str(path)) if raw[:2] == b"PK" else read_pickle(raw, str(path))
    return check_flame(content, str(path), edition_of(file))


def edition_of(path: Path) -> str:
    """The edition, by the names that its publisher gives: no field of the file says it.

    The 2020 edition is `FLAME2020/generic_model.pkl`, 2023 is `flame2023.pkl` (or `flame2023_no_jaw.pkl`), 2023 Open is
    `flame2023_Open.pkl`.
    """
    name, parent = path.name.lower(), path.resolve().parent.name.lower()
    for text in (name, parent):
        if "2023" in text:
            return "2023 Open" if "open" in text else "2023"
        if "2020" in text:
            return "2020"
    return UNKNOWN


def check_flame(content: Mapping[str, Any], shown: str, edition: str = UNKNOWN) -> FlameFile:
    """The model from arrays by FLAME's names.

    Args:
        content: `v_template`, `f`, `shapedirs`, `posedirs`, `J_regressor`, `weights`, `kintree_table`; others are
            passed over.
        shown: the file's name, for messages.
        edition: what the file is taken to be.

    Raises:
        AssetError: an array is missing, has another shape, or holds what no head can have.
    """
    template = _numbers(content, "v_template", (-1, 3), shown)
    if len(template) != NUM_VERTICES:
        known = {6890: "SMPL, a body", 10475: "SMPL-X, a body", 778: "MANO, a hand"}.get(len(template))
        what = f"it is {known}" if known else f"it has {len(template)} vertices instead of {NUM_VERTICES}"
        raise AssetError(f"{shown} is no FLAME head: {what}.")
    faces = _numbers(content, "f", (NUM_FACES, 3), shown)
    if faces.min() < 0 or faces.max() >= NUM_VERTICES or (faces != np.floor(faces)).any():
        raise AssetError(f"{shown} is damaged: its triangles name vertices that it does not have.")
    shapes = _numbers(content, "shapedirs", (NUM_VERTICES, 3, -1), shown)
    if shapes.shape[2] != NUM_SHAPE + NUM_EXPRESSION:
        raise AssetError(
            f"{shown} has {shapes.shape[2]} shapes instead of {NUM_SHAPE} of identity and {NUM_EXPRESSION} of "
            "expression; give the full model of FLAME 2020 or 2023."
        )
    poses = _pose_correctives(content, shown)
    regressor = _numbers(content, "J_regressor", (NUM_JOINTS, NUM_VERTICES), shown)
    weights = _numbers(content, "weights", (NUM_VERTICES, NUM_JOINTS), shown)
    if weights.min() < -1e-4 or abs(weights.sum(1) - 1).max() > 1e-3:
        raise AssetError(f"{shown} is damaged: its skinning weights do not sum to 1.")
    parents = _numbers(content, "kintree_table", (2, NUM_JOINTS), shown)[0]
    if tuple(parents[1:]) != JOINT_PARENTS[1:]:
        raise AssetError(f"{shown} is no FLAME head: its joints hang together in another way.")
    height = float(np.ptp(template[:, 1]))
    if not _HEIGHT[0] < height < _HEIGHT[1]:
        raise AssetError(f"{shown} is {height:.3g} high, which is no head in metres.")
    return FlameFile(
        edition=edition,
        template=template,
        faces=faces.astype(np.int32),
        shapes=np.ascontiguousarray(shapes[..., :NUM_SHAPE].transpose(2, 0, 1)),
        expressions=np.ascontiguousarray(shapes[..., NUM_SHAPE:].transpose(2, 0, 1)),
        pose_correctives=poses,
        joint_regressor=regressor,
        weights=weights,
    )


def _pose_correctives(content: Mapping[str, Any], shown: str) -> Array:
    """(36, V, 3). FLAME writes (V, 3, 36)."""
    return np.ascontiguousarray(_numbers(content, "posedirs", (NUM_VERTICES, 3, NUM_POSE), shown).transpose(2, 0, 1))


def _numbers(content: Mapping[str, Any], name: str, shape: tuple[int, ...], shown: str) -> Array:
    if name not in content:
        raise AssetError(f"{shown} is no FLAME model: it has no '{name}'.")
    try:
        array = np.asarray(content[name])
        if array.dtype.kind not in "fiu":
            raise ValueError
        array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise AssetError(f"{shown} is no FLAME model: its '{name}' holds no numbers.") from error
    fits = array.ndim == len(shape) and all(want in (-1, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        expected = " x ".join("n" if n < 0 else str(n) for n in shape)
        found = " x ".join(map(str, array.shape)) or "a single number"
        raise AssetError(f"{shown} is no FLAME model: its '{name}' is {found} instead of {expected}.")
    if not np.isfinite(array).all():
        raise AssetError(f"{shown} is damaged: its '{name}' holds values that are not numbers.")
    return array


def _read_npz(raw: bytes, shown: str) -> dict[str, Any]:
    try:
        return dict(read_arrays(raw, _MOST_BYTES, lambda name: name in _ARRAYS))
    except DamagedArrays as error:
        raise AssetError(f"{shown} cannot be read as an npz ({error}); get a fresh copy.") from error
