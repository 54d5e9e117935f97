"""One person's head, ready to be posed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .skinning import PoseCorrectives, gaze_rows, head_transforms, pose_head, valid_expression
from .topology import JOINTS, HeadTopology


@dataclass(frozen=True)
class RiggedHead:
    """A head whose identity is fixed: a neutral mesh, 52 ARKit movements and six joints. World metres."""

    vertices: Tensor  # (V, 3) neutral, at rest
    expression_deltas: Tensor  # (52, V, 3) added at weight 1
    joints: Tensor  # (6, 3) rest positions, order JOINTS
    skin_weights: Tensor  # (V, 6), rows sum to 1
    topology: HeadTopology
    pose_correctives: PoseCorrectives | None = None  # an avatar's file leaves them out: glTF knows none

    def __post_init__(self) -> None:
        num_vertices = len(self.vertices)
        assert self.vertices.shape == (num_vertices, 3), self.vertices.shape
        assert self.expression_deltas.shape == (52, num_vertices, 3), self.expression_deltas.shape
        assert self.joints.shape == (len(JOINTS), 3), self.joints.shape
        assert self.skin_weights.shape == (num_vertices, len(JOINTS)), self.skin_weights.shape

    def pose(self, expression: Tensor, pose: Tensor | None = None) -> Tensor:
        """Vertices of the head with an expression and a pose.

        Args:
            expression: (B, 52) or (52,) ARKit weights, usually in [0, 1]. mouthClose counts only up to jawOpen.
                The eyeLook weights move the lids and turn the eyeballs (`skinning.GAZE_DEGREES` at weight 1).
            pose: (B, 6, 3) or (6, 3) rotation vectors in radians, each about its joint and relative to the parent
                joint, order `JOINTS`; None is the rest pose.

        Returns:
            (B, V, 3), or (V, 3) when neither argument has a batch axis; world metres.
        """
        batched, expression, pose = _batch(expression, pose)
        rest = self.vertices + torch.tensordot(valid_expression(expression), self.expression_deltas, 1)
        joints = self.joints.expand(len(expression), -1, -1)
        posed = pose_head(rest, joints, expression, pose, self.skin_weights, self._eyes, self.pose_correctives)
        return posed if batched else posed[0]

    def joint_transforms(self, expression: Tensor, pose: Tensor | None = None) -> Tensor:
        """(B, 6, 4, 4) matrices, or (6, 4, 4) without a batch axis, that carry rest points to posed points."""
        batched, expression, pose = _batch(expression, pose)
        top = head_transforms(self.joints.expand(len(expression), -1, -1), expression, pose)
        bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
        matrices = torch.cat([top, bottom], -2)
        return matrices if batched else matrices[0]

    @cached_property
    def _eyes(self) -> Tensor:
        return gaze_rows(self.skin_weights)


def _batch(expression: Tensor, pose: Tensor | None) -> tuple[bool, Tensor, Tensor | None]:
    """Whether there is a batch axis, and both arguments with one of the same size."""
    batched = expression.ndim == 2 or (pose is not None and pose.ndim == 3)
    expression = torch.atleast_2d(expression)
    if pose is None:
        return batched, expression, None
    pose = pose if pose.ndim == 3 else pose[None]
    size = max(len(expression), len(pose))
    return batched, expression.expand(size, -1), pose.expand(size, -1, -1)
