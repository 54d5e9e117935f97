"""A plain plot of numbers by name, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Pixels and colours, chosen by eye.
_WIDTH, _ROW, _TOP, _BOTTOM = 640, 34, 56, 36
_LEFT, _RIGHT = 170, 90  # room for names and for the mean's number
_PAPER, _INK, _GRID, _DOT, _MEAN = (255, 255, 255), (70, 70, 74), (228, 228, 232), (120, 150, 200), (30, 60, 120)
_TICKS = 5
_ROOM = 0.06  # of the range, beside the outermost dots


def dot_plot(title: str, values: Mapping[str, Sequence[float]]) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1]: a row for each name with a dot for each of its values and a bar at their mean.

    Args:
        title: a line above.
        values: finite numbers by name; a name without numbers keeps its row empty. At least one number in all.
    """
    everything = np.concatenate([np.asarray(column, float) for column in values.values()])
    assert everything.size and np.isfinite(everything).all(), "a plot needs finite numbers"
    low, high = float(everything.min()), float(everything.max())
    room = _ROOM * (high - low) or max(abs(high), 1.0) * _ROOM
    low, high = low - room, high + room
    height = _TOP + _ROW * len(values) + _BOTTOM
    picture = Image.new("RGB", (_WIDTH, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    draw.text((12, 14), title, _INK, large)

    def at(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    for tick in np.linspace(low + room, high - room, _TICKS):
        draw.line((at(tick), _TOP, at(tick), height - _BOTTOM), _GRID)
        draw.text((at(tick), height - _BOTTOM + 6), f"{tick:.3g}", _INK, small, anchor="mt")
    for index, (name, column) in enumerate(values.items()):
        y = _TOP + _ROW * (index + 0.5)
        draw.text((_LEFT - 14, y), name, _INK, small, anchor="rm")
        for value in column:
            draw.ellipse((at(value) - 4, y - 4, at(value) + 4, y + 4), _DOT)
        if column:
            mean = float(np.mean(column))
            draw.line((at(mean), y - 11, at(mean), y + 11), _MEAN, 3)
            draw.text((_WIDTH - _RIGHT + 14, y), f"{mean:.4g}", _MEAN, small, anchor="lm")
    return np.asarray(picture, np.float32) / 255


_LINES = ((30, 60, 120), (200, 120, 40), (120, 160, 90), (150, 80, 150))  # colours, one after the other
_LINE_HEIGHT = 150  # of a plot over time, between its title and its ticks


def line_plot(title: str, at: Sequence[float], values: Mapping[str, Sequence[float]]) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1]: a line for each name over one axis, with its name and its mean at the right.

    Args:
        title: a line above.
        at: places on the horizontal axis, rising.
        values: as many numbers by name; where one is not finite the line is broken. At least one is finite.
    """
    table = {name: np.asarray(column, float) for name, column in values.items()}
    assert all(column.shape == (len(at),) for column in table.values()), "a number for each place"
    known = np.concatenate([column[np.isfinite(column)] for column in table.values()])
    assert known.size, "a plot needs finite numbers"
    low, high = float(known.min()), float(known.max())
    room = _ROOM * (high - low) or max(abs(high), 1.0) * _ROOM
    low, high = low - room, high + room
    picture = Image.new("RGB", (_WIDTH, _TOP + _LINE_HEIGHT + _BOTTOM), _PAPER)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    draw.text((12, 14), title, _INK, large)
    left, right, bottom = 60, _WIDTH - 190, _TOP + _LINE_HEIGHT
    span = max(at[-1] - at[0], 1e-9)
    across = [left + (x - at[0]) / span * (right - left) for x in at]
    for tick in np.linspace(low + room, high - room, 3):
        y = bottom - (tick - low) / (high - low) * _LINE_HEIGHT
        draw.line((left, y, right, y), _GRID)
        draw.text((left - 8, y), f"{tick:.3g}", _INK, small, anchor="rm")
    for x in np.linspace(at[0], at[-1], _TICKS):
        draw.text((left + (x - at[0]) / span * (right - left), bottom + 6), f"{x:.3g}", _INK, small, anchor="mt")
    for number, (name, column) in enumerate(table.items()):
        color = _LINES[number % len(_LINES)]
        up = bottom - (column - low) / (high - low) * _LINE_HEIGHT
        for k in range(len(at)):
            if k and np.isfinite(up[k - 1 : k + 1]).all():
                draw.line((across[k - 1], up[k - 1], across[k], up[k]), color, 2)
            elif np.isfinite(up[k]):
                draw.ellipse((across[k] - 2, up[k] - 2, across[k] + 2, up[k] + 2), color)
        finite = column[np.isfinite(column)]
        mean = f"{finite.mean():.3g}" if finite.size else "-"
        draw.text((right + 10, _TOP + 10 + 20 * number), f"{name}  {mean}", color, small, anchor="lm")
    return np.asarray(picture, np.float32) / 255
