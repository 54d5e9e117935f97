"""Visemes: what the mouth does for a class of speech sounds, as ARKit weights, and how firmly it insists on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zero1toa.heads import arkit

from .shapes import columns, shape

ARTICULATORS: dict[str, tuple[str, ...]] = {
    "jaw": ("jawOpen", "jawForward"),
    "round": ("mouthFunnel", "mouthPucker"),
    "spread": ("mouthStretch", "mouthSmile", "mouthDimple"),
    "lips": ("mouthLowerDown", "mouthUpperUp", "mouthShrugUpper"),
    "seal": ("mouthClose", "mouthPress", "mouthRollLower", "mouthRollUpper"),
}
"""Groups of shapes that a sound claims or leaves to its neighbours as one."""

SPEECH_SHAPES: tuple[str, ...] = tuple(
    arkit.NAMES[c] for names in ARTICULATORS.values() for c in sorted(columns(*names))
)
"""The ARKit shapes that speech moves."""

# What a sound insists on unless it says otherwise, by articulator. Vowels own the jaw and the form of the lips;
# consonants of the tongue take most of it from the vowels around them.
_VOWEL = {"jaw": 1.0, "round": 1.0, "spread": 1.0, "lips": 0.8, "seal": 1.0}
_TONGUE = {"jaw": 0.6, "round": 0.15, "spread": 0.25, "lips": 0.6, "seal": 1.0}
_LIPS = {"jaw": 0.9, "round": 0.4, "spread": 0.4, "lips": 1.0, "seal": 4.0}
_ROUND = {"jaw": 0.8, "round": 2.0, "spread": 0.8, "lips": 0.8, "seal": 1.0}

# In mouthClose a viseme holds the share of the jaw's opening that the lips bridge: 1 for sealed lips, else 0.
CLOSURE = arkit.INDEX["mouthClose"]


@dataclass(frozen=True)
class Viseme:
    """A class of sounds that look alike."""

    weights: Mapping[str, float]  # at full articulation; a name without its side sets both
    dominance: Mapping[str, float]  # by articulator, relative: 1 is a vowel's
    seconds: tuple[float, float]  # usual length
    common: float = 1.0  # how often it is drawn among its kind, relative
    target: NDArray[np.float64] = field(init=False)  # (52,)
    insistence: NDArray[np.float64] = field(init=False)  # (52,), 0 for what speech does not move

    def __post_init__(self) -> None:
        insistence = np.zeros(len(arkit.NAMES))
        for articulator, names in ARTICULATORS.items():
            insistence[columns(*names)] = self.dominance[articulator]
        object.__setattr__(self, "target", shape(self.weights))
        object.__setattr__(self, "insistence", insistence)


# Tuned by eye on the default head. The classes are the usual ones of English lip reading; `common` follows, roughly,
# how often their sounds occur in English.
VOWELS: dict[str, Viseme] = {
    "a": Viseme(
        {"jawOpen": 0.52, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15, "mouthStretch": 0.1}, _VOWEL, (0.10, 0.18), 1.2
    ),
    "e": Viseme(
        {"jawOpen": 0.30, "mouthStretch": 0.3, "mouthLowerDown": 0.3, "mouthUpperUp": 0.22, "mouthDimple": 0.12},
        _VOWEL, (0.08, 0.14), 1.5,
    ),
    "i": Viseme(
        {"jawOpen": 0.14, "mouthStretch": 0.4, "mouthSmile": 0.25, "mouthLowerDown": 0.3, "mouthUpperUp": 0.18},
        _VOWEL, (0.08, 0.16), 1.5,
    ),
    "o": Viseme({"jawOpen": 0.42, "mouthFunnel": 0.55, "mouthPucker": 0.15}, _VOWEL, (0.10, 0.18), 0.8),
    "u": Viseme({"jawOpen": 0.10, "mouthPucker": 0.7, "mouthFunnel": 0.3}, _VOWEL, (0.08, 0.16), 0.6),
    "schwa": Viseme({"jawOpen": 0.20, "mouthLowerDown": 0.15, "mouthUpperUp": 0.08}, _VOWEL, (0.05, 0.09), 1.2),
}  # fmt: skip

CONSONANTS: dict[str, Viseme] = {
    # p b m: lips sealed, whatever the jaw does
    "p": Viseme(
        {"jawOpen": 0.10, "mouthClose": 1.0, "mouthPress": 0.3, "mouthRollLower": 0.22, "mouthRollUpper": 0.18},
        _LIPS, (0.08, 0.12), 1.3,
    ),
    # f v: lower lip under the upper teeth
    "f": Viseme(
        {"jawOpen": 0.07, "mouthRollLower": 0.6, "mouthUpperUp": 0.28, "mouthShrugUpper": 0.12},
        _LIPS, (0.08, 0.12), 0.6,
    ),
    "th": Viseme({"jawOpen": 0.16, "mouthLowerDown": 0.2, "mouthUpperUp": 0.12}, _TONGUE, (0.06, 0.09), 0.6),
    "t": Viseme(
        {"jawOpen": 0.12, "mouthLowerDown": 0.25, "mouthUpperUp": 0.1, "mouthStretch": 0.1}, _TONGUE, (0.05, 0.08), 3.0
    ),
    "k": Viseme({"jawOpen": 0.20, "mouthLowerDown": 0.18, "mouthStretch": 0.08}, _TONGUE, (0.06, 0.09), 1.0),
    # s z: teeth together and seen
    "s": Viseme(
        {"jawOpen": 0.04, "mouthStretch": 0.28, "mouthLowerDown": 0.38, "mouthUpperUp": 0.2, "jawForward": 0.1},
        {**_TONGUE, "jaw": 1.6, "lips": 1.0}, (0.08, 0.11), 1.2,
    ),
    "sh": Viseme(
        {"jawOpen": 0.08, "mouthFunnel": 0.5, "mouthPucker": 0.2, "mouthLowerDown": 0.2, "jawForward": 0.2},
        {**_ROUND, "jaw": 1.4}, (0.08, 0.12), 0.5,
    ),
    "r": Viseme({"jawOpen": 0.14, "mouthFunnel": 0.35, "mouthPucker": 0.2}, _ROUND, (0.06, 0.09), 0.9),
    "w": Viseme({"jawOpen": 0.03, "mouthPucker": 0.85, "mouthFunnel": 0.15}, _ROUND, (0.07, 0.10), 0.5),
}  # fmt: skip

REST = Viseme({}, _VOWEL, (0.15, 0.4))
"""The mouth before and after a phrase."""
