"""Lines and picture sizes exactly as OpenCV makes them, without OpenCV.

The models were trained on pictures that `cv2.line` drew and `cv2.resize` scaled. OpenCV needs system libraries that a
bare machine lacks, so the pixels it sets are computed here: 8-connected lines, no anti-aliasing, in its 16-bit
fixed-point arithmetic (written after the behaviour of OpenCV 4, modules/imgproc).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]  # x, y in px

_BITS = 16
_ONE = 1 << _BITS
_HALF = _ONE >> 1

_WEIGHT_BITS = 11  # of `resize`'s bilinear weights


def draw_line(image: NDArray[np.uint8], start: Point, end: Point, color: tuple[int, ...], thickness: int) -> None:
    """Draws `cv2.line(image, start, end, color, thickness)` into (H, W, C); thickness 1 or 2, both ends inside."""
    assert thickness in (1, 2), thickness
    if thickness == 1:
        columns, rows = _thin(start, end)
        image[rows, columns] = color
        return
    corners = _corners(start, end)
    if corners:
        height, width = image.shape[:2]
        for first, second in zip([corners[-1], *corners[:-1]], corners):
            columns, rows = _fixed_point_line(first, second, width, height)
            image[rows, columns] = color
        _fill_convex(image, corners, color)
    for x, y in (start, end):
        _dot(image, x, y, color)


def _thin(start: Point, end: Point) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pixels of a Bresenham line, from its left end to its right."""
    (x0, y0), (x1, y1) = (start, end) if start[0] <= end[0] else (end, start)
    dx, dy = x1 - x0, abs(y1 - y0)
    down = 1 if y1 >= y0 else -1
    major, minor = max(dx, dy), min(dx, dy)
    along = np.arange(major + 1)
    across = (2 * minor * along + major - 1) // (2 * major) if major else along
    x, y = (along, across) if dx >= dy else (across, along)
    return x0 + x, y0 + down * y


def _corners(start: Point, end: Point) -> list[Point]:
    """Of a line two pixels thick, in fixed point; empty where it has no length."""
    (x0, y0), (x1, y1) = ((x << _BITS, y << _BITS) for x, y in (start, end))
    dx, dy = float(start[0] - end[0]), float(end[1] - start[1])
    square = dx * dx + dy * dy
    if square == 0:
        return []
    reach = _ONE / math.sqrt(square)  # half of the thickness is one pixel
    ox, oy = round(dy * reach), round(dx * reach)
    return [(x0 + ox, y0 + oy), (x0 - ox, y0 - oy), (x1 - ox, y1 - oy), (x1 + ox, y1 + oy)]


def _dot(image: NDArray[np.uint8], x: int, y: int, color: tuple[int, ...]) -> None:
    """The filled circle of radius 1 that ends a thick line: a plus."""
    image[y, max(x - 1, 0) : x + 2] = color
    image[max(y - 1, 0) : y + 2, x] = color


def _clipped(start: Point, end: Point, right: int, bottom: int) -> tuple[Point, Point] | None:
    """The part of a line inside [0, right] x [0, bottom] (Cohen and Sutherland); None where there is none."""
    points = [list(start), list(end)]

    def outside(p: list[int], axis: int, most: int) -> int:
        return -1 if p[axis] < 0 else 1 if p[axis] > most else 0

    for axis, most in ((1, bottom), (0, right)):
        if outside(points[0], axis, most) * outside(points[1], axis, most) > 0:
            return None
        if axis == 1 and outside(points[0], 0, right) * outside(points[1], 0, right) > 0:
            return None
        for p in points:
            side = outside(p, axis, most)
            if side:
                (a0, a1), (b0, b1) = ((points[0][k], points[1][k]) for k in (axis, 1 - axis))
                edge = most if side > 0 else 0
                p[1 - axis] += int(float(edge - p[axis]) * (b1 - b0) / (a1 - a0))
                p[axis] = edge
    return (points[0][0], points[0][1]), (points[1][0], points[1][1])


