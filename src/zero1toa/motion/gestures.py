"""Expressions that come and go: laughter, surprise, winks and what else a lively face does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zero1toa.heads import arkit

from .curves import Curve, pulse
from .shapes import Weights, mirrored, shape

_MIRROR_ROTATION = np.array([1.0, -1.0, -1.0])  # a turn and a tilt change sides, a nod does not
_ASYMMETRY = 0.08  # spread of the strength of each side: no face is quite symmetric
_STAGGER = 0.03  # seconds, spread of the start of each movement: brows and mouth do not start in the same frame
_LONGEST_STAGGER = 0.06


@dataclass(frozen=True)
class Gesture:
    """A face that is made, held and given up. One-sided ones are written for the subject's left."""

    weights: Mapping[str, float]  # at full strength; a name without its side sets both
    attack: float  # seconds
    hold: tuple[float, float]  # seconds, shortest and longest
    release: float  # seconds
    mouth: bool = True  # the mouth is taken: no speech meanwhile
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)  # degrees about x (down), y (to the left), z (tilt to the right)
    gaze: tuple[float, float] = (0.0, 0.0)  # to the left and up, eyeLook weights
    shake: float = 0.0  # share of jawOpen that trembles with the breath, as in laughter

    @property
    def one_sided(self) -> bool:
        vector = shape(self.weights)
        return bool((vector != mirrored(vector)).any()) or self.gaze[0] != 0


# Strengths tuned by eye on the default head. A wink asks for more than 1: it is shut at less than full strength too.
GESTURES: dict[str, Gesture] = {
    "laughter": Gesture(
        {"jawOpen": 0.58, "mouthSmile": 0.85, "mouthUpperUp": 0.35, "mouthLowerDown": 0.3, "mouthDimple": 0.2,
         "cheekSquint": 0.8, "eyeSquint": 0.6, "eyeBlink": 0.2, "browInnerUp": 0.25, "noseSneer": 0.15},
        0.20, (0.7, 1.3), 0.45, head=(-6.0, 0.0, 3.0), shake=0.55,
    ),
    "grin": Gesture(
        {"mouthSmile": 0.9, "mouthUpperUp": 0.35, "mouthLowerDown": 0.35, "jawOpen": 0.06, "cheekSquint": 0.6,
         "eyeSquint": 0.4, "mouthDimple": 0.25},
        0.25, (0.4, 0.9), 0.40, head=(0.0, 0.0, 3.0),
    ),
    "smirk": Gesture(
        {"mouthSmileLeft": 0.75, "mouthDimpleLeft": 0.5, "mouthLeft": 0.25, "cheekSquintLeft": 0.4,
         "mouthPress": 0.15, "browOuterUpRight": 0.6},
        0.25, (0.4, 0.8), 0.35, head=(0.0, 4.0, -3.0),
    ),
    "surprise": Gesture(
        {"jawOpen": 0.6, "mouthFunnel": 0.25, "browInnerUp": 0.9, "browOuterUp": 0.95, "eyeWide": 0.9},
        0.20, (0.3, 0.7), 0.40, head=(-5.0, 0.0, 0.0),
    ),
    "jaw_drop": Gesture(
        {"jawOpen": 1.0, "browInnerUp": 0.6, "browOuterUp": 0.6, "eyeWide": 0.5, "mouthLowerDown": 0.2},
        0.25, (0.2, 0.6), 0.40, head=(3.0, 0.0, 0.0),
    ),
    "disgust": Gesture(
        {"noseSneer": 0.9, "mouthUpperUp": 0.6, "browDown": 0.55, "eyeSquint": 0.6, "mouthFrown": 0.4,
         "mouthShrugLower": 0.35, "cheekSquint": 0.4},
        0.22, (0.4, 0.8), 0.40, head=(-2.0, -6.0, 0.0),
    ),
    "anger": Gesture(
        {"browDown": 1.0, "eyeSquint": 0.45, "noseSneer": 0.45, "mouthPress": 0.7, "mouthFrown": 0.35,
         "mouthShrugLower": 0.2, "jawForward": 0.3},
        0.20, (0.5, 0.9), 0.40, head=(5.0, 0.0, 0.0),
    ),
    "shout": Gesture(
        {"browDown": 0.85, "jawOpen": 0.7, "mouthLowerDown": 0.7, "mouthUpperUp": 0.6, "mouthStretch": 0.5,
         "noseSneer": 0.6, "eyeSquint": 0.4, "cheekSquint": 0.3},
        0.15, (0.2, 0.5), 0.30, head=(-3.0, 0.0, 0.0), shake=0.15,
    ),
    "sadness": Gesture(
        {"mouthFrown": 0.85, "browInnerUp": 0.9, "mouthShrugLower": 0.5, "mouthShrugUpper": 0.2, "eyeSquint": 0.2,
         "eyeBlink": 0.1},
        0.35, (0.5, 0.9), 0.45, head=(4.0, 0.0, 3.0), gaze=(0.0, -0.25),
    ),
    "wink": Gesture(
        {"eyeBlinkLeft": 1.3, "cheekSquintLeft": 0.75, "mouthSmileLeft": 0.55, "mouthLeft": 0.15,
         "eyeSquintLeft": 0.4, "browDownLeft": 0.25, "mouthSmileRight": 0.2, "browOuterUpRight": 0.25},
        0.13, (0.15, 0.35), 0.22, head=(2.0, 4.0, -5.0),
    ),
    "kiss": Gesture(
        {"mouthPucker": 1.0, "mouthShrugUpper": 0.2, "eyeSquint": 0.35, "browInnerUp": 0.25},
        0.22, (0.25, 0.5), 0.30, head=(-2.0, 0.0, 3.0),
    ),
    "cheek_puff": Gesture(
        {"cheekPuff": 0.95, "mouthPress": 0.35, "mouthPucker": 0.25, "browInnerUp": 0.3, "eyeWide": 0.2},
        0.25, (0.3, 0.6), 0.20,
    ),
    "grimace": Gesture(
        {"mouthStretch": 0.95, "mouthLowerDown": 0.65, "jawOpen": 0.1, "browInnerUp": 0.6, "eyeSquint": 0.3},
        0.16, (0.3, 0.6), 0.30, head=(-2.0, 0.0, 0.0),
    ),
    "bite_lips": Gesture(
        {"mouthRollLower": 0.85, "mouthRollUpper": 0.5, "mouthPress": 0.5, "mouthDimple": 0.3, "browInnerUp": 0.35},
        0.20, (0.3, 0.6), 0.30,
    ),
    "ponder": Gesture(
        {"mouthLeft": 0.55, "mouthPucker": 0.35, "mouthShrugLower": 0.25, "browOuterUpLeft": 0.6,
         "browDownRight": 0.4, "eyeSquintRight": 0.2},
        0.28, (0.4, 0.9), 0.35, head=(-2.0, 5.0, -4.0), gaze=(0.5, 0.45),
    ),
    "jaw_aside": Gesture(
        {"jawLeft": 0.7, "mouthLeft": 0.35, "jawOpen": 0.12, "browDown": 0.3, "eyeSquint": 0.25},
        0.22, (0.2, 0.5), 0.28, head=(0.0, -3.0, 2.0),
    ),
    "wide_gaze": Gesture(
        {"eyeWide": 0.5, "browInnerUp": 0.3}, 0.12, (0.3, 0.7), 0.16, mouth=False, gaze=(0.8, 0.1), head=(0.0, 5.0, 0.0)
    ),
    "brow_flash": Gesture(
        {"browInnerUp": 0.75, "browOuterUp": 0.85, "eyeWide": 0.45}, 0.18, (0.1, 0.3), 0.25, mouth=False,
        head=(-3.0, 0.0, 0.0),
    ),
    "brow_raise_one": Gesture(
        {"browOuterUpLeft": 0.9, "browDownRight": 0.45, "eyeSquintRight": 0.2}, 0.18, (0.2, 0.5), 0.28, mouth=False,
        head=(0.0, 3.0, 3.0),
    ),
    "frown": Gesture(
        {"browDown": 0.8, "eyeSquint": 0.35, "noseSneer": 0.15}, 0.20, (0.3, 0.7), 0.30, mouth=False,
        head=(3.0, 0.0, 0.0),
    ),
}  # fmt: skip

