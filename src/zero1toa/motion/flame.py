"""Motions of FLAME, in the npz layout of GaussianAvatars and VHAP.

What has a meaning by itself is mapped exactly, from FLAME's axes, which are ours:

* the root's `rotation` and `neck_pose`: rotation vectors; the root's turn goes into the head, whose shoulders stay;
* `jaw_pose`: its x opens (jawOpen 1 is the angle by which that shape turns the lower teeth of our head), its y is
  jawLeft and jawRight (by how far those move the teeth to the side);
* `eyes_pose`: the eyeLook weights, and rotations for what is beyond their reach;
* `eyelids`, where a tracker has written them: eyeBlink, left and right.

The components of `expr` are directions in FLAME's own basis, which is not ours to ship, so without FLAME or a mapping
they say nothing and are left out. With the user's FLAME they and the jaw become ARKit weights together, by
`heads.flame.language`. A mapping is an npz or npy file with a matrix (E, 52) from the first E components to ARKit
weights, under the name `mapping` in an npz, there optionally with `bias` (52,).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zero1toa.arrays import DamagedArrays, read_array, read_arrays
from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.heads.names import head_kind

from .gaze import write_gaze_angles
from .motion import LONGEST_SECONDS, Motion, check_fps, too_long

FPS = 25.0
"""Of a file that does not say: that of the sequences that GaussianAvatars is trained and shown on."""

JAW_OPEN_RADIANS = 0.404
"""By which jawOpen at 1 turns the lower teeth of the default head about its jaw joint (a rigid fit of the shape)."""

JAW_SIDE_RADIANS = 0.117
"""By which jawLeft at 1 moves them to the side: 6.6 mm at 56.6 mm from the joint."""

_MOST_MAPPING = 64 << 20  # bytes; a mapping of 100 components has 40 kB
_NEEDED = ("expr", "jaw_pose", "neck_pose", "eyes_pose", "rotation")


class FlameMotion(NamedTuple):
    """A motion, and what the user should know about how it was read."""

    motion: Motion
    warnings: tuple[str, ...]


def is_flame(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether arrays have the names of that layout."""
    return "jaw_pose" in arrays and "expr" in arrays


def read_flame(
    arrays: Mapping[str, NDArray[Any]],
    shown: str,
    fps: float | None = None,
    mapping: str | Path | None = None,
    head: str | None = None,
) -> FlameMotion:
    """A motion from FLAME's parameters over time.

    Args:
        arrays: `rotation`, `neck_pose`, `jaw_pose` (F, 3), `eyes_pose` (F, 6), `expr` (F, E); optionally `eyelids`
            (F, 2). Others are not looked at.
        shown: how errors call the file.
        fps: frame rate; by default what `fps` in the file says, else 25.
        mapping: a file with a mapping of `expr`; see the module.
        head: the FLAME that the parameters are of, such as `flame:FILE`; a mapping goes before it.

    Raises:
        AssetError: the head's file cannot be used.
        InputError: an array is missing, has the wrong shape or holds something that is no number.
    """
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise InputError(f"{shown} is no FLAME sequence as GaussianAvatars writes it: it lacks {', '.join(missing)}.")
    frames = len(np.atleast_1d(arrays["expr"]))
    said = np.ravel(arrays["fps"])[:1].tolist() if "fps" in arrays else [FPS]
    rate = check_fps(fps if fps is not None else said[0] if said else float("nan"))
    if frames > LONGEST_SECONDS * rate:
        raise too_long(shown)
    root, neck, jaw, eyes = (
        _array(arrays, name, (frames, width), shown)
        for name, width in (("rotation", 3), ("neck_pose", 3), ("jaw_pose", 3), ("eyes_pose", 6))
    )
    expression = _array(arrays, "expr", None, shown)
    warnings = []
    if mapping is not None:
        weights = _mapped(expression, Path(mapping), shown)
        _write_jaw(weights, jaw)
    elif head is not None:
        weights = _translated(expression, jaw, eyes, head, shown)
    else:
        weights = np.zeros((frames, len(arkit.NAMES)))
        if expression.any():
            warnings.append(
                f"The {expression.shape[1]} expression components of {shown} were left out: they have no meaning "
                "without your FLAME (--head flame:FILE) or a mapping (--flame-mapping)."
            )
        _write_jaw(weights, jaw)
    if "eyelids" in arrays:
        lids = _array(arrays, "eyelids", (frames, 2), shown)
        for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
            weights[:, arkit.INDEX[name]] = lids[:, side].clip(0, 1)
    turns = eyes.reshape(frames, 2, 3).copy()
    turns[..., :2] = write_gaze_angles(weights, turns[..., :2])
    return FlameMotion(
        Motion.of(rate, weights, head_after_neck(root, neck), neck, turns if turns.any() else None), tuple(warnings)
    )