def _fixed_point_line(start: Point, end: Point, width: int, height: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pixels of a line whose ends are in fixed point: steps of a pixel along, of a fraction across."""
    inside = _clipped(start, end, width * _ONE - 1, height * _ONE - 1)
    if inside is None:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    (x0, y0), (x1, y1) = inside
    wide = abs(x1 - x0) > abs(y1 - y0)
    if (x1 < x0) if wide else (y1 < y0):
        x0, y0, x1, y1 = x1, y1, x0, y0
    last = ((x1 + _HALF) >> _BITS, (y1 + _HALF) >> _BITS)
    (a0, a1), (b0, b1) = ((x0, x1), (y0, y1)) if wide else ((y0, y1), (x0, x1))
    slope = int((b1 - b0) * _ONE / ((a1 - a0) | 1))  # towards zero, as C divides
    count = np.arange(((a1 - a0) >> _BITS) + 1)
    along = ((a0 + _HALF) >> _BITS) + count
    across = (b0 + _HALF + count * slope) >> _BITS
    x, y = (along, across) if wide else (across, along)
    x, y = np.append(x, last[0]), np.append(y, last[1])
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return x[seen], y[seen]


def _fill_convex(image: NDArray[np.uint8], corners: list[Point], color: tuple[int, ...]) -> None:
    """Fills a convex polygon whose corners are in fixed point, row by row between two edges that run down."""
    height, width = image.shape[:2]
    rows = [(y + _HALF) >> _BITS for _, y in corners]
    top = min(range(len(corners)), key=lambda k: corners[k][1])
    bottom = min(max(rows), height)
    count, unused = len(corners), len(corners)
    at, direction = [top, top], [1, -1]
    ends, x, slope = [rows[top]] * 2, [-_ONE] * 2, [0, 0]
    for row in range(rows[top], bottom):
        for side in (0, 1):
            if row < ends[side]:
                continue
            here = at[side]
            while unused > 0:
                unused -= 1
                there = (here + direction[side]) % count
                if rows[there] > row:
                    left = rows[there] - row
                    run = (corners[there][0] - corners[here][0]) * 2 + left
                    ends[side], x[side], at[side] = rows[there], corners[here][0], there
                    slope[side] = int(run / (2 * left))  # towards zero, as C divides
                    break
                here = there
        if row >= 0:
            first, last = (min(x) + _HALF) >> _BITS, (max(x) + _HALF) >> _BITS
            if last >= 0 and first < width:
                image[row, max(first, 0) : min(last, width - 1) + 1] = color
        x = [x[0] + slope[0], x[1] + slope[1]]


def resize(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, C) `cv2.resize(image, (width, height))`: bilinear between pixel centres, without a low pass."""
    if image.shape[:2] == (height, width):
        return image
    if image.shape[:2] == (2 * height, 2 * width):  # OpenCV takes exact halves by area
        whole = image.astype(np.uint16)
        total = whole[::2, ::2] + whole[1::2, ::2] + whole[::2, 1::2] + whole[1::2, 1::2]
        return ((total + 2) >> 2).astype(np.uint8)
    x, wx = _taps(image.shape[1], width, True)
    y, wy = _taps(image.shape[0], height, False)
    values = image.astype(np.int64)
    across = values[:, x[0]] * wx[0][:, None] + values[:, x[1]] * wx[1][:, None]
    down = [((across[y[k]] >> 4) * wy[k][:, None, None]) >> 16 for k in (0, 1)]
    return np.clip((down[0] + down[1] + 2) >> 2, 0, 255).astype(np.uint8)


def _taps(source: int, target: int, ends_are_one_tap: bool) -> tuple[list[NDArray[np.intp]], list[NDArray[np.int64]]]:
    """Both source pixels of each target pixel, and their weights of `_WEIGHT_BITS`.

    Beyond the outer pixels' centres the outer pixel counts twice, with weights that sum to one; across, OpenCV makes
    that one weight, down it does not, and rounds twice.
    """
    place = ((np.arange(target) + 0.5) * (1 / (target / source)) - 0.5).astype(np.float32)
    low = np.floor(place).astype(np.intp)
    share = place - low.astype(np.float32)
    if ends_are_one_tap:
        share[(low < 0) | (low >= source - 1)] = 0
    one = np.float32(1 << _WEIGHT_BITS)
    weights = [np.rint((np.float32(1) - share) * one), np.rint(share * one)]
    pixels = [np.clip(low, 0, source - 1), np.clip(low + 1, 0, source - 1)]
    return pixels, [w.astype(np.int64) for w in weights]
