"""The denoising network: a small U-Net over clips in pixel space, with reference attention and temporal attention."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network; written into a checkpoint."""

    size: int = 64
    """Pixels on a side."""
    patch: int = 4
    """Pixels on a side of a patch that becomes one place of the first level."""
    channels: tuple[int, int, int] = (64, 128, 128)
    """Of the three levels."""
    blocks: tuple[int, int] = (2, 1)
    """Of the first and the second level, on the way down and again on the way up. The lowest has two."""
    embedding: int = 160
    """Channels of what time and reference say to every block."""
    frames: int = 8
    """Most frames of a clip that the temporal attention sees at once."""
    heads: int = 4
    """Of every attention."""

    def as_dict(self) -> dict[str, object]:
        """For a checkpoint."""
        return asdict(self)


WIDTHS: dict[str, NetworkConfig] = {
    "tiny": NetworkConfig(channels=(16, 16, 32), blocks=(1, 1), embedding=32, heads=2),
    "small": NetworkConfig(),
    "medium": NetworkConfig(patch=2, channels=(64, 128, 256), blocks=(2, 2), embedding=256, heads=8),
    "large": NetworkConfig(patch=2, channels=(96, 192, 384), blocks=(2, 2), embedding=384, heads=8),
}
"""By name: tiny is for tests, small trains on a CPU, the others want a GPU."""

CONDITION_CHANNELS = 8
"""Colours of the reprojected photo, its confidence, the head's coverage, and the landmark picture."""

REFERENCE_CHANNELS = 6
"""Colours of the photo, and its landmark picture."""

ANSWER_CHANNELS = 4
"""Mean, and logarithm of the factor on the deviation."""

_GROUPS = 8
_TIME_CHANNELS = 64
_TIME_SCALE = 1000.0  # times in [0, 1] are told as if they were this many steps
_LONGEST_PERIOD = 10_000.0


class Reference(nn.Module):
    """Reads the photo: tokens at the lowest level, and one vector."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        _, middle, low = config.channels
        patch = 2 * config.patch
        self.patch = patch
        self.enter = nn.Conv2d(REFERENCE_CHANNELS * patch**2, middle, 3, padding=1)
        self.first = Block(middle, middle, 0)
        self.down = nn.Conv2d(middle, low, 4, 2, 1)
        self.second = Block(low, low, 0)
        self.vector = nn.Linear(low, config.embedding)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, C) tokens and (B, E) vectors of photos with landmark pictures (B, 6, S, S)."""
        x = functional.pixel_unshuffle(pictures, self.patch)
        x = self.second(self.down(self.first(self.enter(x))))
        return x.flatten(2).transpose(1, 2), self.vector(x.mean((2, 3)))


class Network(nn.Module):
    """See the module. What it answers is that of `diffusion`: a mean of three channels, and one of a deviation.

    At the start its last layer is zero: then a clip's clean picture is the reprojected photo where that is sure.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        config = config or NetworkConfig()
        self.config = config
        high, middle, low = config.channels
        wide, patch = config.embedding, config.patch
        self.reference = Reference(config)
        self.time = nn.Sequential(nn.Linear(2 * _TIME_CHANNELS, wide), nn.SiLU(), nn.Linear(wide, wide))
        self.enter = nn.Conv2d((3 + CONDITION_CHANNELS) * patch**2, high, 3, padding=1)
        self.down_high = nn.ModuleList(Block(high, high, wide) for _ in range(config.blocks[0]))
        self.shrink_high = nn.Conv2d(high, middle, 3, 2, 1)
        self.down_middle = nn.ModuleList(Block(middle, middle, wide) for _ in range(config.blocks[1]))
        self.shrink_middle = nn.Conv2d(middle, low, 3, 2, 1)
        self.low = nn.ModuleList([Block(low, low, wide), Block(low, low, wide)])
        self.low_attention = ReferenceAttention(low, low, config, own=True)
        self.low_time = TemporalAttention(low, config)
        self.grow_low = nn.Conv2d(low, middle, 1)
        self.up_middle = nn.ModuleList(
            Block(2 * middle if index == 0 else middle, middle, wide) for index in range(config.blocks[1])
        )
        self.middle_attention = ReferenceAttention(middle, low, config, own=False)
        self.time_up = TemporalAttention(middle, config)
        self.grow_middle = nn.Conv2d(middle, high, 1)
        self.up_high = nn.ModuleList(
            Block(2 * high if index == 0 else high, high, wide) for index in range(config.blocks[0])
        )
        self.norm = nn.GroupNorm(_GROUPS, high)
        self.leave = nn.Conv2d(high, ANSWER_CHANNELS * patch**2, 3, padding=1)
        _silence(self.leave)

    def read(self, pictures: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and vectors of photos (B, 6, S, S); `keep` (B,) 0 forgets a photo."""
        tokens, vectors = self.reference(pictures)
        return tokens * keep[:, None, None].to(tokens), vectors * keep[:, None].to(vectors)

    def forward(
        self, noisy: Tensor, condition: Tensor, time: Tensor, reference: tuple[Tensor, Tensor], temporal: bool = True
    ) -> Tensor:
        """(B, F, 4, S, S) answers.

        Args:
            noisy: (B, F, 3, S, S) of unit variance, see `diffusion`.
            condition: (B, F, 8, S, S).
            time: (B, F) in [0, 1], 1 is pure noise.
            reference: from `read`, or in training photos (B, 6, S, S) and which of them to keep (B,): then all
                parameters are used in one call, as training in several processes wants.
            temporal: whether frames see each other.
        """
        batch, frames = noisy.shape[:2]
        tokens, vectors = self.read(*reference) if reference[0].ndim == 4 else reference
        told = self.time(_time_features(time.reshape(-1))) + vectors.repeat_interleave(frames, 0)
        told = functional.silu(told)
        x = torch.cat([noisy, condition], 2).flatten(0, 1)
        x = self.enter(functional.pixel_unshuffle(x, self.config.patch).contiguous(memory_format=torch.channels_last))
        seen = frames if temporal else 1
        high = _through(self.down_high, x, told)
        middle = _through(self.down_middle, self.shrink_high(high), told)
        x = self.low[0](self.shrink_middle(middle), told)
        x = self.low_time(self.low_attention(x, tokens, frames), seen)
        x = self.low[1](x, told)
        x = functional.interpolate(self.grow_low(x), scale_factor=2.0)
        x = self.up_middle[0](torch.cat([x, middle], 1), told)
        x = self.time_up(self.middle_attention(x, tokens, frames), seen)
        x = _through(self.up_middle[1:], x, told)
        x = functional.interpolate(self.grow_middle(x), scale_factor=2.0)
        x = _through(self.up_high, torch.cat([x, high], 1), told)
        x = self.leave(functional.silu(self.norm(x)))
        return functional.pixel_shuffle(x, self.config.patch).float().unflatten(0, (batch, frames))


