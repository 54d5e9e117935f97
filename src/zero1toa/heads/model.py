"""The interface of every head model, and the linear model that most of them are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from . import arkit
from .rigged import RiggedHead
from .skinning import PoseCorrectives, gaze_rows, pose_head, valid_expression
from .topology import HeadTopology


class HeadModel(Protocol):
    """Identity and expression to vertices, for any person. The bases are open, so that solvers can use them."""

    @property
    def name(self) -> str: ...

    @property
    def topology(self) -> HeadTopology: ...

    @property
    def template(self) -> Tensor: ...  # (V, 3) the mean head

    @property
    def identity_basis(self) -> Tensor: ...  # (I, V, 3) per unit; coefficients are about N(0, 1) in the population

    @property
    def expression_deltas(self) -> Tensor: ...  # (52, V, 3)

    @property
    def joint_template(self) -> Tensor: ...  # (6, 3)

    @property
    def joint_identity_basis(self) -> Tensor: ...  # (I, 6, 3)

    @property
    def skin_weights(self) -> Tensor: ...  # (V, 6)

    @property
    def num_identity(self) -> int: ...

    @property
    def expression_names(self) -> tuple[str, ...]: ...

    def personalize(self, identity: Tensor) -> RiggedHead: ...

    def vertices(self, identity: Tensor, expression: Tensor, pose: Tensor | None = None) -> Tensor: ...

    def joints(self, identity: Tensor) -> Tensor: ...

    def landmarks(self, vertices: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class IdentityCorrective:
    """What some expressions do differently in different people: displacements that are products of both."""

    vertices: Tensor  # (K,) long, which vertices
    expression: Tensor  # (K,) long, index of the ARKit weight that each of them follows
    basis: Tensor  # (I, K, 3) metres per unit of identity at weight 1

    def offsets(self, identity: Tensor) -> Tensor:
        """(..., K, 3) of people (..., I) at weight 1; missing coefficients are zero."""
        return torch.tensordot(identity, self.basis[: identity.shape[-1]], 1)


@dataclass(frozen=True)
class LinearHead:
    """A head that is linear in identity and in expression before skinning. Implements `HeadModel`.

    With a corrective the two are not independent: the bases alone then give the vertices of a neutral face exactly and
    those of an expression up to the corrective.
    """

    name: str
    topology: HeadTopology
    template: Tensor  # (V, 3) metres
    identity_basis: Tensor  # (I, V, 3) metres per standard deviation
    expression_deltas: Tensor  # (52, V, 3) metres at weight 1
    joint_template: Tensor  # (6, 3) metres
    joint_identity_basis: Tensor  # (I, 6, 3)
    skin_weights: Tensor  # (V, 6), rows sum to 1
    corrective: IdentityCorrective | None = None
    pose_correctives: PoseCorrectives | None = None
    identity_mirror: Tensor | None = None  # (I,) +1 or -1: times the identity it is that of the mirror image

    def __post_init__(self) -> None:
        count, num_vertices = self.identity_basis.shape[:2]
        assert self.template.shape == (num_vertices, 3), self.template.shape
        assert self.identity_basis.shape == (count, num_vertices, 3), self.identity_basis.shape
        assert self.expression_deltas.shape == (len(arkit.NAMES), num_vertices, 3), self.expression_deltas.shape
        assert self.joint_identity_basis.shape == (count, *self.joint_template.shape), self.joint_identity_basis.shape
        assert self.topology.num_vertices == num_vertices, (self.topology.num_vertices, num_vertices)

    @property
    def num_identity(self) -> int:
        """Number of identity coefficients I."""
        return len(self.identity_basis)

    @property
    def expression_names(self) -> tuple[str, ...]:
        """The 52 ARKit names, in the order of the expression axis."""
        return arkit.NAMES

    def personalize(self, identity: Tensor) -> RiggedHead:
        """One person's head from identity coefficients (I,) or fewer: missing ones are zero."""
        assert identity.ndim == 1 and len(identity) <= self.num_identity, identity.shape
        basis, joints = self.identity_basis[: len(identity)], self.joint_identity_basis[: len(identity)]
        deltas = self.expression_deltas
        if self.corrective is not None:
            where = (self.corrective.expression, self.corrective.vertices)
            deltas = deltas.index_put(where, self.corrective.offsets(identity), accumulate=True)
        return RiggedHead(
            vertices=self.template + torch.tensordot(identity, basis, 1),
            expression_deltas=deltas,
            joints=self.joint_template + torch.tensordot(identity, joints, 1),
            skin_weights=self.skin_weights,
            topology=self.topology,
            pose_correctives=self.pose_correctives,
        )

    def vertices(self, identity: Tensor, expression: Tensor, pose: Tensor | None = None) -> Tensor:
        """Posed vertices, batched and differentiable.

        Args:
            identity: (B, I) or fewer columns, standard deviations; a row of zeros is the mean head.
            expression: (B, 52) ARKit weights; see `RiggedHead.pose`.
            pose: (B, 6, 3) rotation vectors, radians, order `JOINTS`; None is the rest pose.

        Returns:
            (B, V, 3) world metres. A batch axis of size 1 is repeated to fit the others.
        """
        assert identity.ndim == 2 and expression.ndim == 2, (identity.shape, expression.shape)
        size = max(len(identity), len(expression), 1 if pose is None else len(pose))
        identity, expression = identity.expand(size, -1), expression.expand(size, -1)
        weights = valid_expression(expression)
        rest = torch.tensordot(identity, self.identity_basis[: identity.shape[1]], 1)
        rest = rest + torch.tensordot(weights, self.expression_deltas, 1) + self.template
        if self.corrective is not None:
            offsets = self.corrective.offsets(identity) * weights[:, self.corrective.expression, None]
            rest = rest.index_add(1, self.corrective.vertices, offsets)
        pose = None if pose is None else pose.expand(size, -1, -1)
        joints = self.joints(identity)
        return pose_head(rest, joints, expression, pose, self.skin_weights, self._eyes, self.pose_correctives)

    @cached_property
    def _eyes(self) -> Tensor:
        return gaze_rows(self.skin_weights)

    def joints(self, identity: Tensor) -> Tensor:
        """Rest positions of the joints (B, 6, 3) of people (B, I)."""
        return self.joint_template + torch.tensordot(identity, self.joint_identity_basis[: identity.shape[1]], 1)

    def landmarks(self, vertices: Tensor) -> Tensor:
        """The 478 MediaPipe points (B, 478, 3) on posed vertices (B, V, 3)."""
        corners = torch.as_tensor(self.topology.faces[self.topology.landmark_faces], dtype=torch.long)
        weights = torch.as_tensor(self.topology.landmark_barycentrics).to(vertices)
        return (vertices[..., corners.to(vertices.device), :] * weights[..., None]).sum(-2)

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> LinearHead:
        """The same head with its tensors on another device or in another precision."""
        names = ("template", "identity_basis", "expression_deltas", "joint_template", "joint_identity_basis")
        tensors = {n: getattr(self, n).to(device=device, dtype=dtype) for n in (*names, "skin_weights")}
        corrective = self.corrective
        if corrective is not None:
            corrective = IdentityCorrective(
                corrective.vertices.to(device=device),
                corrective.expression.to(device=device),
                corrective.basis.to(device=device, dtype=dtype),
            )
        sign = None if self.identity_mirror is None else self.identity_mirror.to(device=device, dtype=dtype)
        pose = None if self.pose_correctives is None else self.pose_correctives.to(device=device, dtype=dtype)
        return LinearHead(
            name=self.name,
            topology=self.topology,
            corrective=corrective,
            pose_correctives=pose,
            identity_mirror=sign,
            **tensors,
        )
