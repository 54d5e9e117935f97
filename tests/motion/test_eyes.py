"""Blinks have the timing of blinks, lids one opening, and gaze jumps rather than glides."""

import numpy as np
import pytest

from zero1toa.heads import arkit
from zero1toa.motion import exaggerated, eyes, near_neutral

FINE = 1000  # frames a second


def test_a_blink_closes_faster_than_it_opens():
    t = np.arange(FINE) / FINE
    for seed in range(20):
        closed = eyes.blinks(t, [0.2], np.random.default_rng(seed), FINE)
        shut = np.flatnonzero(closed > 1 - 1e-9)
        moving = np.flatnonzero(closed > 1e-9)
        closing, opening = (shut[0] - moving[0]) / FINE, (moving[-1] - shut[-1]) / FINE
        assert 0.078 <= closing <= 0.102
        assert 0.148 <= opening <= 0.202
        assert 0.028 <= (shut[-1] - shut[0]) / FINE <= 0.062


@pytest.mark.parametrize("fps", [10, 24, 25, 30, 60])
def test_every_blink_is_shut_in_some_frame(fps):
    t = np.arange(3 * fps) / fps
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert eyes.blinks(t, [rng.uniform(0.1, 2.0)], rng, fps).max() == pytest.approx(1)


def test_blinks_come_at_their_rate_and_not_too_close():
    starts = np.array(eyes.blink_starts(3600, np.random.default_rng(0)))
    assert len(starts) / 60 == pytest.approx(eyes.BLINKS_PER_MINUTE, rel=0.1)
    assert np.diff(starts).min() >= 1.0
    assert np.diff(starts).std() > 0.5  # no metronome


def test_short_clips_blink_as_often_as_long_ones():
    """The first seconds are as good as any: the person has been blinking before."""
    first = [t for s in range(2000) for t in eyes.blink_starts(2.0, np.random.default_rng(s)) if t >= 0]
    assert len(first) / 2000 * 30 == pytest.approx(eyes.BLINKS_PER_MINUTE, rel=0.25)


def test_blinks_of_two_kinds_keep_apart():
    assert eyes.merged_blinks([1.0, 3.0], [1.2, 1.4]) == [1.2, 3.0]


@pytest.mark.parametrize("make", [near_neutral, exaggerated])
def test_both_lids_shut_in_the_sequences(make):
    motion = make(30 * 25, 25, np.random.default_rng(0))
    both = np.minimum(*(motion.weights[:, arkit.INDEX["eyeBlink" + side]] for side in ("Left", "Right")))
    runs = np.flatnonzero(np.diff((both > 0.99).astype(int)) == 1)
    assert 3 <= len(runs) <= 20


def test_wide_eyes_shut_all_the_way_and_open_wide_again():
    weights = np.zeros((5, 52))
    weights[:, arkit.INDEX["eyeWideLeft"]] = 0.8
    eyes.write_lids(weights, np.array([0.0, 0.3, 1.0, 0.3, 0.0]))
    wide, blink = weights[:, arkit.INDEX["eyeWideLeft"]], weights[:, arkit.INDEX["eyeBlinkLeft"]]
    np.testing.assert_allclose(blink[[0, 2, 4]], [0, 1, 0])
    np.testing.assert_allclose(wide[[0, 2, 4]], [0.8, 0, 0.8])
    assert not (wide * blink).any()


def test_lids_follow_the_gaze_down():
    weights = np.zeros((2, 52))
    eyes.write_gaze(weights, np.array([[0.0, -0.8], [0.0, 0.8]]))
    eyes.write_lids(weights, np.zeros(2))
    down, up = weights[:, arkit.INDEX["eyeBlinkRight"]]
    assert 0.05 < down < 0.2 and up == 0


def test_gaze_rests_and_jumps():
    t = np.arange(20 * FINE) / FINE
    gaze, _ = eyes.fixations(t, np.random.default_rng(0), (0.3, 0.2), (0.5, 1.5))
    speed = np.linalg.norm(np.diff(gaze, axis=0), axis=1)
    assert (speed < 1e-9).mean() > 0.9  # nearly always at rest
    assert np.abs(gaze).max() <= 0.9
    assert np.ptp(gaze[:, 0]) > 0.2


def test_both_eyes_look_the_way_they_are_told():
    weights = np.zeros((1, 52))
    eyes.write_gaze(weights, np.array([[0.5, 0.25]]))  # to the subject's left and up
    named = {name: value for name, value in zip(arkit.NAMES, weights[0], strict=True) if value}
    assert named == {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5, "eyeLookUpLeft": 0.25, "eyeLookUpRight": 0.25}
