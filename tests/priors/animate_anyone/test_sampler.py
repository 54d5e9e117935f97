"""DDIM up and down on a network whose right answer is known."""

import pytest
import torch

from zero1toa.priors.animate_anyone.sampler import Condition, Sampler, schedulers
from zero1toa.priors.animate_anyone.spec import ANIPORTRAIT

pytestmark = pytest.mark.usefixtures("needs_diffusers")
MEANS = torch.tensor([-0.5, 0.5])
DEVIATION = 0.3


class Mixture(torch.nn.Module):
    """The exact velocity of pixels drawn from two Gaussians. Tokens of zero stand for the mixture, of one for the
    second Gaussian alone."""

    def __init__(self, alphas):
        super().__init__()
        self.alphas = alphas
        self.conv_in = torch.nn.Conv2d(1, 1, 1)  # says its number type
        self.calls = []

    def forward(self, latents, timestep, tokens, pose=None, bank=None, plain=0, without_pose=0):
        self.calls.append((latents.shape[0], timestep, bank is not None))
        a = self.alphas[timestep]
        variance = a * DEVIATION**2 + 1 - a
        answers = []
        for z, token in zip(latents, tokens):
            distance = (z[..., None] - a.sqrt() * MEANS) ** 2
            share = torch.softmax(-distance / (2 * variance), -1)
            if token.any():
                share = torch.tensor([0.0, 1.0]).expand_as(share)
            gain = a.sqrt() * DEVIATION**2 / variance
            clean = (share * (MEANS + gain * (z[..., None] - a.sqrt() * MEANS))).sum(-1)
            noise_level = (1 - a).sqrt().clamp_min(1e-6)
            answers.append((a.sqrt() * z - clean) / noise_level)
        return torch.stack(answers)


@pytest.fixture
def sampler():
    made = Sampler(torch.nn.Module(), ANIPORTRAIT)
    made.denoiser = Mixture(made.alphas_cumprod)
    return made


def condition(frames=4, windows=None):
    return Condition(torch.ones(1, 1, 2), {}, windows or [list(range(frames))], [[]] * len(windows or [0]))


def drawn(seed, shape=(1, 4, 4, 8, 8)):
    generator = torch.Generator().manual_seed(seed)
    pick = MEANS[torch.randint(2, shape, generator=generator)]
    return pick + DEVIATION * torch.randn(shape, generator=generator)


def test_levels_are_those_of_the_published_configuration(sampler):
    for step, level in ((39, 0.9565), (200, 0.661), (500, 0.1415), (800, 0.00668), (999, 0.0)):
        assert sampler.alphas_cumprod[step].item() == pytest.approx(level, rel=2e-3, abs=1e-6)


def test_denoising_draws_from_what_the_condition_says(sampler):
    noise = torch.randn(1, 4, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    assert sampler.denoise(condition(), noise, 25, 1.0).mean() == pytest.approx(0.5, abs=0.05)
    assert [call[1] for call in sampler.denoiser.calls][:3] == [999, 959, 919]
    assert len(sampler.denoiser.calls) == 25 and sampler.denoiser.calls[-1][1] == 39


def round_trip(sampler, refinements, strength=25):
    """Root mean square error of latents that go up and down again, both ways without the condition."""
    clean = drawn(0)
    latents = sampler.invert(condition(), clean, 25, strength, 1.0, "null", refinements)
    forward, _ = schedulers(ANIPORTRAIT.noise)
    forward.set_timesteps(25)
    for timestep in forward.timesteps[25 - strength :]:
        velocity = sampler.velocity(condition(), latents, int(timestep), 1.0, "null")
        latents = forward.step(velocity, timestep, latents).prev_sample
    return (latents - clean).pow(2).mean().sqrt().item()


def test_fixed_point_inversion_comes_back_much_closer(sampler):
    plain, refined = round_trip(sampler, 0, 15), round_trip(sampler, 5, 15)
    assert refined < plain / 50


def test_what_is_corrected_comes_from_the_difference_between_the_ways(sampler):
    """A render of the wrong component stays as it is when both ways agree, and is corrected when the way down has the
    condition and the way up has not."""
    wrong = torch.full((1, 4, 4, 8, 8), -0.5) + 0.1 * torch.randn(1, 4, 4, 8, 8)
    up = sampler.invert(condition(), wrong, 25, 25, 1.0, "null")
    corrected = sampler.denoise(condition(), up, 25, 1.0)
    assert 0.1 < corrected.mean() < 0.6  # within the second Gaussian, on the side of the first
    agreeing = sampler.invert(condition(), wrong, 25, 25, 1.0, "cond", refinements=5)
    assert (sampler.denoise(condition(), agreeing, 25, 1.0) - wrong).abs().max() < 0.01


def test_strength_is_how_many_steps_are_taken(sampler):
    sampler.invert(condition(), drawn(0), 25, 5)
    assert [call[1] for call in sampler.denoiser.calls] == [39, 79, 119, 159, 199]
    sampler.denoiser.calls.clear()
    sampler.denoise(condition(), drawn(0), 25, 1.0, 5)
    assert [call[1] for call in sampler.denoiser.calls] == [199, 159, 119, 79, 39]


def test_sdedit_starts_at_the_level_of_its_strength(sampler):
    clean, noise = torch.ones(1, 4, 1, 2, 2), torch.zeros(1, 4, 1, 2, 2)
    level = sampler.alphas_cumprod[199]
    torch.testing.assert_close(sampler.noised(clean, noise, 25, 5), level.sqrt() * clean)


def test_guidance_extrapolates_in_one_batch_and_windows_are_averaged(sampler):
    noisy = drawn(2)
    at = 500
    null = sampler.velocity(condition(), noisy, at, 1.0, "null")
    cond = sampler.velocity(condition(), noisy, at, 1.0)
    sampler.denoiser.calls.clear()
    torch.testing.assert_close(sampler.velocity(condition(), noisy, at, 3.5), null + 3.5 * (cond - null))
    assert sampler.denoiser.calls == [(2, at, True)]
    two = condition(windows=[[0, 1, 2], [2, 3, 0]])
    torch.testing.assert_close(sampler.velocity(two, noisy, at, 1.0), cond)
