"""Score distillation, the paper's baselines (Fig. 1 and 12): SDS, ISM and NFSD towards a video diffusion prior.

All are written with clean latents (x0) and not with noise, which is the same and stays finite at a level of pure noise.
With z_t = alpha z + sigma noise the network's noise is e = (z_t - alpha x0) / sigma. Times are those of Stable
Diffusion's schedule, for which the methods' numbers were chosen, and are translated to the prior's by the ratio of
signal to noise: the same index is another level there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ..config import DistillConfig
from ..priors import Drive, Video
from ..priors.protocol import ScoreBranch, ScorePrior

METHODS = ("sds", "ism", "nfsd")

DEFAULT_SCALES = {"sds": 100.0, "ism": 7.5, "nfsd": 7.5}
"""Guidance: DreamFusion's; LucidDreamer's; that of Katzir 2023."""

_ISM_STEPS = 5  # most inversion steps to the lower level (LucidDreamer's xs_inv_steps)
_ISM_START = 1e-3  # time at which the inversion begins, where hardly any noise is
_BISECTIONS = 40


class Level(NamedTuple):
    """z_t = alpha x0 + sigma noise at a time of the prior."""

    time: float
    alpha: float
    sigma: float


class Ask(Protocol):
    """The prior's clean latents in noisy ones."""

    def __call__(self, noisy: Tensor, time: float, branch: ScoreBranch) -> Tensor: ...


def guided(ask: Ask, noisy: Tensor, time: float, scale: float) -> Tensor:
    """x0 under classifier-free guidance: null + scale (cond - null)."""
    null = ask(noisy, time, "null")
    return null + scale * (ask(noisy, time, "cond") - null)


def sds_gradient(ask: Ask, latents: Tensor, noise: Tensor, at: Level, scale: float) -> Tensor:
    """Score distillation sampling (DreamFusion, eq. 3): (1 - a) (e_guided - noise) = alpha sigma (z - x0_guided)."""
    noisy = at.alpha * latents + at.sigma * noise
    return at.alpha * at.sigma * (latents - guided(ask, noisy, at.time, scale))


def nfsd_gradient(ask: Ask, latents: Tensor, noise: Tensor, at: Level, scale: float, is_small: bool) -> Tensor:
    """Noise-free score distillation (Katzir 2023, eq. 6): (1 - a) (d_domain + scale d_condition).

    The drawn noise is not subtracted. d_domain is the unconditional noise itself at small times, else its difference to
    the noise under the negative condition.

    Args:
        ask: the prior.
        latents: clean.
        noise: drawn.
        at: the level.
        scale: guidance.
        is_small: whether the time is a small one.
    """
    noisy = at.alpha * latents + at.sigma * noise
    null = ask(noisy, at.time, "null")
    # (1 - a) e = sigma (z_t - alpha x0), and differences of e are alpha times differences of x0.
    condition = at.alpha * at.sigma * (null - ask(noisy, at.time, "cond"))
    if is_small:
        domain = at.sigma * (noisy - at.alpha * null)
    else:
        domain = at.alpha * at.sigma * (ask(noisy, at.time, "neg") - null)
    return domain + scale * condition


def ism_gradient(
    ask: Ask, latents: Tensor, noise: Tensor, path: list[Level], scale: float, most_weight: float
) -> Tensor:
    """Interval score matching (LucidDreamer, eq. 10): w (e_guided(z_t, t) - e_null(z_s, s)), w = sigma / alpha.

    z_s and z_t are not drawn but reached by inverting DDIM without the condition, from latents with little noise.

    Args:
        ask: the prior.
        latents: clean.
        noise: at the beginning of the path.
        path: levels from the first to s and, last, t.
        scale: guidance.
        most_weight: largest w.
    """
    assert len(path) >= 2, path
    first = path[0]
    noisy = first.alpha * latents + first.sigma * noise
    seen = torch.zeros_like(latents)
    for here, above in pairwise(path):
        clean = ask(noisy, here.time, "null")
        seen = (noisy - here.alpha * clean) / here.sigma
        noisy = above.alpha * clean + above.sigma * seen
    last = path[-1]
    wanted = (noisy - last.alpha * guided(ask, noisy, last.time, scale)) / last.sigma
    weight = min(last.sigma / max(last.alpha, 1e-8), most_weight)
    return weight * (wanted - seen)


