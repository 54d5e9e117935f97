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