class Block(nn.Module):
    """Two convolutions; what is told scales and shifts between them. At the start it passes its input on."""

    def __init__(self, inner: int, outer: int, told: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(_GROUPS, inner), nn.Conv2d(inner, outer, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(_GROUPS, outer), nn.Conv2d(outer, outer, 3, padding=1)
        self.told = nn.Linear(told, 2 * outer) if told else None
        self.skip = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()
        _silence(self.conv2)
        if self.told is not None:
            _silence(self.told)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        y = self.norm2(self.conv1(functional.silu(self.norm1(x))))
        if self.told is not None and told is not None:
            scale, shift = self.told(told)[:, :, None, None].chunk(2, 1)
            y = y * (1 + scale) + shift
        return self.skip(x) + self.conv2(functional.silu(y))


class ReferenceAttention(nn.Module):
    """Every place of every frame looks at the photo's tokens, and at the places of its own frame if `own`."""

    def __init__(self, channels: int, token_channels: int, config: NetworkConfig, *, own: bool) -> None:
        super().__init__()
        self.own, self.heads = own, config.heads
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.query = nn.Linear(channels, 3 * channels if own else channels)
        self.key_value = nn.Linear(token_channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        _silence(self.out)

    def forward(self, x: Tensor, tokens: Tensor, frames: int) -> Tensor:
        places = self.norm(x).flatten(2).transpose(1, 2)
        keys = self.key_value(tokens)
        if self.own:
            query, key, value = self.query(places).chunk(3, -1)
            told_key, told_value = keys.repeat_interleave(frames, 0).chunk(2, -1)
            key, value = torch.cat([key, told_key], 1), torch.cat([value, told_value], 1)
        else:  # the frames of a clip ask as one: the photo's tokens are the same for all
            query = self.query(places).reshape(len(tokens), -1, x.shape[1])
            key, value = keys.chunk(2, -1)
        answer = _attention(query, key, value, self.heads).reshape(places.shape)
        return x + self.out(answer).transpose(1, 2).reshape(x.shape)


class TemporalAttention(nn.Module):
    """Every place looks at itself in all frames of the clip."""

    def __init__(self, channels: int, config: NetworkConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.query = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.place = nn.Parameter(0.1 * torch.randn(config.frames, channels))
        _silence(self.out)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        if frames == 1:
            return x
        height, width = x.shape[2:]
        y = self.norm(x).unflatten(0, (-1, frames)).permute(0, 3, 4, 1, 2).flatten(0, 2)
        query, key, value = self.query(y + self.place[:frames].to(y.dtype)).chunk(3, -1)
        y = self.out(_attention(query, key, value, self.heads))
        y = y.reshape(-1, height, width, frames, x.shape[1]).permute(0, 3, 4, 1, 2)
        return x + y.reshape(x.shape)


def _silence(layer: nn.Module) -> None:
    """A layer that answers zero at the start of training."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """(N, Q, C) from queries (N, Q, C) and keys and values (N, K, C). Plain products: on a CPU the fused kernel's way
    back is slower at these sizes."""
    query, key, value = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    share = (query @ (key * query.shape[-1] ** -0.5).transpose(-1, -2)).softmax(-1).to(value.dtype)
    return (share @ value).transpose(1, 2).flatten(-2)


def _time_features(time: Tensor) -> Tensor:
    """(N, 2 * _TIME_CHANNELS) of times (N,)."""
    index = torch.arange(_TIME_CHANNELS, device=time.device, dtype=torch.float32)
    rates = torch.exp(-math.log(_LONGEST_PERIOD) * index / _TIME_CHANNELS)
    phase = _TIME_SCALE * time.float()[:, None] * rates
    return torch.cat([phase.cos(), phase.sin()], -1)


def _through(blocks: nn.ModuleList, x: Tensor, told: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, told)
    return x
