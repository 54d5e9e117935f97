"""Speech-like motion: random phrases of visemes, coarticulated by dominance as in Cohen and Massaro (1993)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zero1toa.heads import arkit

from .curves import Curve, ease
from .shapes import Weights
from .visemes import CLOSURE, CONSONANTS, REST, VOWELS, Viseme

# Dominance of a sound at distance d from the core of its segment: exp(-d / _REACH). Rounded lips reach further, which
# is why a "t" before a "u" is rounded already. Seconds.
_REACH = 0.032
_REACH_ROUND = 0.055
_CORE = 0.5  # share of a segment in which its own dominance is full
_SOFT = 0.025  # seconds: rounds the tip that an exponential of the distance has
_MARGIN = 0.4  # seconds before and after a phrase in which the mouth leaves and finds its rest

_SEALED_AT = (0.45, 0.85)  # a blended closure below the first leaves the lips free, from the second on they are sealed
_JAW_WHEN_SEALED = 0.6  # share of the jaw's opening left behind sealed lips

_SOUND_BEFORE, _SOUND_AFTER = 0.85, 0.4  # chances that a syllable begins and ends with a consonant
_STRESSED = 0.4  # chance that a syllable is stressed
_STRESSED_GAIN, _UNSTRESSED_GAIN = (1.05, 1.3), (0.65, 0.95)
_STRESSED_LENGTH = 1.25
_FINAL_LENGTH = 1.4  # the last syllable of a phrase is drawn out

_ROUND_COLUMNS = [arkit.INDEX["mouthFunnel"], arkit.INDEX["mouthPucker"]]
_SEAL = [CLOSURE, *(arkit.INDEX[n] for n in ("mouthPressLeft", "mouthPressRight", "mouthRollLower", "mouthRollUpper"))]
_OPENING = [
    arkit.INDEX[n] for n in ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")
]
_JAW = arkit.INDEX["jawOpen"]


class Sound(NamedTuple):
    """One segment of a phrase."""

    viseme: Viseme
    start: float  # seconds
    end: float
    gain: float = 1.0  # of the target, but for sealed lips
    stressed: bool = False  # the vowel of a stressed syllable


def phrase(rng: np.random.Generator, start: float, seconds: float, drawl: float = 1.0) -> list[Sound]:
    """Random syllables from `start` for about `seconds`; the lips meet in one of the first two at least.

    Sounds last `drawl` times as long as in fluent speech.
    """
    sounds: list[Sound] = []
    time, syllable = start, 0
    lips = int(rng.integers(2))
    while time < start + seconds:
        stressed = rng.random() < _STRESSED
        gain = rng.uniform(*(_STRESSED_GAIN if stressed else _UNSTRESSED_GAIN))
        length = _STRESSED_LENGTH if stressed else 1.0
        parts = []
        if syllable == lips:
            parts.append(CONSONANTS["p"])
        elif rng.random() < _SOUND_BEFORE:
            parts.append(_drawn(CONSONANTS, rng))
        parts.append(_drawn(VOWELS, rng))
        if rng.random() < _SOUND_AFTER:
            parts.append(_drawn(CONSONANTS, rng))
        for viseme in parts:
            vowel = viseme.dominance is VOWELS["a"].dominance
            duration = rng.uniform(*viseme.seconds) * drawl * (length if vowel else 1.0)
            if vowel and time + duration > start + seconds - duration:
                duration *= _FINAL_LENGTH
            sounds.append(Sound(viseme, time, time + duration, gain, stressed and vowel))
            time += duration
        syllable += 1
    return sounds


def speak(t: Curve, sounds: list[Sound]) -> Weights:
    """(F, 52) weights of a phrase at times `t`; zero well before and after it.

    Each shape is the mean of the sounds' targets weighted by their dominance. Closure is blended as the share of the
    jaw's opening that the lips bridge, and sharpened, so that a "p" between two open vowels does close the mouth.
    """
    weights = np.zeros((len(t), len(arkit.NAMES)))
    first, last = sounds[0].start - _MARGIN, sounds[-1].end + _MARGIN
    inside = (t >= first) & (t <= last)
    if not inside.any():
        return weights
    segments = [Sound(REST, first, sounds[0].start), *sounds, Sound(REST, sounds[-1].end, last)]
    blended = _blend(t[inside], segments)
    sealed = ease((blended[:, CLOSURE] - _SEALED_AT[0]) / (_SEALED_AT[1] - _SEALED_AT[0]))
    blended[:, _OPENING] *= (1 - sealed)[:, None]
    blended[:, _JAW] *= 1 - (1 - _JAW_WHEN_SEALED) * sealed
    blended[:, CLOSURE] = sealed * blended[:, _JAW]
    edge = ease((t[inside] - first) / (_MARGIN / 2)) * ease((last - t[inside]) / (_MARGIN / 2))
    weights[inside] = blended * edge[:, None]
    return weights


def _blend(t: Curve, segments: list[Sound]) -> Weights:
    start, end = (np.array([getattr(s, key) for s in segments]) for key in ("start", "end"))
    centre, core = (start + end) / 2, (end - start) / 2 * _CORE
    core[[0, -1]] = (end - start)[[0, -1]] / 2 - 0.02  # the rest on both sides is held to its end
    beyond = np.maximum(np.abs(t[:, None] - centre) - core, 0)
    distance = np.sqrt(beyond**2 + _SOFT**2) - _SOFT  # (F, S)
    insistence = np.stack([s.viseme.insistence for s in segments])  # (S, 52)
    target = np.stack([_target(s) for s in segments])
    blended = np.zeros((len(t), target.shape[1]))
    for reach, chosen in ((_REACH, _but(_ROUND_COLUMNS)), (_REACH_ROUND, _ROUND_COLUMNS)):
        near = np.exp(-(distance - distance.min(1, keepdims=True)) / reach)
        total = near @ insistence[:, chosen]
        value = near @ (insistence * target)[:, chosen]
        blended[:, chosen] = np.divide(value, total, out=np.zeros_like(value), where=total > 0)
    return blended


def _target(sound: Sound) -> NDArray[np.float64]:
    target = sound.viseme.target * sound.gain
    target[_SEAL] = sound.viseme.target[_SEAL]
    return target


def _but(chosen: list[int]) -> list[int]:
    return [c for c in range(len(arkit.NAMES)) if c not in chosen]


def _drawn(kind: dict[str, Viseme], rng: np.random.Generator) -> Viseme:
    common = np.array([viseme.common for viseme in kind.values()])
    return list(kind.values())[int(rng.choice(len(common), p=common / common.sum()))]
