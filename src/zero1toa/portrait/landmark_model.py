"""From a head model to the linear landmark model that the solver works with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..heads import HeadModel, arkit
from .solver import Array, LandmarkModel

_GAZE = tuple(i for i, name in enumerate(arkit.NAMES) if name.startswith("eyeLook"))
_GAZE_STEP = 0.5  # the eyeball's turn is replaced by its chord up to this weight


def landmark_model(
    head: HeadModel, components: int, identity: Array | None = None, pose: Array | None = None
) -> LandmarkModel:
    """Landmarks of `head` as a linear function of identity and expression.

    Args:
        head: any head model with a landmark embedding.
        components: number of identity coefficients kept.
        identity: (I,) person for whom the joints are placed; by default the mean.
        pose: (6, 3) joint rotation vectors, radians, held fixed; by default at rest.
    """
    topology = head.topology
    corners = torch.as_tensor(topology.faces[topology.landmark_faces], dtype=torch.long)  # (478, 3)
    barycentric = torch.as_tensor(topology.landmark_barycentrics, dtype=torch.float64)
    person = head.personalize(torch.zeros(0) if identity is None else torch.as_tensor(identity, dtype=torch.float32))
    joint_pose = None if pose is None else torch.as_tensor(pose, dtype=torch.float32)
    neutral = torch.zeros(len(arkit.NAMES))
    transforms = person.joint_transforms(neutral, joint_pose).double()  # (6, 4, 4)
    skinning = torch.einsum("vcj,jab->vcab", head.skin_weights[corners].double(), transforms)  # (478, 3, 4, 4)
    linear, offset = skinning[..., :3, :3], skinning[..., :3, 3]

    def directions(basis: Tensor) -> Array:
        """(K, V, 3) vertex displacements to (K, 478, 3) landmark displacements of the posed head."""
        return torch.einsum("vc,vcab,kvcb->kva", barycentric, linear, basis[:, corners].double()).numpy()

    rest = torch.einsum("vcab,vcb->vca", linear, head.template[corners].double()) + offset
    expression = directions(person.expression_deltas)
    expression[list(_GAZE)] = _gaze_directions(head, person.pose, joint_pose)
    return LandmarkModel(
        mean=torch.einsum("vc,vca->va", barycentric, rest).numpy(),
        identity=directions(head.identity_basis[:components]),
        expression=expression,
        spread=topology.landmark_spread.astype(np.float64),
    )


def _gaze_directions(head: HeadModel, posed, joint_pose: Tensor | None) -> Array:  # type: ignore[no-untyped-def]
    weights = torch.zeros(len(_GAZE) + 1, len(arkit.NAMES))
    weights[torch.arange(1, len(_GAZE) + 1), list(_GAZE)] = _GAZE_STEP
    points = head.landmarks(posed(weights, joint_pose)).double().numpy()
    return (points[1:] - points[:1]) / _GAZE_STEP
