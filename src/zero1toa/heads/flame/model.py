"""FLAME itself: shape, expression and pose to vertices, as its authors define it (Li et al. 2017, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..skinning import axis_angle_to_matrix, joint_transforms, skin
from .file import JOINT_PARENTS, FlameFile


@dataclass(frozen=True)
class FlameModel:
    """The model's tensors, float32 unless converted."""

    template: Tensor  # (V, 3) metres
    shapes: Tensor  # (S, V, 3)
    expressions: Tensor  # (E, V, 3)
    pose_correctives: Tensor  # (36, V, 3)
    joint_regressor: Tensor  # (5, V)
    weights: Tensor  # (V, 5)

    @classmethod
    def from_file(cls, file: FlameFile, dtype: torch.dtype = torch.float32) -> FlameModel:
        """The same numbers as tensors on the CPU."""
        names = ("template", "shapes", "expressions", "pose_correctives", "joint_regressor", "weights")
        return cls(**{name: torch.as_tensor(getattr(file, name)).to(dtype) for name in names})

    def vertices(self, shape: Tensor, expression: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
        """Posed vertices, batched and differentiable.

        Args:
            shape: (B, <= 300) standard deviations.
            expression: (B, <= 100) coefficients; None is neutral.
            pose: (B, 5, 3) rotation vectors, radians, of root, neck, jaw, left and right eye, each relative to its
                parent; None is at rest.

        Returns:
            (B, V, 3) metres.
        """
        rest = self.template + torch.tensordot(shape, self.shapes[: shape.shape[1]], 1)
        if expression is not None:
            rest = rest + torch.tensordot(expression, self.expressions[: expression.shape[1]], 1)
        if pose is None:
            return rest
        joints = self.joint_regressor @ rest
        rotations = axis_angle_to_matrix(pose)
        turned = (rotations[:, 1:] - torch.eye(3, dtype=pose.dtype, device=pose.device)).flatten(1)
        rest = rest + torch.tensordot(turned, self.pose_correctives, 1)
        return skin(rest, joint_transforms(joints, rotations, JOINT_PARENTS), self.weights)

    def joints(self, shape: Tensor) -> Tensor:
        """(B, 5, 3) rest positions of the joints of people (B, <= 300), neutral."""
        return self.joint_regressor @ self.vertices(shape)
