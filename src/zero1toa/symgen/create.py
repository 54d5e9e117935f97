"""From a fitted portrait to an avatar."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from .._version import __version__
from ..avatar import Avatar
from ..config import PRESETS, CreateConfig
from ..errors import InputError
from ..heads import RiggedHead, load_head
from ..portrait.outline import refine_geometry
from ..portrait.portrait import Portrait
from ..portrait.surface import PhotoSurface
from ..progress import Progress
from ..splats import Gaussians
from .initialize import initial_splats
from .train import Freedom, View, train_on_view

_FREE_FROM, _FREE_TO = 0.5, 0.95  # confidence at which a splat begins to follow the photo, and follows it fully
_LEAST_SHOWN = 0.02  # share of the splats that must follow the photo
_REACH = 1  # px of the crop beyond the mesh's outline that its splats can cover


def create_avatar(portrait: Portrait, config: CreateConfig | None = None, progress: Progress | None = None) -> Avatar:
    """Makes an avatar of a fitted portrait.

    Args:
        portrait: a fit, fresh or loaded.
        config: a preset; by default "fast".
        progress: where to show how far it is; by default nowhere.
    """
    config = config or PRESETS["fast"]
    progress = progress or Progress(quiet=True)
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    head = personal_head(portrait)
    surface = PhotoSurface(portrait, head)
    with progress.stage("placing splats"):
        splats, confidence, _ = initial_splats(head, surface, config.splats, rng)
    if (confidence > _FREE_FROM).mean() < _LEAST_SHOWN:
        raise InputError("The photo shows too little of the person to make an avatar of; use one without transparency.")
    freedom = photo_freedom(splats, confidence, head)
    view = photo_view(portrait, surface, config.size)
    splats = train_on_view(head, splats, freedom, view, config.train, generator, progress)
    return Avatar(
        head=head,
        splats=splats,
        identity=torch.as_tensor(portrait.identity, dtype=torch.float32),
        photo_expression=torch.as_tensor(portrait.expression, dtype=torch.float32),
        photo_pose=torch.as_tensor(portrait.pose, dtype=torch.float32),
        photo_camera=portrait.camera,
        head_model=portrait.head,
        provenance={
            "synthetic": True,
            "source": "one portrait picture",
            "prior": "none (photo only)",
            "preset": config.preset,
            "seed": config.seed,
            "generator": f"zero1toa {__version__}",
        },
    )


def personal_head(portrait: Portrait) -> RiggedHead:
    """The fitted person's head with the photo's outline and the hair's volume."""
    model = load_head(portrait.head)
    if len(portrait.identity) > model.num_identity:
        raise InputError(f"The fit has more identity coefficients than head '{portrait.head}'; fit the photo again.")
    return refine_geometry(model.personalize(torch.as_tensor(portrait.identity, dtype=torch.float32)), portrait)


def photo_freedom(splats: Gaussians, confidence: NDArray[np.float32], head: RiggedHead) -> Freedom:
    """What the photo shows well may follow it in colour, and skin in shape too.

    Eyes, teeth and lashes keep their shape, or they would come through lids and lips; so do lips and lids, or they
    would part where the photo shows teeth and eyes.
    """
    topology = head.topology
    share = torch.as_tensor(((confidence - _FREE_FROM) / (_FREE_TO - _FREE_FROM)).clip(0, 1))
    openings = np.maximum.reduce([topology.regions[name] for name in ("lips", "lidsLeft", "lidsRight")])
    firm = openings[topology.faces].mean(1)
    firm[~topology.part_faces("skin")] = 1
    return Freedom(share, share * (1 - torch.as_tensor(firm, dtype=torch.float32))[splats.triangle])


def photo_view(portrait: Portrait, surface: PhotoSurface, size: int) -> View:
    """The photo as a training view of `size` pixels.

    What the matte shows far beyond the mesh (wide clothes, long hair) has no splats to show it: it does not count, lest
    the nearest splats be blown up to cover it. What lies beyond the photo does not count either.
    """
    covered = binary_dilation(surface.buffers.face >= 0, iterations=_REACH)
    weight = np.where(((portrait.alpha > 0.02) & ~covered) | ~portrait.valid, 0.0, 1.0).astype(np.float32)
    return View(
        torch.tensor(_resize(portrait.foreground, size)),
        torch.tensor(_resize(portrait.alpha, size)),
        portrait.camera.resized(size, size),
        torch.as_tensor(portrait.expression, dtype=torch.float32),
        torch.as_tensor(portrait.pose, dtype=torch.float32),
        torch.tensor(_resize(weight, size)),
    )


def _resize(pixels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    scaled = [
        np.asarray(Image.fromarray(np.ascontiguousarray(channels[..., c])).resize((size, size), Image.Resampling.BOX))
        for c in range(channels.shape[-1])
    ]
    return (scaled[0] if pixels.ndim == 2 else np.stack(scaled, -1)).astype(np.float32)
