"""The three gradients on scores that are known exactly."""

import math
from dataclasses import replace

import pytest
import torch

from zero1toa.config import DistillConfig
from zero1toa.symgen.distill import (
    Distillation,
    Level,
    gradient_loss,
    ism_gradient,
    nfsd_gradient,
    prior_level,
    sds_gradient,
    stable_diffusion_levels,
)


class GaussianPrior:
    """A `ScorePrior` without pictures: its latents are the frames, and each branch is a Gaussian mixture.

    Noise levels are those of a cosine from the picture to pure noise.
    """

    def __init__(self, cond, null, neg=((1.0, 5.0, 0.1),)):
        self.mixtures = {"cond": cond, "null": null, "neg": neg}

    def encode(self, frames):
        return frames.transpose(0, 1)[None]

    def decode(self, latents):
        return latents[0].transpose(0, 1)

    def level(self, time):
        return math.cos(time * math.pi / 2), math.sin(time * math.pi / 2)

    def score(self, state, drive, video):
        return None

    def x0(self, score, noisy, time, branch="cond"):
        return self.ask(noisy, time, branch)

    def ask(self, noisy, time, branch):
        """Posterior mean of the mixture's (weight, mean, deviation) triples."""
        alpha, sigma = self.level(time)
        parts = []
        for weight, mean, deviation in self.mixtures[branch]:
            variance = (alpha * deviation) ** 2 + sigma**2
            apart = noisy - alpha * mean
            likelihood = math.log(weight) - 0.5 * math.log(variance) - apart**2 / (2 * variance)
            parts.append((likelihood, mean + alpha * deviation**2 / variance * apart))
        share = torch.softmax(torch.stack([part[0] for part in parts]), 0)
        return (share * torch.stack([part[1] for part in parts])).sum(0)


LEFT, RIGHT = (0.5, -1.0, 0.2), (0.5, 1.0, 0.2)
TWO = GaussianPrior(cond=((1.0, 1.0, 0.2),), null=(LEFT, RIGHT))
SHAPE = (1, 4, 3, 4, 4)


def at(prior, time):
    return Level(time, *prior.level(time))


def noise(seed=0):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("time", [0.05, 0.4, 0.9])
def test_sds_is_the_published_formula(time):
    """(1 - a)(e_null + s (e_cond - e_null) - noise)."""
    level, latents, eps, scale = at(TWO, time), noise(1), noise(2), 7.5
    noisy = level.alpha * latents + level.sigma * eps
    null, cond = ((noisy - level.alpha * TWO.ask(noisy, time, b)) / level.sigma for b in ("null", "cond"))
    expected = level.sigma**2 * (null + scale * (cond - null) - eps)
    torch.testing.assert_close(sds_gradient(TWO.ask, latents, eps, level, scale), expected, atol=1e-4, rtol=1e-4)


def test_sds_of_a_gaussian_has_the_expected_mean():
    """E over noise: alpha sigma (z - m) (1 - gain), gain = alpha^2 d^2 / (alpha^2 d^2 + sigma^2): towards the mean."""
    mean, deviation = 0.3, 0.5
    prior = GaussianPrior(((1.0, mean, deviation),), ((1.0, mean, deviation),))
    level = at(prior, 0.5)
    latents = torch.full((1, 1, 1, 200, 200), 1.5)
    eps = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    found = sds_gradient(prior.ask, latents, eps, level, 1.0).mean().item()
    gain = (level.alpha * deviation) ** 2 / ((level.alpha * deviation) ** 2 + level.sigma**2)
    expected = level.alpha * level.sigma * (1.5 - mean) * (1 - gain)
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("time", [0.05, 0.6])
def test_nfsd_is_the_published_formula(time):
    level, latents, eps, scale = at(TWO, time), noise(1), noise(2), 7.5
    noisy = level.alpha * latents + level.sigma * eps
    null, cond, neg = ((noisy - level.alpha * TWO.ask(noisy, time, b)) / level.sigma for b in ("null", "cond", "neg"))
    domain = null if time < 0.2 else null - neg
    expected = level.sigma**2 * (domain + scale * (cond - null))
    found = nfsd_gradient(TWO.ask, latents, eps, level, scale, time < 0.2)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_ism_is_the_difference_of_two_noises_on_one_path():
    """Data that is a single point: its noise is the same all along DDIM's path, so that without a condition the
    gradient is zero, and with one it is s times the distance of the two points."""
    here, there = 0.4, -0.6
    prior = GaussianPrior(((1.0, there, 1e-6),), ((1.0, here, 1e-6),))
    path = [at(prior, time) for time in (0.05, 0.25, 0.4, 0.5)]
    latents, eps = noise(1), noise(2)
    zero = ism_gradient(prior.ask, latents, eps, path, 0.0, 100.0)
    torch.testing.assert_close(zero, torch.zeros_like(zero), atol=1e-3, rtol=0)
    found = ism_gradient(prior.ask, latents, eps, path, 3.0, 100.0)
    # w (e_guided - e) = sigma / alpha * alpha / sigma * 3 (here - there)
    torch.testing.assert_close(found, torch.full_like(found, 3.0 * (here - there)), atol=1e-3, rtol=1e-3)
    assert torch.equal(
        ism_gradient(prior.ask, latents, eps, path, 3.0, 0.5), found * 0.5 / (path[-1].sigma / path[-1].alpha)
    )


