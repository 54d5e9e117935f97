"""The condition picture: lines between MediaPipe's face landmarks, as each model's authors drew them.

The order of the channels is that of the array that was drawn. AniPortrait's code calls it BGR and takes care to feed
it unchanged, Follow-Your-Emoji's calls it RGB: both networks see the numbers below in channels 0, 1, 2
(`spec.ModelSpec.landmark_channels` reverses them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lines import draw_line, resize

Color = tuple[int, int, int]

_OVAL = "127 234 93 132 58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 361 323 454 356 389 251, 127 162 21"
"""Without the forehead: 26 of the 36 edges of MediaPipe's face oval."""
_LEFT_EYE = "263 249 390 373 374 380 381 382 362, 263 466 388 387 386 385 384 398 362"
_LEFT_BROW = "276 283 282 295 285, 300 293 334 296 336"
_RIGHT_EYE = "33 7 163 144 145 153 154 155 133, 33 246 161 160 159 158 157 173 133"
_RIGHT_BROW = "46 53 52 65 55, 70 63 105 66 107"

_EYES_AND_BROWS = (
    ((180, 200, 10), _LEFT_EYE),
    ((180, 220, 10), _LEFT_BROW),
    ((10, 200, 180), _RIGHT_EYE),
    ((10, 220, 180), _RIGHT_BROW),
)
_OUTER_LOWER_LIP = (((10, 180, 20), "61 146 91 181 84 17"), ((20, 10, 180), "17 314 405 321 375 291"))
_INNER_LOWER_LIP = (((100, 100, 30), "78 95 88 178 87 14"), ((100, 150, 50), "14 317 402 318 324 308"))
_OUTER_UPPER_LIP = (((20, 80, 100), "61 185 40 39 37 0"), ((80, 100, 20), "0 267 269 270 409 291"))
_INNER_UPPER_LIP = (((120, 100, 200), "78 191 80 81 82 13"), ((150, 120, 100), "13 312 311 310 415 308"))

_LEFT_IRIS, _RIGHT_IRIS = 473, 468


@dataclass(frozen=True)
class LandmarkStyle:
    """How a model's landmark pictures look."""

    groups: tuple[tuple[Color, str], ...]
    """Colours and paths of landmark indices, in the order in which they are drawn."""
    thickness: int
    canvas: int | None
    """Side of the canvas, px, scaled to the picture afterwards; None draws at the picture's own size."""
    iris: int = 0
    """Half side of the square at each iris' centre, px; 0 draws none."""
    iris_color: Color = (255, 0, 0)

    @property
    def edges(self) -> list[tuple[Color, int, int]]:
        """Colour and two landmarks of every line."""
        return [
            (color, int(first), int(second))
            for color, paths in self.groups
            for path in paths.split(",")
            for first, second in zip(path.split()[:-1], path.split()[1:])
        ]


ANIPORTRAIT_STYLE = LandmarkStyle(
    (
        ((10, 200, 10), _OVAL),
        *_EYES_AND_BROWS,
        *_OUTER_LOWER_LIP,
        *_INNER_LOWER_LIP,
        *_OUTER_UPPER_LIP,
        *_INNER_UPPER_LIP,
    ),
    thickness=2,
    canvas=512,
)
"""AniPortrait, src/utils/draw_util.py: 114 lines."""

FOLLOW_YOUR_EMOJI_STYLE = LandmarkStyle(
    (((0, 0, 0), _OVAL), *_EYES_AND_BROWS, *_INNER_LOWER_LIP, *_INNER_UPPER_LIP),
    thickness=1,
    canvas=None,
    iris=3,
)
"""Follow-Your-Emoji, media_pipe/draw_util.py: thin lines, no outer lips, squares at the irises. Its oval is black on
black and shows only where it would cross a brow."""

STYLES = {"aniportrait": ANIPORTRAIT_STYLE, "follow-your-emoji": FOLLOW_YOUR_EMOJI_STYLE}


def draw_landmarks(
    points: NDArray[np.floating], style: LandmarkStyle, width: int = 512, height: int = 512
) -> NDArray[np.uint8]:
    """(height, width, 3) the picture of one face.

    A line is left out where one of its ends lies outside the picture. Points that are not a number draw nothing.

    Args:
        points: (478, 2 or more) landmarks as shares of the picture's width and height.
        style: whose picture.
        width: of the picture, px.
        height: of the picture, px.
    """
    columns, rows = (style.canvas, style.canvas) if style.canvas else (width, height)
    image = np.zeros((rows, columns, 3), np.uint8)
    shares = np.asarray(points, np.float32)[:, :2].tolist()  # MediaPipe keeps them in single precision
    pixels = [_pixel(x, y, columns, rows) for x, y in shares]
    for color, first, second in style.edges:
        start, end = pixels[first], pixels[second]
        if start is not None and end is not None:
            draw_line(image, start, end, color, style.thickness)
    if style.iris:
        for index in (_LEFT_IRIS, _RIGHT_IRIS):
            _draw_iris(image, shares[index], style)
    return resize(image, width, height)


def _pixel(x: float, y: float, width: int, height: int) -> tuple[int, int] | None:
    """Of MediaPipe's drawing utilities; None outside the picture."""
    if not (_is_share(x) and _is_share(y)):
        return None
    return min(math.floor(x * width), width - 1), min(math.floor(y * height), height - 1)


def _is_share(value: float) -> bool:
    return (value > 0 or math.isclose(0, value)) and (value < 1 or math.isclose(1, value))


def _draw_iris(image: NDArray[np.uint8], share: Sequence[float], style: LandmarkStyle) -> None:
    """A square around the iris. One that begins beyond the left or upper edge is not drawn: the published code slices
    with negative numbers there, which numpy counts from the other side."""
    if not all(math.isfinite(value) for value in share):
        return
    x, y = (int(np.float32(value) * np.float32(side)) for value, side in zip(share, image.shape[1::-1]))
    image[y - style.iris : y + style.iris, x - style.iris : x + style.iris] = style.iris_color
