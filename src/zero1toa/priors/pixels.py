"""Between the loop's premultiplied clips and a diffusion model's opaque pictures of its own size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .protocol import Video


def resized_frames(frames: Tensor, size: int) -> Tensor:
    """(F, 3, size, size) frames (F, 3, H, W) scaled, with a low pass where they shrink; differentiable."""
    if frames.shape[-2:] == (size, size):
        return frames
    return F.interpolate(frames, (size, size), mode="bilinear", align_corners=False, antialias=True)


def composed(pictures: Tensor, shown: Video, background: float) -> Video:
    """A model's pictures (F, 3, S, S) over a grey as a clip with the size and the coverage of `shown`.

    The colours are what is left when the background's share is taken away. All of them are believed.
    """
    frames = F.interpolate(
        pictures, shown.frames.shape[-2:], mode="bilinear", align_corners=False, antialias=True
    ).clamp(0, 1)
    colors = (frames - (1 - shown.alpha) * background).clamp_min(0)
    return Video(torch.minimum(colors, shown.alpha), shown.alpha, torch.ones_like(shown.alpha))
