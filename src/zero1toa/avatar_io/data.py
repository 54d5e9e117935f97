"""What an avatar file holds: one person's head, the splats bound to it, the photo's fit, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa.camera import Camera
from zero1toa.heads import arkit
from zero1toa.heads.rigged import RiggedHead
from zero1toa.heads.topology import JOINTS, HeadTopology
from zero1toa.splats.gaussians import Gaussians

KERNELS: tuple[str, ...] = ("classic", "antialiased")
"""How the splats were trained: with the classic 0.3 px dilation, or with its opacity compensation."""

Provenance = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class AvatarData:
    """The content of an avatar file as plain arrays. Lengths in metres, world axes (x to the subject's left, y up)."""

    vertices: NDArray[np.float32]  # (V, 3) the head at rest, neutral
    expression_deltas: NDArray[np.float32]  # (52, V, 3) added at weight 1, order arkit.NAMES
    joints: NDArray[np.float32]  # (6, 3) rest positions, order heads.topology.JOINTS
    skin_weights: NDArray[np.float32]  # (V, 6), rows sum to 1
    topology: HeadTopology
    means: NDArray[np.float32]  # (N, 3) in the frame of the splat's triangle, in units of its scale
    quats: NDArray[np.float32]  # (N, 4) wxyz, in that frame
    log_scales: NDArray[np.float32]  # (N, 3) natural logarithm of the standard deviation, in units of that scale
    opacity_logits: NDArray[np.float32]  # (N,)
    colors: NDArray[np.float32]  # (N, 3) sRGB display values, nominally in [0, 1]
    triangle: NDArray[np.int64]  # (N,) row of topology.faces
    identity: NDArray[np.float32]  # (I,) coefficients of the head model
    photo_expression: NDArray[np.float32]  # (52,) the expression in the photo
    photo_pose: NDArray[np.float32]  # (6, 3) the pose in the photo, rotation vectors in radians
    photo_camera: Camera  # where the photo was taken from
    head_model: str = "default"
    kernel: str = "classic"
    provenance: Provenance = field(default_factory=dict)  # source kind, prior, preset, seed, version ...

    def __post_init__(self) -> None:
        num_vertices, num_splats = len(self.vertices), len(self.means)
        shapes = {
            "vertices": (num_vertices, 3),
            "expression_deltas": (len(arkit.NAMES), num_vertices, 3),
            "joints": (len(JOINTS), 3),
            "skin_weights": (num_vertices, len(JOINTS)),
            "means": (num_splats, 3),
            "quats": (num_splats, 4),
            "log_scales": (num_splats, 3),
            "opacity_logits": (num_splats,),
            "colors": (num_splats, 3),
            "triangle": (num_splats,),
            "photo_expression": (len(arkit.NAMES),),
            "photo_pose": (len(JOINTS), 3),
        }
        for name, shape in shapes.items():
            assert getattr(self, name).shape == shape, (name, getattr(self, name).shape, shape)
        assert self.identity.ndim == 1, self.identity.shape
        assert self.topology.num_vertices == num_vertices, (self.topology.num_vertices, num_vertices)
        assert self.kernel in KERNELS, self.kernel

    @classmethod
    def pack(
        cls,
        head: RiggedHead,
        gaussians: Gaussians,
        *,
        identity: torch.Tensor,
        expression: torch.Tensor,
        pose: torch.Tensor,
        camera: Camera,
        head_model: str = "default",
        kernel: str = "classic",
        provenance: Provenance | None = None,
    ) -> AvatarData:
        """The same content from tensors on any device; floats become float32."""
        return cls(
            vertices=_float32(head.vertices),
            expression_deltas=_float32(head.expression_deltas),
            joints=_float32(head.joints),
            skin_weights=_float32(head.skin_weights),
            topology=head.topology,
            means=_float32(gaussians.means),
            quats=_float32(gaussians.quats),
            log_scales=_float32(gaussians.log_scales),
            opacity_logits=_float32(gaussians.opacity_logits),
            colors=_float32(gaussians.colors),
            triangle=gaussians.triangle.detach().cpu().numpy().astype(np.int64),
            identity=_float32(identity),
            photo_expression=_float32(expression),
            photo_pose=_float32(pose),
            photo_camera=camera,
            head_model=head_model,
            kernel=kernel,
            provenance=dict(provenance or {}),
        )

    def head(self) -> RiggedHead:
        """The head as float32 tensors, ready to be posed."""
        return RiggedHead(
            vertices=torch.tensor(self.vertices),
            expression_deltas=torch.tensor(self.expression_deltas),
            joints=torch.tensor(self.joints),
            skin_weights=torch.tensor(self.skin_weights),
            topology=self.topology,
        )

    def gaussians(self) -> Gaussians:
        """The splats, local to their triangles, as float32 tensors."""
        return Gaussians(
            means=torch.tensor(self.means),
            quats=torch.tensor(self.quats),
            log_scales=torch.tensor(self.log_scales),
            opacity_logits=torch.tensor(self.opacity_logits),
            colors=torch.tensor(self.colors),
            triangle=torch.tensor(self.triangle),
        )


def _float32(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy().astype(np.float32)
