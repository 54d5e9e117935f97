import numpy as np
import pytest

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.motion import Motion, builtin, smoothed
from zero1toa.motion.filters import one_euro, unwrapped

JAW, BLINK = arkit.INDEX["jawOpen"], arkit.INDEX["eyeBlinkLeft"]


def test_a_still_face_stays_and_tremor_goes():
    rng = np.random.default_rng(0)
    weights = np.full((200, 52), 0.4)
    still = Motion.still(weights, 30)
    np.testing.assert_allclose(smoothed(still).weights, 0.4, atol=1e-6)
    trembling = Motion.still(weights + rng.normal(0, 0.02, weights.shape), 30)
    assert smoothed(trembling).weights.std() < 0.5 * trembling.weights.std()
    assert smoothed(trembling, 3).weights.std() < smoothed(trembling).weights.std()


def test_a_blink_survives_and_does_not_come_late():
    weights = np.zeros((60, 52))
    weights[28:33, BLINK] = [0.5, 1, 1, 0.8, 0.4]  # 170 ms at 30 frames a second
    smooth = smoothed(Motion.still(weights, 30)).weights[:, BLINK]
    assert smooth.max() > 0.8
    assert abs(int(smooth.argmax()) - 29.5) <= 1
    assert one_euro(weights, 30)[:, BLINK].argmax() >= smooth.argmax()


def test_strength_zero_changes_nothing():
    motion = builtin("talk", 2)
    assert smoothed(motion, 0) is motion
    with pytest.raises(InputError):
        smoothed(motion, -1)


def test_turns_over_the_back_do_not_whip():
    angles = np.radians(np.linspace(150, 210, 30))
    turns = np.stack([0 * angles, np.where(angles > np.pi, angles - 2 * np.pi, angles), 0 * angles], 1)
    np.testing.assert_allclose(unwrapped(turns[:, None])[:, 0, 1], angles, atol=1e-9)
    smooth = smoothed(Motion.of(30, np.zeros((30, 52)), turns, np.zeros((30, 3))))
    assert np.abs(np.diff(smooth.head[:, 1])).max() < 0.1


def test_time_reversed_gives_the_same_reversed():
    motion = builtin("talk", 2)
    back = motion.frames(np.arange(len(motion))[::-1])
    np.testing.assert_allclose(smoothed(back).weights, smoothed(motion).weights[::-1], atol=1e-6)
