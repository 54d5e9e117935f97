"""The sequences of temporal consistency learning: near-neutral ones, then exaggerated, talk-show-like ones.

The paper takes synthetic sequences near the neutral face and then clips of real talk shows (its Fig. 4).
Both are procedural here, so that they come with the package: same generator, same motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from zero1toa.errors import InputError

from . import eyes, head_motion
from .curves import Curve, drift, ease, frame_times, pulse
from .gestures import GESTURES, Gesture, Layer, perform
from .motion import Motion, check_fps
from .shapes import Weights, columns, settle, shape
from .speech import phrase, speak

Style = Literal["near_neutral", "exaggerated"]

# Bounds of the head's rotation, degrees, neck and head together: the cameras of this stage are near-frontal and fixed.
NEAR_NEUTRAL_TURN = 6.0
EXAGGERATED_TURN = 12.0

NEAR_NEUTRAL_LIMIT = 0.4
"""No shape but blink and gaze goes beyond this weight in a near-neutral sequence."""

# Largest speed of a weight, per second, at any frame rate; lids and gaze, whose blinks and saccades are faster, apart.
# Measured: 4.9 and 22.1 in 200 sequences of 10 s at 60 frames a second.
NEAR_NEUTRAL_SPEED = 6.0
EXAGGERATED_SPEED = 24.0

CLIP_FRAMES = 16  # frames of a training clip, one window of the usual video diffusion model
CLIP_SECONDS = (1.0, 3.0)
_CLIP_FPS = 25.0  # of the sequence that a clip is taken from

# Near neutral. Weights unless noted.
_TREMOR = {"browInnerUp": 0.03, "browOuterUp": 0.025, "browDown": 0.025, "eyeSquint": 0.03, "mouthPress": 0.02,
           "mouthShrugLower": 0.02, "mouthSmile": 0.02, "jawOpen": 0.012}  # fmt: skip  # RMS of the micro-movements
_TREMOR_HZ = (0.15, 0.9)
_SOFT_SPEECH = 0.38  # gain
_SOFT_PHRASE, _SOFT_PAUSE = (0.8, 2.2), (1.5, 4.0)  # seconds
_SMILE = {"mouthSmile": 1.0, "cheekSquint": 0.45, "eyeSquint": 0.3, "mouthDimple": 0.2}
_SMILE_STRENGTH, _SMILE_EVERY = (0.1, 0.32), (2.5, 6.0)  # weight of mouthSmile, seconds
_SMALL_GAZE, _SMALL_FIXATION = (0.10, 0.06), (0.5, 1.8)  # eyeLook weights, seconds
_STILL_SWAY = 1.1  # degrees RMS

# Exaggerated.
_LOUD_SPEECH = (1.25, 1.65)  # gain, drawn for each phrase
_DRAWL = 1.25  # emphatic speech is slower
_LOUD_PHRASE, _LOUD_PAUSE = (0.6, 1.5), (0.0, 0.25)  # seconds
_TWO_IN_A_ROW = 0.25  # chance of a second phrase before the next gesture of the mouth
_STRENGTH = (0.85, 1.1)  # of a gesture
_OVERLAP = 0.12  # seconds by which a gesture begins before the phrase has ended
_BROWS_EVERY = (0.8, 1.8)  # seconds between the gestures that leave the mouth free
_TALKING_BLINKS = 18.0  # a minute, besides those that go with the gaze
_LARGE_GAZE, _LARGE_FIXATION = (0.28, 0.16), (0.4, 1.4)
_TALK_SWAY = 2.4  # degrees RMS
_BEAT_DEGREES = 2.5
_MOODS: tuple[dict[str, float], ...] = (  # a colour that stays for a phrase; a talking face is seldom without one
    {},
    {"mouthSmile": 0.5, "cheekSquint": 0.45, "eyeSquint": 0.2},
    {"browInnerUp": 0.5, "browOuterUp": 0.55, "eyeWide": 0.35},
    {"browDown": 0.6, "noseSneer": 0.3, "eyeSquint": 0.25},
    {"mouthFrown": 0.4, "browInnerUp": 0.65},
)
_MOOD_EASE = 0.25  # seconds


def near_neutral(
    frames: int, fps: float, rng: np.random.Generator, *, speech: float = _SOFT_SPEECH, head: bool = True
) -> Motion:
    """A relaxed face: breath, blinks, small saccades, the beginnings of smiles, soft speech now and then.

    Args:
        frames: length.
        fps: frames a second; the movement in seconds does not depend on it.
        rng: the dice; the same state gives the same motion.
        speech: gain of the speech; 0 for a silent face.
        head: whether head and neck move too, at most `NEAR_NEUTRAL_TURN` degrees.

    Raises:
        InputError: there is no frame, or the frame rate is not a positive number.
    """
    fps = check_fps(fps)
    t = _times(frames, fps)
    seconds = frames / fps
    weights = np.zeros((frames, 52))
    for name, size in _TREMOR.items():
        weights[:, columns(name)] += (size * drift(t, rng, *_TREMOR_HZ)).clip(0, None)[:, None]
    for start in _starts(seconds, rng, _SMILE_EVERY):
        strength = rng.uniform(*_SMILE_STRENGTH)
        weights += pulse(t, start, 0.5, rng.uniform(0.5, 1.5), 0.7)[:, None] * shape(_SMILE) * strength
    stressed: list[float] = []
    time = rng.uniform(-_SOFT_PHRASE[1], _SOFT_PAUSE[0])
    while speech > 0 and time < seconds:
        sounds = phrase(rng, time, rng.uniform(*_SOFT_PHRASE))
        weights += speech * speak(t, sounds)
        stressed += [sound.start for sound in sounds if sound.stressed]
        time = sounds[-1].end + rng.uniform(*_SOFT_PAUSE)
    weights = settle(np.minimum(weights, NEAR_NEUTRAL_LIMIT))
    gaze, gaze_blinks = eyes.fixations(t, rng, _SMALL_GAZE, _SMALL_FIXATION)
    spontaneous = eyes.blink_starts(seconds, rng)
    eyes.write_gaze(weights, gaze)
    eyes.write_lids(weights, eyes.blinks(t, eyes.merged_blinks(spontaneous, gaze_blinks), rng, fps))
    turns = head_motion.sway(t, rng, _STILL_SWAY) + head_motion.breath(t, rng)
    turns += head_motion.beats(t, stressed, rng, _BEAT_DEGREES * speech)
    return head_motion.with_head(weights, fps, turns, NEAR_NEUTRAL_TURN if head else 0.0)


def exaggerated(frames: int, fps: float, rng: np.random.Generator, *, head: bool = True) -> Motion:
    """A talk-show guest: loud speech, laughter, surprise, disgust, anger, winks, kisses, big jaws, big gaze.

    Phrases and gestures of the mouth take turns; brows, gaze and head go their own way beside them. Every gesture of
    `gestures.GESTURES` comes once before any comes again, in random order.

    Args:
        frames: length.
        fps: frames a second; the movement in seconds does not depend on it.
        rng: the dice; the same state gives the same motion.
        head: whether head and neck move too, at most `EXAGGERATED_TURN` degrees.

    Raises:
        InputError: there is no frame, or the frame rate is not a positive number.
    """
    fps = check_fps(fps)
    t = _times(frames, fps)
    seconds = frames / fps
    layer = Layer.empty(frames)
    speech = np.zeros((frames, 52))
    stressed: list[float] = []
    deck = _deck(rng, mouth=True)
    time = -rng.uniform(0, _LOUD_PHRASE[0])  # the sequence begins in the middle of something
    talking = rng.random() < 0.5
    while time < seconds:
        if talking:
            sounds = phrase(rng, time, rng.uniform(*_LOUD_PHRASE), _DRAWL)
            speech += rng.uniform(*_LOUD_SPEECH) * speak(t, sounds)
            end = sounds[-1].end
            layer.weights += _mood(t, rng, time, end)
            stressed += [sound.start for sound in sounds if sound.stressed]
            talking = rng.random() < _TWO_IN_A_ROW
            time = end + (rng.uniform(*_LOUD_PAUSE) if talking else -_OVERLAP)
        else:
            gesture, flipped = next(deck)
            time = perform(gesture, t, time, rng, layer, rng.uniform(*_STRENGTH), flipped) - _OVERLAP
            talking = True
    deck = _deck(rng, mouth=False)
    for start in _starts(seconds, rng, _BROWS_EVERY):
        gesture, flipped = next(deck)
        perform(gesture, t, start, rng, layer, rng.uniform(*_STRENGTH), flipped)
    weights = settle(layer.weights + speech * layer.speech[:, None])
    gaze, gaze_blinks = eyes.fixations(t, rng, _LARGE_GAZE, _LARGE_FIXATION)
    spontaneous = eyes.blink_starts(seconds, rng, _TALKING_BLINKS)
    eyes.write_gaze(weights, gaze + layer.gaze)
    eyes.write_lids(weights, eyes.blinks(t, eyes.merged_blinks(spontaneous, gaze_blinks), rng, fps))
    turns = head_motion.sway(t, rng, _TALK_SWAY) + head_motion.beats(t, stressed, rng, _BEAT_DEGREES) + layer.head
    return head_motion.with_head(weights, fps, turns, EXAGGERATED_TURN if head else 0.0)


def sample_frames(motion: Motion, count: int = CLIP_FRAMES) -> Motion:
    """`count` frames taken evenly from the first to the last, as a motion of the frame rate that keeps its speed.

    Raises:
        InputError: the motion has fewer frames than that.
    """
    if not 1 <= count <= len(motion):
        raise InputError(f"Cannot take {count} frames from a motion of {len(motion)} frames.")
    index = np.linspace(0, len(motion) - 1, count).round().astype(int)
    spacing = (len(motion) - 1) / (count - 1) if count > 1 else len(motion)
    return motion.frames(index, motion.fps / spacing)


def training_clips(
    style: Style, number: int, rng: np.random.Generator, *, count: int = CLIP_FRAMES, head: bool = True
) -> list[Motion]:
    """Short clips for the temporal stage: one long sequence cut into pieces of 1 to 3 s, `count` frames from each.

    Cutting one performance, rather than beginning anew, makes the clips differ: ten exaggerated ones show most
    gestures.
    """
    lengths = np.round(rng.uniform(*CLIP_SECONDS, number) * _CLIP_FPS).astype(int)
    total = int(lengths.sum())
    make = {"near_neutral": near_neutral, "exaggerated": exaggerated}.get(style)
    if make is None:
        raise InputError(f"There is no style of motion '{style}'; use near_neutral or exaggerated.")
    if number < 1:
        raise InputError(f"At least one clip must be asked for, not {number}.")
    whole = make(total, _CLIP_FPS, rng, head=head)
    starts = np.cumsum(lengths) - lengths
    return [sample_frames(whole.frames(np.arange(s, s + n)), count) for s, n in zip(starts, lengths, strict=True)]


def _times(frames: int, fps: float) -> Curve:
    if frames < 1:
        raise InputError(f"A motion has at least one frame, not {frames}.")
    return frame_times(frames, fps)


def _starts(seconds: float, rng: np.random.Generator, every: tuple[float, float]) -> Iterator[float]:
    time = rng.uniform(-every[0], every[0])
    while time < seconds:
        yield time
        time += rng.uniform(*every)


def _mood(t: Curve, rng: np.random.Generator, start: float, end: float) -> Weights:
    mood = shape(_MOODS[int(rng.integers(len(_MOODS)))]) * rng.uniform(0.6, 1.0)
    level = ease((t - start) / _MOOD_EASE) * ease((end - t) / _MOOD_EASE)
    return level[:, None] * mood


def _deck(rng: np.random.Generator, *, mouth: bool) -> Iterator[tuple[Gesture, bool]]:
    """Gestures, shuffled anew when all have come; one-sided ones are flipped every second time."""
    chosen = [gesture for gesture in GESTURES.values() if gesture.mouth == mouth]
    flipped = rng.random(len(chosen)) < 0.5
    while True:
        for index in rng.permutation(len(chosen)):
            yield chosen[index], bool(flipped[index]) and chosen[index].one_sided
        flipped = ~flipped
