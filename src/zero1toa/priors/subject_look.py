"""How a made-up person looks: every choice that the texture and the hair of a synthetic subject follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Color = tuple[float, float, float]  # sRGB in [0, 1]
Pattern = Literal["plain", "stripes", "checks", "dots"]

_SKIN = ((0.93, 0.77, 0.69), (0.86, 0.68, 0.57), (0.74, 0.54, 0.42), (0.55, 0.38, 0.29), (0.38, 0.26, 0.20))
_HAIR = ((0.09, 0.07, 0.06), (0.22, 0.14, 0.10), (0.36, 0.23, 0.14), (0.62, 0.45, 0.27), (0.52, 0.23, 0.12))
_GREY = (0.62, 0.60, 0.58)
_EYES = ((0.25, 0.15, 0.09), (0.38, 0.26, 0.14), (0.36, 0.42, 0.27), (0.33, 0.46, 0.58), (0.45, 0.48, 0.50))
_TONE = (0.9, 1.3)  # of the beta distribution of skin tones, 0 the lightest
_DARK_HAIR_FROM = 0.55  # skin tone from which hair is black or brown and eyes are brown


@dataclass(frozen=True)
class Look:
    """Colours and features of one person. Shares and strengths are in [0, 1]."""

    skin: Color
    skin_red: float  # redness of cheeks, nose and ears
    freckles: int  # number of freckles
    moles: int  # number of moles
    lips: Color
    lip_share: float  # how far the lips' colour stands out from the skin
    brow_width: float  # half the height of the brows where they are thickest, metres
    brow_share: float  # how dense the brows are
    stubble: float
    hair: Color
    hair_volume: float  # how far hair stands off the scalp, metres
    hairline: float  # membership of the scalp from which hair grows
    hair_wave: float  # how far strands turn aside, radians
    iris: Color
    cloth: Color
    cloth_second: Color
    pattern: Pattern
    collar: float  # how far the neckline is moved up, metres
    eye_shadow: Color = (0.0, 0.0, 0.0)
    eye_shadow_share: float = 0.0  # how much of it there is on the upper lids
    rouge: float = 0.0  # redness that make-up adds to the cheeks


def random_look(rng: np.random.Generator) -> Look:
    """A person drawn at random."""
    tone = float(rng.beta(*_TONE))
    skin = _along(_SKIN, tone) * rng.uniform(0.96, 1.03, 3)
    dark = tone > _DARK_HAIR_FROM
    hair = np.array(_HAIR[rng.integers(0, 2 if dark else len(_HAIR))])
    hair += rng.beta(0.5, 3) * (np.array(_GREY) - hair)
    man = rng.uniform() < 0.5
    lip_tint = np.array([0.74, 0.36, 0.36]) if not man else np.array([0.66, 0.42, 0.39])
    lips = 0.45 * skin + 0.55 * lip_tint * (0.55 + 0.5 * skin.mean())
    cloth = rng.uniform(0.08, 0.85, 3)
    return Look(
        skin=_color(skin),
        skin_red=float(rng.uniform(0.2, 1.0) * (1 - 0.6 * tone)),
        freckles=int(rng.integers(0, 90) * (tone < 0.4)),
        moles=int(rng.integers(2, 9)),
        lips=_color(lips),
        lip_share=float(rng.uniform(0.6, 1.0)),
        brow_width=float(rng.uniform(0.0024, 0.0042) * (1.15 if man else 0.9)),
        brow_share=float(rng.uniform(0.6, 0.95)),
        stubble=float(rng.uniform(0, 0.75)) if man else 0.0,
        hair=_color(hair),
        hair_volume=float(rng.uniform(0.004, 0.012) if man else rng.uniform(0.008, 0.022)),
        hairline=float(rng.uniform(0.2, 0.6)),
        hair_wave=float(rng.uniform(0.03, 0.25)),
        iris=_color(np.array(_EYES[rng.integers(0, 2 if dark else len(_EYES))]) * rng.uniform(0.85, 1.15)),
        cloth=_color(cloth),
        cloth_second=_color(cloth + rng.choice([-1, 1]) * rng.uniform(0.15, 0.35, 3)),
        pattern=("plain", "stripes", "checks", "dots")[rng.integers(0, 4)],
        collar=float(rng.uniform(-0.012, 0.02)),
    )


def _along(colors: tuple[Color, ...], place: float) -> np.ndarray:
    steps = np.linspace(0, 1, len(colors))
    return np.array([np.interp(place, steps, channel) for channel in zip(*colors)])


def _color(values: np.ndarray) -> Color:
    red, green, blue = (float(v) for v in np.clip(values, 0, 1))
    return red, green, blue
