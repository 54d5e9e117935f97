"""Which Gaussians touch which tile of the picture, front to back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.intrinsics import bits_of, next_number, prefetch
from zero1toa.splats.cpu.jit import inlined, kernel

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS
_PASSES = 3  # 33 bits: all of a float32

CHUNKS = 16
"""Pieces that the sorted Gaussians are cut into. The result depends neither on it nor on the number of threads."""

SPANS = 3
"""Rows of tiles whose spans are kept from the first pass to the second; of taller Gaussians the rest is found again."""

SLACK = np.float32(1e-3)
"""Pixels that spans are widened by: more than rounding can be off where alpha is near its minimum."""

_AHEAD = 12  # Gaussians between asking for a record and using it


@kernel
def sort_by_depth(records: Floats, keys: Integers, spare_keys: Integers, order: Integers, spare: Integers) -> int:
    """Radix sort of the visible Gaussians by depth, nearest first, equal depths by index.

    Bits of positive floats sort like the floats. Work arrays hold N numbers each; the result stands in `spare`.

    Returns:
        how many are visible.
    """
    visible = 0
    counts = np.zeros((_PASSES, _DIGITS), np.int32)
    for i in range(records.shape[0]):
        if records[i, L.REACH] > 0:
            key = bits_of(records[i, L.DEPTH])
            keys[visible] = key
            order[visible] = i
            visible += 1
            for step in range(_PASSES):
                counts[step, (key >> (step * _DIGIT_BITS)) & (_DIGITS - 1)] += 1
    for step in range(_PASSES):
        place = 0
        for digit in range(_DIGITS):
            count = counts[step, digit]
            counts[step, digit] = place
            place += count
        for j in range(visible):
            digit = (keys[j] >> (step * _DIGIT_BITS)) & (_DIGITS - 1)
            place = counts[step, digit]
            counts[step, digit] = place + 1
            spare_keys[place] = keys[j]
            spare[place] = order[j]
        keys, spare_keys = spare_keys, keys
        order, spare = spare, order
    return visible


@inlined
def _outline(record):  # type: ignore[no-untyped-def]
    """What `_span` needs to know about a Gaussian, once for all its rows of tiles."""
    inverse = np.float32(1) / record[L.WHITEN_XX]
    return (
        record[L.X] + record[L.X_PART] - np.float32(0.5),
        record[L.Y] + record[L.Y_PART] - np.float32(0.5),
        record[L.FIRST_ROW],
        record[L.LAST_ROW],
        record[L.EXTREME_DY],
        record[L.REACH],
        record[L.WHITEN_YY],
        inverse,
        record[L.WHITEN_XY] * inverse,
    )


@inlined
def _span(outline, tile_row, width):  # type: ignore[no-untyped-def]
    """First and last pixel column that a Gaussian touches in a row of tiles; the first is greater if there is none."""
    x, y, top, bottom, extreme, reach, yy, inverse, slant = outline
    low = max(np.float32(tile_row * L.TILE), top) - y
    high = min(np.float32(tile_row * L.TILE + L.TILE - 1), bottom) - y
    right_dy, left_dy = min(max(extreme, low), high), min(max(-extreme, low), high)
    right_down, left_down = yy * right_dy, yy * left_dy
    right = x + math.sqrt(max(reach - right_down * right_down, np.float32(0))) * inverse - slant * right_dy
    left = x - math.sqrt(max(reach - left_down * left_down, np.float32(0))) * inverse - slant * left_dy
    # Limited to what an int32 holds before it becomes one.
    first = math.ceil(min(max(left - SLACK, np.float32(0)), np.float32(width)))
    last = math.floor(max(min(right + SLACK, np.float32(width - 1)), np.float32(-1)))
    return np.int32(first), np.int32(last)


@kernel
def count_pairs(
    turn: Integers,  # see `threads.run`; CHUNKS pieces
    records: Floats,  # (N, RECORD)
    order: Integers,  # (N,) the visible Gaussians by depth
    visible: int,
    width: int,
    columns: int,
    counts: Integers,  # (CHUNKS, tiles) out, zero before: the Gaussians of each chunk in each tile
    spans: Integers,  # (N, 1 + SPANS) out, by rank: first tile row, rows << 16; then for each row first, last << 16
) -> None:
    """Counts the pairs, and keeps the spans of all but very tall Gaussians for `list_pairs`."""
    chunk = next_number(turn)
    while chunk < CHUNKS:
        for rank in range(visible * chunk // CHUNKS, visible * (chunk + 1) // CHUNKS):
            prefetch(records, order[min(rank + _AHEAD, visible - 1)])
            outline = _outline(records[order[rank]])
            top = np.int32(outline[2]) >> L.TILE_SHIFT
            rows = (np.int32(outline[3]) >> L.TILE_SHIFT) - top + 1
            spans[rank, 0] = top | (rows << 16)
            for row in range(rows):
                first, last = _span(outline, top + row, width)
                if row < SPANS:
                    spans[rank, 1 + row] = first | (last << 16)
                if first <= last:
                    for column in range(first >> L.TILE_SHIFT, (last >> L.TILE_SHIFT) + 1):
                        counts[chunk, (top + row) * columns + column] += 1
        chunk = next_number(turn)


@kernel
def place_pairs(counts: Integers, starts: Integers, chunk_starts: Integers) -> int:
    """Turns counts into places: where each tile's list starts, and within it each chunk's part.

    Args:
        counts: (CHUNKS, tiles) in: counts; out: the first place of the chunk in the list of the tile.
        starts: (tiles + 1,) out.
        chunk_starts: (CHUNKS,) out: how many pairs the chunks before have.

    Returns:
        the number of pairs.
    """
    chunk_starts[:] = 0
    place = 0
    for tile in range(counts.shape[1]):
        starts[tile] = place
        for chunk in range(CHUNKS):
            count = counts[chunk, tile]
            counts[chunk, tile] = place
            chunk_starts[chunk] += count
            place += count
    starts[counts.shape[1]] = place
    before = 0
    for chunk in range(CHUNKS):
        count = chunk_starts[chunk]
        chunk_starts[chunk] = before
        before += count
    return place


@kernel
def list_pairs(
    turn: Integers,  # see `threads.run`; CHUNKS pieces
    records: Floats,  # (N, RECORD)
    order: Integers,  # (N,)
    visible: int,
    width: int,
    columns: int,
    places: Integers,  # (CHUNKS, tiles) from `place_pairs`; used up
    chunk_starts: Integers,  # (CHUNKS,)
    spans: Integers,  # (N, 1 + SPANS) from `count_pairs`
    pairs: Integers,  # (P,) out: Gaussian and halves, see `layout`; pairs of a tile are neighbours, front to back
    pair_slot: Integers,  # (P,) out: number of the pair when counted Gaussian by Gaussian
    first_slot: Integers,  # (N,) out at visible Gaussians: the first of a Gaussian's slots
    slots: Integers,  # (N,) out at visible Gaussians: how many it has
) -> None:
    """Writes the list of each tile. A Gaussian's pairs have consecutive slots, where its gradients are collected.

    The last three may be empty if there is no way back.
    """
    numbered = pair_slot.shape[0] > 0
    chunk = next_number(turn)
    while chunk < CHUNKS:
        slot = chunk_starts[chunk]
        for rank in range(visible * chunk // CHUNKS, visible * (chunk + 1) // CHUNKS):
            index = order[rank]
            if numbered:
                first_slot[index] = slot
            top, rows = spans[rank, 0] & 0xFFFF, spans[rank, 0] >> 16
            for row in range(rows):
                if row < SPANS:
                    first, last = spans[rank, 1 + row] & 0xFFFF, spans[rank, 1 + row] >> 16
                else:
                    first, last = _span(_outline(records[index]), top + row, width)
                if first > last:
                    continue
                for column in range(first >> L.TILE_SHIFT, (last >> L.TILE_SHIFT) + 1):
                    tile = (top + row) * columns + column
                    place = places[chunk, tile]
                    places[chunk, tile] = place + 1
                    middle = column * L.TILE + L.HALF
                    halves = (L.LEFT_HALF if first < middle else 0) | (L.RIGHT_HALF if last >= middle else 0)
                    pairs[place] = index | halves
                    if numbered:
                        pair_slot[place] = slot
                    slot += 1
            if numbered:
                slots[index] = slot - first_slot[index]
        chunk = next_number(turn)
