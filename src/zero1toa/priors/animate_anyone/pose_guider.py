"""Pose guiders: from landmark pictures to feature maps that are added inside the denoising UNet."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import SpatialTransformer
from .spec import NetworkSpec

_Layer = tuple[int, int, int, int]  # inputs, outputs, kernel, stride

# AniPortrait, src/models/pose_guider.py: 512 px to 64.
_STEM: tuple[_Layer, ...] = (
    (3, 3, 3, 1), (3, 16, 4, 2), (16, 16, 3, 1), (16, 32, 4, 2),
    (32, 32, 3, 1), (32, 64, 4, 2), (64, 64, 3, 1), (64, 128, 3, 1),
)  # fmt: skip
_SCALE = 2.0  # initial value of its learned scale


class WindowBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of what is shown, or by the stored ones; it never changes those."""

    of_window = True
    """By what is shown: a window's frames."""

    def forward(self, x: Tensor) -> Tensor:
        stored = (None, None) if self.of_window else (self.running_mean, self.running_var)
        return F.batch_norm(x, *stored, self.weight, self.bias, training=self.of_window, eps=self.eps)


def _normalized(*layers: _Layer) -> nn.Sequential:
    modules: list[nn.Module] = []
    for inputs, outputs, kernel, stride in layers:
        modules += [
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1),
            WindowBatchNorm(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*modules)


class MultiScaleGuider(nn.Module):
    """AniPortrait's: five feature maps, each of the lower four after attention within the frame.

    Its published code also takes the landmarks of the reference picture and ignores them: `cross_attn1` to
    `cross_attn4` are built without a cross-attention (AniPortrait, issue 170). They are no argument here.

    Its published inference code never leaves training mode, so the batch normalisation takes the statistics of the
    window's frames, and so did its training: features depend on what else the window shows. Here that is the default,
    and `spec.ModelSpec.pose_norm` decides.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        c = spec.channels[0]
        self.conv_layers = _normalized(*_STEM)
        self.final_proj = nn.Conv2d(_STEM[-1][1], c, 1)
        self.conv_layers_1 = _normalized((c, c, 3, 1), (c, c, 3, 2))
        self.conv_layers_2 = _normalized((c, c, 3, 1), (c, 2 * c, 3, 2))
        self.conv_layers_3 = _normalized((2 * c, 2 * c, 3, 1), (2 * c, 4 * c, 3, 2))
        self.conv_layers_4 = _normalized((4 * c, 4 * c, 3, 1))
        for number, width in enumerate((c, 2 * c, 4 * c, 4 * c), 1):
            self.add_module(f"cross_attn{number}", SpatialTransformer(width, spec.guider_heads, spec.guider_head_width))
        self.scale = nn.Parameter(torch.full((1,), _SCALE))

    def normalize_by_window(self, yes: bool) -> None:
        """Whether statistics are those of the window's frames, or those stored with the weights."""
        for module in self.modules():
            if isinstance(module, WindowBatchNorm):
                module.of_window = yes

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Five maps (F, c, ., .) of pictures (F, 3, H, W).

        The input is made contiguous: torch's batch statistics of channels-last tensors on a CPU are wrong by a
        hundredth at the range of these pictures (against float64).
        """
        x = self.final_proj(self.conv_layers(pictures.contiguous())) * self.scale
        maps = [x]
        for number in range(1, 5):
            x = self.get_submodule(f"conv_layers_{number}")(x)
            x = self.get_submodule(f"cross_attn{number}")(x)
            maps.append(x)
        return maps


class SingleScaleGuider(nn.Module):
    """Follow-Your-Emoji's: convolutions to one feature map."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        widths = spec.guider_channels
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for inputs, outputs in pairwise(widths):
            self.blocks.append(nn.Conv2d(inputs, inputs, 3, padding=1))
            self.blocks.append(nn.Conv2d(inputs, outputs, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(widths[-1], spec.channels[0], 3, padding=1)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """One map (F, c, H / 8, W / 8) of pictures (F, 3, H, W)."""
        x = F.silu(self.conv_in(pictures))
        for block in self.blocks:
            x = F.silu(block(x))
        return [self.conv_out(x)]


def pose_guider(spec: NetworkSpec) -> nn.Module:
    """The guider that a model uses."""
    return MultiScaleGuider(spec) if spec.guider == "multi_scale" else SingleScaleGuider(spec)
