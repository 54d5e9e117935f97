"""Made-up persons for training: the oracle's subjects, more varied, lit by whoever draws them, and quick to make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ...heads import JOINTS, HeadModel, RiggedHead, load_head
from ..subject_look import Look, random_look
from ..subject_texture import subject_texture
from ..subjects import hair_offsets
from .accessories import HELD_OUT_HAIR, TRAINED_HAIR, Extra, HairKind, glasses, hair_shell, joined

HELD_OUT_FROM = 10_000_000
"""Seeds from here on are persons whom training never shows, some with hair, dyes and skin that it never does."""

TEXTURE_SIZE = 128
"""Pixels on a side of a person's texture: two texels for a pixel of a 64 px portrait."""

_IDENTITY = 0.8  # standard deviations of 120 random coefficients
_MAKE_UP, _LIPSTICK, _GLASSES, _DYED = 0.3, 0.25, 0.25, 0.08  # chances
_BEARD = 0.15  # chance of a full beard for a person who has stubble
_HAIR_CHANCES = (0.1, 0.25, 0.2, 0.2, 0.12, 0.13)  # of `TRAINED_HAIR`
_HELD_OUT_SHARE = 0.4  # of the held-out persons wear held-out hair or skin
_RESERVED_TONE = (0.42, 0.52)  # lightness of skin, of 1, that only held-out persons have
_NOISE_ORDER = 1  # cubic noise would take most of the time and shows no difference at this size


@dataclass(frozen=True, eq=False)
class Person:
    """A person with a known head, hair, glasses and albedo."""

    seed: int
    identity: NDArray[np.float64]  # (I,) coefficients of the default head
    look: Look
    hair: HairKind
    head: RiggedHead  # with the hair's volume, as a fit has it
    texture: NDArray[np.float32]  # (S, S, 3) albedo
    extra: Extra  # hair beyond the surface, and glasses
    held_out_look: bool  # whether hair, dye or skin are of a kind that training never shows


@lru_cache(maxsize=64)
def random_person(seed: int, texture_size: int = TEXTURE_SIZE) -> Person:
    """Person number `seed`; from `HELD_OUT_FROM` on, one whom training never shows."""
    model = load_head()
    rng = np.random.default_rng([seed, 5])
    held_out = seed >= HELD_OUT_FROM and rng.random() < _HELD_OUT_SHARE
    look, hair = varied_look(rng, held_out)
    identity = rng.normal(0, _IDENTITY, model.num_identity).clip(-2.5, 2.5)
    bald = model.personalize(torch.as_tensor(identity, dtype=torch.float32))
    offsets = hair_offsets(model, bald, look, rng)
    head = replace(bald, vertices=bald.vertices + torch.as_tensor(offsets, dtype=torch.float32))
    texture = subject_texture(
        model, head.vertices.numpy(), look, rng, texture_size, lamp=False, noise_order=_NOISE_ORDER
    )
    extras = [hair_shell(hair, np.array(look.hair), _growth(model, head), rng)]
    if rng.random() < _GLASSES:
        extras.append(_glasses(head, rng))
    return Person(seed, identity, look, hair, head, texture, joined(extras), held_out)


def varied_look(rng: np.random.Generator, held_out: bool) -> tuple[Look, HairKind]:
    """A look with make-up, beards, dyes and collars, and a kind of hair.

    Args:
        rng: the dice.
        held_out: whether hair, dye or skin are those that are kept from training.
    """
    look = random_look(rng)
    while _reserved(look):
        look = random_look(rng)
    kind: HairKind = TRAINED_HAIR[int(rng.choice(len(TRAINED_HAIR), p=_HAIR_CHANCES))]
    dye = rng.uniform([0.3, 0.05, 0.05], [0.75, 0.3, 0.3])  # reds are trained on, blues and greens are not
    dyed = rng.random() < _DYED
    if held_out:
        kind = HELD_OUT_HAIR[0] if rng.random() < 0.5 else kind
        dye = rng.uniform([0.05, 0.2, 0.3], [0.4, 0.6, 0.8])
        dyed = rng.random() < 0.4
        tone = rng.uniform(*_RESERVED_TONE)
        skin = np.array(look.skin) * tone / _lightness(look)
        look = replace(look, skin=_color(skin))
    if dyed:
        look = replace(look, hair=_color(dye))
    if kind == "bald":
        look = replace(look, hairline=2.0, hair_volume=0.0)
    elif kind == "short":
        look = replace(look, hair_volume=float(rng.uniform(0.0, 0.008)), hairline=float(rng.uniform(0.3, 0.7)))
    elif kind == "cap":
        look = replace(look, hair_volume=float(rng.uniform(0.01, 0.045)))
    made_up = look.stubble == 0 and rng.random() < _MAKE_UP
    if made_up:
        look = replace(
            look,
            eye_shadow=_color(rng.uniform(0.05, 0.7, 3)),
            eye_shadow_share=float(rng.uniform(0.15, 0.7)),
            rouge=float(rng.uniform(0, 0.8)),
        )
    if look.stubble == 0 and rng.random() < _LIPSTICK:
        look = replace(look, lips=_color(rng.uniform([0.45, 0.03, 0.08], [0.85, 0.35, 0.45])), lip_share=1.0)
    if look.stubble > 0 and rng.random() < _BEARD / 0.5:
        look = replace(look, stubble=float(rng.uniform(0.8, 1.1)))
    collar = rng.uniform(-0.02, 0.02) if rng.random() < 0.75 else rng.uniform(0.02, 0.06)  # shirts, or turtlenecks
    return replace(look, collar=float(collar)), kind


def _lightness(look: Look) -> float:
    return float(np.mean(look.skin))


def _reserved(look: Look) -> bool:
    return _RESERVED_TONE[0] < _lightness(look) < _RESERVED_TONE[1]


def _color(values: NDArray[np.floating]) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in np.clip(values, 0, 1))
    return red, green, blue


def _growth(model: HeadModel, head: RiggedHead) -> NDArray[np.float64]:
    """(3,) size of this person's skull over that of the mean head."""
    scalp = model.topology.regions["scalp"] > 0.5
    mine, mean = head.vertices.numpy()[scalp], model.template.numpy()[scalp]
    return np.asarray((mine.max(0) - mine.min(0)) / (mean.max(0) - mean.min(0)), np.float64)


def _glasses(head: RiggedHead, rng: np.random.Generator) -> Extra:
    topology, vertices = head.topology, head.vertices.numpy().astype(np.float64)
    eyes = head.joints[[JOINTS.index("eyeLeft"), JOINTS.index("eyeRight")]].numpy().astype(np.float64)
    lidded = (topology.regions["lidsLeft"] > 0.5) | (topology.regions["lidsRight"] > 0.5)
    bridge = np.array([0.0, eyes[:, 1].mean(), vertices[lidded, 2].max()])
    ear = topology.regions["ears"] > 0.5
    ears = []
    for sign in (1.0, -1.0):
        points = vertices[ear & (sign * vertices[:, 0] > 0)]
        top = points[points[:, 1] > np.quantile(points[:, 1], 0.8)].mean(0)
        ears.append(top + [0.003 * sign, 0, 0])
    return glasses(eyes, bridge, np.array(ears), rng)