_LAUGH_HZ = (4.3, 5.2)  # breaths of laughter a second, as in adults
_BOB_DEGREES = 3.0  # nod with each breath at full shake
_LAUGH_FADE = 0.35  # share of the trembling that is left at the end


@dataclass
class Layer:
    """What one or more gestures add to a face, at every frame."""

    weights: Weights  # (F, 52)
    head: NDArray[np.float64]  # (F, 3) degrees
    gaze: NDArray[np.float64]  # (F, 2)
    speech: Curve  # (F,) share of speech that is left

    @classmethod
    def empty(cls, frames: int) -> Layer:
        return cls(np.zeros((frames, len(arkit.NAMES))), np.zeros((frames, 3)), np.zeros((frames, 2)), np.ones(frames))


def perform(
    gesture: Gesture,
    t: Curve,
    start: float,
    rng: np.random.Generator,
    layer: Layer,
    strength: float = 1.0,
    flipped: bool = False,
) -> float:
    """Adds a gesture that begins at `start` seconds to a layer, in place; `flipped` exchanges left and right.

    Returns:
        When it is over, seconds.
    """
    hold = rng.uniform(*gesture.hold)
    end = start + gesture.attack + hold + gesture.release
    whole = pulse(t, start, gesture.attack, hold, gesture.release)
    vector = shape(gesture.weights) * strength
    if flipped:
        vector = mirrored(vector)
    for pair in _PAIRS:
        names = list(pair)
        delay = float(np.clip(rng.normal(0, _STAGGER), -_LONGEST_STAGGER, _LONGEST_STAGGER))
        sides = 1 + _ASYMMETRY * rng.normal(size=len(names))
        if vector[names].any():
            late = pulse(t, start + delay, gesture.attack, hold, gesture.release)
            layer.weights[:, names] += late[:, None] * (vector[names] * sides)
    if gesture.shake:
        _tremble(layer, t, start, end, whole, gesture, rng)
    layer.head += whole[:, None] * np.array(gesture.head) * (_MIRROR_ROTATION if flipped else 1.0) * strength
    layer.gaze += whole[:, None] * np.array(gesture.gaze) * ((-1.0, 1.0) if flipped else (1.0, 1.0)) * strength
    if gesture.mouth:
        layer.speech *= 1 - whole
    return end


def _tremble(
    layer: Layer, t: Curve, start: float, end: float, whole: Curve, gesture: Gesture, rng: np.random.Generator
) -> None:
    """Laughter comes in breaths: the jaw falls and rises with each, and the head bobs a little; it dies away."""
    phase = 2 * np.pi * rng.uniform(*_LAUGH_HZ) * (t - start)
    fade = np.interp(t, [start, end], [1.0, _LAUGH_FADE])
    breath = whole * fade * (0.5 - 0.5 * np.cos(phase))
    jaw = arkit.INDEX["jawOpen"]
    layer.weights[:, jaw] *= 1 - gesture.shake * breath
    layer.head[:, 0] += gesture.shake * _BOB_DEGREES * breath


_PAIRS = sorted({tuple(sorted({c, mirror})) for c, mirror in enumerate(arkit.MIRROR)})
