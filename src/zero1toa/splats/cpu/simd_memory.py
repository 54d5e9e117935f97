"""Between arrays and vectors: lines of cache, blocks of pixels, and sums over lanes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from zero1toa.splats.cpu.simd import FLOAT, FLOATS, LANES, QUAD, floats, shuffle


def _address(context: Any, builder: Any, array: Any, index: Any, array_type: Any, index_type: Any) -> Any:
    view = make_array(array_type)(context, builder, array)
    return builder.gep(view.data, [context.cast(builder, index, index_type, types.intp)])


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.bitcast(address, kind.as_pointer())


def _load(builder: Any, address: Any, kind: Any, alignment: int) -> Any:
    value = builder.load(_pointer(builder, address, kind))
    value.align = alignment
    return value


def _store(builder: Any, value: Any, address: Any, alignment: int) -> None:
    builder.store(value, _pointer(builder, address, value.type)).align = alignment


_LINE = 64
"""Bytes of a line of cache, and of sixteen float32."""
_UNALIGNED = 4


@intrinsic
def load(typing: Any, array: Any, start: Any) -> Any:
    """Sixteen numbers of a flat float32 array from `start` on. They must fill one line of cache, see `line_start`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(builder, _address(context, builder, *arguments, *signature.args), FLOATS, _LINE)

    return floats(array, start), generate


@intrinsic
def store(typing: Any, array: Any, start: Any, values: Any) -> Any:
    """Writes sixteen numbers into a flat array of four-byte numbers, into one line of cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _store(builder, arguments[2], _address(context, builder, *arguments[:2], *signature.args[:2]), _LINE)
        return context.get_dummy_value()

    return types.void(array, start, values), generate


@intrinsic
def line_start(typing: Any, array: Any) -> Any:
    """Where in a flat array of four-byte numbers the first line of cache starts, an index of at most 15."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.ptrtoint(view.data, ir.IntType(64))
        over = builder.and_(builder.neg(place), ir.Constant(ir.IntType(64), _LINE - 1))
        return builder.lshr(over, ir.Constant(ir.IntType(64), 2))

    return types.int64(array), generate


@intrinsic
def load_block(typing: Any, array: Any, start: Any, stride: Any) -> Any:
    """Four rows of four from a flat float32 array; the second row starts `stride` numbers after the first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _block_rows(context, builder, signature, arguments, QUAD)
        top, bottom = (shuffle(builder, rows[k], rows[k + 1], range(2 * QUAD)) for k in (0, 2))
        return shuffle(builder, top, bottom, range(LANES))

    return floats(array, start, stride), generate


@intrinsic
def load_block_rgb(typing: Any, array: Any, start: Any, stride: Any) -> Any:
    """Four rows of four RGB triples from a flat float32 array, as sixteen reds, greens and blues."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _block_rows(context, builder, signature, arguments, 3 * QUAD)
        channels = []
        for channel in range(3):
            order = [*range(channel, 3 * QUAD, 3), *range(3 * QUAD + channel, 6 * QUAD, 3)]
            top, bottom = (shuffle(builder, rows[k], rows[k + 1], order) for k in (0, 2))
            channels.append(shuffle(builder, top, bottom, range(LANES)))
        return context.make_tuple(builder, signature.return_type, channels)

    return types.UniTuple(floats, 3)(array, start, stride), generate


def _block_rows(context: Any, builder: Any, signature: Any, arguments: Any, length: int) -> list[Any]:
    kind = ir.VectorType(FLOAT, length)
    return [
        _load(builder, address, kind, _UNALIGNED) for address in _row_addresses(context, builder, signature, arguments)
    ]


def _row_addresses(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    first = _address(context, builder, *arguments[:2], *signature.args[:2])
    stride = context.cast(builder, arguments[2], signature.args[2], types.intp)
    return [builder.gep(first, [builder.mul(stride, ir.Constant(stride.type, row))]) for row in range(QUAD)]


@intrinsic
def store_block(typing: Any, array: Any, start: Any, stride: Any, values: Any) -> Any:
    """The inverse of `load_block`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for row, address in enumerate(_row_addresses(context, builder, signature, arguments)):
            lanes = range(row * QUAD, (row + 1) * QUAD)
            _store(builder, shuffle(builder, arguments[3], arguments[3], lanes), address, _UNALIGNED)
        return context.get_dummy_value()

    return types.void(array, start, stride, values), generate


@intrinsic
def store_block_rgb(typing: Any, array: Any, start: Any, stride: Any, red: Any, green: Any, blue: Any) -> Any:
    """The inverse of `load_block_rgb`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        red_green = shuffle(builder, arguments[3], arguments[4], range(2 * LANES))
        blue_twice = shuffle(builder, arguments[5], arguments[5], range(2 * LANES))
        for row, address in enumerate(_row_addresses(context, builder, signature, arguments)):
            lanes = [LANES * channel + row * QUAD + column for column in range(QUAD) for channel in range(3)]
            _store(builder, shuffle(builder, red_green, blue_twice, lanes), address, _UNALIGNED)
        return context.get_dummy_value()

    return types.void(array, start, stride, red, green, blue), generate


@intrinsic
def store_sums(typing: Any, array: Any, start: Any, vectors: Any) -> Any:
    """Writes the sum of the lanes of each of twelve vectors into a flat array, at a multiple of four."""
    if not isinstance(vectors, types.UniTuple) or vectors.count % QUAD:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, *arguments[:2], *signature.args[:2])
        # First the halves of each; then neighbours of two, and of two such, inside halves of eight as processors like
        # it; then the halves of these.
        left = [_add_halves(builder, builder.extract_value(arguments[2], k)) for k in range(vectors.count)]
        for _ in range(2):
            left = [_add_neighbours(builder, one, other) for one, other in zip(left[::2], left[1::2])]
        for k, four in enumerate(left):
            place = builder.gep(address, [ir.Constant(ir.IntType(64), QUAD * k)])
            _store(builder, _add_halves(builder, four), place, 4 * QUAD)
        return context.get_dummy_value()

    return types.void(array, start, vectors), generate


def _add_halves(builder: Any, value: Any) -> Any:
    half = value.type.count // 2
    low, high = (shuffle(builder, value, value, range(first, first + half)) for first in (0, half))
    return builder.fadd(low, high)


def _add_neighbours(builder: Any, one: Any, other: Any) -> Any:
    even = [0, 2, 8, 10, 4, 6, 12, 14]
    return builder.fadd(shuffle(builder, one, other, even), shuffle(builder, one, other, [k + 1 for k in even]))
