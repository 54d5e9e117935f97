"""What makes sampling faster or smaller changes nothing but that."""

import logging
from dataclasses import replace

import pytest
import torch

from zero1toa.priors.animate_anyone.compiled import Compiled
from zero1toa.priors.animate_anyone.networks import fill, random_networks
from zero1toa.priors.animate_anyone.sampler import Condition, Sampler
from zero1toa.priors.animate_anyone.spec import ANIPORTRAIT, tiny
from zero1toa.priors.animate_anyone.unet import DenoisingUNet, ReferenceUNet

pytestmark = pytest.mark.usefixtures("needs_diffusers")
SPEC = tiny(ANIPORTRAIT)
SMALL = replace(SPEC, network=replace(SPEC.network, channels=(32, 32, 32, 32), heads=4))
SIDES = (16, 8, 4, 2, 2)  # px of the five pose maps


def drawn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def small():
    """A network, and a condition of four frames in two windows."""
    reference, denoiser = ReferenceUNet(SMALL.network), DenoisingUNet(SMALL.network)
    for seed, module in enumerate((reference, denoiser)):
        fill(module, seed)
        module.eval().requires_grad_(False)
    tokens = drawn(0, 1, 1, SMALL.network.context)
    poses = [[drawn(10 + side + shift, 3, 32, side, side) for side in SIDES] for shift in (0, 100)]
    bank = reference(drawn(1, 1, 4, 16, 16), tokens)
    return denoiser, Condition(tokens, bank, [[0, 1, 2], [2, 3, 0]], poses)


def test_guidance_in_one_batch_and_one_after_the_other_are_the_same(small):
    denoiser, condition = small
    noise = drawn(2, 1, 4, 4, 16, 16)
    one, other = (
        Sampler(denoiser, SMALL, batched_guidance=batched).denoise(condition, noise, 3, 3.5)
        for batched in (True, False)
    )
    torch.testing.assert_close(one, other, atol=1e-5 * one.abs().max().item(), rtol=0)


@pytest.mark.parametrize("solver", ["ddim", "dpmpp"])
def test_each_solver_gives_finite_latents(small, solver):
    denoiser, condition = small
    for steps in (1, 2, 4):
        latents = Sampler(denoiser, SMALL).denoise(condition, drawn(2, 1, 4, 4, 16, 16), steps, 3.5, solver=solver)
        assert torch.isfinite(latents).all() and latents.abs().max() < 100


def test_dpm_solver_needs_fewer_steps_on_a_score_that_is_known():
    """Data is one Gaussian: from noise n the exact path leads to mean + deviation n."""
    mean, deviation = 0.4, 0.3

    class Gaussian(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv_in = torch.nn.Conv2d(1, 1, 1)  # says its number type

        def forward(self, z, timestep, *_):
            a = levels[timestep]
            variance = a * deviation**2 + 1 - a
            clean = mean + a.sqrt() * deviation**2 / variance * (z - a.sqrt() * mean)
            return (a.sqrt() * z - clean) / (1 - a).sqrt().clamp_min(1e-6)

    sampler = Sampler(Gaussian(), ANIPORTRAIT)
    levels = sampler.alphas_cumprod
    condition = Condition(torch.ones(1, 1, 2), {}, [[0, 1]], [[]])
    noise = drawn(0, 1, 4, 2, 16, 16)

    def error(solver, steps):
        found = sampler.denoise(condition, noise, steps, 1.0, solver=solver)
        return (found - (mean + deviation * noise)).pow(2).mean().sqrt().item()

    assert error("dpmpp", 8) < 0.6 * error("ddim", 25) < 0.6 * error("ddim", 8)


def test_the_faster_solver_makes_generated_clips_alone(tiny_model, reference, make_drive, subject):
    drive = make_drive((0.0,))
    video = subject.video(drive)
    made, regenerated = [], []
    for solver in ("ddim", "dpmpp"):
        prior = tiny_model(solver=solver, steps=3)
        state = prior.prepare(reference, torch.Generator().manual_seed(0))
        made.append(prior.generate(state, drive).frames)
        regenerated.append(prior.regenerate(state, drive, video, 0.5, "ddim_inversion").frames)
    assert torch.isfinite(made[1]).all() and (made[0] - made[1]).abs().max() > 1e-5
    assert torch.equal(*regenerated)


def test_channels_last_is_the_same_but_for_its_layout():
    networks = random_networks(SPEC, 0)
    tokens, latents = drawn(0, 1, 1, SPEC.network.context), drawn(1, 1, 4, 2, 16, 16)
    pictures = 510 * torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(2)) - 1
    answers = []
    for channels_last in (False, True):
        networks.ready(SPEC, torch.device("cpu"), torch.float32, None, channels_last)
        assert networks.guider.final_proj.weight.is_contiguous()
        bank = networks.reference(latents[:, :, 0], tokens)
        answers.append(networks.denoiser(latents, 480, tokens, networks.guider(pictures), bank))
    layout = networks.denoiser.down_blocks[0].resnets[0].conv1.weight
    assert layout.is_contiguous(memory_format=torch.channels_last) and not layout.is_contiguous()
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-4)


