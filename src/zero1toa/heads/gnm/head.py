"""GNM Head as one of our heads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa.errors import AssetError

from ..bare import EYE_LEFT, EYE_RIGHT, SKIN, BareHead
from ..fingerprint import fingerprint
from ..guessed_joints import guessed_joints, joints_of_people
from ..model import LinearHead
from ..skinning import PoseCorrectives
from ..topology import JOINTS
from .file import GnmFile

Array = NDArray[np.float64]

_LEFT_OUT = -1
# GNM's joint of each of ours but the jaw, which it has not. Its root is the neck, on which the shoulders stand; what
# its head joint turns, our neck and head joints turn one after the other, as with FLAME.
_GNM_JOINT = {"root": 0, "neck": 1, "head": 1, "eyeLeft": 2, "eyeRight": 3}
_CORRECTIVE_CHAINS = (
    (JOINTS.index("root"),),
    (JOINTS.index("neck"), JOINTS.index("head")),
    (JOINTS.index("eyeLeft"),),
    (JOINTS.index("eyeRight"),),
)
_PEOPLE = ("head_", "eyes_", "eyeballs_")  # identities that are used: teeth are ours. Eyes had another name once
_LOWER_FACE = ("lower_face_region_", "mouth_")  # expressions of mouth and jaw, and their older name
_OPENING = 0.012  # metres by which the lower teeth go down in a mouth that is open enough to tell the lips apart


def bare_gnm(file: GnmFile, own: LinearHead) -> BareHead:
    """Its outer skin and eyeballs, its people, joints and pose correctives; movements, mouth and teeth are ours.

    Args:
        file: what `read_gnm` read.
        own: the default head, which says where the jaw's joint lies.

    Raises:
        AssetError: parts are missing.
    """
    part = np.full(len(file.template), _LEFT_OUT)
    part[file.groups["skin_exterior"]] = SKIN
    for eye, name in ((EYE_LEFT, "left_eye"), (EYE_RIGHT, "right_eye")):
        part[file.groups[name] & file.groups["eye_exteriors"]] = eye
    kept = (part[file.faces] != _LEFT_OUT).all(1) & (part[file.faces] == part[file.faces[:, :1]]).all(1)
    used = np.unique(file.faces[kept])
    vertex_part = part[used].astype(np.int8)
    if min((vertex_part == k).sum() for k in (SKIN, EYE_LEFT, EYE_RIGHT)) < 3:
        raise AssetError("This GNM Head has no outer skin, or no eyeballs; give an unchanged one.")
    number = np.full(len(file.template), -1, np.int32)
    number[used] = np.arange(len(used))
    people = [k for k, name in enumerate(file.identity_names) if name.startswith(_PEOPLE)]
    if not people:
        raise AssetError("This GNM Head has no people (identities 'head_000' and so on); give an unchanged one.")
    own_eyes = own.joint_template[-2:].double().numpy()
    shift = own_eyes.mean(0) - file.joints[2:].mean(0)  # to where the default head's eyes are
    template = file.template[used] + shift
    identities = file.identities[people][:, used].astype(np.float64)
    joints = guessed_joints(own, file.joints[2:] + shift)
    skin = vertex_part == SKIN
    theirs = file.joint_identities[people]
    basis = joints_of_people(joints, template[skin], identities[:, skin], (theirs[:, 2], theirs[:, 3]))
    weights = np.zeros((len(used), len(JOINTS)))
    for name, index in _GNM_JOINT.items():
        joints[JOINTS.index(name)] = file.joints[index] + shift
        basis[:, JOINTS.index(name)] = theirs[:, index]
        if name != "neck":
            weights[:, JOINTS.index(name)] = file.weights[used, index]
    return BareHead(
        name="gnm",
        template=template,
        faces=number[file.faces[kept]],
        vertex_part=vertex_part,
        identity_basis=identities,
        joints=joints,
        joint_identity_basis=basis,
        skin_weights=weights / weights.sum(1, keepdims=True),
        open_mouth=_open_mouth(file)[used],
        pose_correctives=PoseCorrectives(_CORRECTIVE_CHAINS, torch.from_numpy(file.pose_correctives[:, used])),
        fingerprint=fingerprint({"t": file.template, "f": file.faces, "s": file.identities[:10]}),
    )


def _open_mouth(file: GnmFile) -> Array:
    """(V, 3) the likeliest face (the least sum of squared components) whose lower teeth are so much lower.

    GNM has no jaw joint: its components of the lower face move the teeth.
    """
    lower = [k for k, name in enumerate(file.expression_names) if name.startswith(_LOWER_FACE)]
    teeth = file.groups["lower_teeth_and_gums"]
    down = -file.expressions[lower][:, teeth, 1].mean(1).astype(np.float64) if lower and teeth.any() else np.zeros(0)
    size = float(down @ down)
    if size == 0:
        raise AssetError("This GNM Head cannot open its mouth; give an unchanged one.")
    opened: Array = np.tensordot(down * (_OPENING / size), file.expressions[lower], 1)
    return opened
