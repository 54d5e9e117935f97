"""From sorted ellipses to pixels with explicit vectors: what `composite` does, block by block.

A batch of Gaussians is sorted into lists for the blocks it meets. Then each block takes its list with the state of its
sixteen pixels in registers. Compared with Gaussian by Gaussian, the state is not read and written each time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.blocks import (
    ALL_BLOCKS,
    BLOCKS,
    LOG2_ALPHA_MIN,
    ONE,
    ZERO,
    centres_of,
    exponent,
    offsets_in_tile,
    touched_blocks,
)
from zero1toa.splats.cpu.intrinsics import next_number, prefetch
from zero1toa.splats.cpu.jit import inlined, kernel
from zero1toa.splats.cpu.simd import (
    LANES,
    QUAD,
    bits,
    exp2,
    fma,
    lowest_bit,
    no_numbers,
    select,
    set_bits,
    smaller,
    spread,
)
from zero1toa.splats.cpu.simd_memory import line_start, load, store, store_block, store_block_rgb

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

WORD = 32
BATCH = 2 * WORD
"""Gaussians that are sorted into blocks at a time: one for each bit of two words."""

_AHEAD = 12
"""Pairs between asking for a record and using it."""

# Where things stand in a thread's work space, counted in float32: for each Gaussian of the batch a line of cache with
# its record and four with its offsets, see `offsets_in_tile`; then for each block the planes of its state. RUNNING goes
# on falling where CLEAR, the transmittance in the picture, has stopped.
_RECORD, _OFFSET_A, _OFFSET_B, _BLOCK_A, _BLOCK_B = range(0, 5 * LANES, LANES)
_ENTRY = 5 * LANES
_STATE = BATCH * _ENTRY
_RUNNING, _CLEAR, _RED, _GREEN, _BLUE, _DEPTH = range(0, 6 * LANES, LANES)
_BLOCK_STATE = 6 * LANES
_SPACE = _STATE + BLOCKS * _BLOCK_STATE


@inlined
def _start(space, spot, left, top, width, height):  # type: ignore[no-untyped-def]
    """Clears the state of all blocks; returns the bits of those that have pixels in the picture."""
    alive = 0
    for block in range(BLOCKS):
        x, y = centres_of(block)
        inside = (x < np.float32(width - left)) & (y < np.float32(height - top))
        here = spot + _STATE + block * _BLOCK_STATE
        clear = select(inside, ONE, ZERO)
        store(space, here + _RUNNING, clear)
        store(space, here + _CLEAR, clear)
        for plane in range(_RED, _BLOCK_STATE, LANES):
            store(space, here + plane, spread(ZERO))
        if bits(inside) != 0:
            alive |= 1 << block
    return alive


@inlined
def _enter(space, entry, flat, record, index, left, top):  # type: ignore[no-untyped-def]
    """Writes one Gaussian's line into the batch; returns the mask of the blocks it touches."""
    a, b, block_a, block_b = offsets_in_tile(record, left, top)
    store(space, entry + _RECORD, load(flat, index * L.RECORD))
    store(space, entry + _OFFSET_A, a)
    store(space, entry + _OFFSET_B, b)
    store(space, entry + _BLOCK_A, block_a)
    store(space, entry + _BLOCK_B, block_b)
    return touched_blocks(record, left, top)


@inlined
def _blend(space, spot, block, todo):  # type: ignore[no-untyped-def]
    """Adds the Gaussians whose bits are set to a block; returns whether some pixel of it can take more."""
    here = spot + _STATE + block * _BLOCK_STATE
    running, clear = load(space, here + _RUNNING), load(space, here + _CLEAR)
    red, green = load(space, here + _RED), load(space, here + _GREEN)
    blue, depth = load(space, here + _BLUE), load(space, here + _DEPTH)
    while todo != 0:
        entry = spot + lowest_bit(todo) * _ENTRY
        todo &= todo - 1
        a = load(space, entry + _OFFSET_A) + space[entry + _BLOCK_A + block]
        b = load(space, entry + _OFFSET_B) + space[entry + _BLOCK_B + block]
        power = exponent(a, b, space[entry + L.LOG2_OPACITY])
        alpha = select(power >= LOG2_ALPHA_MIN, smaller(exp2(power), L.ALPHA_MAX), ZERO)
        taken = alpha * running
        after = running - taken
        drawn = after > L.TRANSMITTANCE_MIN
        weight = select(drawn, taken, ZERO)
        clear = select(drawn, after, clear)
        running = after
        red = fma(weight, space[entry + L.RED], red)
        green = fma(weight, space[entry + L.GREEN], green)
        blue = fma(weight, space[entry + L.BLUE], blue)
        depth = fma(weight, space[entry + L.DEPTH], depth)
    open_ = running > L.TRANSMITTANCE_MIN
    store(space, here + _RUNNING, select(open_, running, ZERO))
    store(space, here + _CLEAR, clear)
    store(space, here + _RED, red)
    store(space, here + _GREEN, green)
    store(space, here + _BLUE, blue)
    store(space, here + _DEPTH, depth)
    return bits(open_) != 0


