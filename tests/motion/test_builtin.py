"""The motions that `animate` knows by name."""

import numpy as np
import pytest

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.motion import BUILTIN_NAMES, builtin
from zero1toa.motion.gaze import gaze_angles


def test_the_names():
    assert BUILTIN_NAMES == ("idle", "talk", "smile", "expressions", "turntable", "nod")


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_length_rate_and_seed(name):
    motion = builtin(name, 12.0, 25.0, seed=1)
    assert len(motion) == 300 and motion.fps == 25
    np.testing.assert_array_equal(motion.weights, builtin(name, 12.0, 25.0, seed=1).weights)
    assert len(builtin(name)) > 60
    if name != "expressions":
        assert (motion.weights != builtin(name, 12.0, 25.0, seed=2).weights).any()


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"'dance'.*idle, talk, smile, expressions, turntable, nod"):
        builtin("dance")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e6])
def test_bad_lengths_are_refused(seconds):
    with pytest.raises(InputError, match="lasts"):
        builtin("idle", seconds)


@pytest.mark.parametrize("seconds", [None, 6.24, 7.3])
def test_each_expression_is_shown_once_and_in_order(seconds):
    motion = builtin("expressions", seconds, 25)
    assert not motion.poses.any()
    peaks = []
    for name, curve in zip(arkit.NAMES, motion.weights.T, strict=True):
        full = np.flatnonzero(curve > 0.999)
        assert len(full), name
        if name != "jawOpen":  # opens again with mouthClose and tongueOut
            assert (np.diff(np.flatnonzero(curve)) == 1).all(), name
        peaks.append(full[0])
    assert peaks == sorted(peaks)
    assert motion.weights[0].max() <= 0.5


def test_too_short_for_the_expressions():
    with pytest.raises(InputError, match=r"at least 6\.2 s"):
        builtin("expressions", 3.0, 25)


def test_idle_keeps_its_mouth_shut_and_blinks():
    motion = builtin("idle", 30)
    assert motion.weights[:, arkit.INDEX["jawOpen"]].max() < 0.06
    assert motion.weights[:, arkit.INDEX["eyeBlinkLeft"]].max() > 0.99


def test_smile_starts_and_ends_neutral():
    smile = builtin("smile").weights[:, arkit.INDEX["mouthSmileLeft"]]
    assert smile[0] == 0 and smile[-1] < 0.02 and smile.max() > 0.8


def test_nod_goes_down_and_back():
    pitch = np.degrees(builtin("nod").head[:, 0] + builtin("nod").neck[:, 0])
    assert pitch.max() > 8
    assert abs(pitch[0]) < 0.5 and abs(pitch[-1]) < 0.5
    crossings = np.flatnonzero(np.diff((pitch > 3).astype(int)) == 1)
    assert len(crossings) == 3


def test_eyes_stay_with_whom_they_look_at_while_the_head_nods():
    motion = builtin("nod")
    pitch = motion.head[:, 0] + motion.neck[:, 0]
    look = pitch + gaze_angles(motion.weights)[:, 0, 0]
    assert look.std() < 0.5 * pitch.std()
