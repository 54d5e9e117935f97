"""Joints for heads that bring none but their eyeballs: where ours lie, seen from the eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .model import LinearHead
from .topology import JOINTS

Array = NDArray[np.float64]

_EYES = [JOINTS.index("eyeLeft"), JOINTS.index("eyeRight")]
_HELD_BY = 100  # skin vertices that carry a joint from person to person
_SOFT = 0.01  # metres: keeps the nearest of them from deciding alone


def guessed_joints(own: LinearHead, eyes: Array) -> Array:
    """(6, 3) joints of a head with eyes (2, 3), left and right: ours, as far apart as the eyes say."""
    ours = own.joint_template.double().numpy()
    scale = np.linalg.norm(eyes[0] - eyes[1]) / np.linalg.norm(np.subtract(*ours[_EYES]))
    joints: Array = eyes.mean(0) + scale * (ours - ours[_EYES].mean(0))
    joints[_EYES] = eyes
    return joints


def joints_of_people(joints: Array, skin: Array, identity_basis: Array, eyes: tuple[Array, Array]) -> Array:
    """(I, 6, 3) how the joints (6, 3) move with the identity.

    Args:
        joints: of the mean head.
        skin: (S, 3) vertices of the mean head.
        identity_basis: (I, S, 3) of those vertices.
        eyes: (I, 3) twice, of the left and the right eyeball's centre.
    """
    distance, near = cKDTree(skin).query(joints, min(_HELD_BY, len(skin)))
    share = 1 / (distance + _SOFT) ** 2
    share /= share.sum(1, keepdims=True)
    basis: Array = np.stack([np.einsum("jh,jhc->jc", share, shape[near]) for shape in identity_basis])
    basis[:, _EYES[0]], basis[:, _EYES[1]] = eyes
    return basis
