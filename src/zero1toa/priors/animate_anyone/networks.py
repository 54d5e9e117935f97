"""All parts of one model, and their random tiny versions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..extras import diffusers, transformers
from .pose_guider import MultiScaleGuider, pose_guider
from .spec import ModelSpec
from .unet import DenoisingUNet, ReferenceUNet

_TINY_CLIP_SIZE = 224  # px, as the published pipelines resize to it


@dataclass(eq=False)
class Networks:
    """The five networks of a model. `vae` and `clip` are diffusers' and transformers' own classes."""

    reference: ReferenceUNet
    denoiser: DenoisingUNet
    guider: nn.Module
    vae: Any
    """`AutoencoderKL`"""
    clip: Any
    """`CLIPVisionModelWithProjection`"""
    random: bool = False
    """Whether they have never learned anything: good for testing the plumbing, not for pictures."""

    def parts(self) -> tuple[nn.Module, ...]:
        """All five."""
        return self.reference, self.denoiser, self.guider, self.vae, self.clip

    def ready(
        self,
        spec: ModelSpec,
        device: torch.device,
        dtype: torch.dtype,
        attention_rows: int | None,
        channels_last: bool = False,
    ) -> Networks:
        """Itself, on a device, frozen, normalising as `spec.pose_norm` asks.

        With `channels_last` both UNets and the VAE keep their convolutions' weights so; the answers then come so too.
        The pose guider does not: it runs once for a clip, and see `MultiScaleGuider.forward`.
        """
        for part in self.parts():
            part.to(device=device, dtype=dtype).eval().requires_grad_(False)
        if channels_last:
            for part in (self.reference, self.denoiser, self.vae):
                part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if isinstance(self.guider, MultiScaleGuider):
            self.guider.normalize_by_window(spec.pose_norm == "batch")
        for unet in (self.reference, self.denoiser):
            unet.chunk_attention(attention_rows)
        return self

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.denoiser.conv_in.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """What they compute in."""
        return self.denoiser.conv_in.weight.dtype


def random_networks(spec: ModelSpec, seed: int) -> Networks:
    """Networks of `spec`'s size with weights from `fill`; VAE and CLIP are tiny ones of the same interface."""
    tokens = spec.network.clip_tokens or 40
    vae = diffusers().AutoencoderKL(
        block_out_channels=(16,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
    )
    clip = transformers().CLIPVisionModelWithProjection(
        transformers().CLIPVisionConfig(
            hidden_size=tokens,
            intermediate_size=2 * tokens,
            projection_dim=spec.network.context,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=_TINY_CLIP_SIZE,
            patch_size=_TINY_CLIP_SIZE // 4,
        )
    )
    networks = Networks(
        ReferenceUNet(spec.network), DenoisingUNet(spec.network), pose_guider(spec.network), vae, clip, random=True
    )
    for number, part in enumerate(networks.parts()):
        fill(part, seed + number)
    return networks


@torch.no_grad()
def fill(module: nn.Module, seed: int) -> None:
    """Gives every weight a random value that depends on the seed, its name and its shape alone.

    The values are the same on every machine and in every version of torch: that is what the golden numbers rest on. No
    layer is left at zero, so each one shows in the output; signals keep about their size from layer to layer.
    """
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not name.endswith(".pe"):
            tensor.copy_(random_weight(name, tensor, seed))


def random_weight(name: str, like: Tensor, seed: int) -> Tensor:
    """A value for the weight of that name."""
    uniform = np.random.default_rng([seed, zlib.crc32(name.encode())]).random(tuple(like.shape)) * 2 - 1
    kind = name.rpartition(".")[2]
    if kind == "running_var":
        values = 1 + 0.5 * uniform
    elif kind in ("scale", "logit_scale") or (kind == "weight" and like.ndim == 1):
        values = 1 + 0.2 * uniform  # of a normalisation
    elif like.ndim >= 2:
        values = uniform * np.sqrt(3 / np.prod(like.shape[1:]))  # a variance of one over the inputs
    else:
        values = 0.1 * uniform
    return torch.from_numpy(np.asarray(values, np.float32))
