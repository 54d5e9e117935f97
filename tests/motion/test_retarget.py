import numpy as np
import pytest

from zero1toa.heads import arkit
from zero1toa.motion import Motion, builtin, calibrated, neutral_of, range_adapted
from zero1toa.motion.head_motion import split_turn, whole_turn

SMILE, BLINK = arkit.INDEX["mouthSmileLeft"], arkit.INDEX["eyeBlinkLeft"]


def driver(face=0.3, turn=(0.1, -0.3, 0.05)):
    """Somebody whose resting mouth reads as a weak smile and who sits turned aside; smiles in the middle."""
    weights = np.zeros((100, 52))
    own = np.zeros(100)
    own[40:60] = np.hanning(20)
    weights[:, SMILE] = face + (1 - face) * own
    neck, head = split_turn(np.tile(turn, (100, 1)))
    return Motion.of(30, weights, head, neck), own


def test_rest_becomes_zero_and_a_full_smile_stays_full():
    motion, own = driver()
    result = calibrated(motion)
    np.testing.assert_allclose(result.weights[:, SMILE], own, atol=1e-5)
    np.testing.assert_allclose(result.head, 0, atol=1e-6)


def test_two_drivers_with_the_same_movement_look_alike():
    first, second = calibrated(driver(0.1)[0]), calibrated(driver(0.45, (0, 0.5, 0))[0])
    np.testing.assert_allclose(first.weights, second.weights, atol=1e-5)
    np.testing.assert_allclose(first.head, second.head, atol=1e-6)


def test_calibrating_twice_is_calibrating_once():
    once = calibrated(driver()[0])
    twice = calibrated(once)
    np.testing.assert_allclose(twice.weights, once.weights, atol=1e-5)


def test_a_given_neutral_take_counts():
    motion, own = driver()
    neutral = motion.trimmed(0, 1)
    np.testing.assert_allclose(calibrated(motion, neutral).weights[:, SMILE], own, atol=1e-5)
    np.testing.assert_allclose(calibrated(motion, motion.frames([0])).weights[:, SMILE], own, atol=1e-5)


def test_a_face_that_performs_throughout_is_not_flattened():
    weights = np.zeros((50, 52))
    weights[:, SMILE] = 0.95
    weights[:, BLINK] = 0.9
    result = calibrated(Motion.still(weights, 30)).weights
    assert result[:, SMILE].min() > 0.8
    assert result[:, BLINK].min() > 0.8


def test_the_usual_gaze_becomes_straight_and_turns_are_relative():
    motion = builtin("talk", 6)
    shifted = motion.weights.copy()
    for name, sign in (("eyeLookOutLeft", 1), ("eyeLookInLeft", -1), ("eyeLookInRight", 1), ("eyeLookOutRight", -1)):
        shifted[:, arkit.INDEX[name]] = (shifted[:, arkit.INDEX[name]] + 0.2 * sign).clip(0, 1)
    rest = neutral_of(Motion.of(30, shifted, motion.head, motion.neck))
    assert rest.weights[0, arkit.INDEX["eyeLookOutLeft"]] == pytest.approx(0.2, abs=0.05)
    turns = whole_turn(*(getattr(calibrated(motion), part) for part in ("neck", "head")))
    assert np.abs(np.median(turns, 0)).max() < 0.02


def test_a_small_range_is_stretched_to_a_large_one():
    small, _ = driver(0)
    small = small.scaled(0.4)
    large = driver(0)[0].scaled(0.8)
    result = range_adapted(small, large)
    np.testing.assert_allclose(result.weights[:, SMILE], large.weights[:, SMILE], atol=0.02)
    np.testing.assert_array_equal(range_adapted(large, large).weights, large.weights)


def test_shapes_that_hardly_move_are_left_alone_and_gains_are_bounded():
    quiet = driver(0)[0].scaled(0.02)
    loud = driver(0)[0]
    np.testing.assert_array_equal(range_adapted(quiet, loud).weights, quiet.weights)
    assert range_adapted(loud.scaled(0.15), loud).weights.max() <= 3 * 0.15 + 0.05
