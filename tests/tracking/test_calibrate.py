from __future__ import annotations

import numpy as np
import pytest

from zero1toa.heads import arkit
from zero1toa.motion.shapes import columns
from zero1toa.tracking import calibrate

LEFT, RIGHT = columns("eyeBlink")


def _face(frames: int = 200) -> np.ndarray:
    return np.zeros((frames, len(arkit.NAMES)))


def test_blinks_that_are_read_too_weak_are_enlarged() -> None:
    weights = _face()
    for start in (40, 90, 150):
        weights[start : start + 4, LEFT] = [0.4, 0.7, 0.7, 0.5]
    gain = calibrate.lid_gains(weights, 25)
    assert 0.9 < 0.7 * gain[0] <= 1
    assert gain[1] == gain[0]  # the right lid never blinked: it shares what the left one needs


def test_eyes_that_stay_closed_are_no_blink() -> None:
    weights = _face()
    weights[50:150, [LEFT, RIGHT]] = 0.6
    assert calibrate.lid_gains(weights, 25) == pytest.approx([1, 1])


def test_gaze_behind_a_lid_is_interpolated() -> None:
    weights = _face(20)
    weights[:, arkit.INDEX["eyeLookInLeft"]] = 0.5
    weights[9:12, LEFT] = [0.6, 1.0, 0.7]
    weights[8:13, arkit.INDEX["eyeLookInLeft"]] = 0.0
    weights[8:13, arkit.INDEX["eyeLookDownLeft"]] = 0.9
    out = calibrate.gaze_through_blinks(weights, np.zeros(20, np.int64))
    assert out[:, arkit.INDEX["eyeLookInLeft"]] == pytest.approx(0.5)
    assert out[:, arkit.INDEX["eyeLookDownLeft"]] == pytest.approx(0)
    assert (out[:, LEFT] == weights[:, LEFT]).all()


def test_rest_is_what_the_calm_frames_show() -> None:
    rng = np.random.default_rng(0)
    weights = _face(300) + 0.1
    weights[60:, columns("mouthSmile")] += rng.uniform(0.3, 0.9, (240, 1))
    assert calibrate.rest_level(weights, np.ones(300)) == pytest.approx(0.1, abs=0.02)


def test_weights_are_those_of_a_face_that_can_be_made() -> None:
    weights = _face(1)
    weights[0, columns("mouthSmileLeft", "mouthFrownLeft", "jawOpen", "mouthClose")] = 0.8, 0.3, 0.2, 0.6
    weights[0, columns("eyeWide")] = -0.4, 1.7
    out = calibrate.valid(weights)[0]
    assert out[columns("mouthSmileLeft", "mouthFrownLeft")] == pytest.approx([0.5, 0])
    assert out[arkit.INDEX["mouthClose"]] == pytest.approx(0.2)
    assert out[columns("eyeWide")] == pytest.approx([0, 1])
