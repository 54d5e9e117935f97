"""ICT-FaceKit's face model as one of our heads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import AssetError

from .. import arkit
from ..bare import EYE_LEFT, EYE_RIGHT, PARTS, SKIN, BareHead
from ..fingerprint import fingerprint
from ..guessed_joints import guessed_joints, joints_of_people
from ..model import LinearHead
from .file import EXPRESSIONS, NUM_VERTICES, IctFile

Array = NDArray[np.float64]

# Ranges of vertices, from the tables of its README, which counts gums and tongue as one: in the published mesh the
# tongue begins at 16611, where the fewest edges cross. Iris discs, tear fluid, blending and shadow meshes round the
# eyes are for shaders that see through the eyeball's outer shell, and are left out; eyes are painted on that shell. So
# are its lashes: they are broad strips that only a picture of hairs makes thin.
FACE_AND_HEAD = (0, 11248)
MOUTH = (11248, 13294)
SOCKETS = (13294, 14062)
GUMS, TONGUE = (14062, 16611), (16611, 17039)
TEETH_UPPER, TEETH_LOWER = (17039, 19247), (19247, 21451)
EYEBALLS = ((21451, 22221), (23021, 23791))

PART_NAMES = (*PARTS, "mouth", "tongue", "gumsUpper", "gumsLower", "teethUpper", "teethLower")

_WHOLE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")  # go to a side and are none of a pair of halves
_LEFT_OUT = -1
_WITH_JAW = 0.2  # share of the lower teeth's movement from which on gum is below
_OPEN = 0.4  # of jawOpen, as in `dress`


def movements(names: tuple[str, ...] = EXPRESSIONS) -> dict[str, tuple[str, ...]]:
    """Which of its shapes, added, say an ARKit movement.

    Its README: the names are Apple's with `_L` and `_R` for Left and Right (of the subject), but browInnerUp and
    cheekPuff come in halves. tongueOut it lacks.
    """
    out: dict[str, tuple[str, ...]] = {}
    for name in arkit.NAMES:
        sided = name if name in _WHOLE else name.replace("Left", "_L").replace("Right", "_R")
        halves = (sided,) if sided in EXPRESSIONS else (f"{name}_L", f"{name}_R")
        if all(half in names for half in halves):
            out[name] = halves
    return out


def bare_ict(file: IctFile, own: LinearHead) -> BareHead:
    """Its skin, eyeballs, mouth, gums, tongue, teeth and lashes, its people and its movements.

    Args:
        file: what `read_ict` read.
        own: the default head, which says where joints lie.

    Raises:
        AssetError: parts are missing.
    """
    part = _parts(file)
    kept = part[file.faces].min(1) != _LEFT_OUT
    used = np.unique(file.faces[kept])
    missing = [name for k, name in enumerate(PART_NAMES) if not (part[used] == k).any()]
    if missing:
        raise AssetError(f"This copy of ICT-FaceKit has no {', no '.join(missing)}; give an unchanged one.")
    number = np.full(NUM_VERTICES, -1, np.int32)
    number[used] = np.arange(len(used))
    vertex_part = part[used].astype(np.int8)
    identities = file.identities[:, used].astype(np.float64)
    rows = [np.flatnonzero(vertex_part == eye) for eye in (EYE_LEFT, EYE_RIGHT)]
    centers = np.stack([_middle(file.template[used][eye]) for eye in rows])
    # Brought to where the default head's eyes are: its own origin means nothing here.
    own_eyes = own.joint_template[-2:].double().numpy()
    template = file.template[used] + (own_eyes.mean(0) - centers.mean(0))
    joints = guessed_joints(own, centers + (own_eyes.mean(0) - centers.mean(0)))
    skin = vertex_part == SKIN
    own_movements = {
        name: np.sum([file.expressions[half][used] for half in halves], 0, np.float64)
        for name, halves in movements(tuple(file.expressions)).items()
    }
    return BareHead(
        name="ict",
        template=template,
        faces=number[file.faces[kept]],
        vertex_part=vertex_part,
        identity_basis=identities,
        joints=joints,
        joint_identity_basis=joints_of_people(
            joints,
            template[skin],
            identities[:, skin],
            (identities[:, rows[0]].mean(1), identities[:, rows[1]].mean(1)),
        ),
        skin_weights=None,
        open_mouth=_OPEN * own_movements["jawOpen"],
        pose_correctives=None,
        fingerprint=fingerprint({"t": file.template, "f": file.faces, "s": file.identities[:10]}),
        part_names=PART_NAMES,
        movements=own_movements,
    )


def _middle(eyeball: Array) -> Array:
    """The eyeball's centre: it is a closed shell, whose cornea stands out."""
    middle: Array = (eyeball.min(0) + eyeball.max(0)) / 2
    return middle


def _parts(file: IctFile) -> NDArray[np.int64]:
    """(26719,) index into PART_NAMES, or `_LEFT_OUT`."""
    part = np.full(NUM_VERTICES, _LEFT_OUT)
    index = {name: k for k, name in enumerate(PART_NAMES)}
    for name, (start, stop) in (
        ("skin", FACE_AND_HEAD), ("skin", SOCKETS), ("mouth", MOUTH), ("gumsUpper", GUMS), ("tongue", TONGUE),
        ("teethUpper", TEETH_UPPER), ("teethLower", TEETH_LOWER), ("eyeLeft", EYEBALLS[0]), ("eyeRight", EYEBALLS[1]),
    ):  # fmt: skip
        part[start:stop] = index[name]
    moved = np.linalg.norm(file.expressions["jawOpen"], axis=1)
    below = moved[slice(*GUMS)] > _WITH_JAW * np.median(moved[slice(*TEETH_LOWER)])
    part[slice(*GUMS)][below] = index["gumsLower"]
    return part
