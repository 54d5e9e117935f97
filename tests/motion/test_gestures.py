"""Gestures come, stay and go; those of the mouth stop speech; laughter comes in breaths."""

import numpy as np
import pytest

from zero1toa.heads import arkit
from zero1toa.motion.gestures import GESTURES, Layer, perform
from zero1toa.motion.sequences import _deck

FPS = 100
T = np.arange(4 * FPS) / FPS


def performed(name: str, *, flipped: bool = False) -> tuple[Layer, float]:
    layer = Layer.empty(len(T))
    return layer, perform(GESTURES[name], T, 0.5, np.random.default_rng(0), layer, flipped=flipped)


@pytest.mark.parametrize("name", GESTURES)
def test_a_gesture_begins_and_ends_with_a_face_at_rest(name):
    layer, end = performed(name)
    outside = (T < 0.5 - 0.07) | (end + 0.07 < T)  # movements do not start in the same frame
    assert 0.7 < end < 3.5
    for values in (layer.weights, layer.head, layer.gaze, 1 - layer.speech):
        assert np.abs(values[outside]).max() < 1e-9
    asked = np.array([GESTURES[name].weights.get(n, 0) for n in arkit.NAMES])
    assert (layer.weights.max(0)[asked > 0] > 0.6 * asked[asked > 0]).all()


@pytest.mark.parametrize("name", GESTURES)
def test_only_gestures_of_the_mouth_stop_speech(name):
    speech = performed(name)[0].speech
    assert speech.min() == pytest.approx(0 if GESTURES[name].mouth else 1, abs=1e-9)


def test_laughter_comes_in_four_to_five_breaths_a_second():
    jaw = performed("laughter")[0].weights[:, arkit.INDEX["jawOpen"]]
    peaks = np.flatnonzero((jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:]) & (jaw[1:-1] > 0.2))
    assert len(peaks) >= 4
    assert 1 / 5.6 < np.median(np.diff(peaks)) / FPS < 1 / 4.0


def test_a_flipped_wink_shuts_the_other_eye():
    left, right = (arkit.INDEX["eyeBlink" + side] for side in ("Left", "Right"))
    plain, flipped = (performed("wink", flipped=f)[0] for f in (False, True))
    assert plain.weights[:, left].max() > 1 and not plain.weights[:, right].any()
    assert flipped.weights[:, right].max() > 1 and not flipped.weights[:, left].any()
    np.testing.assert_allclose(plain.head * [1, -1, -1], flipped.head)


@pytest.mark.parametrize("mouth", [True, False])
def test_every_gesture_comes_once_before_any_comes_again_and_then_on_the_other_side(mouth):
    kind = [gesture for gesture in GESTURES.values() if gesture.mouth == mouth]
    deck = _deck(np.random.default_rng(0), mouth=mouth)
    first, second = ([next(deck) for _ in kind] for _ in range(2))
    for gesture in kind:
        sides = [flipped for drawn in (first, second) for g, flipped in drawn if g is gesture]
        assert sorted(sides) == ([False, True] if gesture.one_sided else [False, False])
