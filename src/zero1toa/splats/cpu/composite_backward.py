"""From the gradient of the pixels to sums for each Gaussian: the compositing replayed front to back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.composite import AHEAD, MIDDLE, ONE, ZERO, centre_in_tile, place_in_tile, raw_alpha
from zero1toa.splats.cpu.intrinsics import multiply_add, next_number, prefetch
from zero1toa.splats.cpu.jit import kernel, summing_kernel

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

# Where the planes of a tile's state start, as in `composite`. REST is what the Gaussians further back and the
# background still add to the loss.
_PIXEL_X, _PIXEL_Y, _TRANSMITTANCE, _REST, _GRAD_RED, _GRAD_GREEN, _GRAD_BLUE, _GRAD_DEPTH = range(
    0, 8 * L.TILE_PIXELS, L.TILE_PIXELS
)
_STATE = 8 * L.TILE_PIXELS


@summing_kernel
def _unblend(state, count, record, x, y):  # type: ignore[no-untyped-def]
    """Replays one Gaussian at `count` pixels from the start of `state` on; returns what flows back to it."""
    log2_opacity = record[L.LOG2_OPACITY]
    xx, xy, yy = record[L.WHITEN_XX], record[L.WHITEN_XY], record[L.WHITEN_YY]
    red, green, blue, depth = record[L.RED], record[L.GREEN], record[L.BLUE], record[L.DEPTH]
    w_red, w_green, w_blue, w_depth = ZERO, ZERO, ZERO, ZERO
    v, va, vb, vaa, vab, vbb = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for p in range(count):
        dx, dy = state[_PIXEL_X + p] - x, state[_PIXEL_Y + p] - y
        raw = raw_alpha(dx, dy, xx, xy, yy, log2_opacity)
        alpha = min(raw, L.ALPHA_MAX)
        before = state[_TRANSMITTANCE + p]
        after = multiply_add(-alpha, before, before)
        hit = alpha >= L.ALPHA_MIN
        drawn = hit and after > L.TRANSMITTANCE_MIN
        weight = alpha * before if drawn else ZERO
        to_red, to_green, to_blue = state[_GRAD_RED + p], state[_GRAD_GREEN + p], state[_GRAD_BLUE + p]
        to_depth = state[_GRAD_DEPTH + p]
        value = to_red * red + to_green * green + to_blue * blue + to_depth * depth
        w_red += weight * to_red
        w_green += weight * to_green
        w_blue += weight * to_blue
        w_depth += weight * to_depth
        rest = state[_REST + p] - weight * value
        state[_REST + p] = rest
        state[_TRANSMITTANCE + p] = after if drawn else (-abs(before) if hit else before)
        # The loss holds before * alpha * value, and rest, to which 1 - alpha is a factor.
        slope = alpha * (before * value - rest / (ONE - alpha)) if drawn and raw <= L.ALPHA_MAX else ZERO
        a, b = multiply_add(xx, dx, xy * dy), yy * dy
        v += slope
        va += slope * a
        vb += slope * b
        vaa += slope * a * a
        vab += slope * a * b
        vbb += slope * b * b
    return w_red, w_green, w_blue, w_depth, v, va, vb, vaa, vab, vbb


@kernel
def _replay_tile(  # type: ignore[no-untyped-def]
    tile, records, starts, ends, pairs, pair_slot, image, alpha, depth, grad_image, grad_alpha, grad_depth, sums
):
    height, width = alpha.shape
    columns = (width + L.TILE - 1) // L.TILE
    left, top = (tile % columns) * L.TILE, (tile // columns) * L.TILE
    state = np.zeros(_STATE, np.float32)
    for p in range(L.TILE_PIXELS):
        row, column = place_in_tile(p)
        i, j = top + row, left + column
        state[_PIXEL_X + p] = np.float32(column) + MIDDLE
        state[_PIXEL_Y + p] = np.float32(row) + MIDDLE
        state[_TRANSMITTANCE + p] = -ONE
        if i < height and j < width:
            red, green, blue = grad_image[i, j, 0], grad_image[i, j, 1], grad_image[i, j, 2]
            rest = red * image[i, j, 0] + green * image[i, j, 1] + blue * image[i, j, 2]
            if grad_alpha.size > 0:
                # The gradient of alpha = 1 - transmittance acts like a background that is darker by as much.
                rest -= grad_alpha[i, j] * (ONE - alpha[i, j])
            if grad_depth.size > 0:
                rest += grad_depth[i, j] * depth[i, j]
                state[_GRAD_DEPTH + p] = grad_depth[i, j]
            state[_TRANSMITTANCE + p] = ONE
            state[_REST + p] = rest
            state[_GRAD_RED + p], state[_GRAD_GREEN + p], state[_GRAD_BLUE + p] = red, green, blue
    for k in range(starts[tile], ends[tile]):
        ahead = min(k + AHEAD, pairs.shape[0] - 1)
        prefetch(records, pairs[ahead] & L.GAUSSIAN_BITS)
        prefetch(sums, pair_slot[ahead])
        record = records[pairs[k] & L.GAUSSIAN_BITS]
        x, y = centre_in_tile(record, left, top)
        first = max(np.int32(record[L.FIRST_ROW]) - top, 0)
        last = min(np.int32(record[L.LAST_ROW]) - top, L.TILE - 1)
        w_red, w_green, w_blue, w_depth = ZERO, ZERO, ZERO, ZERO
        v, va, vb, vaa, vab, vbb = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
        for half in range(2):
            if pairs[k] & (L.RIGHT_HALF if half else L.LEFT_HALF):
                start = half * L.HALF_PIXELS + first * L.HALF
                more = _unblend(state[start:], (last + 1 - first) * L.HALF, record, x, y)
                w_red, w_green, w_blue = w_red + more[0], w_green + more[1], w_blue + more[2]
                w_depth, v, va, vb = w_depth + more[3], v + more[4], va + more[5], vb + more[6]
                vaa, vab, vbb = vaa + more[7], vab + more[8], vbb + more[9]
        place = sums[pair_slot[k]]
        place[L.SUM_W_RED], place[L.SUM_W_GREEN], place[L.SUM_W_BLUE] = w_red, w_green, w_blue
        place[L.SUM_W_DEPTH], place[L.SUM_V], place[L.SUM_VA], place[L.SUM_VB] = w_depth, v, va, vb
        place[L.SUM_VAA], place[L.SUM_VAB], place[L.SUM_VBB] = vaa, vab, vbb
    for k in range(ends[tile], starts[tile + 1]):
        sums[pair_slot[k]] = ZERO


@kernel
def composite_backward(
    turn: Integers,  # see `threads.run`; as many pieces as there are tiles
    records: Floats,  # (N, RECORD)
    starts: Integers,  # (tiles + 1,)
    ends: Integers,  # (tiles,)
    pairs: Integers,  # (P,)
    pair_slot: Integers,  # (P,)
    image: Floats,  # (H, W, 3) as `composite` made it
    alpha: Floats,  # (H, W)
    depth: Floats,  # (H, W)
    grad_image: Floats,  # (H, W, 3) gradient of the loss to the image
    grad_alpha: Floats,  # (H, W), or empty if there is none
    grad_depth: Floats,  # (H, W), or empty if there is none
    sums: Floats,  # (P, GRADIENT) out: by slot, what flows back from one tile to one Gaussian
) -> None:
    """Fills `sums` for every pair, with zeros for the pairs behind a finished tile.

    Each pair has its own place to write to. So threads never meet, and the sums do not depend on who took which tile.
    """
    tile = next_number(turn)
    while tile < ends.shape[0]:
        _replay_tile(
            tile,
            records,
            starts,
            ends,
            pairs,
            pair_slot,
            image,
            alpha,
            depth,
            grad_image,
            grad_alpha,
            grad_depth,
            sums,
        )
        tile = next_number(turn)
