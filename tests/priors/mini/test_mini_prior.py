"""The mini prior through the protocol, with a network that never learned anything."""

import numpy as np
import pytest
import torch

from zero1toa.config import DiffusionConfig
from zero1toa.errors import MissingWeights
from zero1toa.heads import JOINTS
from zero1toa.portrait.surface import PhotoSurface
from zero1toa.portrait.texture import lift_texture
from zero1toa.priors import Drive, Reference, ScorePrior, VideoPrior, check_prior, load_prior
from zero1toa.priors.mini.condition import from_own, own_camera, to_own, told
from zero1toa.priors.mini.network import WIDTHS, Network
from zero1toa.priors.mini.prior import MiniPrior, frame_windows
from zero1toa.priors.mini.weights import PACKAGED
from zero1toa.priors.subjects import photo_camera, random_subject

FRAMES, SIDE = 3, 96


@pytest.fixture(scope="module")
def subject():
    return random_subject(2, 256)


@pytest.fixture(scope="module")
def reference(subject):
    portrait = subject.portrait(256)
    return Reference(portrait, subject.head, lift_texture(PhotoSurface(portrait, subject.head), 256))


@pytest.fixture(scope="module")
def drive():
    cameras = [photo_camera(yaw, 0, SIDE) for yaw in (-30, 0, 30)]
    return Drive(cameras, torch.zeros(FRAMES, 52), torch.zeros(FRAMES, len(JOINTS), 3)).checked()


def make_prior(steps=2, **options):
    torch.manual_seed(0)
    return MiniPrior(Network(WIDTHS["tiny"]), DiffusionConfig(steps=steps), random=True, **options)


def test_it_is_a_prior_with_a_score():
    prior = make_prior()
    assert isinstance(prior, ScorePrior)
    checked: VideoPrior = prior
    assert checked.invents and checked.name == "mini (random weights)"


def test_the_own_view_undoes_itself():
    camera = photo_camera(20, 5, 128)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6), (128, 128), mode="bicubic", align_corners=False)
    there = to_own(smooth, [camera], 64)
    back = from_own(there, [camera])
    middle = slice(40, 88)
    assert (back - smooth)[..., middle, middle].abs().max() < 0.03
    assert not back[..., 0, 0].any()  # beyond the own view nothing is known


def test_the_own_view_looks_from_the_same_place():
    camera = photo_camera(-40, 10, 200)
    own = own_camera(camera, 64)
    np.testing.assert_allclose(own.position, camera.position)
    point = np.array([0.02, 0.03, 0.05])
    assert (own.project(point)[:2] > 0).all() and (own.project(point)[:2] < 64).all()
    again = own_camera(own, 64)
    assert again.fx == pytest.approx(own.fx) and again.cx == pytest.approx(own.cx)


def test_the_condition_from_the_front_is_the_photo(subject, reference):
    prior = make_prior()
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    portrait = reference.portrait
    same = Drive(
        [portrait.camera],
        torch.as_tensor(portrait.expression, dtype=torch.float32)[None],
        torch.zeros(1, len(JOINTS), 3),
    )
    condition = told(state.photo, same)
    sure = condition.known[0, 0] > 0.95
    assert sure.float().mean() > 0.2
    difference = (condition.center[0] - state.photo.pictures[0, :3]).abs().mean(0)
    assert difference[sure].mean() < 0.04


def test_one_step_of_an_untrained_network_is_the_condition(reference, drive):
    prior = make_prior(steps=1)
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    condition = told(state.photo, drive)
    torch.testing.assert_close(prior.sample(state, condition), condition.center.clamp(-1, 1), atol=1e-5, rtol=0)


def test_a_clip_has_the_size_and_the_coverage_of_the_drive(reference, drive):
    prior = make_prior()
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    video = prior.generate(state, drive)
    assert video.frames.shape == (FRAMES, 3, SIDE, SIDE) and video.alpha.shape == (FRAMES, 1, SIDE, SIDE)
    assert (video.frames <= video.alpha + 1e-6).all() and video.frames.min() >= 0


def test_the_same_dice_give_the_same_clip(reference, drive):
    prior = make_prior()
    clips = [prior.generate(prior.prepare(reference, torch.Generator().manual_seed(s)), drive) for s in (1, 1, 2)]
    torch.testing.assert_close(clips[0].frames, clips[1].frames)
    assert (clips[0].frames - clips[2].frames).abs().max() > 1e-3


def test_no_strength_changes_nothing(subject, reference, drive):
    prior = make_prior(steps=4)
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    video = subject.video(drive)
    assert prior.regenerate(state, drive, video, 0.0, "ddim_inversion") is video


@pytest.mark.parametrize("mode", ["ddim_inversion", "sdedit"])
def test_regeneration_keeps_what_is_finer_than_its_pixels(subject, reference, drive, mode):
    prior = make_prior(steps=4)
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    video = subject.video(drive)
    better = prior.regenerate(state, drive, video, 0.5, mode)
    change = better.over(1.0) - video.over(1.0)
    coarse = from_own(to_own(change, list(drive.cameras), prior.size), list(drive.cameras))
    assert change.abs().mean() > 1e-4
    assert (change - coarse)[..., 40:56, 40:56].abs().mean() < 0.5 * change[..., 40:56, 40:56].abs().mean()


def test_the_score_of_an_untrained_network_leads_to_the_condition(subject, reference, drive):
    prior = make_prior()
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    score = prior.score(state, drive, subject.video(drive))
    noisy = torch.randn(1, 3, FRAMES, 64, 64)
    answers = {branch: prior.x0(score, noisy, 1.0, branch) for branch in ("cond", "null", "neg")}
    torch.testing.assert_close(answers["cond"][0].transpose(0, 1), score.told.center, atol=1e-5, rtol=0)
    assert answers["null"].abs().max() < 1e-5
    assert (answers["neg"] - answers["cond"]).abs().mean() > 1e-4


def test_latents_are_the_frames():
    prior = make_prior()
    frames = torch.rand(2, 3, 64, 64, requires_grad=True)
    latents = prior.encode(frames)
    assert latents.shape == (1, 3, 2, 64, 64)
    torch.testing.assert_close(prior.decode(latents), frames)
    latents.sum().backward()
    assert frames.grad is not None


@pytest.mark.parametrize("frames", [1, 8, 9, 16, 25])
def test_windows_cover_all_frames(frames):
    windows = frame_windows(frames, 8)
    assert all(w.stop - w.start <= 8 for w in windows)
    assert {i for w in windows for i in range(w.start, w.stop)} == set(range(frames))


def test_it_is_loaded_by_name(tmp_path):
    prior = load_prior("mini", diffusion=DiffusionConfig(random_weights=True), device="cpu")
    assert prior.name == "mini (random weights)"
    with pytest.raises(MissingWeights):
        check_prior("mini", diffusion=DiffusionConfig(weights=str(tmp_path / "no.safetensors")))
    if not PACKAGED.is_file():
        with pytest.raises(MissingWeights, match="train-prior"):
            check_prior("mini")
