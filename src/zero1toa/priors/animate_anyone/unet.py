"""Both UNets: the reference UNet, which reads one picture, and the denoising UNet, which writes a clip.

They are Stable Diffusion 1.5's; the denoising one has a motion module after every spatial layer. The reference UNet is
run once for a person; at each of its transformer blocks the input of self-attention is kept in a bank, and the block
of the same name in the denoising UNet attends to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention import Attention, SpatialTransformer
from .motion import MotionModule
from .spec import NetworkSpec

Bank = dict[str, Tensor]
"""Reference tokens (R, L, C) of R pictures by the name of the layer that reads them, such as
"down_blocks.0.attentions.1"."""

_Layers = Callable[[str, "Stage", int, Tensor], Tensor]
"""What follows the residual block of a number in a stage of a name."""

_GROUPS = 32
_EPS = 1e-5
_LONGEST_PERIOD = 10_000.0  # of the timestep's sinusoids
LATENT_CHANNELS = 4


class ResidualBlock(nn.Module):
    """Two normalised convolutions around the timestep's embedding."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(_GROUPS, inputs, eps=_EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, outputs)
        self.norm2 = nn.GroupNorm(_GROUPS, outputs, eps=_EPS)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x (N, C, H, W), embedding (N, E)."""
        y = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(embedding))[:, :, None, None]
        y = self.conv2(F.silu(self.norm2(y)))
        return (x if self.conv_shortcut is None else self.conv_shortcut(x)) + y


class Resampler(nn.Module):
    """The convolution after an enlargement, or the strided one that halves."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Stage(nn.Module):
    """The layers of one resolution; absent kinds are empty lists and have no weights."""

    def __init__(
        self,
        inputs: list[int],
        channels: int,
        spec: NetworkSpec,
        *,
        attentions: int,
        motions: int,
        down: bool = False,
        up: bool = False,
        whole: bool = True,
    ) -> None:
        super().__init__()
        embedding = 4 * spec.channels[0]
        self.resnets = nn.ModuleList([ResidualBlock(n, channels, embedding) for n in inputs])
        self.attentions = nn.ModuleList(
            SpatialTransformer(
                channels, spec.heads, channels // spec.heads, spec.context, whole or number < attentions - 1
            )
            for number in range(attentions)
        )
        self.motion_modules = nn.ModuleList(
            MotionModule(channels, spec.heads, spec.motion_length, spec.motion_norm == "clip") for _ in range(motions)
        )
        self.downsamplers = nn.ModuleList([Resampler(channels, 2)] if down else [])
        self.upsamplers = nn.ModuleList([Resampler(channels, 1)] if up else [])


class TimeEmbedding(nn.Module):
    """Two layers on the timestep's sinusoids."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(channels, 4 * channels)
        self.linear_2 = nn.Linear(4 * channels, 4 * channels)

    def forward(self, timestep: Tensor) -> Tensor:
        """(N, 4 C) from timesteps (N,)."""
        half = self.linear_1.in_features // 2
        rates = torch.exp(-math.log(_LONGEST_PERIOD) * torch.arange(half, device=timestep.device) / half)
        angles = timestep.float()[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], -1).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(waves)))


class UNet(nn.Module):
    """What both UNets share.

    Args:
        spec: sizes.
        motion: with motion modules and an output layer: the denoising UNet. Else the reference UNet.
    """

    def __init__(self, spec: NetworkSpec, motion: bool) -> None:
        super().__init__()
        self.recompute = False
        """Whether training keeps no layer's inner values, but computes them again on the way back: less memory, a third
        more time (gradient checkpointing)."""
        channels, layers = spec.channels, spec.layers
        lowest = len(channels) - 1
        self.conv_in = nn.Conv2d(LATENT_CHANNELS, channels[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(channels[0])
        self.clip_fc = nn.Linear(spec.clip_tokens, spec.context) if spec.clip_tokens else None
        skips, current = [channels[0]], channels[0]
        self.down_blocks = nn.ModuleList()
        for level, width in enumerate(channels):
            inputs = [current] + [width] * (layers - 1)
            plain = level == lowest  # the lowest resolution has no spatial attention
            self.down_blocks.append(
                Stage(
                    inputs,
                    width,
                    spec,
                    attentions=0 if plain else layers,
                    motions=layers if motion else 0,
                    down=not plain,
                )
            )
            skips += [width] * (layers if plain else layers + 1)
            current = width
        self.mid_block = Stage([current] * 2, current, spec, attentions=1, motions=int(motion))
        self.up_blocks = nn.ModuleList()
        for level, width in reversed(list(enumerate(channels))):
            inputs = []
            for _ in range(layers + 1):
                inputs.append(current + skips.pop())
                current = width
            self.up_blocks.append(
                Stage(
                    inputs,
                    width,
                    spec,
                    attentions=0 if level == lowest else layers + 1,
                    motions=layers + 1 if motion else 0,
                    up=level > 0,
                    whole=motion or level > 0 or spec.last_reference_block_is_whole,
                )
            )

    def chunk_attention(self, rows: int | None) -> None:
        """Lets every attention work on so many rows of its batch at a time (see `Attention.rows`)."""
        for module in self.modules():
            if isinstance(module, Attention):
                module.rows = rows

    def called(self, layer: nn.Module, *inputs: object) -> Tensor:
        """A layer's answer; see `recompute`."""
        if self.recompute and torch.is_grad_enabled():
            return cast(Tensor, checkpoint(layer, *inputs, use_reentrant=False))
        return cast(Tensor, layer(*inputs))

    def _context(self, tokens: Tensor) -> Tensor:
        return tokens if self.clip_fc is None else self.clip_fc(tokens)


