"""Each behaviour of the published code that has an alternative: the option reaches its place and does what it says."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

from zero1toa.config import DiffusionConfig
from zero1toa.priors.animate_anyone import condition as conditions
from zero1toa.priors.animate_anyone.motion import MotionModule
from zero1toa.priors.animate_anyone.networks import fill
from zero1toa.priors.animate_anyone.sampler import Condition, Sampler, score_levels
from zero1toa.priors.animate_anyone.spec import ANIPORTRAIT, FOLLOW_YOUR_EMOJI, SPECS, configured, tiny
from zero1toa.priors.animate_anyone.unet import DenoisingUNet, ReferenceUNet

SPEC = tiny(ANIPORTRAIT)
SMALL = replace(SPEC.network, channels=(32, 32, 32, 32), heads=4)
SIDES = (16, 8, 4, 2, 2)  # px of the five pose maps


@pytest.fixture(scope="module")
def small():
    reference, denoiser = ReferenceUNet(SMALL), DenoisingUNet(SMALL)
    for seed, module in enumerate((reference, denoiser)):
        fill(module, seed)
        module.eval().requires_grad_(False)
    return reference, denoiser


def drawn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def clip_condition(reference, frames=2):
    tokens = drawn(0, 1, 1, SMALL.context)
    maps = [drawn(10 + side, frames, 32, side, side) for side in SIDES]
    return Condition(tokens, reference(drawn(1, 1, 4, 16, 16), tokens), [list(range(frames))], [maps])


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_without_options_a_model_is_as_its_authors_run_it(spec):
    assert configured(spec, DiffusionConfig()) == spec


def test_every_option_of_the_sampling_changes_the_model():
    changes = {
        "beta_schedule": "scaled_linear", "bank_half": False, "null_condition": "nothing", "noise_dtype": "float32",
        "reference_latents": "sample", "reference_timestep": 5, "landmark_channels": "reversed", "motion_norm": "clip",
        "pose_in_skips": True, "pose_norm": "running", "pose_range": "train", "last_window": "clamp",
    }  # fmt: skip
    assert changes.keys() <= {field.name for field in fields(DiffusionConfig)}
    for name, value in changes.items():
        assert configured(ANIPORTRAIT, DiffusionConfig(**{name: value})) != ANIPORTRAIT, name


@pytest.mark.parametrize("batched", [True, False])
def test_the_unconditional_half_sees_what_is_asked(small, batched):
    reference, denoiser = small
    condition, noisy, at = clip_condition(reference), drawn(2, 1, 4, 2, 16, 16), 480
    tokens, maps, bank = 0 * condition.tokens, condition.poses[0], condition.bank
    expected = {"pose": (maps, None), "nothing": (None, None), "pose_and_bank": (maps, bank)}
    cond = denoiser(noisy, at, condition.tokens, maps, bank)
    for name, (pose, seen) in expected.items():
        null = denoiser(noisy, at, tokens, pose, seen)
        sampler = Sampler(denoiser, replace(SPEC, null_condition=name), batched_guidance=batched)
        torch.testing.assert_close(sampler.velocity(condition, noisy, at, 1.0, "null"), null, atol=1e-5, rtol=1e-4)
        wanted = null + 3.5 * (cond - null)
        torch.testing.assert_close(sampler.velocity(condition, noisy, at, 3.5), wanted, atol=1e-4, rtol=1e-4)


def test_the_pose_reaches_the_skips_only_if_asked(small):
    """The zeroth map reaches them in any case."""
    reference, denoiser = small
    condition, noisy = clip_condition(reference), drawn(2, 1, 4, 2, 16, 16)
    changed = DenoisingUNet(replace(SMALL, pose_in_skips=True)).requires_grad_(False)
    changed.load_state_dict(denoiser.state_dict())

    def apart(pose):
        return (denoiser(noisy, 9, condition.tokens, pose) - changed(noisy, 9, condition.tokens, pose)).abs().max()

    maps = condition.poses[0]
    assert apart(maps) > 1e-3
    assert apart([maps[0], *(0 * lower for lower in maps[1:])]) == 0


def test_motion_modules_normalise_each_frame_or_the_clip():
    per_frame, over_clip = (MotionModule(32, 4, 8, over).requires_grad_(False) for over in (False, True))
    fill(per_frame, 0)
    over_clip.load_state_dict(per_frame.state_dict())
    seen = []
    for module in (per_frame, over_clip):
        block = module.temporal_transformer
        pictures = drawn(0, 4, 32, 16, 16) * torch.tensor([1.0, 5.0, 1.0, 1.0])[:, None, None, None]
        seen.append(block._normalized(pictures, 2) - block.norm.bias[:, None, None])
    deviations = [[x.std().item() for x in frames] for frames in seen]
    assert deviations[0] == pytest.approx([deviations[0][0]] * 4, rel=0.05)
    assert deviations[1][1] == pytest.approx(5 * deviations[1][0], rel=0.1)  # of one clip
    assert deviations[1][2:] == pytest.approx(deviations[0][2:], rel=0.05)  # the other clip does not see it
    torch.testing.assert_close(over_clip(drawn(1, 3, 32, 2, 2), 1), per_frame(drawn(1, 3, 32, 2, 2), 1))


def test_the_reference_pass_follows_its_options(tiny_model):
    networks = tiny_model().networks
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    tokens = conditions.clip_tokens(networks, picture)

    def bank(seed=0, **options):
        generator = torch.Generator().manual_seed(seed)
        spec = configured(SPEC, DiffusionConfig(**options))
        return conditions.reference_bank(networks, spec, picture, tokens, generator)["mid_block.attentions.0"]

    plain, exact = bank(), bank(bank_half=False)
    assert torch.equal(plain, exact.half().float()) and not torch.equal(plain, exact)
    sampled = bank(reference_latents="sample")
    assert torch.equal(sampled, bank(reference_latents="sample"))
    assert torch.equal(plain, bank(1)) and not torch.equal(sampled, bank(1, reference_latents="sample"))
    for other in (sampled, bank(reference_timestep=500)):
        assert torch.isfinite(other).all() and (other - plain).abs().max() > 1e-3


def test_landmark_channels_can_be_reversed():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[..., 0] = 255
    drawn_order, reversed_order = (
        conditions.pose_pixels([picture], replace(FOLLOW_YOUR_EMOJI, landmark_channels=order))
        for order in ("drawn", "reversed")
    )
    assert drawn_order[0, :, 0, 0].tolist() == [1, 0, 0] and reversed_order[0, :, 0, 0].tolist() == [0, 0, 1]


def test_noise_agrees_between_precisions_only_if_asked(tiny_model, reference):
    import copy

    noises = {}
    for wanted in ("network", "float32"):
        for dtype in (torch.float32, torch.bfloat16):
            prior = tiny_model(noise_dtype=wanted)
            prior.networks = copy.copy(prior.networks)
            prior.networks.denoiser = torch.nn.Module()
            prior.networks.denoiser.conv_in = torch.nn.Conv2d(1, 1, 1, dtype=dtype)
            state = type("State", (), {"generator": torch.Generator().manual_seed(3)})
            noises[wanted, dtype] = prior._noise(state, 2)
    assert torch.equal(noises["float32", torch.bfloat16], noises["float32", torch.float32])
    assert not torch.equal(noises["network", torch.bfloat16], noises["network", torch.float32])


@pytest.mark.usefixtures("needs_diffusers")
def test_the_score_can_take_the_levels_of_the_training(tiny_model):
    """alpha^2 at 500: 0.1415 as AniPortrait is sampled and 0.241 as it was trained; Follow-Your-Emoji has one."""
    assert score_levels(ANIPORTRAIT.noise, "inference")[500].item() == pytest.approx(0.1415, rel=2e-3)
    assert score_levels(ANIPORTRAIT.noise, "train")[500].item() == pytest.approx(0.241, rel=2e-3)
    levels = [score_levels(FOLLOW_YOUR_EMOJI.noise, name) for name in ("inference", "train")]
    assert torch.equal(*levels)
    prior = tiny_model(score_schedule="train")
    alpha, sigma = prior.level(500 / 999)
    assert alpha**2 == pytest.approx(0.241, rel=2e-3) and alpha**2 + sigma**2 == pytest.approx(1)
    assert prior.sampler.alphas_cumprod[500].item() == pytest.approx(0.1415, rel=2e-3)  # clips are sampled as before
    changed = configured(ANIPORTRAIT, DiffusionConfig(beta_schedule="scaled_linear"))
    assert score_levels(changed.noise, "inference")[500].item() == pytest.approx(0.241, rel=2e-3)
