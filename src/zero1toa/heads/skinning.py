"""Rotations about joints and linear blend skinning, batched and differentiable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import arkit
from .arkit import GAZE_DEGREES as GAZE_DEGREES
from .topology import JOINTS, PARENTS

_FIRST_EYE = JOINTS.index("eyeLeft")  # the right eye follows, nothing else does
_JAW_OPEN = arkit.INDEX["jawOpen"]
_MOUTH_CLOSE = arkit.INDEX["mouthClose"]


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rotation vectors (..., 3), radians, to matrices (..., 3, 3); smooth at zero, where the gradient is exact.

    Rodrigues' formula with sin(t)/t and (1 - cos(t))/t^2; below 0.01 rad both come from their Taylor series.
    """
    square = (axis_angle * axis_angle).sum(-1)
    small = square < 1e-4
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    first = torch.where(small, 1 - square / 6 + square * square / 120, angle.sin() / angle)
    second = torch.where(small, 0.5 - square / 24 + square * square / 720, (1 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + first[..., None, None] * cross + second[..., None, None] * (cross @ cross)


def valid_expression(expression: Tensor) -> Tensor:
    """The weights (..., 52) that move the vertices: mouthClose is a corrective of jawOpen and never exceeds it."""
    close = torch.minimum(expression[..., _MOUTH_CLOSE], expression[..., _JAW_OPEN].clamp_min(0))
    return torch.cat([expression[..., :_MOUTH_CLOSE], close[..., None], expression[..., _MOUTH_CLOSE + 1 :]], -1)


def _gaze_matrix() -> Tensor:
    """(52, 2, 3): rotation vector of the left and the right eyeball per unit of each ARKit weight.

    Positive about x looks down, positive about y looks to the subject's left (+x). The sum of the four movements is
    one rotation vector in the xy plane, so the eye does not roll (Listing's law).
    """
    gaze = torch.zeros(52, 2, 3)
    for eye, (side, left) in enumerate((("Left", 1.0), ("Right", -1.0))):
        for direction, axis, sign in (("In", 1, -left), ("Out", 1, left), ("Up", 0, -1.0), ("Down", 0, 1.0)):
            angle = torch.deg2rad(torch.tensor(GAZE_DEGREES[direction]))
            gaze[arkit.INDEX[f"eyeLook{direction}{side}"], eye, axis] = sign * angle
    return gaze


_GAZE = _gaze_matrix()


def gaze_rotation(expression: Tensor) -> Tensor:
    """Rotation vectors (..., 2, 3), radians, of the left and right eyeball that the eyeLook weights (..., 52) ask."""
    return torch.einsum("...k,kec->...ec", expression, _GAZE.to(expression))


def joint_transforms(joints: Tensor, rotations: Tensor, parents: Sequence[int] = PARENTS) -> Tensor:
    """Transforms that carry rest points to posed points.

    Args:
        joints: (B, J, 3) rest positions.
        rotations: (B, J, 3, 3), each relative to the parent, about the joint itself.
        parents: index of each joint's parent, -1 for a root; parents come before children.

    Returns:
        (B, J, 3, 4): `x' = R x + t` in world metres for a point that follows the joint alone.
    """
    assert joints.shape[-2] == len(parents) and rotations.shape[-3:] == (len(parents), 3, 3), rotations.shape
    rotation: list[Tensor] = []
    translation: list[Tensor] = []
    for j, parent in enumerate(parents):
        local_r = rotations[:, j]
        local_t = joints[:, j] - (local_r @ joints[:, j, :, None])[..., 0]
        if parent < 0:
            rotation.append(local_r)
            translation.append(local_t)
        else:
            rotation.append(rotation[parent] @ local_r)
            translation.append((rotation[parent] @ local_t[..., None])[..., 0] + translation[parent])
    return torch.cat([torch.stack(rotation, 1), torch.stack(translation, 1)[..., None]], -1)


def head_transforms(joints: Tensor, expression: Tensor, pose: Tensor | None) -> Tensor:
    """(B, 6, 3, 4) transforms of a head's joints (B, 6, 3) from ARKit weights (B, 52) and rotation vectors (B, 6, 3).

    The gaze that the weights ask is applied inside the eye joints' own rotation.
    """
    gaze = axis_angle_to_matrix(gaze_rotation(expression))
    if pose is None:
        still = torch.eye(3, 4, dtype=joints.dtype, device=joints.device).expand(len(joints), _FIRST_EYE, 3, 4)
        centre = joints[:, _FIRST_EYE:, :, None]
        return torch.cat([still, torch.cat([gaze, centre - gaze @ centre], -1)], 1)
    rotations = axis_angle_to_matrix(pose)
    eyes = rotations[:, _FIRST_EYE:] @ gaze
    return joint_transforms(joints, torch.cat([rotations[:, :_FIRST_EYE], eyes], 1))


def skin(rest: Tensor, transforms: Tensor, weights: Tensor) -> Tensor:
    """Linear blend skinning: rest (B, V, 3), transforms (B, J, 3, 4), weights (V, J) -> (B, V, 3)."""
    blended = (weights @ transforms.flatten(-2)).unflatten(-1, (3, 4))  # (B, V, 3, 4)
    return (blended[..., :3] * rest[..., None, :]).sum(-1) + blended[..., 3]


@dataclass(frozen=True)
class PoseCorrectives:
    """What bent joints do to the surface beyond skinning, linear in their rotation matrices (as in SMPL and FLAME).

    `joints` names for each group of nine columns the joints whose rotations, multiplied in this order, it follows.
    """

    joints: tuple[tuple[int, ...], ...]  # G groups
    basis: Tensor  # (9 G, V, 3) metres per entry of (rotation - 1), row by row

    def offsets(self, pose: Tensor) -> Tensor:
        """(B, V, 3) to add to the rest vertices of heads in the pose (B, 6, 3); the gaze of the weights adds none."""
        single = axis_angle_to_matrix(pose)
        groups = []
        for chain in self.joints:
            product = single[:, chain[0]]
            for joint in chain[1:]:
                product = product @ single[:, joint]
            groups.append(product)
        turned = torch.stack(groups, 1) - torch.eye(3, dtype=pose.dtype, device=pose.device)
        return torch.tensordot(turned.flatten(1), self.basis, 1)

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> PoseCorrectives:
        """The same on another device or in another precision."""
        return PoseCorrectives(self.joints, self.basis.to(device=device, dtype=dtype))


def gaze_rows(weights: Tensor) -> Tensor:
    """(R,) long: the vertices that the eye joints move, by their skin weights (V, 6)."""
    return torch.nonzero(weights[:, _FIRST_EYE:].sum(1) > 0)[:, 0]


def pose_head(
    rest: Tensor,
    joints: Tensor,
    expression: Tensor,
    pose: Tensor | None,
    weights: Tensor,
    eyes: Tensor,
    correctives: PoseCorrectives | None = None,
) -> Tensor:
    """Skin a whole head (B, V, 3) with `head_transforms`; without a pose only the eyes move, which is much faster.

    Args:
        rest: (B, V, 3) with the expression's displacements, without gaze.
        joints: (B, 6, 3).
        expression: (B, 52), for the gaze.
        pose: (B, 6, 3) or None.
        weights: (V, 6).
        eyes: `gaze_rows(weights)`.
        correctives: displacements that the pose adds at rest; None for none.
    """
    transforms = head_transforms(joints, expression, pose)
    if pose is not None:
        if correctives is not None:
            rest = rest + correctives.offsets(pose)
        return skin(rest, transforms, weights)
    return rest.index_copy(1, eyes, skin(rest[:, eyes], transforms, weights[eyes]))
