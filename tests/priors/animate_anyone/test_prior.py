"""The prior as the loop sees it, on tiny random networks."""

import numpy as np
import pytest
import torch

from zero1toa.priors import ScorePrior, VideoPrior, load_prior
from zero1toa.priors.animate_anyone.condition import landmark_pictures
from zero1toa.priors.animate_anyone.landmark_image import ANIPORTRAIT_STYLE, draw_landmarks

pytestmark = pytest.mark.usefixtures("needs_diffusers")
MODELS = ("aniportrait", "follow-your-emoji")


def prepared(prior, reference, seed=0):
    return prior.prepare(reference, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", MODELS)
def test_clips_have_the_size_of_what_is_asked_and_the_same_seed_gives_the_same(tiny_model, reference, make_drive, name):
    prior = tiny_model(name)
    assert isinstance(prior, ScorePrior) and prior.invents and prior.name == f"{name} (random weights)"
    drive = make_drive((0.0, 20.0))
    first, again = (prior.generate(prepared(prior, reference), drive) for _ in range(2))
    assert first.frames.shape == (2, 3, 64, 64) and first.alpha.shape == (2, 1, 64, 64)
    assert torch.isfinite(first.frames).all() and (first.frames <= first.alpha).all()
    assert torch.equal(first.frames, again.frames)
    other = prior.generate(prepared(prior, reference, 1), drive)
    assert not torch.equal(first.frames, other.frames)


def test_regenerating_follows_strength_and_mode(tiny_model, reference, subject, make_drive):
    prior = tiny_model()
    drive = make_drive((0.0, 20.0))
    video = subject.video(drive)
    state = prepared(prior, reference)
    assert prior.regenerate(state, drive, video, 0.0, "sdedit") is video
    answers = {
        (strength, mode): prior.regenerate(prepared(prior, reference), drive, video, strength, mode)
        for strength, mode in ((1.0, "ddim_inversion"), (0.5, "ddim_inversion"), (0.5, "sdedit"), (1.0, "generate"))
    }
    frames = [answer.frames for answer in answers.values()]
    for index, one in enumerate(frames):
        assert torch.isfinite(one).all()
        assert all((one - other).abs().max() > 1e-3 for other in frames[index + 1 :])
    torch.testing.assert_close(answers[1.0, "ddim_inversion"].alpha, video.alpha)


@pytest.mark.parametrize(
    "option", [{"inversion_condition": "null"}, {"inversion_guidance": 2.0}, {"inversion_refinements": 2}, {"steps": 3}]
)
def test_each_option_of_the_inversion_changes_the_answer(tiny_model, reference, subject, make_drive, option):
    drive = make_drive((0.0, 20.0))
    video = subject.video(drive)
    plain, changed = (
        prior.regenerate(prepared(prior, reference), drive, video, 1.0, "ddim_inversion").frames
        for prior in (tiny_model(), tiny_model(**option))
    )
    assert (plain - changed).abs().max() > 1e-4


def test_landmarks_are_drawn_where_the_head_is(tiny_model, reference, make_drive):
    prior = tiny_model()
    (front,) = landmark_pictures(prior.spec, reference, make_drive((0.0,)), None, "projected")
    (opened,) = landmark_pictures(prior.spec, reference, make_drive((0.0,), jawOpen=0.8), None, "projected")
    rows, columns = np.nonzero(front.any(-1))
    assert abs(columns.mean() - 64) < 12 and abs(rows.mean() - 64) < 30
    assert (front != opened).any(-1)[64:].sum() > 10 * (front != opened).any(-1)[:40].sum()


def test_detected_landmarks_replace_projected_ones_where_a_face_is_found(
    tiny_model, reference, subject, make_drive, monkeypatch
):
    found = np.full((478, 3), 32.0)

    class Face:
        landmarks = found

    answers = iter(([Face], []))
    monkeypatch.setattr("zero1toa.priors.animate_anyone.condition.detect_faces", lambda *_, **__: next(answers))
    spec, drive = tiny_model().spec, make_drive((0.0, 20.0))
    seen, unseen = landmark_pictures(spec, reference, drive, subject.video(drive), "detected")
    _, projected = landmark_pictures(spec, reference, drive, None, "projected")
    np.testing.assert_array_equal(unseen, projected)
    np.testing.assert_array_equal(seen, draw_landmarks(found / 64, ANIPORTRAIT_STYLE, 128, 128))


def test_the_score_is_finite_for_each_branch_and_the_branches_differ(tiny_model, reference, subject, make_drive):
    prior = tiny_model()
    drive = make_drive((0.0, 20.0))
    video = subject.video(drive)
    score = prior.score(prepared(prior, reference), drive, video)
    latents = prior.encode(video.over(1.0))
    assert latents.shape == (1, 4, 2, 16, 16)
    answers = [prior.x0(score, latents, 0.5, branch) for branch in ("cond", "null", "neg")]
    for index, one in enumerate(answers):
        assert one.shape == latents.shape and torch.isfinite(one).all()
        assert all((one - other).abs().max() > 1e-4 for other in answers[index + 1 :])
    assert prior.decode(latents).shape == (2, 3, 128, 128)


def test_levels_fall_from_the_picture_to_pure_noise(tiny_model):
    prior = tiny_model()
    alphas, sigmas = zip(*(prior.level(time) for time in np.linspace(0, 1, 50)))
    assert list(alphas) == sorted(alphas, reverse=True) and list(sigmas) == sorted(sigmas)
    assert alphas[0] > 0.999 and alphas[-1] == 0 and sigmas[-1] == 1
    np.testing.assert_allclose(np.square(alphas) + np.square(sigmas), 1)


def test_gradients_flow_through_the_encoder(tiny_model):
    frames = torch.rand(2, 3, 64, 64, requires_grad=True)
    tiny_model().encode(frames).square().sum().backward()
    assert (frames.grad.flatten(1).abs().sum(1) > 0).all()


def test_random_priors_come_by_name():
    from zero1toa.config import DiffusionConfig

    prior: VideoPrior = load_prior("aniportrait", diffusion=DiffusionConfig(random_weights=True), device="cpu")
    assert prior.name == "aniportrait (random weights)"
