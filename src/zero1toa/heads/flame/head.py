"""FLAME as one of our heads."""

from __future__ import annotations

import numpy as np
import torch

from zero1toa.errors import AssetError

from ..bare import EYE_LEFT, EYE_RIGHT, SKIN, BareHead
from ..skinning import PoseCorrectives
from ..topology import JOINTS
from .file import FlameFile
from .model import FlameModel

# FLAME's joint of each of ours. FLAME's neck turns the whole head, so our neck and head joints both lie there and turn
# one after the other; all skin follows the second.
_FLAME_JOINT = (0, 1, 1, 2, 3, 4)
_CORRECTIVE_CHAINS = (
    (JOINTS.index("neck"), JOINTS.index("head")),
    (JOINTS.index("jaw"),),
    (JOINTS.index("eyeLeft"),),
    (JOINTS.index("eyeRight"),),
)
_JAW_OPEN = 0.2  # radians: opens the lips by some two centimetres
_EYEBALL = 0.99  # skin weight of an eye joint from which on a vertex belongs to the eyeball


def bare_flame(file: FlameFile) -> BareHead:
    """FLAME's mesh, identities, joints and pose correctives, in its own order of vertices.

    Raises:
        AssetError: the model has no eyeballs.
    """
    weights = np.zeros((len(file.template), len(JOINTS)))
    for ours in ("root", "head", "jaw", "eyeLeft", "eyeRight"):
        index = JOINTS.index(ours)
        weights[:, index] = file.weights[:, _FLAME_JOINT[index]]
    part = np.full(len(weights), SKIN, np.int8)
    for eye, name in ((EYE_LEFT, "eyeLeft"), (EYE_RIGHT, "eyeRight")):
        part[weights[:, JOINTS.index(name)] > _EYEBALL] = eye
    mixed = (part[file.faces] != part[file.faces[:, :1]]).any()
    if mixed or min((part == eye).sum() for eye in (EYE_LEFT, EYE_RIGHT)) < 3:
        raise AssetError("This FLAME model has no eyeballs of its own that its eye joints turn; give an unchanged one.")
    model = FlameModel.from_file(file, torch.float64)
    opening = torch.zeros(1, 5, 3, dtype=torch.float64)
    opening[0, 2, 0] = _JAW_OPEN
    opened = model.vertices(torch.zeros(1, 0, dtype=torch.float64), pose=opening)[0].numpy()
    joint_rows = np.array(_FLAME_JOINT)
    regressed = np.einsum("jv,ivc->ijc", file.joint_regressor, file.shapes)
    return BareHead(
        name=f"flame ({file.edition})",
        template=file.template,
        faces=file.faces,
        vertex_part=part,
        identity_basis=file.shapes,
        joints=(file.joint_regressor @ file.template)[joint_rows],
        joint_identity_basis=regressed[:, joint_rows],
        skin_weights=weights,
        open_mouth=opened - file.template,
        pose_correctives=PoseCorrectives(
            _CORRECTIVE_CHAINS, torch.from_numpy(file.pose_correctives.astype(np.float32))
        ),
        fingerprint=file.fingerprint,
    )
