"""From a fitted portrait to an avatar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from ..avatar import Avatar
from ..config import PRESETS, CreateConfig
from ..errors import InputError
from ..files import output_directory
from ..heads import RiggedHead
from ..heads.mesh_render import interpolate, rasterize_mesh
from ..heads.texture_render import render_texture
from ..portrait.eye_aim import aim_eyes
from ..portrait.eye_shape import fit_eyes
from ..portrait.lids import lid_margins
from ..portrait.open_head import open_head
from ..portrait.outline import refine_geometry
from ..portrait.portrait import Portrait
from ..portrait.surface import PhotoSurface
from ..portrait.teeth import place_teeth
from ..portrait.texture import lift_texture
from ..priors import Reference, ScorePrior, VideoPrior, load_prior
from ..progress import Progress
from ..splats import Gaussians, rasterize, to_world
from .checkpoint import Workspace, fingerprint
from .dataset import Sample
from .device import training_device
from .distill import METHODS
from .drives import plan_clips
from .initialize import initial_splats
from .limits import inner_mouth, splat_limits
from .loop import SymGen
from .preview import Previewer
from .provenance import provenance

_KNOWN = 0.5  # confidence from which the photo shows a splat
_LEAST_SHOWN = 0.02  # share of the splats that the photo must show
_COVERED = 0.05  # alpha of the first splats from which a pixel can be trained
_MATTE_NONE = 0.02  # alpha up to which a pixel is background
_LEAST_PHOTO = 0.4  # weight of the photo's colours on skin where its texture is not to be trusted
_REACH = 1  # px of the crop beyond the splats' outline that they can cover


def create_avatar(
    portrait: Portrait,
    config: CreateConfig | None = None,
    progress: Progress | None = None,
    *,
    prior: VideoPrior | None = None,
    output: Path | None = None,
    workspace: Path | None = None,
    resume: bool = False,
    preview: Path | None = None,
    dataset: Path | None = None,
    device: str = "auto",
) -> Avatar:
    """Makes an avatar of a fitted portrait.

    Args:
        portrait: a fit, fresh or loaded.
        config: a preset; by default "fast".
        progress: where to show how far it is; by default nowhere.
        prior: the video model; by default the one that `config.prior` names.
        output: a GLB file for the avatar. It is there before the state in `workspace` is removed.
        workspace: a folder for the state of the run, removed at the end; None keeps none.
        resume: go on from the state in `workspace`.
        preview: a PNG that is drawn anew every few seconds.
        dataset: a folder into which the last state of the clips is written as pictures.
        device: "cpu", "cuda" or "auto".

    Raises:
        InputError: the photo shows too little, or there is nothing to resume.
        OutputError: a file cannot be written.
    """
    config = config or PRESETS["fast"]
    progress = progress or Progress(quiet=True)
    prior = prior or load_prior(
        config.prior, command=config.prior_command, diffusion=config.diffusion, device=device, seed=config.seed
    )
    if config.guidance in METHODS and config.guidance != "sds" and not isinstance(prior, ScorePrior):
        raise InputError(f"--guidance {config.guidance} needs a prior with a score, such as aniportrait.")
    kept = None if workspace is None else Workspace(workspace, fingerprint(portrait, config), resume)
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    on = training_device(device)
    head = personal_head(portrait)
    surface = PhotoSurface(portrait, head)
    with progress.stage("placing splats"):
        first = initial_splats(head, surface, config.splats, rng)
    if (first.confidence > _KNOWN).mean() < _LEAST_SHOWN:
        raise InputError("The photo shows too little of the person to make an avatar of; use one without transparency.")
    with progress.stage("lifting the photo"):
        reference = Reference(portrait, head, lift_texture(surface, config.texture_size))
    run = SymGen(
        reference,
        prior,
        config,
        plan_clips(config.curriculum, head, portrait.camera, config.size, rng),
        photo_sample(reference, first.splats, config.size),
        photo_sample(reference, first.splats, portrait.camera.width),
        first.splats,
        splat_limits(first, head, hold_unseen=not prior.invents, facing=surface.facing),
        generator,
        kept,
        on,
    )

    def avatar_of(trained: Gaussians) -> Avatar:
        return Avatar(
            head=head,
            splats=trained,
            identity=torch.as_tensor(portrait.identity, dtype=torch.float32),
            photo_expression=torch.as_tensor(portrait.expression, dtype=torch.float32),
            photo_pose=torch.as_tensor(portrait.pose, dtype=torch.float32),
            photo_camera=portrait.camera,
            head_model=open_head(portrait.head).name,
            provenance=provenance(config, prior.name, on),
        )

    show = None if preview is None else Previewer(preview, avatar_of)
    avatar = avatar_of(run.run(progress, show))
    if dataset is not None:
        with output_directory(dataset) as folder:
            run.dataset.write_pictures(folder)
    if output is not None:
        avatar.save(output)
    if kept is not None:
        kept.remove()
    return avatar


def personal_head(portrait: Portrait) -> RiggedHead:
    """The fitted person's head with the photo's outline and eyes, the hair's volume and the teeth as low as there."""
    model = open_head(portrait.head)
    if len(portrait.identity) > model.num_identity:
        raise InputError(f"The fit has more identity coefficients than head '{portrait.head}'; fit the photo again.")
    plain = model.personalize(torch.as_tensor(portrait.identity, dtype=torch.float32))
    shaped = fit_eyes(refine_geometry(plain, portrait), portrait)
    return place_teeth(aim_eyes(shaped, portrait), portrait)


