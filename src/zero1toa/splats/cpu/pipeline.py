"""The kernels in order: what goes in and out of a forward and a backward pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zero1toa.camera import Camera
from zero1toa.splats.cpu import layout as L
from zero1toa.splats.cpu.binning import CHUNKS, SPANS, count_pairs, list_pairs, place_pairs, sort_by_depth
from zero1toa.splats.cpu.composite import composite
from zero1toa.splats.cpu.composite_backward import composite_backward
from zero1toa.splats.cpu.project import PIECE, project
from zero1toa.splats.cpu.project_backward import project_backward
from zero1toa.splats.cpu.threads import run
from zero1toa.splats.cpu.vectors import vector_kernels

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Inputs:
    """The Gaussians as contiguous float32 arrays."""

    means: Floats  # (N, 3) metres
    quats: Floats  # (N, 4) wxyz
    scales: Floats  # (N, 3) metres
    opacities: Floats  # (N,)
    colors: Floats  # (N, 3)


@dataclass(frozen=True)
class Picture:
    """What `forward` draws."""

    image: Floats  # (H, W, 3)
    alpha: Floats  # (H, W)
    depth: Floats  # (H, W)


@dataclass(frozen=True)
class Lists:
    """What `forward` finds out on the way and `backward` needs. N Gaussians, P pairs of a Gaussian and a tile."""

    records: Floats  # (N, RECORD)
    starts: Integers  # (tiles + 1,) where the pairs of a tile start
    ends: Integers  # (tiles,) where they stop mattering
    pairs: Integers  # (P,)
    pair_slot: Integers  # (P,)
    first_slot: Integers  # (N,)
    slots: Integers  # (N,)
    masks: NDArray[np.uint16] | None  # (P,) if the vector kernels drew


class NotFinite(ValueError):
    """Some input is NaN or infinite."""


class TooManyPairs(ValueError):
    """The Gaussians touch more tiles than can be numbered."""


_MOST_PAIRS = 2**31 - 1

_LINE = 64  # bytes of a line of cache


def forward(inputs: Inputs, camera: Camera, background: Floats) -> tuple[Picture, Lists]:
    """Draws the Gaussians.

    Raises:
        NotFinite: an input is NaN or infinite.
        TooManyPairs: very many Gaussians cover very much of a large picture.
    """
    count, width, height = len(inputs.means), camera.width, camera.height
    columns, rows = -(-width // L.TILE), -(-height // L.TILE)
    records = _lines(count, L.RECORD)
    invalid = np.empty(count, np.bool_)
    keys, spare_keys, unsorted, order = (np.empty(count, np.int32) for _ in range(4))
    counts = np.zeros((CHUNKS, columns * rows), np.int32)
    spans = np.empty((count, 1 + SPANS), np.int32)
    starts = np.empty(columns * rows + 1, np.int32)
    ends = np.empty(columns * rows, np.int32)
    chunk_starts = np.empty(CHUNKS, np.int32)
    picture = Picture(
        np.empty((height, width, 3), np.float32),
        np.empty((height, width), np.float32),
        np.empty((height, width), np.float32),
    )
    run(
        project,
        -(-count // PIECE),
        inputs.means,
        inputs.quats,
        inputs.scales,
        inputs.opacities,
        inputs.colors,
        *_camera_numbers(camera),
        records,
        invalid,
    )
    if invalid.any():
        raise NotFinite
    visible = sort_by_depth(records, keys, spare_keys, unsorted, order)
    run(count_pairs, CHUNKS, records, order, visible, width, columns, counts, spans)
    total = place_pairs(counts, starts, chunk_starts)
    if total > _MOST_PAIRS:
        raise TooManyPairs
    pairs, pair_slot = np.empty(total, np.int32), np.empty(total, np.int32)
    first_slot, slots = np.zeros(count, np.int32), np.zeros(count, np.int32)
    run(
        list_pairs,
        CHUNKS,
        records,
        order,
        visible,
        width,
        columns,
        counts,
        chunk_starts,
        spans,
        pairs,
        pair_slot,
        first_slot,
        slots,
    )
    drawing = (records, starts, pairs, background, picture.image, picture.alpha, picture.depth, ends)
    vectors = vector_kernels()
    if vectors is None:
        masks = None
        run(composite, len(ends), *drawing)
    else:
        masks = np.empty(total, np.uint16)
        run(vectors.composite, len(ends), *drawing, masks)
    return picture, Lists(records, starts, ends, pairs, pair_slot, first_slot, slots, masks)


def backward(inputs: Inputs, camera: Camera, picture: Picture, lists: Lists, gradient: Picture) -> Inputs:
    """Gradients of the loss to the inputs, given those to what was drawn."""
    sums = _lines(len(lists.pair_slot), L.GRADIENT)
    result = Inputs(
        np.empty_like(inputs.means),
        np.empty_like(inputs.quats),
        np.empty_like(inputs.scales),
        np.empty_like(inputs.opacities),
        np.empty_like(inputs.colors),
    )
    drawn = (picture.image, picture.alpha, picture.depth, gradient.image, gradient.alpha, gradient.depth)
    found = (lists.records, lists.starts, lists.ends, lists.pairs, lists.pair_slot)
    vectors = vector_kernels()
    if lists.masks is None or vectors is None:
        run(composite_backward, len(lists.ends), *found, *drawn, sums)
    else:
        run(vectors.composite_backward, len(lists.ends), *found, lists.masks, *drawn, sums)
    run(
        project_backward,
        -(-len(inputs.means) // PIECE),
        inputs.means,
        inputs.quats,
        inputs.scales,
        inputs.opacities,
        *_camera_numbers(camera),
        lists.records,
        lists.first_slot,
        lists.slots,
        sums,
        result.means,
        result.quats,
        result.scales,
        result.opacities,
        result.colors,
    )
    return result


def _lines(rows: int, columns: int) -> Floats:
    """An array (rows, columns) of float32 whose first row starts at the beginning of a line of cache."""
    room = np.empty(rows * columns + _LINE // 4, np.float32)
    start = -room.ctypes.data % _LINE // 4
    return room[start : start + rows * columns].reshape(rows, columns)


def _camera_numbers(
    camera: Camera,
) -> tuple[NDArray[np.float64], float, float, float, float, int, int]:
    view = np.ascontiguousarray(camera.viewmat, np.float64)
    return (
        view,
        float(camera.fx),
        float(camera.fy),
        float(camera.cx),
        float(camera.cy),
        int(camera.width),
        int(camera.height),
    )
