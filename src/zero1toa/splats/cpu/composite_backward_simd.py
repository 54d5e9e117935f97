"""From the gradient of the pixels to sums for each Gaussian with explicit vectors: see `composite_backward`.

Gaussian by Gaussian, unlike the way forward: what flows back to one is summed over the blocks in registers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.blocks import BLOCKS, LOG2_ALPHA_MIN, ONE, ZERO, exponent, offsets_in_tile
from zero1toa.splats.cpu.intrinsics import next_number, prefetch
from zero1toa.splats.cpu.jit import inlined, kernel
from zero1toa.splats.cpu.simd import LANES, QUAD, exp2, fma, lowest_bit, minus_fma, select, smaller, spread
from zero1toa.splats.cpu.simd_memory import line_start, load, load_block, load_block_rgb, store, store_sums

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

_AHEAD = 12
"""Pairs between asking for a record and using it."""

# Planes of the state of a block. REST is what the Gaussians further back and the background still add to the loss.
_RUNNING, _REST, _GRAD_RED, _GRAD_GREEN, _GRAD_BLUE, _GRAD_DEPTH = range(0, 6 * LANES, LANES)
_BLOCK_STATE = 6 * LANES
# After the states of the blocks, what is to be added for each block to the offsets of a Gaussian.
_BLOCK_A = BLOCKS * _BLOCK_STATE
_BLOCK_B = _BLOCK_A + LANES
_SPACE = _BLOCK_B + LANES


@inlined
def _start(  # type: ignore[no-untyped-def]
    space, spot, left, top, image, alpha, depth, grad_image, grad_alpha, grad_depth
):
    """Fills the state of all blocks."""
    height, width = alpha.shape
    for block in range(BLOCKS):
        here = spot + block * _BLOCK_STATE
        i, j = top + (block // QUAD) * QUAD, left + (block % QUAD) * QUAD
        if i + QUAD <= height and j + QUAD <= width:
            start = i * width + j
            red, green, blue = load_block_rgb(grad_image.reshape(-1), 3 * start, 3 * width)
            drawn_red, drawn_green, drawn_blue = load_block_rgb(image.reshape(-1), 3 * start, 3 * width)
            rest = red * drawn_red + (green * drawn_green + blue * drawn_blue)
            if grad_alpha.size > 0:
                # The gradient of alpha = 1 - transmittance acts like a background that is darker by as much.
                clear = ONE - load_block(alpha.reshape(-1), start, width)
                rest = minus_fma(load_block(grad_alpha.reshape(-1), start, width), clear, rest)
            if grad_depth.size > 0:
                to_depth = load_block(grad_depth.reshape(-1), start, width)
                rest = fma(to_depth, load_block(depth.reshape(-1), start, width), rest)
                store(space, here + _GRAD_DEPTH, to_depth)
            store(space, here + _RUNNING, spread(ONE))
            store(space, here + _REST, rest)
            store(space, here + _GRAD_RED, red)
            store(space, here + _GRAD_GREEN, green)
            store(space, here + _GRAD_BLUE, blue)
        else:
            for plane in range(_RUNNING, _BLOCK_STATE, LANES):
                store(space, here + plane, spread(ZERO))
            for lane in range(LANES):
                row, column = i + lane // QUAD, j + lane % QUAD
                if row < height and column < width:
                    rest = ZERO
                    if grad_alpha.size > 0:
                        rest -= grad_alpha[row, column] * (ONE - alpha[row, column])
                    if grad_depth.size > 0:
                        rest += grad_depth[row, column] * depth[row, column]
                        space[here + _GRAD_DEPTH + lane] = grad_depth[row, column]
                    for channel in range(3):
                        gradient = grad_image[row, column, channel]
                        rest += gradient * image[row, column, channel]
                        space[here + _GRAD_RED + channel * LANES + lane] = gradient
                    space[here + _RUNNING + lane] = ONE
                    space[here + _REST + lane] = rest


@inlined
def _replay(space, spot, todo, record, left, top, depth_counts, sums, place):  # type: ignore[no-untyped-def]
    """Replays one Gaussian in the blocks whose bits are set, and writes what flows back to it."""
    offset_a, offset_b, block_a, block_b = offsets_in_tile(record, left, top)
    store(space, spot + _BLOCK_A, block_a)
    store(space, spot + _BLOCK_B, block_b)
    log2_opacity = record[L.LOG2_OPACITY]
    red, green, blue, depth = record[L.RED], record[L.GREEN], record[L.BLUE], record[L.DEPTH]
    nothing = spread(ZERO)
    w_red, w_green, w_blue, w_depth = nothing, nothing, nothing, nothing
    v, va, vb, vaa, vab, vbb = nothing, nothing, nothing, nothing, nothing, nothing
    while todo != 0:
        block = lowest_bit(todo)
        todo &= todo - 1
        here = spot + block * _BLOCK_STATE
        a, b = offset_a + space[spot + _BLOCK_A + block], offset_b + space[spot + _BLOCK_B + block]
        power = exponent(a, b, log2_opacity)
        raw = exp2(power)
        alpha = select(power >= LOG2_ALPHA_MIN, smaller(raw, L.ALPHA_MAX), ZERO)
        taken = alpha * load(space, here + _RUNNING)
        after = load(space, here + _RUNNING) - taken
        drawn = after > L.TRANSMITTANCE_MIN
        store(space, here + _RUNNING, after)
        weight = select(drawn, taken, ZERO)
        to_red, to_green = load(space, here + _GRAD_RED), load(space, here + _GRAD_GREEN)
        to_blue = load(space, here + _GRAD_BLUE)
        value = fma(to_red, red, fma(to_green, green, to_blue * blue))
        w_red = fma(weight, to_red, w_red)
        w_green = fma(weight, to_green, w_green)
        w_blue = fma(weight, to_blue, w_blue)
        if depth_counts:
            to_depth = load(space, here + _GRAD_DEPTH)
            value = fma(to_depth, depth, value)
            w_depth = fma(weight, to_depth, w_depth)
        share = weight * value
        rest = load(space, here + _REST) - share
        store(space, here + _REST, rest)
        # The loss holds this share, to which alpha is a factor, and rest, to which 1 - alpha is one. A limited alpha
        # has no slope.
        slope = minus_fma(alpha, rest / (ONE - alpha), share)
        slope = select(drawn & (raw <= L.ALPHA_MAX), slope, ZERO)
        along_a, along_b = slope * a, slope * b
        v = v + slope
        va = va + along_a
        vb = vb + along_b
        vaa = fma(along_a, a, vaa)
        vab = fma(along_a, b, vab)
        vbb = fma(along_b, b, vbb)
    store_sums(sums, place, (w_red, w_green, w_blue, w_depth, v, va, vb, vaa, vab, vbb, nothing, nothing))


@kernel
def composite_backward(
    turn: Integers,  # see `threads.run`; as many pieces as there are tiles
    records: Floats,  # (N, RECORD)
    starts: Integers,  # (tiles + 1,)
    ends: Integers,  # (tiles,)
    pairs: Integers,  # (P,)
    pair_slot: Integers,  # (P,)
    masks: NDArray[np.uint16],  # (P,) from `composite`
    image: Floats,  # (H, W, 3) as `composite` made it
    alpha: Floats,  # (H, W)
    depth: Floats,  # (H, W)
    grad_image: Floats,  # (H, W, 3) gradient of the loss to the image
    grad_alpha: Floats,  # (H, W), or empty if there is none
    grad_depth: Floats,  # (H, W), or empty if there is none
    sums: Floats,  # (P, GRADIENT) out: by slot, what flows back from one tile to one Gaussian
) -> None:
    """Fills `sums` for every pair, with zeros for the pairs behind a finished tile."""
    columns = (alpha.shape[1] + L.TILE - 1) // L.TILE
    flat_sums = sums.reshape(-1)
    depth_counts = grad_depth.size > 0
    space = np.empty(_SPACE + LANES, np.float32)
    spot = line_start(space)
    tile = next_number(turn)
    while tile < ends.shape[0]:
        left, top = (tile % columns) * L.TILE, (tile // columns) * L.TILE
        start, end = starts[tile], ends[tile]
        if end > start:
            _start(space, spot, left, top, image, alpha, depth, grad_image, grad_alpha, grad_depth)
        for k in range(start, end):
            ahead = min(k + _AHEAD, end - 1)
            prefetch(records, pairs[ahead] & L.GAUSSIAN_BITS)
            prefetch(sums, pair_slot[ahead])
            record = records[pairs[k] & L.GAUSSIAN_BITS]
            place = np.int64(pair_slot[k]) * L.GRADIENT
            _replay(space, spot, np.int64(masks[k]), record, left, top, depth_counts, flat_sums, place)
        for k in range(end, starts[tile + 1]):
            sums[pair_slot[k]] = ZERO
        tile = next_number(turn)
