"""The embedded prior on a head with a texture of stripes."""

import numpy as np
import pytest
import torch

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.heads import load_head
from zero1toa.portrait.texture import HeadTexture
from zero1toa.priors import NAMES, Drive, Reference, Video, load_prior
from zero1toa.priors.reprojection import ReprojectionPrior, harmonized

SIZE = 64


@pytest.fixture(scope="module")
def state():
    head = load_head().personalize(torch.zeros(1))
    stripes = np.broadcast_to(np.linspace(0, 1, 128, dtype=np.float32)[:, None, None], (128, 128, 3)).copy()
    known = np.zeros((128, 128), np.float32)
    known[:64] = 1  # the face's island is in the upper half
    reference = Reference(None, head, HeadTexture(stripes, known))
    return ReprojectionPrior().prepare(reference, torch.Generator())


def drive(frames=2):
    cameras = [Camera.orbit(20.0 * i, size=SIZE) for i in range(frames)]
    return Drive(cameras, torch.zeros(frames, 52), torch.zeros(frames, 6, 3))


def grey_video(value=0.5, frames=2):
    return Video(torch.full((frames, 3, SIZE, SIZE), value), *(torch.ones(frames, 1, SIZE, SIZE),) * 2)


def test_a_generated_video_is_the_textured_head(state):
    video = ReprojectionPrior().generate(state, drive())
    assert video.frames.shape == (2, 3, SIZE, SIZE)
    assert video.alpha.min() == 0
    assert video.alpha.max() == 1
    assert (video.frames <= video.alpha + 1e-6).all()  # premultiplied
    assert video.confidence.min() > 0
    assert not torch.equal(video.frames[0], video.frames[1])


def test_no_strength_returns_the_video_where_it_covers_the_head(state):
    video = ReprojectionPrior().regenerate(state, drive(), grey_video(), 0.0, "ddim_inversion")
    known = ReprojectionPrior().generate(state, drive())
    shifted = harmonized(grey_video(), known.frames, known.alpha, (known.confidence - 0.25) / 0.75)
    torch.testing.assert_close(video.frames, shifted.clamp(0, 1), atol=1e-5, rtol=0)


def test_what_the_photo_knows_is_kept_and_the_rest_comes_closer_to_the_avatar(state):
    prior = ReprojectionPrior()
    texture = prior.generate(state, drive())
    sure = (texture.confidence > 0.999) & (texture.alpha > 0.999)
    unsure = (texture.confidence < 0.26) & (texture.alpha > 0.999)
    assert sure.any()
    assert unsure.any()
    video = prior.regenerate(state, drive(), grey_video(), 1.0, "ddim_inversion")
    torch.testing.assert_close(
        video.frames[sure.expand_as(video.frames)], texture.frames[sure.expand_as(video.frames)], atol=2e-3, rtol=0
    )
    outside = texture.alpha == 0
    torch.testing.assert_close(video.alpha[outside], torch.ones_like(video.alpha[outside]))  # hair is the avatar's own


def test_a_hole_in_the_avatar_is_closed_with_the_texture(state):
    empty = Video(torch.zeros(2, 3, SIZE, SIZE), torch.zeros(2, 1, SIZE, SIZE), torch.ones(2, 1, SIZE, SIZE))
    video = ReprojectionPrior().regenerate(state, drive(), empty, 1.0, "ddim_inversion")
    texture = ReprojectionPrior().generate(state, drive())
    torch.testing.assert_close(video.alpha, texture.alpha)
    torch.testing.assert_close(video.frames, texture.frames, atol=1e-4, rtol=0)


def test_generate_leaves_the_video_aside(state):
    prior = ReprojectionPrior()
    assert torch.equal(
        prior.regenerate(state, drive(), grey_video(), 1.0, "generate").frames, prior.generate(state, drive()).frames
    )


def test_a_waiting_camera_is_drawn_once_and_shown_in_each_frame(state):
    camera = Camera.orbit(15.0, size=SIZE)
    still = Drive([camera, camera, Camera.orbit(30.0, size=SIZE)], torch.zeros(3, 52), torch.zeros(3, 6, 3))
    video = ReprojectionPrior().generate(state, still)
    assert torch.equal(video.frames[0], video.frames[1])
    assert not torch.equal(video.frames[1], video.frames[2])


def test_a_harmonized_render_meets_the_known_colours(state):
    frames = torch.full((1, 3, SIZE, SIZE), 0.7)
    one = torch.ones(1, 1, SIZE, SIZE)
    known = torch.zeros(1, 1, SIZE, SIZE)
    known[..., : SIZE // 2] = 1
    shifted = harmonized(Video(torch.full_like(frames, 0.5), one, one), frames, one, known)
    torch.testing.assert_close(shifted[..., 10], frames[..., 10], atol=0.02, rtol=0)
    assert (shifted[..., SIZE // 2 + 1] > 0.6).all()


def test_priors_are_found_by_name():
    assert load_prior("reprojection").name == "reprojection"
    assert "reprojection" in NAMES
    with pytest.raises(InputError, match="reprojection"):
        load_prior("nothing")
