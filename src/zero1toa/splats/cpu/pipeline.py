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
from zero1toa.splats.cpu.threads import Run, run
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


def forward(
    inputs: Inputs, camera: Camera, background: Floats, picture: Picture, way_back: bool = True, how: Run = run
) -> Lists:
    """Draws the Gaussians into `picture`.

    Args:
        way_back: whether `backward` shall follow; if not, what it would need is left out.
        how: what the kernels are called with.

    Raises:
        NotFinite: an input is NaN or infinite.
        TooManyPairs: very many Gaussians cover very much of a large picture.
    """
    count, width, height = len(inputs.means), camera.width, camera.height
    columns, rows = -(-width // L.TILE), -(-height // L.TILE)
    records = _lines(count, L.RECORD)
    invalid = np.empty(count, np.bool_)
    how(project, -(-count // PIECE), *_arrays(inputs), *_camera_numbers(camera), records, invalid)
    if invalid.any():
        raise NotFinite
    keys, spare_keys, unsorted, order = (np.empty(count, np.int32) for _ in range(4))
    visible = sort_by_depth(records, keys, spare_keys, unsorted, order)
    counts, chunk_starts = np.zeros((CHUNKS, columns * rows), np.int32), np.empty(CHUNKS, np.int32)
    spans = np.empty((visible, 1 + SPANS), np.int32)
    starts, ends = np.empty(columns * rows + 1, np.int32), np.empty(columns * rows, np.int32)
    where = (records, order, visible, width, columns, counts)
    how(count_pairs, CHUNKS, *where, spans)
    total = place_pairs(counts, starts, chunk_starts)
    if total > _MOST_PAIRS:
        raise TooManyPairs
    pairs, pair_slot = np.empty(total, np.int32), np.empty(total if way_back else 0, np.int32)
    first_slot, slots = (np.zeros(count if way_back else 0, np.int32) for _ in range(2))
    how(list_pairs, CHUNKS, *where, chunk_starts, spans, pairs, pair_slot, first_slot, slots)
    drawing = (records, starts, pairs, background, picture.image, picture.alpha, picture.depth, ends)
    vectors = vector_kernels()
    if vectors is None:
        masks = None
        how(composite, len(ends), *drawing)
    else:
        masks = np.empty(total if way_back else 0, np.uint16)
        how(vectors.composite, len(ends), *drawing, masks)
    return Lists(records, starts, ends, pairs, pair_slot, first_slot, slots, masks)


def backward(
    inputs: Inputs,
    camera: Camera,
    picture: Picture,
    lists: Lists,
    gradient: Picture,
    result: Inputs,
    centres: Floats | None = None,
    how: Run = run,
) -> None:
    """Gradients of the loss to the inputs, given those to what was drawn.

    Args:
        result: where they are written.
        centres: (N, 2) where the gradients to the centres on the image plane are written, per pixel.
        how: what the kernels are called with.
    """
    sums = _lines(len(lists.pair_slot), L.GRADIENT)
    drawn = (picture.image, picture.alpha, picture.depth, gradient.image, gradient.alpha, gradient.depth)
    found = (lists.records, lists.starts, lists.ends, lists.pairs, lists.pair_slot)
    vectors = vector_kernels()
    if lists.masks is None or vectors is None:
        how(composite_backward, len(lists.ends), *found, *drawn, sums)
    else:
        how(vectors.composite_backward, len(lists.ends), *found, lists.masks, *drawn, sums)
    how(
        project_backward,
        -(-len(inputs.means) // PIECE),
        *_arrays(inputs)[:4],
        *_camera_numbers(camera),
        lists.records,
        lists.first_slot,
        lists.slots,
        sums,
        *_arrays(result),
        np.empty((0, 2), np.float32) if centres is None else centres,
    )


def _arrays(inputs: Inputs) -> tuple[Floats, ...]:
    return inputs.means, inputs.quats, inputs.scales, inputs.opacities, inputs.colors


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
