"""What a person's photo and a clip's landmarks become: pictures and tensors that the networks read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...media import to_uint8
from ...portrait.detect import detect_faces
from ..clip_image import clip_pixels
from ..landmarks import project_landmarks
from ..protocol import Drive, Reference, Video
from .landmark_image import STYLES, draw_landmarks
from .networks import Networks
from .sampler import Condition
from .spec import ModelSpec
from .unet import Bank
from .windows import windows

Landmarks = Literal["detected", "projected"]


def reference_picture(reference: Reference, background: float) -> Image.Image:
    """The photo's crop with the person before a grey."""
    portrait = reference.portrait
    matte = portrait.alpha[..., None]
    return Image.fromarray(to_uint8(matte * portrait.foreground + (1 - matte) * background))


def degraded(picture: Image.Image, factor: int = 8) -> Image.Image:
    """The same picture blurred and blocky: what a reference must not look like, for NFSD's negative branch. Its authors
    use a text ("unrealistic, blurry, low quality"); a model without text needs a picture."""
    width, height = picture.size
    small = picture.resize((max(width // factor, 1), max(height // factor, 1)), Image.Resampling.BOX)
    return small.resize((width, height), Image.Resampling.NEAREST)


def vae_pixels(picture: Image.Image, size: int) -> Tensor:
    """(1, 3, size, size) in [-1, 1] what the VAE reads."""
    resized = picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(resized, np.float32) / 255).permute(2, 0, 1)[None] * 2 - 1


def pose_pixels(pictures: Sequence[NDArray[np.uint8]], spec: ModelSpec) -> Tensor:
    """(F, 3, H, W) what the pose guider reads of drawn landmarks (F of (H, W, 3)); see `ModelSpec.pose_range` and
    `.landmark_channels`."""
    values = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    if spec.landmark_channels == "reversed":
        values = values.flip(1)
    if spec.network.guider == "single_scale":
        return values / 255
    return 2 * values - 1 if spec.pose_range == "peer" else 2 * values / 255 - 1


@torch.no_grad()
def clip_tokens(networks: Networks, picture: Image.Image) -> Tensor:
    """(1, M, C) of a picture: the projected embedding as one token, or all hidden states where the UNets project.

    AniPortrait's code squeezes the picture to a square before CLIP's own processor, which would cut a square out,
    sees it; Follow-Your-Emoji's pictures are square already. `clip_pixels` does the same. Our crops of photos are
    square, so that there is nothing to choose.
    """
    pixels = clip_pixels(picture, networks.clip.config.image_size).to(networks.device, networks.dtype)
    answer = networks.clip(pixels)
    if networks.denoiser.clip_fc is None:
        return answer.image_embeds[:, None]
    return answer.last_hidden_state


@torch.no_grad()
def reference_bank(
    networks: Networks,
    spec: ModelSpec,
    picture: Image.Image,
    tokens: Tensor,
    generator: torch.Generator | None = None,
) -> Bank:
    """The reference UNet's tokens of a picture.

    Its latents are the VAE's mean, or a sample drawn on the CPU (`ModelSpec.reference_latents`); its time is that of a
    clean picture (`.reference_timestep`); the tokens are rounded if `.bank_half` says so.
    """
    pixels = vae_pixels(picture, spec.size).to(networks.device, networks.dtype)
    seen = networks.vae.encode(pixels).latent_dist
    latents = seen.mean
    if spec.reference_latents == "sample":
        noise = torch.randn(latents.shape, generator=generator)
        latents = latents + seen.std * noise.to(latents)
    bank = networks.reference(latents * spec.latent_scale, tokens, spec.reference_timestep)
    if not spec.bank_half:
        return bank
    return {name: values.half().to(values.dtype) for name, values in bank.items()}


@torch.no_grad()
def clip_condition(
    networks: Networks, spec: ModelSpec, tokens: Tensor, bank: Bank, pictures: Sequence[NDArray[np.uint8]]
) -> Condition:
    """Everything for a clip whose frames have these landmark pictures.

    The pose guider runs once for each window and not at every step, since windows stay the same.
    """
    frames = windows(len(pictures), spec.window, spec.overlap, spec.last_window)
    pixels = pose_pixels(pictures, spec).to(networks.device, networks.dtype)
    return Condition(tokens, bank, frames, [networks.guider(pixels[window]) for window in frames])


def landmark_pictures(
    spec: ModelSpec, reference: Reference, drive: Drive, video: Video | None, landmarks: Landmarks
) -> list[NDArray[np.uint8]]:
    """F pictures (size, size, 3) of the landmarks of a drive.

    Args:
        spec: whose style and size.
        reference: the person.
        drive: what the clip shows.
        video: the avatar's render, or None.
        landmarks: "detected" reads them in the render (paper); where no face is found, and without a render, they are
            projected from the head that the drive poses. "projected" does so everywhere.
    """
    with torch.no_grad():
        posed = reference.head.pose(drive.expressions, drive.poses).numpy()
    points = project_landmarks(posed, reference.head.topology, drive.cameras)[..., :2]
    camera = drive.cameras[0]
    if video is not None and landmarks == "detected":
        for index, picture in enumerate(video.over(1.0)):
            faces = detect_faces(picture.permute(1, 2, 0).contiguous().numpy(), thorough=False)
            if faces:
                points[index] = faces[0].landmarks[:, :2]
    shares = points / (camera.width, camera.height)
    return [draw_landmarks(frame, STYLES[spec.name], spec.size, spec.size) for frame in shares]
