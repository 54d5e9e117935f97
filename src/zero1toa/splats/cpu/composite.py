"""From sorted ellipses to pixels: front-to-back compositing of each tile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.intrinsics import bits_of, float_of_bits, multiply_add, next_number, prefetch
from zero1toa.splats.cpu.jit import inlined, kernel, summing_kernel

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

ZERO, MIDDLE, ONE = np.float32(0), np.float32(0.5), np.float32(1)

AHEAD = 16
"""Pairs between asking for a record and using it."""

_CHECK_EVERY = 16
"""Pairs between two looks at whether all pixels of a tile are finished."""

# Where the planes of a tile's state start, each TILE_PIXELS numbers. One flat array, or the compiler would not see that
# the planes are apart and use no vector instructions. The transmittance is negative where a pixel is finished.
_PIXEL_X, _PIXEL_Y, _TRANSMITTANCE, _SUM_RED, _SUM_GREEN, _SUM_BLUE, _SUM_DEPTH = range(
    0, 7 * L.TILE_PIXELS, L.TILE_PIXELS
)
_STATE = 7 * L.TILE_PIXELS

# 2^f for f in [-1/2, 1/2] as a polynomial, lowest power first. Its largest relative error, 7.5e-8, was made least by
# iteratively reweighted least squares.
_EXP2 = (
    np.float32(1.0000000716546535),
    np.float32(0.6931469670638626),
    np.float32(0.24022119723935142),
    np.float32(0.0555071327496735),
    np.float32(0.009675541330618712),
    np.float32(0.0013276471517114426),
)
_EXP2_LEAST = np.float32(-60)
"""Below it 2^x is taken as 2^-60: denormal numbers would be slow, and alpha is cut off long before."""


@inlined
def exp2(x):  # type: ignore[no-untyped-def]
    """float32 2^x for x <= 0.5, relative error about 1e-7. Plain arithmetic, so that it fits vector instructions."""
    x = max(x, _EXP2_LEAST)
    whole = np.int32(x - MIDDLE)
    part = x - np.float32(whole)
    value = multiply_add(_EXP2[5], part, _EXP2[4])
    value = multiply_add(value, part, _EXP2[3])
    value = multiply_add(value, part, _EXP2[2])
    value = multiply_add(value, part, _EXP2[1])
    value = multiply_add(value, part, _EXP2[0])
    return float_of_bits(np.int32(bits_of(value) + np.int32(whole << 23)))


@inlined
def raw_alpha(dx, dy, xx, xy, yy, log2_opacity):  # type: ignore[no-untyped-def]
    """Alpha before its limit at ALPHA_MAX. Forward and backward call this, so they agree to the bit."""
    u = multiply_add(xx, dx, xy * dy)
    down = yy * dy
    return exp2(multiply_add(-u, u, multiply_add(-down, down, log2_opacity)))


@inlined
def centre_in_tile(record, left, top):  # type: ignore[no-untyped-def]
    """x and y of a Gaussian in pixels from the corner of a tile."""
    return (record[L.X] - np.float32(left)) + record[L.X_PART], (record[L.Y] - np.float32(top)) + record[L.Y_PART]


@inlined
def place_in_tile(p):  # type: ignore[no-untyped-def]
    """Row and column of the pixel that stands at p in each plane of a tile's state."""
    return (p % L.HALF_PIXELS) >> L.HALF_SHIFT, (p // L.HALF_PIXELS) * L.HALF + p % L.HALF


@summing_kernel
def _all_finished(transmittance):  # type: ignore[no-untyped-def]
    largest = transmittance[0]
    for p in range(L.TILE_PIXELS):
        largest = max(largest, transmittance[p])
    return largest <= 0


@summing_kernel
def _blend(state, rows, record, x, y):  # type: ignore[no-untyped-def]
    """Adds one Gaussian to some rows of a half tile, the first of which starts at the beginning of `state`."""
    log2_opacity = record[L.LOG2_OPACITY]
    xx, xy, yy = record[L.WHITEN_XX], record[L.WHITEN_XY], record[L.WHITEN_YY]
    red, green, blue, depth = record[L.RED], record[L.GREEN], record[L.BLUE], record[L.DEPTH]
    for row in range(rows):
        dy = state[_PIXEL_Y + row * L.HALF] - y
        for p in range(row * L.HALF, row * L.HALF + L.HALF):
            alpha = min(raw_alpha(state[_PIXEL_X + p] - x, dy, xx, xy, yy, log2_opacity), L.ALPHA_MAX)
            before = state[_TRANSMITTANCE + p]
            after = multiply_add(-alpha, before, before)
            hit = alpha >= L.ALPHA_MIN
            drawn = hit and after > L.TRANSMITTANCE_MIN
            weight = alpha * before if drawn else ZERO
            state[_SUM_RED + p] += weight * red
            state[_SUM_GREEN + p] += weight * green
            state[_SUM_BLUE + p] += weight * blue
            state[_SUM_DEPTH + p] += weight * depth
            state[_TRANSMITTANCE + p] = after if drawn else (-abs(before) if hit else before)


@kernel
def _draw_tile(tile, records, starts, pairs, background, image, alpha, depth, ends):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    columns = (width + L.TILE - 1) // L.TILE
    left, top = (tile % columns) * L.TILE, (tile // columns) * L.TILE
    state = np.zeros(_STATE, np.float32)
    for p in range(L.TILE_PIXELS):
        row, column = place_in_tile(p)
        state[_PIXEL_X + p] = np.float32(column) + MIDDLE
        state[_PIXEL_Y + p] = np.float32(row) + MIDDLE
        state[_TRANSMITTANCE + p] = ONE if top + row < height and left + column < width else -ONE
    end = starts[tile + 1]
    for k in range(starts[tile], starts[tile + 1]):
        if (k - starts[tile]) % _CHECK_EVERY == _CHECK_EVERY - 1 and _all_finished(state[_TRANSMITTANCE:]):
            end = k
            break
        prefetch(records, pairs[min(k + AHEAD, pairs.shape[0] - 1)] & L.GAUSSIAN_BITS)
        record = records[pairs[k] & L.GAUSSIAN_BITS]
        x, y = centre_in_tile(record, left, top)
        first = max(np.int32(record[L.FIRST_ROW]) - top, 0)
        last = min(np.int32(record[L.LAST_ROW]) - top, L.TILE - 1)
        if pairs[k] & L.LEFT_HALF:
            _blend(state[first * L.HALF :], last + 1 - first, record, x, y)
        if pairs[k] & L.RIGHT_HALF:
            _blend(state[L.HALF_PIXELS + first * L.HALF :], last + 1 - first, record, x, y)
    ends[tile] = end
    for p in range(L.TILE_PIXELS):
        row, column = place_in_tile(p)
        i, j = top + row, left + column
        if i < height and j < width:
            clear = abs(state[_TRANSMITTANCE + p])
            image[i, j, 0] = state[_SUM_RED + p] + clear * background[0]
            image[i, j, 1] = state[_SUM_GREEN + p] + clear * background[1]
            image[i, j, 2] = state[_SUM_BLUE + p] + clear * background[2]
            alpha[i, j] = ONE - clear
            depth[i, j] = state[_SUM_DEPTH + p]


@kernel
def composite(
    turn: Integers,  # see `threads.run`; as many pieces as there are tiles
    records: Floats,  # (N, RECORD)
    starts: Integers,  # (tiles + 1,)
    pairs: Integers,  # (P,)
    background: Floats,  # (3,)
    image: Floats,  # (H, W, 3) out
    alpha: Floats,  # (H, W) out
    depth: Floats,  # (H, W) out
    ends: Integers,  # (tiles,) out: the place in the list at which all pixels of the tile were finished
) -> None:
    """Draws the tiles."""
    tile = next_number(turn)
    while tile < ends.shape[0]:
        _draw_tile(tile, records, starts, pairs, background, image, alpha, depth, ends)
        tile = next_number(turn)
