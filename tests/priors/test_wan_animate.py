"""Wan-Animate's plumbing, on a tiny random pipeline of diffusers' own classes."""

import numpy as np
import pytest
import torch

from zero1toa.config import DiffusionConfig
from zero1toa.errors import MissingWeights
from zero1toa.portrait.texture import HeadTexture
from zero1toa.priors import Reference, load_prior
from zero1toa.priors.wan_animate import face_box, load_wan_animate, partial_flow


@pytest.fixture(scope="module")
def prior():
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    torch.set_num_threads(1)
    return load_wan_animate(DiffusionConfig(random_weights=True, steps=2), torch.device("cpu"), 0)


@pytest.fixture(scope="module")
def reference(subject):
    texture = HeadTexture(subject.textures[0], np.ones(subject.textures[0].shape[:2], np.float32))
    return Reference(subject.portrait(96), subject.head, texture)


@pytest.mark.parametrize("yaws", [(0.0,), (0.0, 10.0, 20.0)])
def test_clips_of_any_length_come_back_whole(prior, reference, make_drive, yaws):
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    clip = prior.generate(state, make_drive(yaws))
    assert clip.frames.shape == (len(yaws), 3, 64, 64)
    assert torch.isfinite(clip.frames).all() and (clip.frames <= clip.alpha).all()
    assert prior.name == "wan-animate (random weights)"


def test_regenerating_starts_at_the_level_of_its_strength(prior, reference, subject, make_drive):
    drive = make_drive((0.0, 10.0))
    video = subject.video(drive)

    def again(strength):
        state = prior.prepare(reference, torch.Generator().manual_seed(0))
        return prior.regenerate(state, drive, video, strength, "sdedit")

    assert again(0.0) is video
    half, whole = again(0.5), again(1.0)
    torch.testing.assert_close(half.alpha, video.alpha)
    assert (half.frames - whole.frames).abs().max() > 1e-3
    assert torch.equal(again(0.5).frames, half.frames)


def test_a_partial_flow_walks_the_last_steps_of_the_whole_one(prior):
    whole, half = partial_flow(1.0, 5.0), partial_flow(0.5, 5.0)
    for scheduler in (whole, half):
        scheduler.set_timesteps(10)
    assert len(half.timesteps) == 5 and len(half.sigmas) == 6 and whole.sigmas[0] == 1
    torch.testing.assert_close(half.sigmas, whole.sigmas[5:])


def test_the_faces_square_lies_around_it():
    points = np.array([[10.0, 20.0], [50.0, 30.0]])
    left, top, right, bottom = face_box(points)
    assert right - left == bottom - top >= 56
    assert left < 10 and right > 50 and (top + bottom) / 2 == pytest.approx(25, abs=1)


def test_without_weights_it_says_what_it_needs(tmp_path):
    with pytest.raises(MissingWeights, match=r"Wan-AI/Wan2\.2-Animate-14B-Diffusers"):
        load_prior("wan-animate", diffusion=DiffusionConfig(weights=str(tmp_path)))
