"""A population of heads to draw from: MakeHuman's phenotypes and local changes with spreads of our choosing.

A head is the base mesh plus coefficients times targets. Phenotype targets take products of anchor weights (gender x
age x muscle x weight ...), local changes one signed number each, whose negative and positive sides are separate
targets. All coefficients of a sample go into one matrix, so that sampling is one product.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .source import Source

Array = NDArray[np.float64]

_ANCHORS: dict[str, tuple[str, ...]] = {
    "gender": ("male", "female"),
    "age": ("child", "young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
}
RACES = ("african", "asian", "caucasian")
_LOCAL = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")


@dataclass(frozen=True)
class Spread:
    """How far people differ. Every number here is our choice of a population, not a measurement of people."""

    local: float = 0.35  # standard deviation of a local change; 1 is MakeHuman's slider end
    by_target: Mapping[str, float] = field(
        default_factory=lambda: {
            # Asymmetric shifts of whole features: rare in people.
            "head-trans-out": 0.2,
            "nose-trans-out": 0.2,
            "mouth-trans-out": 0.2,
            "neck-trans-out": 0.2,
            # Shapes of a face at rest that look like an expression. Resting faces differ less in these than MakeHuman's
            # sliders allow, and each one that varies freely lets the fit mistake a smile or a frown for a face.
            "mouth-angles": 0.25,
            "mouth-lowerlip-ext": 0.4,
            "mouth-upperlip-ext": 0.4,
            "mouth-lowerlip-middle": 0.5,
            "mouth-upperlip-middle": 0.5,
            "mouth-trans-up": 0.6,
            "mouth-scale-horiz": 0.6,
            "mouth-dimples": 0.5,
            "mouth-laugh-lines": 0.5,
            "eyebrows-angle": 0.4,
            "eyebrows-trans-up": 0.5,
            "eye-height": 0.5,
            "eye-push": 0.5,
            "eye-corner": 0.6,
            "chin-jaw-drop": 0.5,
            "cheek-trans": 0.6,
            "nose-flaring": 0.6,
            "nose-nostrils-angle": 0.6,
        }
    )  # factor on `local` for targets whose name contains the key; the longest matching key wins
    side_correlation: float = 0.95  # between the left and right side of a paired change
    gender: tuple[float, float] = (0.5, 0.5)  # beta distribution on [male, female]
    age: tuple[float, float] = (0.0, 1.0)  # uniform between child 0, young 0.5, old 1
    muscle: tuple[float, float] = (3.0, 3.0)
    weight: tuple[float, float] = (2.5, 2.5)
    height: tuple[float, float] = (4.0, 4.0)
    proportions: tuple[float, float] = (3.0, 3.0)
    race: float = 0.6  # concentration of a Dirichlet over the three

    def factor(self, name: str) -> float:
        """Factor on `local` for one target."""
        keys = [key for key in self.by_target if key in name]
        return self.by_target[max(keys, key=len)] if keys else 1.0


@dataclass(frozen=True)
class Targets:
    """Every target that shapes a head, cut to the vertices that matter."""

    macro: tuple[tuple[str, ...], ...]  # anchors whose weights multiply to the coefficient
    local: tuple[str, ...]  # name of each local change, by its positive side
    deltas: NDArray[np.float32]  # (K, M, 3): macro targets, then positive, then negative local targets


def load_targets(source: Source, selection: NDArray[np.int64], anchors: NDArray[np.int64]) -> Targets:
    """Read all targets for the vertices `selection`; each is shifted so that the mean of `anchors` stays put."""

    def cut(delta: Array) -> NDArray[np.float32]:
        return (delta[selection] - delta[anchors].mean(0)).astype(np.float32)

    macro: list[tuple[str, ...]] = []
    deltas: list[NDArray[np.float32]] = []

    def add(stem: str, names: tuple[str, ...]) -> None:
        delta = source.target(f"mpfb2/targets/macrodetails/{stem}{'-'.join(names)}.target.gz")
        if delta is not None:
            macro.append(names)
            deltas.append(cut(delta))

    body = [_ANCHORS[k] for k in ("gender", "age", "muscle", "weight")]
    for names in itertools.product(*body):
        add("universal-", names)
        for extra in ("height", "proportions"):
            for last in _ANCHORS[extra]:
                add(f"{extra}/", (*names, last))
    for names in itertools.product(RACES, _ANCHORS["gender"], _ANCHORS["age"]):
        add("", names)

    local: list[str] = []
    sides: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    for part in _LOCAL:
        for entry, side in itertools.product(source.categories[part], ("left", "right", "unsided")):
            pair = [entry.get("opposites", {}).get(f"{sign}-{side}") for sign in ("positive", "negative")]
            if not all(pair):
                continue
            both = [source.target(f"mpfb2/targets/{part}/{name}.target.gz") for name in pair]
            assert both[0] is not None and both[1] is not None, pair
            local.append(pair[0])
            sides[0].append(cut(both[0]))
            sides[1].append(cut(both[1]))
    return Targets(tuple(macro), tuple(local), np.stack(deltas + sides[0] + sides[1]))


def coefficients(targets: Targets, phenotypes: Mapping[str, Array], local: Array) -> Array:
    """Coefficients (S, K) of people; `coefficients @ targets.deltas` are their displacements from the base mesh.

    Args:
        targets: all targets.
        phenotypes: name -> (S,): gender, age, muscle, weight, height, proportions between their first anchor at 0 and
            their last at 1 (age: child 0, young 0.5, old 1), and the shares of the three races.
        local: (S, L) signed local changes in [-1, 1], order `targets.local`.
    """
    weights: dict[str, Array] = {race: phenotypes[race] for race in RACES}
    for name, anchors in _ANCHORS.items():
        place = phenotypes[name] * (len(anchors) - 1)
        for i, anchor in enumerate(anchors):
            weights[anchor] = np.clip(1 - np.abs(place - i), 0, 1)
    macro = np.stack([np.prod([weights[a] for a in names], 0) for names in targets.macro], 1)
    return np.concatenate([macro, local.clip(0, 1), (-local).clip(0, 1)], 1)


def sample(targets: Targets, spread: Spread, rng: np.random.Generator, count: int) -> Array:
    """Coefficients (count, K) of random people."""
    phenotypes: dict[str, Array] = {}
    for name in _ANCHORS:
        a, b = getattr(spread, name)
        phenotypes[name] = rng.uniform(a, b, count) if name == "age" else rng.beta(a, b, count)
    phenotypes.update(zip(RACES, rng.dirichlet([spread.race] * len(RACES), count).T, strict=True))
    local = np.zeros((count, len(targets.local)))
    apart = np.sqrt(1 - spread.side_correlation**2)
    for i, name in enumerate(targets.local):
        change = rng.normal(size=count) * spread.local * spread.factor(name)
        if name.startswith("r-"):
            twin = local[:, targets.local.index("l-" + name[2:])]
            change = spread.side_correlation * twin + apart * change
        local[:, i] = change
    return coefficients(targets, phenotypes, local.clip(-1, 1))
