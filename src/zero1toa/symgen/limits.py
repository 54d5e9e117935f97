"""What holds each Gaussian: how much of a training step it takes, and how far it may stray from its triangle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..heads import HeadTopology, RiggedHead
from ..portrait.lids import lid_margins, upper_lids
from ..portrait.spread import smooth_step
from ..splats import Gaussians, position_loss, scale_loss, triangle_frames
from ..splats.rig import POSITION_THRESHOLD, SCALE_THRESHOLD
from .initialize import InitialSplats

# Thresholds of parts of the head relative to GaussianAvatars' (1 and 0.6 triangle scales). Ours: hair and clothes stand
# off the mesh, a face does not; eyes and teeth would come through lids and lips.
_REGION_REACH = {"scalp": 4.0, "shoulders": 3.0, "neck": 1.5}
_PART_REACH = 0.5
_SETTLE_LEAST = 0.03  # of the last step in colour, that held skin takes; where the photo shows it on many pixels: all
_CLEAR = (
    0.4,
    0.9,
)  # share of a step in colour from which the last one takes some, and all: what lies between is a smear
_BROAD = (0.3, 0.6)  # cosine to the view at which it begins to, and does
_YAWS, _PITCHES = np.radians(np.arange(-60, 61, 15)), np.radians([-15, 0, 15])  # as far as the clips' cameras go
_LEAST_FACING = 0.05  # cosine; what never faces a view more has no say
_FIRM_REGIONS = ("lips", "lidsLeft", "lidsRight")


class Limits(NamedTuple):
    """One number for each of N Gaussians."""

    color: Tensor  # (N,) share of a step in colour, in [0, 1]
    geometry: Tensor  # (N,) share of a step in place, orientation, size and opacity, in [0, 1]
    reach: Tensor  # (N,) distance from the triangle that costs nothing, triangle scales
    size: Tensor  # (N,) standard deviation that costs nothing, triangle scales
    settle: Tensor  # (N,) share of the last step in colour, in [0, 1]
    shade: Tensor  # (N,) share of a smooth change that this step takes beside, in [0, 1]
    give: Tensor  # (N,) share of the tolerance that it has, in [0, 1]

    def of(self, index: Tensor) -> Limits:
        """The limits of the rows `index` (M,), such as those of children."""
        return Limits(*(values[index] for values in self))

    def to(self, device: torch.device) -> Limits:
        """The same numbers on a device."""
        return Limits(*(values.to(device) for values in self))

    def shares(self) -> dict[str, Tensor]:
        """What `GaussianAdam` wants."""
        fields = ("means", "quats", "log_scales", "opacity_logits")
        return {**dict.fromkeys(fields, self.geometry), "colors": self.color}

    def position_loss(self, splats: Gaussians) -> Tensor:
        """How far the Gaussians stray beyond their reach."""
        return position_loss(splats, self.reach)

    def scale_loss(self, splats: Gaussians) -> Tensor:
        """How far the Gaussians outgrow their size."""
        return scale_loss(splats, self.size)


def inner_mouth(topology: HeadTopology) -> list[str]:
    """Parts that a photo of a smile would give the colour of teeth: the fit is not that good inside the mouth."""
    return [name for name in ("mouth", "tongue", "gumsUpper", "gumsLower") if name in topology.part_names]


def best_facing(head: RiggedHead) -> NDArray[np.float64]:
    """(T,) the most that a triangle's normal and the view agree (cosine, at least .05) over all views of the avatar."""
    vertices, faces = head.vertices, torch.as_tensor(head.topology.faces)
    normals = triangle_frames(vertices, faces).rotation[..., 1].double().numpy()
    yaw, pitch = (angles.ravel() for angles in np.meshgrid(_YAWS, _PITCHES))
    views = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    return np.maximum((normals @ views).max(1), _LEAST_FACING)


def splat_limits(
    first: InitialSplats, head: RiggedHead, *, hold_unseen: bool, facing: NDArray[np.floating] | None = None
) -> Limits:
    """Limits by part and region of the head, wide enough for where the Gaussians start.

    Eyes and teeth keep their shape, or they would come through lids and lips; so do lips and lids, or they would part
    where the photo shows teeth and eyes.

    Args:
        first: N Gaussians before training, with the photo's confidence in each.
        head: the person's.
        hold_unseen: what the photo does not show, and the mouth's inside, keep the colour they were given; lashes,
            teeth and the lids' margins are free. For priors that know no more than the photo: the outline
            would be smeared over the side of the head, and lids, folded over an open eye, would carry its shadow along.
            In the last step what is no lid and no mouth takes the photo's light, gives in where it faces the camera and
            is broad in the photo (a collar in a fold, not an outline), and has a tolerance, the less the larger it is
            in other views than in the photo's.
        facing: (T,) cosine between each triangle's normal and the photo's view; without it nothing gives in.
    """
    splats, topology = first.splats, head.topology
    faces = topology.faces
    skin = topology.part_faces("skin")
    firm = np.maximum.reduce([topology.regions[name] for name in _FIRM_REGIONS])[faces].mean(1)
    firm[~skin] = 1
    lashes = topology.part_faces("lashesLeft", "lashesRight")
    firm[lashes] = 0  # they carry what is dark above an open eye away when it closes
    reach = np.where(skin | lashes, 1.0, _PART_REACH)
    for name, wider in _REGION_REACH.items():
        reach = np.maximum(reach, 1 + (wider - 1) * topology.regions[name][faces].mean(1) * skin)
    bound = skin * (1 - lid_margins(head)[faces].mean(1))
    bound[topology.part_faces(*inner_mouth(topology), "eyeLeft", "eyeRight")] = 1
    broad = np.zeros(len(faces)) if facing is None else smooth_step(facing, *_BROAD)
    flat = skin * (1 - upper_lids(head)[faces].mean(1))
    flat[topology.part_faces(*inner_mouth(topology))] = 0
    give = np.zeros(len(faces)) if facing is None else flat * np.clip(facing / best_facing(head), 0, 1)
    of_faces = (1 - firm, reach, bound, flat * broad, flat, give)
    geometry, factor, held, yielding, lit, given = (
        torch.as_tensor(values, dtype=torch.float32)[splats.triangle] for values in of_faces
    )
    color = 1 - held * (1 - torch.as_tensor(first.confidence)) if hold_unseen else torch.ones_like(held)
    start = splats.means.norm(dim=-1)
    largest = splats.log_scales.exp().amax(-1)
    settle = torch.maximum(torch.as_tensor(smooth_step(color.numpy(), *_CLEAR)).float(), _SETTLE_LEAST * yielding)
    return Limits(
        color,
        geometry,
        torch.maximum(POSITION_THRESHOLD * factor + torch.as_tensor(first.loose), start),
        torch.maximum(SCALE_THRESHOLD * factor, largest),
        settle,
        lit * (1 - settle),
        given * (settle < 1),  # what is free needs no tolerance
    )
