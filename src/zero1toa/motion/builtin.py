"""Motions by name, for `animate` and for trying an avatar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zero1toa.errors import InputError
from zero1toa.heads import arkit

from . import eyes, head_motion
from .curves import Curve, ease, frame_times, pulse
from .gaze import gaze_angles, write_gaze_angles
from .motion import LONGEST_SECONDS, Motion, check_fps
from .sequences import NEAR_NEUTRAL_TURN, near_neutral
from .shapes import Weights, settle, shape
from .speech import phrase, speak

_FPS = 30.0

_TALK_GAIN = 0.9
_TALK_PHRASE, _TALK_PAUSE = (1.2, 2.8), (0.25, 0.7)  # seconds
_TALK_TURN = 10.0  # degrees, bound
_TALK_SWAY, _TALK_BEAT = 1.8, 2.2  # degrees
_TALK_BROWS = {"browInnerUp": 0.35, "browOuterUp": 0.3}  # raised on some stressed syllables
_BROWS_ON_STRESS = 0.3
_CALM_GAZE, _CALM_FIXATION = (0.16, 0.09), (0.5, 2.0)

_SMILE = {"mouthSmile": 0.85, "cheekSquint": 0.55, "eyeSquint": 0.3, "mouthDimple": 0.2, "mouthUpperUp": 0.2,
          "mouthLowerDown": 0.15, "browInnerUp": 0.1}  # fmt: skip

_NOD_HZ, _NOD_DEGREES, _NOD_TURN = 1.2, 13.0, 22.0  # a clear yes; degrees
_NOD_UP = 0.2  # of a nod: before the first one the head goes up a little
_GAZE_KEPT = 0.85  # share of a nod that the eyes take back, so that they stay with whom they look at

_SECONDS_PER_SHAPE = 0.8
_WITH_OPEN_JAW = {"mouthClose": 1.0, "tongueOut": 0.45}  # jawOpen: one corrects it, the other needs the way out
_FEWEST_FRAMES = 3  # a shape: up, there, down


def builtin(name: str, seconds: float | None = None, fps: float = _FPS, seed: int = 0) -> Motion:
    """A motion that comes with the package.

    Args:
        name: `idle` breathes, blinks and looks about; `talk` speaks; `smile` smiles once and stops; `expressions`
            shows each of the 52 ARKit shapes once, in their order; `turntable` keeps the head still while it breathes
            and blinks, for a camera that goes round it (`animate` moves it); `nod` says yes.
        seconds: length; by default what suits the motion.
        fps: frames a second.
        seed: the same seed gives the same motion.

    Raises:
        InputError: there is no motion of that name, or the length or frame rate cannot be used.
    """
    if name not in _MAKERS:
        raise InputError(f"There is no built-in motion '{name}'; there are {', '.join(BUILTIN_NAMES)}.")
    make, usual = _MAKERS[name]
    fps = check_fps(fps)
    seconds = usual if seconds is None else seconds
    if not (np.isfinite(seconds) and 0 < seconds <= LONGEST_SECONDS):
        raise InputError(f"A built-in motion lasts more than 0 and at most {LONGEST_SECONDS:.0f} s, not {seconds} s.")
    return make(max(1, round(seconds * fps)), fps, np.random.default_rng(seed))


def _idle(frames: int, fps: float, rng: np.random.Generator) -> Motion:
    return near_neutral(frames, fps, rng, speech=0.0)


def _turntable(frames: int, fps: float, rng: np.random.Generator) -> Motion:
    return near_neutral(frames, fps, rng, speech=0.0, head=False)


def _talk(frames: int, fps: float, rng: np.random.Generator) -> Motion:
    t = frame_times(frames, fps)
    seconds = frames / fps
    weights = np.zeros((frames, 52))
    stressed: list[float] = []
    time = rng.uniform(0.1, 0.3)
    while time < seconds:
        sounds = phrase(rng, time, rng.uniform(*_TALK_PHRASE))
        weights += _TALK_GAIN * speak(t, sounds)
        stressed += [sound.start for sound in sounds if sound.stressed]
        time = sounds[-1].end + rng.uniform(*_TALK_PAUSE)
    for beat in stressed:
        if rng.random() < _BROWS_ON_STRESS:
            weights += pulse(t, beat - 0.1, 0.15, 0.1, 0.3)[:, None] * shape(_TALK_BROWS) * rng.uniform(0.4, 1.0)
    turns = head_motion.sway(t, rng, _TALK_SWAY) + head_motion.beats(t, stressed, rng, _TALK_BEAT)
    return _with_eyes(t, fps, settle(weights), rng, turns, _TALK_TURN)


def _smile(frames: int, fps: float, rng: np.random.Generator) -> Motion:
    t = frame_times(frames, fps)
    seconds = frames / fps
    level = ease((t - 0.15 * seconds) / (0.2 * seconds)) * ease((0.9 * seconds - t) / (0.25 * seconds))
    weights = settle(level[:, None] * shape(_SMILE))
    turns = head_motion.breath(t, rng) + level[:, None] * [-1.5, 0.0, 2.0]
    return _with_eyes(t, fps, weights, rng, turns, NEAR_NEUTRAL_TURN)


def _nod(frames: int, fps: float, rng: np.random.Generator) -> Motion:
    t = frame_times(frames, fps)
    seconds = frames / fps
    rest = min(0.4, 0.2 * seconds)
    nods = max(1, round((seconds - 2 * rest) * _NOD_HZ))
    phase = np.clip((t - rest) / (seconds - 2 * rest), 0, 1)
    turns = np.zeros((frames, 3))
    turns[:, 0] = _NOD_DEGREES * (0.5 - 0.5 * np.cos(2 * np.pi * nods * phase)) * (1 - 0.4 * phase)
    turns[:, 0] -= _NOD_UP * _NOD_DEGREES * pulse(t, 0.0, 0.8 * rest, 0.1 * rest, rest)
    motion = _with_eyes(t, fps, np.zeros((frames, 52)), rng, turns + head_motion.breath(t, rng), _NOD_TURN)
    return _looking_ahead(motion)


def _looking_ahead(motion: Motion) -> Motion:
    """The motion with eyes that stay on their aim while the head nods (the vestibulo-ocular reflex)."""
    angles = gaze_angles(motion.weights)
    angles[..., 0] -= _GAZE_KEPT * head_motion.whole_turn(motion.neck, motion.head)[:, None, 0]
    weights = motion.weights.astype(np.float64)
    write_gaze_angles(weights, angles)
    return replace(motion, weights=weights.astype(np.float32))


def _expressions(frames: int, fps: float, rng: np.random.Generator) -> Motion:
    """Each shape up to 1 and back; two come with an open jaw, without which they are not seen."""
    del rng
    if frames < _FEWEST_FRAMES * len(arkit.NAMES):
        raise InputError(
            f"52 expressions do not fit into {frames} frames; take at least "
            f"{_FEWEST_FRAMES * len(arkit.NAMES) / fps:.1f} s at {fps:g} frames a second."
        )
    position = (np.arange(frames) + 0.5) * len(arkit.NAMES) / frames
    weights = np.zeros((frames, len(arkit.NAMES)))
    shown = position.astype(int)
    inside = position - shown
    step = len(arkit.NAMES) / frames  # of a shape's turn, per frame
    plateau = max(0.3, step)  # at least one frame shows the shape at 1
    edge = (1 - plateau) / 2
    weights[np.arange(frames), shown] = ease(inside / edge) * ease((1 - inside) / edge)
    jaw = arkit.INDEX["jawOpen"]
    for name, share in _WITH_OPEN_JAW.items():
        weights[:, jaw] = np.maximum(weights[:, jaw], share * weights[:, arkit.INDEX[name]])
    return Motion.still(weights, fps)


def _with_eyes(
    t: Curve, fps: float, weights: Weights, rng: np.random.Generator, turns: head_motion.Turns, limit: float
) -> Motion:
    gaze, gaze_blinks = eyes.fixations(t, rng, _CALM_GAZE, _CALM_FIXATION, home=0.7)
    eyes.write_gaze(weights, gaze)
    starts = eyes.merged_blinks(eyes.blink_starts(len(t) / fps, rng), gaze_blinks)
    eyes.write_lids(weights, eyes.blinks(t, starts, rng, fps))
    return head_motion.with_head(weights, fps, turns, limit)


_MAKERS: dict[str, tuple[Callable[[int, float, np.random.Generator], Motion], float]] = {
    "idle": (_idle, 10.0),
    "talk": (_talk, 10.0),
    "smile": (_smile, 4.0),
    "expressions": (_expressions, _SECONDS_PER_SHAPE * len(arkit.NAMES)),
    "turntable": (_turntable, 6.0),
    "nod": (_nod, 3.0),
}

BUILTIN_NAMES: tuple[str, ...] = tuple(_MAKERS)
"""What `builtin` knows."""
