"""Hair beyond the head's surface, and glasses: what synthetic portraits wear and no fitted head has."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...heads import JOINTS, load_head

Array = NDArray[np.float64]
HairKind = Literal["bald", "short", "cap", "long", "bob", "fringe", "bun"]

TRAINED_HAIR: tuple[HairKind, ...] = ("bald", "short", "cap", "long", "bob", "fringe")
"""Kinds of hair that training shows."""

HELD_OUT_HAIR: tuple[HairKind, ...] = ("bun",)
"""Kinds of hair that only evaluation shows."""

# Metres and radians on the mean head; chosen by eye on sheets of portraits.
_MIDDLE = np.array([0.0, 0.03, -0.05])  # from which hair is spread over the skull
_ROWS, _COLUMNS = 15, 36
_EQUATOR = 1.75  # polar angle from the crown at which hair leaves the skull and hangs down
_LOWEST_SKULL = -0.09  # y below which the skin is no skull
_NEIGHBOURS = 6
_GLASSES_SIDES = 14


class Extra(NamedTuple):
    """Triangles beside the head's own; they follow the head joint."""

    vertices: NDArray[np.float32]  # (V, 3) at rest
    faces: NDArray[np.int32]  # (T, 3)
    colors: NDArray[np.float32]  # (V, 3) albedo in [0, 1]
    shiny: NDArray[np.float32]  # (V,) share of the highlights


def nothing() -> Extra:
    """No extra at all."""
    return Extra(
        np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
    )


def joined(extras: list[Extra]) -> Extra:
    """All of them as one."""
    if not extras:
        return nothing()
    starts = np.cumsum([0] + [len(e.vertices) for e in extras[:-1]])
    faces = np.concatenate([e.faces + s for e, s in zip(extras, starts)]).astype(np.int32)
    columns = [np.concatenate(c) for c in zip(*[(e.vertices, e.colors, e.shiny) for e in extras])]
    return Extra(columns[0], faces, columns[1], columns[2])


def hair_shell(kind: HairKind, color: Array, growth: Array, rng: np.random.Generator) -> Extra:
    """Hair that hangs or stands off as a surface of its own; nothing for kinds that the head's own surface shows.

    Args:
        kind: of hair.
        color: (3,) sRGB.
        growth: (3,) how much larger this person's skull is than the mean one, along each axis.
        rng: of length, volume, parting and strands.
    """
    if kind in ("bald", "short", "cap"):
        return nothing()
    if kind == "bun":
        return _bun(color, growth, rng)
    length = {"long": rng.uniform(0.1, 0.3), "bob": rng.uniform(0.03, 0.1), "fringe": rng.uniform(0.0, 0.25)}[kind]
    opening = rng.uniform(0.95, 1.35)  # half of the angle that the face leaves free below the hairline
    volume = rng.uniform(0.006, 0.02) + rng.uniform(0, 0.02) * (rng.random() < 0.3)
    fringe = rng.uniform(0.75, 1.15) if kind == "fringe" else rng.uniform(0.35, 0.62)
    around = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)
    jagged = 1 + 0.06 * rng.normal(size=_COLUMNS)
    part = rng.normal(0, 0.25)  # the fringe is parted here
    vertices = np.zeros((_ROWS, _COLUMNS, 3))
    shown = np.zeros((_ROWS, _COLUMNS), bool)
    spread = rng.uniform(0.85, 1.12)
    for row, along in enumerate(np.linspace(0, 1, _ROWS)):
        polar = min(along * 1.6, 1.0) * _EQUATOR
        direction = np.stack(
            [np.sin(polar) * np.sin(around), np.full(_COLUMNS, np.cos(polar)), np.sin(polar) * np.cos(around)], -1
        )
        radius = _skull_radius(direction)
        place = direction * (radius + volume * (0.6 + 0.4 * np.sin(polar)))[:, None]
        hang = max(0.0, (along - 1 / 1.6) / (1 - 1 / 1.6))
        place[:, 1] -= hang * length * jagged
        place[:, [0, 2]] *= 1 + hang * (spread - 1)
        vertices[row] = place
        front = np.abs(np.angle(np.exp(1j * (around - 0.0)))) < opening
        parted = 1 - 0.35 * np.exp(-(((around - part) / 0.2) ** 2))
        shown[row] = ~front | (polar < fringe * jagged * parted)
    vertices = _MIDDLE + vertices * growth
    faces = []
    for row in range(_ROWS - 1):
        for column in range(_COLUMNS):
            after = (column + 1) % _COLUMNS
            if shown[row, column] and shown[row + 1, column] and shown[row, after] and shown[row + 1, after]:
                a, b = row * _COLUMNS + column, row * _COLUMNS + after
                c, d = a + _COLUMNS, b + _COLUMNS
                faces += [(a, c, b), (b, c, d)]
    strands = 1 + 0.12 * rng.normal(size=_COLUMNS) + 0.05 * rng.normal(size=(_ROWS, _COLUMNS))
    shine = 1 + 0.25 * np.exp(-(((np.linspace(0, 1, _ROWS) - 0.3) / 0.1) ** 2))
    shades = (color * (strands * shine[:, None])[..., None]).clip(0, 1).reshape(-1, 3)
    count = _ROWS * _COLUMNS
    return Extra(
        vertices.reshape(-1, 3).astype(np.float32),
        np.array(faces, np.int32).reshape(-1, 3),
        shades.astype(np.float32),
        np.full(count, 0.5, np.float32),
    )