def head_after_neck(root: NDArray[np.float64], neck: NDArray[np.float64]) -> NDArray[np.float64]:
    """The head's rotation (F, 3) after the neck's that leaves the face turned as root and neck turn it."""
    from scipy.spatial.transform import Rotation

    necks = Rotation.from_rotvec(neck)
    head: NDArray[np.float64] = (necks.inv() * Rotation.from_rotvec(root) * necks).as_rotvec()
    return head


def _translated(
    expression: NDArray[np.float64], jaw: NDArray[np.float64], eyes: NDArray[np.float64], head: str, shown: str
) -> NDArray[np.float64]:
    """(F, 52) weights that say the same face on the user's FLAME."""
    from zero1toa.heads.flame.file import NUM_EXPRESSION, read_flame
    from zero1toa.heads.flame.language import FlameExpression, FlameLanguage
    from zero1toa.heads.model import LinearHead
    from zero1toa.heads.names import head_file
    from zero1toa.portrait.open_head import open_head

    if head_kind(head) != "flame":
        raise InputError(f"{shown} is in FLAME's language, of which the head '{head}' knows nothing: say flame:FILE.")
    if expression.shape[1] > NUM_EXPRESSION:
        raise InputError(f"{shown} has {expression.shape[1]} expression components; FLAME has {NUM_EXPRESSION}.")
    model = open_head(head)
    assert isinstance(model, LinearHead)
    language = FlameLanguage(read_flame(head_file(head)[1]), model)
    return language.to_arkit(FlameExpression(expression, jaw, eyes.reshape(-1, 2, 3)))


def _write_jaw(weights: NDArray[np.float64], jaw: NDArray[np.float64]) -> None:
    """The jaw's rotation decides its four shapes, whatever a mapping says: FLAME has it apart from `expr`."""
    side = jaw[:, 1] / JAW_SIDE_RADIANS
    for name, value in (("jawOpen", jaw[:, 0] / JAW_OPEN_RADIANS), ("jawLeft", side), ("jawRight", -side)):
        weights[:, arkit.INDEX[name]] = value.clip(0, 1)


def _mapped(expression: NDArray[np.float64], path: Path, shown: str) -> NDArray[np.float64]:
    """(F, 52) weights in [0, 1]."""
    source = path.expanduser()
    if not source.is_file():
        raise InputError(f"There is no mapping file {path}.")
    try:
        with open(source, "rb") as file:
            packed = file.read(2) == b"PK"
        given = read_arrays(source, _MOST_MAPPING) if packed else {"mapping": read_array(source, _MOST_MAPPING)}
    except (OSError, DamagedArrays) as error:
        raise InputError(f"{path} is no mapping of FLAME's expressions: it cannot be read as npz or npy.") from error
    matrix, bias = given.get("mapping"), given.get("bias", np.zeros(len(arkit.NAMES)))
    if any(array is not None and array.dtype.kind not in "fiu" for array in (matrix, bias)):
        raise InputError(f"{path} holds a mapping of something else than numbers.")
    if matrix is None or matrix.ndim != 2 or matrix.shape[1] != len(arkit.NAMES) or bias.shape != (len(arkit.NAMES),):
        raise InputError(f"{path} holds no mapping (E, 52) of FLAME's expressions to ARKit weights.")
    if len(matrix) > expression.shape[1]:
        raise InputError(f"{path} maps {len(matrix)} components, but {shown} has {expression.shape[1]}.")
    with np.errstate(over="ignore", invalid="ignore"):  # infinite numbers are refused below
        weights: NDArray[np.float64] = (expression[:, : len(matrix)] @ matrix + bias).clip(0, 1)
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds a value that is not a number.")
    return weights


def _array(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...] | None, shown: str
) -> NDArray[np.float64]:
    if arrays[name].dtype.kind not in "fiu":
        raise InputError(f"{shown} holds no numbers in {name}.")
    array = arrays[name].astype(np.float64)
    if array.ndim != 2 or not len(array) or (shape is not None and array.shape != shape):
        raise InputError(f"{shown} holds {name} of the shape {array.shape}, not {shape or '(F, components)'}.")
    if not np.isfinite(array).all():
        raise InputError(f"{shown} holds a value that is not a number, in {name}.")
    return array
