"""Motion modules: attention over the frames of a clip, at each pixel by itself (AnimateDiff's "vanilla" module)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .attention import Attention, FeedForward

_GROUPS = 32

MOTION = "motion_modules"
"""In the names of all weights of motion modules, and of no others."""


class FrameEncoding(nn.Module):
    """Sinusoidal positions of frames. A buffer with a name, since the published files hold it."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        position = torch.arange(length)[:, None]
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        encoding = torch.stack([torch.sin(position * rate), torch.cos(position * rate)], -1).flatten(1)
        self.pe: Tensor
        self.register_buffer("pe", encoding[None])

    def forward(self, x: Tensor) -> Tensor:
        """x (B, F, width) with the positions added."""
        assert x.shape[1] <= self.pe.shape[1], f"{x.shape[1]} frames, but only {self.pe.shape[1]} positions"
        return x + self.pe[:, : x.shape[1]].to(x.dtype)


class FrameAttention(Attention):
    """Self-attention over frames."""

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__(width, heads, width // heads)
        self.pos_encoder = FrameEncoding(width, length)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return super().forward(self.pos_encoder(x))


class FrameTransformerBlock(nn.Module):
    """Twice attention over frames, then feed-forward."""

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList([FrameAttention(width, heads, length) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.ff = FeedForward(width)
        self.ff_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        for attention, norm in zip(self.attention_blocks, self.norms):
            x = x + attention(norm(x))
        return x + self.ff(self.ff_norm(x))


class FrameTransformer(nn.Module):
    """Pictures in, pictures out, with a residual.

    The normalisation is of each frame by itself. diffusers' AnimateDiff normalises over all frames of a clip instead;
    on random weights that changes the network's output by 11 %. `spec.NetworkSpec.motion_norm` decides.
    """

    def __init__(self, channels: int, heads: int, length: int, over_clip: bool = False) -> None:
        super().__init__()
        self.over_clip = over_clip
        self.norm = nn.GroupNorm(_GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([FrameTransformerBlock(channels, heads, length)])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """x (B F, C, H, W), the frames of a clip next to each other."""
        height, width = x.shape[-2:]
        y = self.proj_in(self._normalized(x, frames).permute(0, 2, 3, 1))  # (B F, H, W, C)
        y = y.reshape(-1, frames, height * width, y.shape[-1]).transpose(1, 2).flatten(0, 1)  # (B H W, F, C)
        y = self.proj_out(self.transformer_blocks[0](y))
        y = y.unflatten(0, (-1, height * width)).transpose(1, 2).reshape(-1, height, width, y.shape[-1])
        return x + y.permute(0, 3, 1, 2)

    def _normalized(self, x: Tensor, frames: int) -> Tensor:
        if not self.over_clip:
            return self.norm(x)
        clips = x.unflatten(0, (-1, frames)).transpose(1, 2)  # (B, C, F, H, W)
        return self.norm(clips).transpose(1, 2).flatten(0, 1)


class MotionModule(nn.Module):
    """A `FrameTransformer` under the name that the published files give it."""

    def __init__(self, channels: int, heads: int, length: int, over_clip: bool = False) -> None:
        super().__init__()
        self.temporal_transformer = FrameTransformer(channels, heads, length, over_clip)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """x (B F, C, H, W)."""
        return self.temporal_transformer(x, frames)