def test_all_stay_finite_where_nothing_but_noise_is_left():
    level = Level(1.0, 0.0, 1.0)
    for found in (
        sds_gradient(TWO.ask, noise(), noise(1), level, 100.0),
        nfsd_gradient(TWO.ask, noise(), noise(1), level, 7.5, False),
        ism_gradient(TWO.ask, noise(), noise(1), [at(TWO, 0.1), level], 7.5, 10.0),
    ):
        assert torch.isfinite(found).all()


def descended(method, prior, **options):
    """Frames that began at zero and followed a method."""
    made = Distillation(method, prior, None, DistillConfig(**options), torch.Generator().manual_seed(0))
    frames = torch.zeros(2, 3, 4, 4, requires_grad=True)
    optimizer = torch.optim.Adam([frames], 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        made.loss(frames, None, None).backward()
        optimizer.step()
    return frames.detach()


@pytest.mark.parametrize("method", ["sds", "ism", "nfsd"])
def test_descending_leads_to_the_side_of_the_condition(method):
    assert (descended(method, TWO, most_time=0.7) > 0.5).float().mean() > 0.95


def test_without_excess_guidance_sds_ends_at_the_mode():
    """With much it goes beyond: the over-saturation for which SDS is known."""
    assert descended("sds", TWO, scale=1.0).mean().item() == pytest.approx(1.0, abs=0.2)
    assert descended("sds", TWO, scale=7.5, most_time=0.7).mean() > 1.5


def test_the_loss_has_the_given_gradient():
    latents = torch.randn(SHAPE, requires_grad=True)
    gradient = torch.randn(SHAPE)
    gradient_loss(latents, gradient).backward()
    torch.testing.assert_close(latents.grad, gradient / SHAPE[2])


def test_times_are_translated_by_the_noise_for_the_signal():
    """SD's steps 200, 500, 800, 980 are 156, 396, 658, 809 on AniPortrait's schedule (linear, zero terminal SNR)."""
    pytest.importorskip("diffusers")
    from zero1toa.priors.animate_anyone.sampler import schedulers
    from zero1toa.priors.animate_anyone.spec import ANIPORTRAIT

    alphas = schedulers(ANIPORTRAIT.noise)[0].alphas_cumprod

    class Levels(GaussianPrior):
        def level(self, time):
            kept = float(alphas[round(time * 999)])
            return kept**0.5, (1 - kept) ** 0.5

    prior = Levels((RIGHT,), (RIGHT,))
    for theirs, ours in ((0.2, 156), (0.5, 396), (0.8, 658), (0.98, 809)):
        found = prior_level(prior, theirs)
        assert found.time * 999 == pytest.approx(ours, abs=2)
        kept = stable_diffusion_levels()[round(theirs * 1000) - 1]
        assert found.alpha**2 == pytest.approx(kept, rel=0.02)


def test_isms_path_rises_in_steps_of_at_most_the_given_size():
    made = Distillation("ism", TWO, None, DistillConfig(), torch.Generator())
    for time in (0.02, 0.1, 0.5, 0.98):
        path = made.ism_path(time)
        times = [level.time for level in path]
        assert 2 <= len(path) <= 7 and times == sorted(times)
        assert len(set(times)) == len(times)
    assert len(made.ism_path(0.98)) > len(made.ism_path(0.3))
    longer = replace(made, config=DistillConfig(ism_step=0.5))
    assert len(longer.ism_path(0.98)) < len(made.ism_path(0.98))
