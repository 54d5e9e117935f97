from dataclasses import replace

import pytest
import torch

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.priors import Video, VideoPrior, load_prior
from zero1toa.priors.oracle import TRUTHFUL, Inconsistency, OraclePrior, head_yaw, video_distance

SPATIAL = ("drift", "identity", "blur")
KNOBS = Inconsistency(blur=0.03)  # the default's blur is no wider than a pixel of these small pictures
TEMPORAL = ("expression_gain", "expression_jitter", "flicker")


def prepared(prior, seed=0):
    return prior.prepare(None, torch.Generator().manual_seed(seed))


def mean_distance(prior, drive, calls=6, seed=0):
    """(F,) mean over several generated clips."""
    state, truth = prepared(prior, seed), prior.subject.video(drive)
    return torch.stack([video_distance(prior.generate(state, drive), truth) for _ in range(calls)]).mean(0)


def test_without_inconsistency_the_answer_is_the_truth(subject, make_drive):
    prior = OraclePrior(subject, TRUTHFUL)
    drive = make_drive((0.0, 50.0), jawOpen=0.6)
    truth = subject.video(drive)
    grey = Video(torch.full_like(truth.frames, 0.2), torch.ones_like(truth.alpha), torch.ones_like(truth.alpha))
    for answer in (
        prior.generate(prepared(prior), drive),
        prior.regenerate(prepared(prior), drive, grey, 1.0, "ddim_inversion"),
    ):
        torch.testing.assert_close(answer.frames, truth.frames)
        torch.testing.assert_close(answer.alpha, truth.alpha)


@pytest.mark.parametrize("name", SPATIAL)
def test_spatial_errors_grow_with_yaw_to_either_side(subject, make_drive, name):
    prior = OraclePrior(subject, KNOBS.only(name))
    distance = mean_distance(prior, make_drive((-60.0, -30.0, 0.0, 30.0, 60.0)))
    assert distance[2] < distance[1] < distance[0]
    assert distance[2] < distance[3] < distance[4]
    assert distance[2] < 0.3 * distance[[0, 4]].min()


@pytest.mark.parametrize("name", TEMPORAL)
def test_temporal_errors_do_not_wait_for_a_side_view(subject, make_drive, name):
    prior = OraclePrior(subject, Inconsistency().only(name))
    distance = mean_distance(prior, make_drive((0.0, 0.0), jawOpen=0.8))
    assert (distance > 0.002).all()


def test_expression_errors_grow_with_the_expression(subject, make_drive):
    prior = OraclePrior(subject, Inconsistency().only("expression_gain", "expression_jitter"))
    calm = mean_distance(prior, make_drive((0.0, 0.0), jawOpen=0.1))
    wild = mean_distance(prior, make_drive((0.0, 0.0), jawOpen=0.9))
    assert wild.mean() > 1.5 * calm.mean()


@pytest.mark.parametrize("name", [*SPATIAL, *TEMPORAL])
def test_each_knob_does_something_and_twice_the_knob_does_more(subject, make_drive, name):
    drive = make_drive((60.0, 60.0), jawOpen=0.6)
    knobs = KNOBS.only(name).scaled(0.5)
    small, large = (mean_distance(OraclePrior(subject, k), drive).mean() for k in (knobs, knobs.scaled(2)))
    assert 0 < small < large


def test_the_closer_the_given_video_the_smaller_the_errors(subject, make_drive):
    prior = OraclePrior(subject, replace(Inconsistency(), keep=0.0))
    drive = make_drive((20.0, 40.0, 60.0), jawOpen=0.5)
    truth = subject.video(drive)
    distances = []
    for share in (0.0, 0.15, 0.3, 1.0):
        given = truth._replace(frames=(1 - share) * truth.frames)
        answer = prior.regenerate(prepared(prior), drive, given, 1.0, "ddim_inversion")
        distances.append(float(video_distance(answer, truth).mean()))
    assert distances == sorted(distances) and distances[0] < 0.4 * distances[-1]
    assert distances[0] > 0  # the floor


def test_a_video_far_from_the_truth_helps_no_more_than_none(subject, make_drive):
    prior = OraclePrior(subject, replace(Inconsistency(), keep=0.0, reach=0.01))
    drive = make_drive((50.0,))
    truth = subject.video(drive)
    black = truth._replace(frames=torch.zeros_like(truth.frames))
    given = prior.regenerate(prepared(prior), drive, black, 1.0, "sdedit")
    torch.testing.assert_close(given.frames, prior.generate(prepared(prior), drive).frames)


