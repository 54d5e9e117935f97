from math import sqrt

import numpy as np
import pytest
import torch

from zero1toa.evaluate.consistency import Lifted, clip_consistency, flicker, spread
from zero1toa.priors import Drive
from zero1toa.priors.oracle import Inconsistency, OraclePrior
from zero1toa.priors.subjects import photo_camera


def make_drive(yaws, size=96):
    count = len(yaws)
    return Drive([photo_camera(yaw, size=size) for yaw in yaws], torch.zeros(count, 52), torch.zeros(count, 6, 3))


def lifted(values, weights):
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    return Lifted(np.repeat(values[..., None], 3, -1), weights)


def test_spread_and_flicker_by_hand():
    one_place = lifted([[0.0], [0.6], [0.0]], [[1], [1], [1]])
    assert spread(one_place) == pytest.approx(sqrt((2 * 0.2**2 + 0.4**2) / 3))
    assert flicker(one_place) == pytest.approx(0.6)


def test_places_that_one_frame_shows_do_not_count():
    values = [[0.2, 0.9], [0.2, 0.1], [0.2, 0.5]]
    assert spread(lifted(values, [[1, 1], [1, 0], [1, 0]])) == pytest.approx(0, abs=1e-12)
    assert flicker(lifted(values, [[1, 1], [1, 0], [1, 1]])) == pytest.approx(0, abs=1e-12)
    assert np.isnan(spread(lifted([[0.1], [0.2]], [[1], [0]])))
    assert np.isnan(flicker(lifted([[0.1], [0.2]], [[1], [0]])))


def test_weights_weigh():
    half = lifted([[0.0, 0.0], [0.4, 0.0]], [[1, 3], [1, 3]])
    assert flicker(half) == pytest.approx(sqrt(0.4**2 / 4))
    assert spread(half) == pytest.approx(sqrt(0.2**2 / 4))


def test_the_truth_hardly_contradicts_itself_and_an_oracle_does(subject):
    drive = make_drive((-40, -20, 0, 20, 40))
    truth = clip_consistency(subject.head, drive, subject.video(drive))
    prior = OraclePrior(subject, Inconsistency())
    state = prior.prepare(None, torch.Generator().manual_seed(0))
    wrong = clip_consistency(subject.head, drive, prior.generate(state, drive))
    assert truth.spread < 0.02
    assert wrong.spread > 1.5 * truth.spread and wrong.flicker > 1.5 * truth.flicker


def test_brightness_that_alternates_is_measured(subject):
    drive = make_drive((0, 0, 0, 0))
    video = subject.video(drive)
    still = clip_consistency(subject.head, drive, video)
    assert still.flicker == pytest.approx(0, abs=1e-6)
    factor = torch.tensor([1.0, 0.8, 1.0, 0.8])[:, None, None, None]
    blinking = clip_consistency(subject.head, drive, video._replace(frames=video.frames * factor))
    assert blinking.flicker == pytest.approx(2 * blinking.spread, rel=0.01)  # 0.2 of the colour against 0.1
    assert 0.03 < blinking.flicker < 0.2


def test_movement_that_the_mesh_knows_does_not_count(subject):
    """The same person turned is consistent; the same picture held while the mesh turns is not."""
    turning, held = make_drive((0, 15, 30)), make_drive((0, 0, 0))
    good = clip_consistency(subject.head, turning, subject.video(turning))
    bad = clip_consistency(subject.head, turning, subject.video(held))
    assert bad.spread > 2 * good.spread
