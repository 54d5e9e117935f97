"""Measures of whole clips on constructed cases: what is known to be wrong is found, by as much as it is wrong."""

import json

import numpy as np
import pytest
import torch

from zero1toa.evaluate.consistency import Lifted, frame_differences, frame_spread, spread
from zero1toa.evaluate.consistency_report import markdown, write_report
from zero1toa.evaluate.consistency_run import MEASURES, measure_clip, measure_floor, small_steps
from zero1toa.evaluate.warping import warping_errors
from zero1toa.heads import arkit
from zero1toa.priors import Drive, Video
from zero1toa.priors.subjects import photo_camera

SIZE = 96


def drive_of(yaws, expressions=None):
    count = len(yaws)
    weights = torch.zeros(count, 52) if expressions is None else expressions
    return Drive([photo_camera(yaw, size=SIZE) for yaw in yaws], weights, torch.zeros(count, 6, 3))


def flat(levels):
    """A video whose frames are one grey each, solid everywhere."""
    frames = torch.tensor(levels, dtype=torch.float32)[:, None, None, None].expand(-1, 3, SIZE, SIZE)
    alpha = torch.ones(len(levels), 1, SIZE, SIZE)
    return Video(frames.contiguous(), alpha, alpha)


def test_a_picture_of_one_colour_is_consistent_whatever_moves(subject):
    expressions = torch.zeros(4, 52)
    expressions[:, arkit.INDEX["jawOpen"]] = torch.tensor([0.0, 0.6, 0.2, 0.9])
    result = measure_clip("a", subject.head, drive_of((0, 10, -20, 30), expressions), flat([0.5] * 4))
    for name in ("spread", "flicker", "warping"):
        assert result.measures[name] == pytest.approx(0, abs=1e-6)
    assert np.isnan(result.measures["small_step"])


def test_brightness_that_jumps_is_measured_to_the_digit(subject):
    levels = [0.5, 0.6, 0.5, 0.5]
    result = measure_clip("a", subject.head, drive_of((0, 0, 0, 0)), flat(levels))
    np.testing.assert_allclose(result.flicker, [0.1, 0.1, 0], atol=1e-6)
    np.testing.assert_allclose(result.warping, [0.1, 0.1, 0], atol=1e-6)
    assert result.measures["small_step"] == pytest.approx(np.sqrt(2 / 3) * 0.1, abs=1e-6)
    assert result.measures["spread"] == pytest.approx(np.std(levels), abs=1e-6)
    np.testing.assert_allclose(result.spread, np.abs(np.array(levels) - np.mean(levels)), atol=1e-6)


def test_the_true_person_hardly_errs_and_a_held_picture_does(subject):
    turning = drive_of((0, 12, 24))
    true = measure_clip("true", subject.head, turning, subject.video(turning)).measures
    held = measure_clip("held", subject.head, turning, subject.video(drive_of((0, 0, 0)))).measures
    assert true["warping"] < 0.03
    assert held["warping"] > 2 * true["warping"] and held["spread"] > 2 * true["spread"]


def test_a_shift_by_two_pixels_is_a_warping_error(subject):
    drive = drive_of((0, 0))
    video = subject.video(drive)
    shifted = video._replace(frames=torch.stack([video.frames[0], video.frames[1].roll(2, -1)]))
    assert warping_errors(subject.head, drive, video)[0] == pytest.approx(0, abs=1e-5)
    assert warping_errors(subject.head, drive, shifted)[0] > 0.02


def test_the_floor_is_low_and_not_zero():
    measures = measure_floor(64).measures
    assert 0.001 < measures["warping"] < 0.03 and 0.001 < measures["spread"] < 0.03


def test_what_counts_as_a_small_step(subject):
    expressions = torch.zeros(4, 52)
    expressions[1, arkit.INDEX["jawOpen"]] = 0.02
    expressions[2, arkit.INDEX["jawOpen"]] = 0.9
    expressions[3, arkit.INDEX["jawOpen"]] = 0.9
    assert small_steps(subject.head, drive_of((0, 0, 0, 0), expressions)).tolist() == [True, False, True]
    assert small_steps(subject.head, drive_of((0, 1, 1))).tolist() == [False, True]


def test_frames_by_hand():
    values = np.repeat(np.array([[0.0, 0.2], [0.6, 0.2], [0.0, 0.2]])[..., None], 3, -1)
    lifted = Lifted(values, np.ones((3, 2)))
    np.testing.assert_allclose(frame_differences(lifted), [0.6 / np.sqrt(2)] * 2)
    by_frame = frame_spread(lifted)
    np.testing.assert_allclose(by_frame, np.array([0.2, 0.4, 0.2]) / np.sqrt(2))
    assert np.sqrt((by_frame**2).mean()) == pytest.approx(spread(lifted))
    alone = Lifted(values, np.array([[1.0, 1], [0, 0], [1, 1]]))
    assert np.isnan(frame_differences(alone)).all() and np.isnan(frame_spread(alone)[1])


def test_the_report(subject, tmp_path):
    results = [
        measure_clip("still", subject.head, drive_of((0, 0)), flat([0.5, 0.6])),
        measure_clip("turn", subject.head, drive_of((0, 20)), flat([0.5, 0.5])),
    ]
    names = [path.name for path in write_report(tmp_path, "x", results)]
    assert names == ["table.md", "consistency.json", "plot.png"] and all((tmp_path / n).is_file() for n in names)
    content = json.loads((tmp_path / "consistency.json").read_text())
    assert content["clips"][0]["flicker"] == pytest.approx(0.1, abs=1e-5)
    assert content["clips"][1]["small_step"] is None
    assert set(MEASURES) <= set(content["clips"][0])
    assert "| still | 50.0 | 100.0 | 100.0 | 100.0 |" in markdown(results)
    assert "| turn | 0.0 | 0.0 | 0.0 | - |" in markdown(results)
