"""Diffusion around a condition: its algebra."""

import pytest
import torch

from zero1toa.priors.mini.diffusion import SURE, UNSURE, Around, denoise, invert, levels, spread

SHAPE = (4, 3, 8, 8)


def case(time: float):
    generator = torch.Generator().manual_seed(0)
    center, clean, noise = (torch.randn(SHAPE, generator=generator).clamp(-1, 1) for _ in range(3))
    confidence = torch.rand((4, 1, 8, 8), generator=generator)
    alpha, sigma = levels(torch.tensor(time))
    return Around(center, spread(confidence), alpha, sigma), clean, noise, alpha * clean + sigma * noise


def told(around, clean, factor=-9.0):
    """The answer of a network that knows the truth: mean, and a deviation of nearly nothing."""
    mean = (clean - around.center) / around.spread
    return torch.cat([mean, torch.full_like(mean[:, :1], factor)], 1)


@pytest.mark.parametrize("time", [0.1, 0.5, 0.9, 1.0])
def test_the_truth_gives_the_right_velocity(time):
    around, clean, noise, noisy = case(time)
    velocity = around.velocity(noisy, told(around, clean))
    torch.testing.assert_close(velocity, around.alpha * noise - around.sigma * clean, atol=2e-2, rtol=1e-2)
    torch.testing.assert_close(around.clean(noisy, told(around, clean)), clean, atol=2e-2, rtol=1e-2)


@pytest.mark.parametrize("time", [0.1, 0.5, 0.9, 1.0])
def test_the_target_is_the_unit_of_the_truth(time):
    around, clean, noise, noisy = case(time)
    target = around.target(clean, noise)
    torch.testing.assert_close(around.unit(noisy, told(around, clean)), target, atol=0.1, rtol=0.05)


@pytest.mark.parametrize("time", [0.2, 0.6])
def test_the_answer_is_the_posterior_mean_under_what_it_says(time):
    """x0 is the mean of a normal of mean c + s b and deviation tau, seen through alpha x + sigma n."""
    around, _, _, noisy = case(time)
    answer = torch.randn(SHAPE[0], 4, *SHAPE[2:], generator=torch.Generator().manual_seed(3))
    mean, tau = around.center + around.spread * answer[:, :3], around.spread * answer[:, 3:].clamp(-4, 2.5).exp()
    precision = 1 / tau**2 + around.alpha**2 / around.sigma**2
    expected = (mean / tau**2 + around.alpha * noisy / around.sigma**2) / precision
    torch.testing.assert_close(around.clean(noisy, answer), expected, atol=1e-4, rtol=1e-4)


def test_no_answer_at_pure_noise_is_the_condition():
    around, _, _, noisy = case(1.0)
    torch.testing.assert_close(around.clean(noisy, torch.zeros(4, 4, 8, 8)), around.center, atol=1e-5, rtol=0)


def test_the_spread_runs_from_unsure_to_sure():
    assert spread(torch.tensor(0.0)).item() == pytest.approx(UNSURE)
    assert spread(torch.tensor(1.0)).item() == pytest.approx(SURE)


def test_pure_noise_has_no_signal():
    alpha, sigma = levels(torch.tensor(1.0))
    assert abs(float(alpha)) < 1e-6 and float(sigma) == pytest.approx(1)


def test_what_is_inverted_comes_back_under_the_exact_score_of_a_gaussian():
    """Around a condition, F = 0 is the exact score of a Gaussian: there and back is where it began."""
    generator = torch.Generator().manual_seed(1)
    center = 0.3 * torch.randn(SHAPE, generator=generator)
    s = torch.full((4, 1, 8, 8), 0.2)

    def velocity(noisy, time):
        alpha, sigma = levels(torch.tensor(time))
        return Around(center, s, alpha, sigma).velocity(noisy, torch.zeros(len(noisy), 4, *noisy.shape[2:]))

    clean = center + 0.2 * torch.randn(SHAPE, generator=generator)
    back = denoise(velocity, invert(velocity, clean, 50), 50)
    assert (back - clean).abs().mean() < 0.03


def test_more_steps_come_closer_to_the_gaussian():
    generator = torch.Generator().manual_seed(2)
    center = torch.zeros(256, 3, 4, 4)
    s = torch.full((256, 1, 4, 4), 0.15)

    def velocity(noisy, time):
        alpha, sigma = levels(torch.tensor(time))
        return Around(center, s, alpha, sigma).velocity(noisy, torch.zeros(len(noisy), 4, *noisy.shape[2:]))

    noise = torch.randn(center.shape, generator=generator)
    deviation = [float(denoise(velocity, noise, steps).std()) for steps in (1, 6, 40)]
    assert deviation[0] < 1e-5  # one step is the mean
    assert abs(deviation[2] - 0.15) < abs(deviation[1] - 0.15) < abs(deviation[0] - 0.15)
