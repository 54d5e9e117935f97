"""Speech: lips close where they must, sounds colour each other, the mouth rests before and after."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from zero1toa.heads import arkit, load_head
from zero1toa.motion import builtin
from zero1toa.motion.shapes import settle
from zero1toa.motion.speech import Sound, phrase, speak
from zero1toa.motion.visemes import CONSONANTS, REST, SPEECH_SHAPES, VOWELS

JAW, CLOSE, PUCKER, ROUND = (arkit.INDEX[n] for n in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel"))
UPPER_LIP, LOWER_LIP = 13, 14  # inner edge of the lips, MediaPipe Face Mesh


def sequence(*names: str, start: float = 0.5, seconds: float = 0.1) -> list[Sound]:
    sounds = {**VOWELS, **CONSONANTS}
    return [Sound(sounds[name], start + i * seconds, start + (i + 1) * seconds) for i, name in enumerate(names)]


def at(sounds: list[Sound], time: float) -> np.ndarray:
    return speak(np.array([time]), sounds)[0]


def test_lips_close_between_open_vowels():
    spoken = sequence("a", "p", "a")
    middle = at(spoken, 0.65)
    assert middle[JAW] > 0.05  # the jaw need not close
    assert middle[CLOSE] == pytest.approx(middle[JAW], rel=0.02)
    assert at(spoken, 0.55)[CLOSE] < 0.05 * at(spoken, 0.55)[JAW]


@pytest.mark.parametrize("fps", [24, 25, 30])
def test_every_bilabial_of_fluent_speech_closes_the_lips_in_some_frame(fps):
    closures = 0
    for seed in range(10):
        sounds = phrase(np.random.default_rng(seed), 0.5, 3.0)
        t = np.arange(int(5 * fps)) / fps
        weights = speak(t, sounds)
        for sound in sounds:
            if sound.viseme is CONSONANTS["p"]:
                during = weights[(t >= sound.start - 0.5 / fps) & (t <= sound.end + 0.5 / fps)]
                assert (during[:, JAW] - during[:, CLOSE]).min() < 0.02
                closures += 1
    assert closures >= 20


def test_closed_lips_meet_on_the_head():
    head = load_head()
    weights = torch.tensor(settle(speak(np.array([0.55, 0.65]), sequence("a", "p", "a"))), dtype=torch.float32)
    identity = torch.zeros(1, head.num_identity)
    lips = head.landmarks(head.vertices(identity, torch.cat([torch.zeros(1, 52), weights])))
    rest, vowel, bilabial = (lips[:, UPPER_LIP] - lips[:, LOWER_LIP]).norm(dim=-1)
    assert bilabial < rest + 0.001  # metres
    assert vowel > rest + 0.006


def test_rounding_reaches_into_a_consonant_beside_it():
    """A "t" is rounded before a "u" and not before an "i": the coarticulation that dominance is there for."""
    assert at(sequence("t", "u"), 0.55)[PUCKER] > 0.25
    assert at(sequence("t", "i"), 0.55)[PUCKER] < 0.05


def test_a_long_vowel_reaches_its_target():
    held = at(sequence("a", seconds=0.6), 0.8)
    np.testing.assert_allclose(held, settle(VOWELS["a"].target[None])[0], atol=0.03)


def test_the_mouth_rests_well_before_and_after():
    sounds = phrase(np.random.default_rng(0), 1.0, 1.0)
    t = np.array([0.0, 0.55, sounds[-1].end + 0.45, 5.0])
    assert np.abs(speak(t, sounds)).max() < 1e-3
    assert not REST.target.any()


def test_only_the_shapes_of_speech_move_and_all_of_them_do():
    t = np.arange(500) / 25
    largest = np.max([speak(t, phrase(np.random.default_rng(seed), 0.5, 18)).max(0) for seed in range(3)], 0)
    assert {name for name, value in zip(arkit.NAMES, largest, strict=True) if value > 0.03} == set(SPEECH_SHAPES)


def test_a_phrase_is_as_long_as_asked_and_without_gaps():
    for seed in range(20):
        sounds = phrase(np.random.default_rng(seed), 2.0, 1.5)
        assert sounds[0].start == 2.0
        assert 1.5 <= sounds[-1].end - 2.0 < 2.3
        assert all(a.end == b.start for a, b in pairwise(sounds))
        assert any(sound.viseme is CONSONANTS["p"] for sound in sounds)


def test_talk_opens_and_closes_four_times_a_second_or_so():
    """Syllables: people speak at 3 to 7 a second."""
    jaw = builtin("talk", 20, 60).weights[:, JAW]
    peaks = (jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:]) & (jaw[1:-1] > 0.08)
    assert 2.0 < peaks.sum() / 20 < 7.0