def gradient_loss(latents: Tensor, gradient: Tensor) -> Tensor:
    """A loss whose gradient on the latents (1, C, F, h, w) is the given one over the number of frames."""
    target = (latents - gradient).detach()
    return 0.5 * ((latents - target) ** 2).sum() / latents.shape[2]


@cache
def stable_diffusion_levels() -> tuple[float, ...]:
    """a = alpha^2 of Stable Diffusion's 1,000 training steps ("scaled_linear", without zero terminal SNR)."""
    roots = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64)
    return tuple(torch.cumprod(1 - roots**2, 0).tolist())


def prior_level(prior: ScorePrior, time: float) -> Level:
    """The level of a prior with as much noise for its signal as Stable Diffusion has at a time in [0, 1]."""
    levels = stable_diffusion_levels()
    kept = levels[min(max(round(time * len(levels)) - 1, 0), len(levels) - 1)]
    wanted = kept / (1 - kept)
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        alpha, sigma = prior.level(middle)
        if alpha**2 > wanted * sigma**2:
            low = middle
        else:
            high = middle
    return Level(high, *prior.level(high))


@dataclass(frozen=True, eq=False)
class Distillation:
    """One of the methods with a prior.

    Args:
        method: one of `METHODS`.
        prior: that has a score.
        state: what it prepared for the person.
        config: its numbers.
        generator: of times and noise.
    """

    method: str
    prior: ScorePrior
    state: Any
    config: DistillConfig
    generator: torch.Generator

    def loss(self, frames: Tensor, drive: Drive, video: Video) -> Tensor:
        """Of a clip.

        Args:
            frames: (F, 3, H, W) the render before the background that the prior knows, with its graph.
            drive: what it shows.
            video: the same render without graph, for its landmarks.
        """
        latents = self.prior.encode(frames)
        score = self.prior.score(self.state, drive, video)

        def ask(noisy: Tensor, time: float, branch: ScoreBranch) -> Tensor:
            return self.prior.x0(score, noisy, time, branch)

        noise = torch.randn(latents.shape, generator=self.generator).to(latents)
        with torch.no_grad():
            gradient = self.gradient(ask, latents.detach(), noise)
        return self.config.weight * gradient_loss(latents, gradient).to(frames.device)

    def gradient(self, ask: Ask, latents: Tensor, noise: Tensor) -> Tensor:
        """On the latents, at a time that is drawn."""
        config = self.config
        scale = DEFAULT_SCALES[self.method] if config.scale is None else config.scale
        share = torch.rand(1, generator=self.generator).item()
        time = config.least_time + share * (config.most_time - config.least_time)
        if self.method == "ism":
            return ism_gradient(ask, latents, noise, self.ism_path(time), scale, config.ism_most_weight)
        at = prior_level(self.prior, time)
        if self.method == "nfsd":
            return nfsd_gradient(ask, latents, noise, at, scale, time < config.nfsd_small_time)
        return sds_gradient(ask, latents, noise, at, scale)

    def ism_path(self, time: float) -> list[Level]:
        """From little noise in equal steps to the lower level, then to the level of a time."""
        config = self.config
        lower = max(time - config.ism_interval, _ISM_START)
        start = max(lower - _ISM_STEPS * config.ism_step, _ISM_START)
        steps = math.ceil((lower - start) / config.ism_step)
        times = [start + (lower - start) * k / steps for k in range(steps)] if steps else []
        return [prior_level(self.prior, value) for value in (*times, lower, max(time, lower + _ISM_START))]
