"""The embedded prior: the photo, lifted on the fitted head, seen from any camera and with any expression.

It needs no weights. What the photo shows is kept; the rest is taken from the avatar's own render, with its colours
brought to those of the photo.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..heads import RiggedHead
from ..heads.texture_render import render_texture
from ..portrait.texture import HeadTexture
from ..splats.cpu.threads import thread_count
from .protocol import Drive, Mode, Reference, Video

_SMALL = 256
"""Pixels on a side up to which the texture is halved, so that neighbouring rays do not skip texels."""

_GUESS = 0.25
"""Confidence of a pixel that the photo does not show: the guess holds the avatar in place and is easily overruled."""

_OWN = 0.5
"""Share of the avatar's own render in pixels of the head that the photo does not show; the rest is the completed
texture. With the render alone such places would be blurred a little more at every update."""

_LEAST_ALPHA = 1e-3

_HARMONY = 0.04
"""Standard deviation of the blur that carries colour differences into what the photo does not show, of the picture's
width."""

_COARSE = 64
"""Pixels on a side of the picture in which that blur is made: it is wider than a few of them."""

_LEAST_KNOWN = 0.02
"""Blurred confidence that counts as much as knowing nothing: far from all known pixels no colour is changed."""


@dataclass(frozen=True, eq=False)
class ReprojectionState:
    """A person's head and texture."""

    head: RiggedHead
    large: NDArray[np.float32]  # (S, S, 5) colours, confidence and alpha, see `HeadTexture.channels`
    small: NDArray[np.float32]  # (S / 2, S / 2, 5)


class ReprojectionPrior:
    """`VideoPrior` of the lifted photo."""

    name = "reprojection"
    invents = False

    def prepare(self, reference: Reference, generator: torch.Generator) -> ReprojectionState:
        large = reference.texture.channels
        return ReprojectionState(reference.head, large, halved(large))

    def generate(self, state: ReprojectionState, drive: Drive) -> Video:
        """The completed texture; where the photo shows nothing the confidence is `_GUESS`."""
        frames, alpha, known = _draw(state, drive)
        return Video(frames, alpha, _GUESS + (1 - _GUESS) * known)

    def regenerate(self, state: ReprojectionState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """What the photo knows is laid over the avatar's own render, as far as `strength` says."""
        if mode == "generate":
            return self.generate(state, drive)
        frames, alpha, known = _draw(state, drive)
        own = harmonized(video, frames, alpha, known)
        # What the avatar leaves open inside the head's outline is closed; its hair beyond the outline stays.
        outline = torch.maximum(video.alpha, alpha)
        own = own + (outline - video.alpha) * frames / alpha.clamp_min(_LEAST_ALPHA)
        share = strength * (known + (1 - known) * (1 - _OWN) * alpha)
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
    weight = known * torch.minimum(alpha, video.alpha)
    size = frames.shape[-2:]
    coarse = max(1, min(size) // _COARSE)
    sigma = _HARMONY * size[-1] / coarse
    values = F.avg_pool2d(torch.cat([weight * (frames - video.frames), weight], 1), coarse, ceil_mode=True)
    smooth = torch.from_numpy(gaussian_filter(values.numpy(), (0, 0, sigma, sigma), truncate=3))
    shift = smooth[:, :3] / (smooth[:, 3:] + _LEAST_KNOWN)
    return video.frames + video.alpha * F.interpolate(shift, size, mode="bilinear", align_corners=False)


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

    changes = [index for index in range(len(posed)) if index == 0 or not _same(drive, index - 1, index)]
    with ThreadPoolExecutor(thread_count()) as threads:
        values, cover = zip(*threads.map(one, changes))
    shown = np.searchsorted(changes, range(len(posed)), side="right") - 1
    drawn = torch.from_numpy(np.stack(values)[shown]).permute(0, 3, 1, 2)
    drawn = drawn * torch.from_numpy(np.stack(cover)[shown])[:, None]
    return drawn[:, :3], drawn[:, 4:], drawn[:, 3:4]


def _same(drive: Drive, first: int, second: int) -> bool:
    """Whether two frames show the same, as where the camera waits at the end of its open path."""
    return (
        drive.cameras[first] is drive.cameras[second]
        and torch.equal(drive.expressions[first], drive.expressions[second])
        and torch.equal(drive.poses[first], drive.poses[second])
    )


def head_texture_video(head: RiggedHead, texture: HeadTexture, drive: Drive) -> Video:
    """What a textured head looks like along a drive; the confidence is the texture's own."""
    channels = texture.channels
    frames, alpha, known = _draw(ReprojectionState(head, channels, halved(channels)), drive)
    return Video(frames, alpha, known)