def photo_sample(reference: Reference, splats: Gaussians, size: int) -> Sample:
    """The photo as a training picture of `size` pixels.

    Colours count by the texture's confidence: what a pixel at the head's outline or at an open eye's lid shows would be
    a streak from the side or a shadow in a blink. What the matte shows far from all first splats does not count, lest
    the nearest be blown up to cover it; nor does what lies beyond the photo.
    """
    portrait, head = reference.portrait, reference.head
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    with torch.no_grad():
        vertices = head.pose(expression, pose)
        world = to_world(splats, vertices, torch.as_tensor(head.topology.faces))
        alpha = rasterize(*world, portrait.camera).alpha.numpy()
    drawn, cover = render_texture(vertices.numpy(), head.topology, reference.texture.channels, portrait.camera)
    known, mesh = drawn[..., 3] * cover, drawn[..., 4] * cover
    covered = binary_dilation(alpha > _COVERED, iterations=_REACH)
    counts = np.where(((portrait.alpha > _MATTE_NONE) & ~covered) | ~portrait.valid, 0.0, 1.0).astype(np.float32)
    faces = head.topology.faces
    buffers = rasterize_mesh(vertices.numpy(), faces, portrait.camera)
    trust = interpolate(vertex_trust(head)[:, None], buffers, faces)[..., 0]
    sure = np.maximum(known + 1 - mesh, trust)
    return Sample(
        torch.tensor(_resize(portrait.foreground * portrait.alpha[..., None], size)),
        torch.tensor(_resize(portrait.alpha, size)),
        torch.tensor(_resize(counts * sure, size)),
        portrait.camera.resized(size, size),
        expression,
        pose,
        torch.tensor(_resize(counts, size)),
    )


def vertex_trust(head: RiggedHead) -> NDArray[np.float32]:
    """(V,) least weight of the photo's colours: full on eyes, lashes, teeth and lid margins; less on skin, whose
    outline would be smeared over the side of the head."""
    skin = head.topology.part_vertices("skin")
    trust = np.where(skin, np.maximum(_LEAST_PHOTO, lid_margins(head)), 1.0)
    trust[head.topology.part_vertices(*inner_mouth(head.topology))] = 0
    return trust.astype(np.float32)


def _resize(pixels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    scaled = [
        np.asarray(Image.fromarray(np.ascontiguousarray(channels[..., c])).resize((size, size), Image.Resampling.BOX))
        for c in range(channels.shape[-1])
    ]
    return (scaled[0] if pixels.ndim == 2 else np.stack(scaled, -1)).astype(np.float32)