@inlined
def _finish(space, spot, left, top, background, image, alpha, depth):  # type: ignore[no-untyped-def]
    """Writes the pixels of a tile into the picture."""
    height, width = alpha.shape
    flat_image, flat_alpha, flat_depth = image.reshape(-1), alpha.reshape(-1), depth.reshape(-1)
    for block in range(BLOCKS):
        here = spot + _STATE + block * _BLOCK_STATE
        x, y = left + (block % QUAD) * QUAD, top + (block // QUAD) * QUAD
        clear = load(space, here + _CLEAR)
        red = fma(clear, background[0], load(space, here + _RED))
        green = fma(clear, background[1], load(space, here + _GREEN))
        blue = fma(clear, background[2], load(space, here + _BLUE))
        if x + QUAD <= width and y + QUAD <= height:
            start = y * width + x
            store_block_rgb(flat_image, 3 * start, 3 * width, red, green, blue)
            store_block(flat_alpha, start, width, ONE - clear)
            store_block(flat_depth, start, width, load(space, here + _DEPTH))
        else:
            store(space, here + _CLEAR, ONE - clear)
            store(space, here + _RED, red)
            store(space, here + _GREEN, green)
            store(space, here + _BLUE, blue)
            for lane in range(LANES):
                i, j = y + lane // QUAD, x + lane % QUAD
                if i < height and j < width:
                    image[i, j, 0] = space[here + _RED + lane]
                    image[i, j, 1] = space[here + _GREEN + lane]
                    image[i, j, 2] = space[here + _BLUE + lane]
                    alpha[i, j] = space[here + _CLEAR + lane]
                    depth[i, j] = space[here + _DEPTH + lane]


@kernel
def composite(
    turn: Integers,  # see `threads.run`; as many pieces as there are tiles
    records: Floats,  # (N, RECORD), each in a line of cache
    starts: Integers,  # (tiles + 1,)
    pairs: Integers,  # (P,)
    background: Floats,  # (3,)
    image: Floats,  # (H, W, 3) out
    alpha: Floats,  # (H, W) out
    depth: Floats,  # (H, W) out
    ends: Integers,  # (tiles,) out: the place in the list at which all pixels of the tile were finished
    masks: NDArray[np.uint16],  # (P,) out: the blocks that a pair was drawn in, for `composite_backward`; or empty
) -> None:
    """Draws the tiles."""
    height, width = alpha.shape
    columns = (width + L.TILE - 1) // L.TILE
    flat = records.reshape(-1)
    space = np.empty(_SPACE + LANES, np.float32)
    spot = line_start(space)
    words = np.empty(2 * BLOCKS + LANES, np.int32)
    first_word = line_start(words)
    keep = masks.shape[0] > 0
    tile = next_number(turn)
    while tile < ends.shape[0]:
        left, top = (tile % columns) * L.TILE, (tile // columns) * L.TILE
        alive = _start(space, spot, left, top, width, height)
        k, stop = starts[tile], starts[tile + 1]
        while k < stop and alive != 0:
            count = min(BATCH, stop - k)
            for half in range(2):
                lists = no_numbers()
                for j in range(half * WORD, min(half * WORD + WORD, count)):
                    prefetch(records, pairs[min(k + j + _AHEAD, stop - 1)] & L.GAUSSIAN_BITS)
                    index = pairs[k + j] & L.GAUSSIAN_BITS
                    touched = _enter(space, spot + j * _ENTRY, flat, records[index], index, left, top)
                    lists = set_bits(lists, touched, np.int32(1 << (j - half * WORD)))
                    if keep:
                        masks[k + j] = bits(touched) & alive
                store(words, first_word + half * BLOCKS, lists)
            for block in range(BLOCKS):
                low, high = np.int64(words[first_word + block]), np.int64(words[first_word + BLOCKS + block])
                todo = (low & 0xFFFFFFFF) | (high << WORD)
                if (alive >> block) & 1 and todo != 0 and not _blend(space, spot, block, todo):
                    alive &= ALL_BLOCKS ^ (1 << block)
            k += count
        ends[tile] = k
        _finish(space, spot, left, top, background, image, alpha, depth)
        tile = next_number(turn)
