"""What a fine-tuning learns from one batch: the velocity of noisy latents, under the conditions of sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from . import condition as conditions
from .networks import Networks
from .spec import ModelSpec
from .training_clips import PortraitClip, PortraitSitting


@dataclass(frozen=True, eq=False)
class LatentBatch:
    """B clips of F frames as the networks read them."""

    clean: Tensor  # (B, 4, F, h, w) latents of the frames
    photo: Tensor  # (B, 4, h, w) latents of the photos
    tokens: Tensor  # (B, M, C) CLIP's, of the photos
    landmarks: Tensor  # (B, F, 3, S, S) what the pose guider reads


class TuningNetworks(nn.Module):
    """Reference UNet, pose guider and denoising UNet as one module, so that one call goes through all that learns.

    Args:
        networks: the model.
        spec: how it is sampled.
    """

    def __init__(self, networks: Networks, spec: ModelSpec) -> None:
        super().__init__()
        self.reference, self.denoiser, self.guider = networks.reference, networks.denoiser, networks.guider
        self.timestep_of_photo = spec.reference_timestep

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor, photos: Tensor, landmarks: Tensor) -> Tensor:
        """(B, 4, F, h, w) the velocity.

        The pose guider normalises over the frames of a clip, as it does in sampling; frames that train by themselves
        are normalised over the batch, as their first training did.

        Args:
            noisy: (B, 4, F, h, w).
            timesteps: (B,).
            tokens: (B, M, C).
            photos: (R, 4, h, w) of the last R clips; those before see no reference.
            landmarks: (B, F, 3, S, S).
        """
        plain = len(noisy) - len(photos)
        bank = self.reference(photos, tokens[plain:], self.timestep_of_photo) if len(photos) else None
        groups = list(landmarks) if self.denoiser.temporal else [landmarks.flatten(0, 1)]
        maps = [torch.cat(level) for level in zip(*(self.guider(group) for group in groups))]
        velocity: Tensor = self.denoiser(noisy, timesteps, tokens, maps, bank, plain)
        return velocity


@torch.no_grad()
def latent_batch(
    networks: Networks,
    spec: ModelSpec,
    chosen: Sequence[tuple[PortraitSitting, PortraitClip]],
    generator: torch.Generator,
) -> LatentBatch:
    """Clips and photos, through VAE and image encoder. Frames become a sample of the VAE's distribution and photos its
    mean, as in the published training."""
    photos = [Image.fromarray(sitting.photo) for sitting, _ in chosen]
    clean = torch.stack([_latents(networks, spec, clip.frames, generator) for _, clip in chosen])
    photo = torch.cat([_latents(networks, spec, sitting.photo[None]).transpose(0, 1) for sitting, _ in chosen])
    lines = torch.stack([conditions.pose_pixels(list(clip.landmarks), spec) for _, clip in chosen])
    tokens = torch.cat([conditions.clip_tokens(networks, p) for p in photos])
    return LatentBatch(clean, photo, tokens.float(), lines.to(networks.device))


def _latents(
    networks: Networks, spec: ModelSpec, frames: NDArray[np.uint8], generator: torch.Generator | None = None
) -> Tensor:
    """(4, F, h, w) of frames (F, S, S, 3), one by one; without a generator the mean."""
    found = []
    for frame in frames:
        pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1
        seen = networks.vae.encode(pixels.to(networks.device)).latent_dist
        value = seen.mean.float()
        if generator is not None:
            value = value + seen.std.float() * torch.randn(value.shape, generator=generator).to(value)
        found.append(value * spec.latent_scale)
    return torch.cat(found).transpose(0, 1)


def velocity_loss(answer: Tensor, clean: Tensor, noise: Tensor, kept: Tensor, gamma: float) -> Tensor:
    """Squared error of velocities, weighted by min-SNR.

    The weight is min(SNR + 1, gamma) / (SNR + 1), AniPortrait's: for velocities it is 1 at pure noise, where
    min(SNR, gamma) / (SNR + 1), the other form in use, would leave the first step of sampling untrained.

    Args:
        answer: (B, 4, F, h, w) of the network.
        clean: the same shape.
        noise: the same shape.
        kept: (B,) alpha^2, the share of the signal's power.
        gamma: of the weight; 0 weighs all alike.
    """
    alpha, sigma = (level.sqrt()[:, None, None, None, None] for level in (kept, 1 - kept))
    error = ((answer.float() - (alpha * noise - sigma * clean)) ** 2).mean((1, 2, 3, 4))
    if gamma:
        power = kept / (1 - kept).clamp_min(1e-8) + 1
        error = error * power.clamp_max(gamma) / power
    return error.mean()