class ReferenceUNet(UNet):
    """Reads a picture's latents once; its output layer is left out, as nothing reads it."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec, motion=False)

    def forward(self, latents: Tensor, tokens: Tensor, timestep: int = 0) -> Bank:
        """The bank of pictures: latents (R, 4, h, w), CLIP tokens (R, M, C)."""
        bank: Bank = {}
        embedding = self.time_embedding(torch.full((len(latents),), timestep, device=latents.device))
        context = self._context(tokens)
        final = cast(Stage, self.up_blocks[-1])
        last = f"up_blocks.{len(self.up_blocks) - 1}.attentions.{len(final.attentions) - 1}"

        def layers(name: str, stage: Stage, number: int, x: Tensor) -> Tensor:
            if not len(stage.attentions):
                return x
            name = f"{name}.attentions.{number}"
            attention = cast(SpatialTransformer, stage.attentions[number])
            bank[name] = attention.reference_tokens(x)
            return x if name == last else self.called(attention, x, context)

        _run(self, self.conv_in(latents), embedding, layers)
        return bank


class DenoisingUNet(UNet):
    """Predicts the velocity of a noisy clip."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec, motion=True)
        self.pose_in_skips = spec.pose_in_skips
        self.temporal = True
        """Whether the motion modules run. In the first stage of training they do not: frames are pictures then."""
        self.conv_norm_out = nn.GroupNorm(_GROUPS, spec.channels[0], eps=_EPS)
        self.conv_out = nn.Conv2d(spec.channels[0], LATENT_CHANNELS, 3, padding=1)

    def forward(
        self,
        latents: Tensor,
        timestep: int | Tensor,
        tokens: Tensor,
        pose: list[Tensor] | None = None,
        bank: Bank | None = None,
        plain: int = 0,
        without_pose: int = 0,
    ) -> Tensor:
        """(B, 4, F, h, w) the velocity.

        Args:
            latents: (B, 4, F, h, w) noisy clips.
            timestep: of all clips, or (B,) of each.
            tokens: (B, M, C) CLIP tokens.
            pose: (F, c, ., .) feature maps of the pose guider, the same for all clips, or (B F, c, ., .). The first is
                added after the first convolution. The others, where there are any, are added after each down stage, to
                what goes on downwards only: the skip connections were stored before
                (`spec.NetworkSpec.pose_in_skips`).
            bank: of the reference, or of as many as there are clips that see one; None for none.
            plain: so many clips at the front do not see the bank (the unconditional half).
            without_pose: so many at the front do not see the pose either.
        """
        clips, _, frames = latents.shape[:3]
        x = self.conv_in(latents.transpose(1, 2).flatten(0, 1))
        embedding = self.time_embedding(torch.as_tensor(timestep, device=x.device).reshape(-1))
        embedding = embedding.repeat_interleave(len(x) // len(embedding), 0)
        context = self._context(tokens).repeat_interleave(frames, 0)
        with_bank = slice(plain * frames, None)
        maps = [] if pose is None else [feature.to(x.dtype).repeat(len(x) // len(feature), 1, 1, 1) for feature in pose]
        for feature in maps:
            feature[: without_pose * frames] = 0

        def layers(name: str, stage: Stage, number: int, x: Tensor) -> Tensor:
            if len(stage.attentions):
                seen = None if bank is None else bank[f"{name}.attentions.{number}"]
                x = self.called(stage.attentions[number], x, context, seen, with_bank)
            return self.called(stage.motion_modules[number], x, frames) if self.temporal else x

        x = _run(self, x + maps[0] if maps else x, embedding, layers, maps[1:], self.pose_in_skips)
        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        return x.unflatten(0, (clips, frames)).transpose(1, 2)


def _run(
    net: UNet,
    x: Tensor,
    embedding: Tensor,
    layers: _Layers,
    lower_pose: Sequence[Tensor] = (),
    pose_in_skips: bool = False,
) -> Tensor:
    """Down, middle and up. `layers(name, stage, number, x)` is what follows the residual block of that number."""
    skips = [x]
    for level, stage in enumerate(cast(Sequence[Stage], net.down_blocks)):
        for number, resnet in enumerate(stage.resnets):
            x = layers(f"down_blocks.{level}", stage, number, net.called(resnet, x, embedding))
            skips.append(x)
        for resample in stage.downsamplers:
            x = resample(x)
            skips.append(x)
        if level < len(lower_pose):
            x = x + lower_pose[level]
            if pose_in_skips:
                skips[-1] = x
    middle = net.mid_block
    x = layers("mid_block", middle, 0, net.called(middle.resnets[0], x, embedding))
    x = net.called(middle.resnets[1], x, embedding)
    for level, stage in enumerate(cast(Sequence[Stage], net.up_blocks)):
        for number, resnet in enumerate(stage.resnets):
            both = torch.cat([x, skips.pop()], 1)
            x = layers(f"up_blocks.{level}", stage, number, net.called(resnet, both, embedding))
        for resample in stage.upsamplers:
            x = resample(F.interpolate(x, size=skips[-1].shape[-2:], mode="nearest"))
    return x