def test_the_law_of_distance_and_of_yaw():
    knobs = Inconsistency(floor=0.2, reach=0.1, front=0.1, full_yaw=60.0, yaw_power=2.0)
    factor = knobs.distance_factor(torch.tensor([0.0, 0.1, 0.5]))  # mean 0.2, half of it counts
    torch.testing.assert_close(factor, torch.tensor([1.0, 1.0, 1.0]))
    factor = knobs.distance_factor(torch.tensor([0.0, 0.04]))  # shared 0.01 and 0.03
    torch.testing.assert_close(factor, torch.tensor([0.28, 0.44]))
    torch.testing.assert_close(knobs.yaw_factor(torch.tensor([0.0, -30.0, 60.0])), torch.tensor([0.1, 0.325, 1.0]))


def test_every_call_errs_anew_and_a_seed_repeats_the_run(subject, make_drive):
    prior = OraclePrior(subject)
    drive = make_drive((30.0, 60.0), jawOpen=0.5)

    def run(seed):
        state = prepared(prior, seed)
        return prior.generate(state, drive).frames, prior.generate(state, drive).frames

    first, second = run(0)
    again = run(0)
    assert torch.equal(first, again[0]) and torch.equal(second, again[1])
    assert (first - second).abs().mean() > 1e-3
    assert (first - run(1)[0]).abs().mean() > 1e-3


def test_strength_mixes_and_the_mode_generate_leaves_the_video_aside(subject, make_drive):
    prior = OraclePrior(subject, replace(Inconsistency(), keep=0.0))
    drive = make_drive((40.0,))
    video = subject.video(drive)
    video = video._replace(frames=video.frames * 0.7)
    none, half, full = (prior.regenerate(prepared(prior), drive, video, s, "sdedit") for s in (0.0, 0.5, 1.0))
    torch.testing.assert_close(none.frames, video.frames)
    torch.testing.assert_close(half.frames, (video.frames + full.frames) / 2)
    new = prior.regenerate(prepared(prior), drive, video, 0.0, "generate")
    torch.testing.assert_close(new.frames, prior.generate(prepared(prior), drive).frames)


def test_what_is_kept_of_the_given_video(subject, make_drive):
    prior = OraclePrior(subject, replace(TRUTHFUL, keep=0.3))
    drive = make_drive((10.0,))
    truth = subject.video(drive)
    given = truth._replace(frames=torch.zeros_like(truth.frames))
    answer = prior.regenerate(prepared(prior), drive, given, 1.0, "ddim_inversion")
    torch.testing.assert_close(answer.frames, 0.7 * truth.frames)


def test_answers_are_premultiplied_colours_of_the_drives_size(subject, make_drive):
    prior = OraclePrior(subject, Inconsistency().scaled(3))
    answer = prior.generate(prepared(prior), make_drive((0.0, 80.0), jawOpen=1.0))
    assert answer.frames.shape == (2, 3, 64, 64) and answer.alpha.shape == answer.confidence.shape == (2, 1, 64, 64)
    assert (answer.frames <= answer.alpha + 1e-6).all() and (answer.frames >= 0).all()
    assert answer.alpha.max() <= 1 and (answer.confidence == 1).all()


def test_yaw_is_that_of_the_head_not_of_the_camera(subject, make_drive):
    drive = make_drive((0.0, 30.0, -50.0))
    torch.testing.assert_close(head_yaw(subject.head, drive), torch.tensor([0.0, 30.0, -50.0]), atol=3, rtol=0)
    poses = drive.poses.clone()
    poses[:, 2, 1] = torch.deg2rad(torch.tensor(20.0))  # the head turns to its left, towards the camera at +30
    turned = head_yaw(subject.head, drive._replace(poses=poses))
    torch.testing.assert_close(turned, torch.tensor([-20.0, 10.0, -70.0]), atol=5, rtol=0)


def test_weights_stay_in_range(subject, make_drive):
    prior = OraclePrior(subject, Inconsistency().only("expression_gain", "expression_jitter").scaled(5))
    noise = torch.Generator().manual_seed(0)
    expressions = make_drive((0.0,) * 4, jawOpen=0.7).expressions
    wrong = prior._wrong_expressions(expressions, torch.ones(4), noise)
    assert wrong.min() >= 0 and wrong.max() <= 1
    assert (wrong[:, arkit.INDEX["jawOpen"]] - 0.7).abs().max() > 0.1


def test_it_is_a_prior_and_is_loaded_with_its_subject(subject):
    prior: VideoPrior = load_prior("oracle", subject=subject, inconsistency=TRUTHFUL)
    assert prior.name == "oracle"
    with pytest.raises(InputError, match="made-up"):
        load_prior("oracle")
    with pytest.raises(InputError, match="no prior 'magic'"):
        load_prior("magic")
