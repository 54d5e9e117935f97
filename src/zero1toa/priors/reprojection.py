"""The embedded prior: the photo, lifted on the fitted head, seen from any camera and with any expression.

It needs no weights. What the photo shows is kept; the rest is taken from the avatar's own render, with its colours
brought to those of the photo.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..heads import RiggedHead
from ..heads.texture_render import render_texture
from ..portrait.texture import HeadTexture
from .protocol import Drive, Mode, Reference, Video

_SMALL = 256
"""Pixels on a side up to which the texture is halved, so that neighbouring rays do not skip texels."""

_GUESS = 0.25
"""Confidence of a pixel that the photo does not show: the guess holds the avatar in place and is easily overruled."""

_HARMONY = 0.04
"""Standard deviation of the blur that carries colour differences into what the photo does not show, of the picture's
width."""

_LEAST_KNOWN = 0.02
"""Blurred confidence that counts as much as knowing nothing: far from all known pixels no colour is changed."""


@dataclass(frozen=True, eq=False)
class ReprojectionState:
    """A person's head and texture."""

    head: RiggedHead
    large: NDArray[np.float32]  # (S, S, 4) colours and confidence
    small: NDArray[np.float32]  # (S / 2, S / 2, 4)


class ReprojectionPrior:
    """`VideoPrior` of the lifted photo."""

    name = "reprojection"

    def prepare(self, reference: Reference, generator: torch.Generator) -> ReprojectionState:
        large = reference.texture.channels
        return ReprojectionState(reference.head, large, halved(large))

    def generate(self, state: ReprojectionState, drive: Drive) -> Video:
        """The completed texture; where the photo shows nothing the confidence is `_GUESS`."""
        frames, alpha, known = _draw(state, drive)
        return Video(frames, alpha, _GUESS + (1 - _GUESS) * known)

    def regenerate(self, state: ReprojectionState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """What the photo knows over the avatar's own render; `strength` scales how much of the photo is laid over."""
        if mode == "generate":
            return self.generate(state, drive)
        frames, alpha, known = _draw(state, drive)
        share = known * strength
        own = harmonized(video, frames, alpha, known)
        outline = torch.maximum(video.alpha, alpha)  # holes are closed; hair beyond the head is the avatar's
        mixed = share * frames + (1 - share) * own
        return Video(mixed.clamp(0, 1), share * alpha + (1 - share) * outline, _GUESS + (1 - _GUESS) * known)


def harmonized(video: Video, frames: Tensor, alpha: Tensor, known: Tensor) -> Tensor:
    """(F, 3, H, W) the video's colours, shifted smoothly so that they meet `frames` where those are known.

    Args:
        video: the avatar's render.
        frames: (F, 3, H, W) what the photo shows, premultiplied.
        alpha: (F, 1, H, W) of `frames`.
        known: (F, 1, H, W) confidence in [0, 1].
    """
    weight = (known * torch.minimum(alpha, video.alpha)).numpy()
    sigma = _HARMONY * frames.shape[-1]
    spread = (0, 0, sigma, sigma)
    shift = gaussian_filter(weight * (frames - video.frames).numpy(), spread, truncate=3)
    shift /= gaussian_filter(weight, spread, truncate=3) + _LEAST_KNOWN
    return video.frames + video.alpha * torch.from_numpy(shift)


def halved(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S / 2, S / 2, C) means of two by two texels; S is even."""
    size, _, channels = texture.shape
    return np.ascontiguousarray(texture.reshape(size // 2, 2, size // 2, 2, channels).mean((1, 3)))


def _draw(state: ReprojectionState, drive: Drive) -> tuple[Tensor, Tensor, Tensor]:
    """Premultiplied colours (F, 3, H, W), coverage (F, 1, H, W) and confidence (F, 1, H, W) of the texture."""
    drive.checked()
    with torch.no_grad():
        posed = state.head.pose(drive.expressions, drive.poses).numpy()
    texture = state.small if drive.cameras[0].height <= _SMALL else state.large

    def one(index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return render_texture(posed[index], state.head.topology, texture, drive.cameras[index])

    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as threads:
        values, cover = zip(*threads.map(one, range(len(drive.cameras))))
    drawn = torch.from_numpy(np.stack(values)).permute(0, 3, 1, 2)
    alpha = torch.from_numpy(np.stack(cover))[:, None]
    return drawn[:, :3] * alpha, alpha, drawn[:, 3:] * alpha


def head_texture_video(head: RiggedHead, texture: HeadTexture, drive: Drive) -> Video:
    """What a textured head looks like along a drive; the confidence is the texture's own."""
    channels = texture.channels
    frames, alpha, known = _draw(ReprojectionState(head, channels, halved(channels)), drive)
    return Video(frames, alpha, known)