def test_a_network_in_bfloat16_on_a_cpu_answers_about_the_same(small):
    denoiser, condition = small
    noisy = drawn(2, 1, 4, 3, 16, 16)
    inputs = (480, condition.tokens, condition.poses[0], condition.bank)
    exact = denoiser(noisy, *inputs)
    half = DenoisingUNet(SMALL.network).requires_grad_(False)
    half.load_state_dict(denoiser.state_dict())
    rounded = half.bfloat16()(noisy.bfloat16(), 480, condition.tokens.bfloat16(), condition.poses[0], condition.bank)
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).norm() < 0.05 * exact.norm()


def test_compiling_is_asked_for_and_used(small, monkeypatch):
    calls = []

    def compiler(network):
        def fast(latents, timestep, *rest, **options):
            calls.append(timestep)
            return network(latents, timestep, *rest, **options)

        return fast

    monkeypatch.setattr(torch, "compile", compiler)
    denoiser, condition = small
    noise = drawn(2, 1, 4, 4, 16, 16)
    plain = Sampler(denoiser, SMALL).denoise(condition, noise, 1, 3.5)
    assert not calls
    torch.testing.assert_close(Sampler(denoiser, SMALL, compiled=True).denoise(condition, noise, 1, 3.5), plain)
    assert [int(time) for time in calls] == [999, 999]  # two windows; tensors, or each step would compile anew
    assert all(isinstance(time, torch.Tensor) for time in calls)


@pytest.mark.parametrize("when", ["making", "calling"])
def test_where_compiling_fails_it_says_so_once_and_goes_on(small, monkeypatch, caplog, when):
    def fails(*_, **__):
        raise RuntimeError("no C++ compiler\nand many lines more")

    monkeypatch.setattr(torch, "compile", fails if when == "making" else lambda _: fails)
    denoiser, condition = small
    noise = drawn(2, 1, 4, 4, 16, 16)
    with caplog.at_level(logging.WARNING):
        answer = Sampler(denoiser, SMALL, compiled=True).denoise(condition, noise, 2, 1.0)
    torch.testing.assert_close(answer, Sampler(denoiser, SMALL).denoise(condition, noise, 2, 1.0))
    (record,) = caplog.records
    assert record.getMessage().count("\n") == 0 and "RuntimeError: no C++ compiler" in record.getMessage()


def test_errors_of_the_network_itself_are_not_hidden(small, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network: network)
    with pytest.raises(RuntimeError):
        Compiled(small[0])(drawn(0, 1, 3, 2, 16, 16), 5, drawn(1, 1, 1, SMALL.network.context))


def test_the_configuration_reaches_the_sampler(tiny_model):
    plain, chosen = tiny_model().sampler, tiny_model(batched_guidance=False, compile=True).sampler
    assert plain.batched_guidance and plain.compiled is None
    assert not chosen.batched_guidance and isinstance(chosen.compiled, Compiled)
