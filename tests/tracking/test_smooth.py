from __future__ import annotations

import numpy as np
import pytest

from zero1toa.tracking.smooth import noise_level, smooth

ONE = np.zeros(200, np.int64)


def test_noise_becomes_less() -> None:
    noisy = np.random.default_rng(0).normal(0, 0.02, (200, 3))
    assert smooth(noisy, ONE, 25, 0.06).std() < 0.6 * noisy.std()


def test_a_blink_stays_a_blink() -> None:
    """Four frames at 25 a second, the shape of a fast blink."""
    lid = np.random.default_rng(1).normal(0, 0.02, (200, 1))
    lid[100:104, 0] += [0.6, 1.0, 0.9, 0.4]
    out = smooth(lid, ONE, 25, 0.06)[:, 0]
    assert out[101] > 0.93
    assert abs(out[98]) < 0.05
    assert abs(out[106]) < 0.05


def test_a_slope_is_not_delayed() -> None:
    line = np.linspace(0, 1, 200)[:, None]
    assert smooth(line, ONE, 25, 0.06)[20:-20] == pytest.approx(line[20:-20], abs=1e-9)


def test_segments_do_not_mix() -> None:
    values = np.random.default_rng(2).normal(0, 0.02, (200, 1))
    segments = np.repeat([0, 1], 100)
    other = values.copy()
    other[100:] += 0.01
    assert (smooth(values, segments, 25, 0.06)[:100] == smooth(other, segments, 25, 0.06)[:100]).all()


def test_doubtful_frames_count_less() -> None:
    values = np.zeros((200, 1))
    values[::2] = 0.01
    trust = np.where(np.arange(200) % 2, 1.0, 0.0)
    assert smooth(values, ONE, 25, 0.2, trust)[50:150].max() < 0.001


def test_noise_level_is_that_of_the_noise() -> None:
    slow = np.sin(np.linspace(0, 6, 200))[:, None]
    noisy = slow + np.random.default_rng(3).normal(0, 0.03, (200, 1))
    assert noise_level(noisy, ONE)[0] == pytest.approx(0.03, rel=0.3)


def test_very_short_curves_are_left_alone() -> None:
    assert smooth(np.array([[1.0], [2.0]]), np.zeros(2, np.int64), 25, 0.06).shape == (2, 1)
