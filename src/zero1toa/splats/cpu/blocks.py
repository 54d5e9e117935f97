"""A tile as sixteen blocks of four by four pixels: one block is one vector, and one Gaussian's blocks are one mask."""

from __future__ import annotations

import numpy as np

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.composite import centre_in_tile
from zero1toa.splats.cpu.jit import inlined
from zero1toa.splats.cpu.simd import LANES, QUAD, fma, larger, minus_fma, quad_columns, quad_rows, smaller, spread

BLOCKS = L.TILE_PIXELS // LANES
ALL_BLOCKS = (1 << BLOCKS) - 1

LOG2_ALPHA_MIN = np.float32(L.LOG2_ALPHA_MIN)
ZERO, MIDDLE, ONE = np.float32(0), np.float32(0.5), np.float32(1)
_SIDE = np.float32(QUAD)
_SPAN = np.float32(QUAD - 1)  # from the centre of a block's first pixel to that of its last

_REACH_SLACK = np.float32(0.01)
"""Added to a Gaussian's reach where its blocks are looked for: more than rounding can be off at its outline, even of
thin ones that lie aslant."""


@inlined
def centres_of(block):  # type: ignore[no-untyped-def]
    """x and y of the sixteen pixel centres of a block, pixels from the corner of the tile."""
    left, top = np.float32((block % QUAD) * QUAD) + MIDDLE, np.float32((block // QUAD) * QUAD) + MIDDLE
    return quad_columns() + left, quad_rows() + top


@inlined
def offsets_in_tile(record, left, top):  # type: ignore[no-untyped-def]
    """The whitened offset a, b = W (pixel - centre), as four vectors: two for the pixels, two for the blocks of a tile.

    The first two hold a and b at the pixels of the tile's first block; the others what is to be added for each block.
    """
    x, y = centre_in_tile(record, left, top)
    xx, xy, yy = record[L.WHITEN_XX], record[L.WHITEN_XY], record[L.WHITEN_YY]
    dx, dy = quad_columns() - (x - MIDDLE), quad_rows() - (y - MIDDLE)
    right, down = quad_columns() * _SIDE, quad_rows() * _SIDE
    return fma(dx, xx, dy * xy), dy * yy, fma(right, xx, down * xy), down * yy


@inlined
def exponent(a, b, log2_opacity):  # type: ignore[no-untyped-def]
    """The exponent of 2 in alpha."""
    return minus_fma(a, a, minus_fma(b, b, spread(log2_opacity)))


@inlined
def touched_blocks(record, left, top):  # type: ignore[no-untyped-def]
    """Mask of the blocks that a Gaussian's outline meets, one lane for each block.

    Of the outline between the first and the last row of a block, the rightmost point is where the outline's own is, or
    as near to it as the rows allow, and so is the leftmost. The block is met if its left edge is not to the right of
    the one and its right edge not to the left of the other; and that is asked without roots.
    """
    x, y = centre_in_tile(record, left, top)
    xx, xy, yy = record[L.WHITEN_XX], record[L.WHITEN_XY], record[L.WHITEN_YY]
    reach, extreme = record[L.REACH] + _REACH_SLACK, record[L.EXTREME_DY]
    x0, y0 = quad_columns() * _SIDE - (x - MIDDLE), quad_rows() * _SIDE - (y - MIDDLE)
    x1, y1 = x0 + _SPAN, y0 + _SPAN
    right_y, left_y = smaller(larger(spread(extreme), y0), y1), smaller(larger(spread(-extreme), y0), y1)
    a, b = larger(fma(x0, xx, right_y * xy), ZERO), right_y * yy
    c, d = smaller(fma(x1, xx, left_y * xy), ZERO), left_y * yy
    return (fma(a, a, b * b) <= reach) & (fma(c, c, d * d) <= reach)