def _bun(color: Array, growth: Array, rng: np.random.Generator) -> Extra:
    """A knot of hair on the crown or at the back."""
    polar = rng.uniform(0.2, 1.5)
    middle = np.array([0.0, np.cos(polar), -np.sin(polar)])
    middle = middle * (_skull_radius(middle[None])[0] + 0.02)
    radius = rng.uniform(0.028, 0.05)
    rows, columns = 7, 12
    vertices = []
    for a in np.linspace(0, np.pi, rows):
        for b in np.linspace(0, 2 * np.pi, columns, endpoint=False):
            vertices.append(
                middle + radius * np.array([np.sin(a) * np.sin(b), 0.85 * np.cos(a), np.sin(a) * np.cos(b)])
            )
    faces = []
    for row in range(rows - 1):
        for column in range(columns):
            a, b = row * columns + column, row * columns + (column + 1) % columns
            faces += [(a, a + columns, b), (b, a + columns, b + columns)]
    shades = (color * (1 + 0.1 * rng.normal(size=(len(vertices), 1)))).clip(0, 1)
    return Extra(
        (_MIDDLE + np.array(vertices) * growth).astype(np.float32),
        np.array(faces, np.int32),
        shades.astype(np.float32),
        np.full(len(vertices), 0.5, np.float32),
    )


def glasses(eyes: Array, nose: Array, ears: Array, rng: np.random.Generator) -> Extra:
    """Frames before the eyes, or dark glasses.

    Args:
        eyes: (2, 3) middles of the left and the right eyeball.
        nose: (3,) the bridge of the nose.
        ears: (2, 3) the tops of the ears.
        rng: of shape and colour.
    """
    width, height = rng.uniform(0.021, 0.028), rng.uniform(0.014, 0.024)
    round_ = rng.uniform(1.6, 4.0)  # exponent of the rim's superellipse
    band = rng.uniform(0.0015, 0.0045)
    depth = nose[2] + rng.uniform(0.002, 0.007)
    if rng.random() < 0.6:
        color = rng.uniform(0.02, 0.2, 3)
    else:
        color = rng.uniform(0.1, 0.8, 3)
    dark = rng.random() < 0.12
    vertices: list[Array] = []
    faces: list[tuple[int, int, int]] = []
    colors: list[Array] = []

    def quad(corners: list[Array], shade: Array) -> None:
        start = len(vertices)
        vertices.extend(corners)
        colors.extend([shade] * 4)
        faces.extend([(start, start + 1, start + 2), (start, start + 2, start + 3)])

    for side, eye in enumerate(eyes):
        sign = 1.0 if eye[0] > 0 else -1.0
        middle = np.array([eye[0] + 0.001 * sign, eye[1] - 0.002, depth])
        angle = np.linspace(0, 2 * np.pi, _GLASSES_SIDES + 1)
        rim = np.stack(
            [
                np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / round_),
                np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / round_),
                np.zeros_like(angle),
            ],
            -1,
        )
        bend = np.array([0, 0, -0.006]) * np.clip(sign * rim[:, :1], 0, 1)
        inner = middle + rim * [width - band, height - band, 1] + bend
        outer = middle + rim * [width + band, height + band, 1] + bend
        for k in range(_GLASSES_SIDES):
            quad([inner[k], inner[k + 1], outer[k + 1], outer[k]], color)
            if dark:
                quad([middle, inner[k], inner[k + 1], middle], np.array([0.04, 0.04, 0.05]))
        hinge = middle + np.array([sign * (width + band), 0.3 * height, -0.004])
        up = np.array([0, max(band, 0.0018), 0])
        quad([hinge - up, hinge + up, ears[side] + up, ears[side] - up], color)
    gap = abs(eyes[0][0]) - width
    bridge = np.array([0, eyes[:, 1].mean() + 0.002, depth + 0.002])
    up, aside = np.array([0, max(band, 0.0015), 0]), np.array([max(gap, 0.002), 0, -0.002])
    quad(
        [
            bridge - aside * [1, 0, -1] - up,
            bridge - aside * [1, 0, -1] + up,
            bridge + aside + up,
            bridge + aside - up,
        ],
        color,
    )
    return Extra(
        np.array(vertices, np.float32),
        np.array(faces, np.int32),
        np.array(colors, np.float32),
        np.full(len(vertices), 1.0, np.float32),
    )


def _skull_radius(directions: Array) -> Array:
    """(N,) metres from `_MIDDLE` to the mean head's skull along unit directions (N, 3)."""
    tree, radius = _skull()
    distance, near = tree.query(directions, _NEIGHBOURS)
    weight = 1 / (distance + 0.02)
    return (weight * radius[near]).sum(1) / weight.sum(1)


@lru_cache(maxsize=1)
def _skull() -> tuple[cKDTree, Array]:
    model = load_head()
    topology = model.topology
    points = model.template.numpy().astype(np.float64)[topology.part_vertices("skin")]
    points = points[points[:, 1] > _LOWEST_SKULL] - _MIDDLE
    radius = np.linalg.norm(points, axis=1)
    return cKDTree(points / radius[:, None]), radius


HEAD_JOINT = JOINTS.index("head")
