"""Diffusion around a condition: noise levels, what the network answers, DDIM down and up.

A clip x in [-1, 1] is noised to z = alpha x + sigma n with alpha = cos(pi t / 2), sigma = sin(pi t / 2): at t = 1 there
is no signal at all. The network is told c, the reprojected photo, and per pixel how far x usually lies from it,
s = s(confidence). It answers how far x lies from c here: a mean b and a logarithm of a factor a, per pixel, so that x
is about normal with mean c + s b and deviation tau = s exp(a). The clean picture is what that says of the noisy one:

    w = z - alpha c,  k = alpha tau^2 / (alpha^2 tau^2 + sigma^2)
    x0 = c + s b + k (w - alpha s b),  v = (alpha z - x0) / sigma

So with a = b = 0, as at the start of training, a sample is the photo where the photo is sure, and noise where it is
not: the network need not learn to copy, and noise need not pass through it. The error of x0 is measured in units of
what is left of s by the noise (EDM's preconditioning, Karras et al. 2022, for every pixel): F below, of unit variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

SURE, UNSURE = 0.07, 0.22
"""Deviation of a clip from its condition where the confidence is 1, and where it is 0, in units of [-1, 1]: measured on
synthetic clips (`evaluate prior` prints it as `residual`)."""

_FACTOR = (-4.0, 2.5)  # of the logarithm of the factor on the deviation

Velocity = Callable[[Tensor, float], Tensor]
"""v (F, 3, S, S) of noisy frames (F, 3, S, S) at a time."""


def levels(time: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma at times in [0, 1]."""
    return torch.cos(time * (math.pi / 2)), torch.sin(time * (math.pi / 2))


def spread(confidence: Tensor) -> Tensor:
    """s of confidences in [0, 1]."""
    return torch.exp(math.log(UNSURE) + confidence * (math.log(SURE) - math.log(UNSURE)))


@dataclass(frozen=True, eq=False)
class Around:
    """A condition at a time; all tensors broadcast against (..., 3, S, S)."""

    center: Tensor  # c
    spread: Tensor  # s
    alpha: Tensor
    sigma: Tensor
    temperature: float = 1.0  # factor on the deviation that the network answers; 0 leaves its mean alone

    @property
    def _variance(self) -> Tensor:
        return (self.alpha * self.spread) ** 2 + self.sigma**2

    def scaled(self, noisy: Tensor) -> Tensor:
        """What the network sees of z: of unit variance."""
        return (noisy - self.alpha * self.center) / self._variance.clamp_min(1e-8).sqrt()

    def target(self, clean: Tensor, noise: Tensor) -> Tensor:
        """The F that would give the truth."""
        residual = clean - self.center
        top = self.sigma * residual - self.alpha * self.spread**2 * noise
        return top / (self.spread * self._variance.clamp_min(1e-8).sqrt())

    def unit(self, noisy: Tensor, answer: Tensor) -> Tensor:
        """F of z and of the network's answer (..., 4, S, S): mean, and logarithm of the factor on the deviation."""
        mean, factor = answer[..., :3, :, :], answer[..., 3:, :, :].clamp(*_FACTOR).exp()
        variance, squared = self._variance.clamp_min(1e-8), (self.temperature * self.spread * factor) ** 2
        own = (self.alpha**2 * squared + self.sigma**2).clamp_min(1e-8)
        w = noisy - self.alpha * self.center
        told = self.spread * mean + self.alpha * (squared - self.spread**2) / variance * w
        return self.sigma * variance.sqrt() / (self.spread * own) * told

    def velocity(self, noisy: Tensor, answer: Tensor) -> Tensor:
        """v from z and the network's answer."""
        return self._velocity(noisy, self.unit(noisy, answer))

    def _velocity(self, noisy: Tensor, unit: Tensor) -> Tensor:
        variance = self._variance.clamp_min(1e-8)
        w = noisy - self.alpha * self.center
        skip = self.sigma * (self.alpha * (1 - self.spread**2) * w / variance - self.center)
        return skip - self.spread / variance.sqrt() * unit

    def clean(self, noisy: Tensor, answer: Tensor) -> Tensor:
        """x0 from z and the network's answer."""
        return self.alpha * noisy - self.sigma * self.velocity(noisy, answer)


@torch.no_grad()
def denoise(velocity: Velocity, noisy: Tensor, steps: int, start: float = 1.0) -> Tensor:
    """Clean frames from frames at time `start`, by `steps` steps of DDIM, kept within [-1, 1] on the way."""
    times = torch.linspace(start, 0, steps + 1).tolist()
    for time, after in pairwise(times):
        alpha, sigma = (float(x) for x in levels(torch.tensor(time)))
        clean = (alpha * noisy - sigma * velocity(noisy, time)).clamp(-1, 1)
        seen = (noisy - alpha * clean) / sigma
        alpha, sigma = (float(x) for x in levels(torch.tensor(after)))
        noisy = alpha * clean + sigma * seen
    return noisy


@torch.no_grad()
def invert(velocity: Velocity, clean: Tensor, steps: int, end: float = 1.0) -> Tensor:
    """Frames at time `end` from which DDIM would come back to these: its steps taken upwards."""
    times = torch.linspace(0, end, steps + 1).tolist()
    for time, after in pairwise(times):
        alpha, sigma = (float(x) for x in levels(torch.tensor(time)))
        # The network is asked at the step's upper end, as DDIM's inverse does: at time 0 it sees no noise to judge by.
        v = velocity(clean, max(time, 0.5 * after))
        seen_clean, noise = alpha * clean - sigma * v, sigma * clean + alpha * v
        alpha, sigma = (float(x) for x in levels(torch.tensor(after)))
        clean = alpha * seen_clean + sigma * noise
    return clean
