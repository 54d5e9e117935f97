"""A head painted by hand: an avatar without a photo, made in no time."""

from __future__ import annotations

import torch

from zero1toa.avatar import Avatar
from zero1toa.camera import Camera
from zero1toa.heads import load_head
from zero1toa.splats import Gaussians


def painted_avatar(step: int = 3) -> Avatar:
    """The mean head with a splat on every `step`th triangle, coloured by where it sits. No photo is needed."""
    head = load_head().personalize(torch.zeros(load_head().num_identity))
    faces = torch.as_tensor(head.topology.faces)
    triangle = torch.arange(0, len(faces), step)
    center = head.vertices[faces[triangle].long()].mean(1)
    stripes = (center[:, 1:2] * 150).sin() * 0.1
    low, high = center.min(0).values, center.max(0).values
    count = len(triangle)
    quats = torch.zeros(count, 4)
    quats[:, 0] = 1
    splats = Gaussians(
        means=torch.zeros(count, 3),
        quats=quats,
        log_scales=torch.tensor([0.75, 0.12, 0.75]).log().repeat(count, 1),  # flat on the triangle, a bit larger
        opacity_logits=torch.full((count,), 3.0),
        colors=((center - low) / (high - low) * 0.6 + 0.25 + stripes).clamp(0, 1),
        triangle=triangle,
    )
    return Avatar(
        head=head,
        splats=splats,
        identity=torch.zeros(load_head().num_identity),
        photo_expression=torch.zeros(52),
        photo_pose=torch.zeros(6, 3),
        photo_camera=Camera.orbit(distance=0.9, fov=25.0, size=512),
        provenance={"source": "painted by a test"},
    )
