"""Sixteen float32 as one value inside kernels, whatever width of registers the processor has.

LLVM turns `<16 x float>` into one AVX-512 register, two of AVX, four of SSE or NEON. Compilers find vector code of
their own accord in the simplest loops only; with this type it is written down. Arithmetic is exactly what is written,
in that order: no operation is fused or reordered, except where `fma` asks for it. So two kernels that call the same
helper get the same bits.

The types exist only inside kernels. A scalar float32 beside sixteen stands for sixteen times itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable
from numba.np.arrayobj import make_array

LANES = 16
QUAD = 4
"""Rows, and columns, of a block of sixteen pixels."""

_FLOAT, _INTEGER, _BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)
_FLOATS, _INTEGERS, _BITS = (ir.VectorType(kind, LANES) for kind in (_FLOAT, _INTEGER, _BIT))


class _Lanes(types.Type):
    """The type of sixteen numbers of one kind."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


floats = _Lanes("float32x16")
integers = _Lanes("int32x16")
mask = _Lanes("boolx16")
_STORED = {"float32x16": _FLOATS, "int32x16": _INTEGERS, "boolx16": _BITS}


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _STORED[kind.name])


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [ir.Constant(_FLOAT, float(value))] * LANES)


def _integer_constant(value: int) -> ir.Constant:
    return ir.Constant(_INTEGERS, [ir.Constant(_INTEGER, value)] * LANES)


def _shuffle(builder: Any, one: Any, other: Any, order: Sequence[int]) -> Any:
    """Picks lanes out of two vectors of one length, those of `other` counted on after those of `one`."""
    chosen = ir.Constant(ir.VectorType(_INTEGER, len(order)), [ir.Constant(_INTEGER, k) for k in order])
    return builder.shuffle_vector(one, other, chosen)


def _spread(builder: Any, value: Any, kind: Any) -> Any:
    """Sixteen times a scalar; sixteen numbers as they are."""
    if kind is floats:
        return value
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    return _shuffle(builder, builder.insert_element(nothing, value, ir.Constant(_INTEGER, 0)), nothing, [0] * LANES)


def _define(function: Any, result: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Gives an operator of two numbers its meaning for sixteen floats, of which one side may be a scalar."""

    @type_callable(function)
    def _typed(context: Any) -> Any:
        def resolve(a: Any, b: Any) -> Any:
            pair = {a, b}
            return result if floats in pair and pair <= {floats, types.float32} else None

        return resolve

    def lowered(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (_spread(builder, value, kind) for value, kind in zip(arguments, signature.args))
        return emit(builder, a, b)

    for a, b in ((floats, floats), (floats, types.float32), (types.float32, floats)):
        lower_builtin(function, a, b)(lowered)


_define(operator.add, floats, lambda builder, a, b: builder.fadd(a, b))
_define(operator.sub, floats, lambda builder, a, b: builder.fsub(a, b))
_define(operator.mul, floats, lambda builder, a, b: builder.fmul(a, b))
_define(operator.truediv, floats, lambda builder, a, b: builder.fdiv(a, b))
_define(operator.lt, mask, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_define(operator.le, mask, lambda builder, a, b: builder.fcmp_ordered("<=", a, b))
_define(operator.gt, mask, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_define(operator.ge, mask, lambda builder, a, b: builder.fcmp_ordered(">=", a, b))


@type_callable(operator.and_)
def _type_and(context: Any) -> Any:
    def resolve(a: Any, b: Any) -> Any:
        return mask if a is mask and b is mask else None

    return resolve


@lower_builtin(operator.and_, mask, mask)
def _lower_and(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.and_(*arguments)


@intrinsic
def spread(typing: Any, value: Any) -> Any:
    """Sixteen times a float32."""
    return floats(types.float32), lambda context, builder, signature, arguments: _spread(
        builder, arguments[0], types.float32
    )


@intrinsic
def quad_columns(typing: Any) -> Any:
    """0, 1, 2, 3 four times: the column of each lane where sixteen lanes are four rows of four."""
    return _numbers(k % QUAD for k in range(LANES))


@intrinsic
def quad_rows(typing: Any) -> Any:
    """0, 0, 0, 0, 1, ... 3: the row of each lane where sixteen lanes are four rows of four."""
    return _numbers(k // QUAD for k in range(LANES))


def _numbers(values: Iterable[int]) -> Any:
    constant = ir.Constant(_FLOATS, [ir.Constant(_FLOAT, float(value)) for value in values])
    return floats(), lambda *_: constant


def _take(typing: Any, *kinds: Any) -> bool:
    return all(kind in (floats, types.float32) for kind in kinds)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once where the processor has an instruction for it."""
    if not _take(typing, a, b, c):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        spreaded = [_spread(builder, value, kind) for value, kind in zip(arguments, signature.args)]
        return _fma(builder, *spreaded)

    return floats(a, b, c), generate


@intrinsic
def minus_fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """c - a b, rounded once where the processor has an instruction for it."""
    if not _take(typing, a, b, c):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second, third = (_spread(builder, value, kind) for value, kind in zip(arguments, signature.args))
        return _fma(builder, builder.fneg(first), second, third)

    return floats(a, b, c), generate


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fmuladd.v{LANES}f32"  # llvmlite knows no names of intrinsics for vectors
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), name)
    return builder.call(function, [a, b, c])


@intrinsic
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of two, lane by lane; b where one is NaN."""
    return _of_two(a, b, "<")


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of two, lane by lane; b where one is NaN."""
    return _of_two(a, b, ">")


def _of_two(a: Any, b: Any, relation: str) -> Any:
    if not _take(None, a, b):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        one, other = (_spread(builder, value, kind) for value, kind in zip(arguments, signature.args))
        return builder.select(builder.fcmp_ordered(relation, one, other), one, other)

    return floats(a, b), generate


@intrinsic
def select(typing: Any, where: Any, a: Any, b: Any) -> Any:
    """a where the mask is set, b elsewhere."""
    if where is not mask or not _take(typing, a, b):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        chosen, one, other = arguments
        return builder.select(
            chosen, _spread(builder, one, signature.args[1]), _spread(builder, other, signature.args[2])
        )

    return floats(where, a, b), generate


@intrinsic
def exp2(typing: Any, x: Any) -> Any:
    """2^x for -100 < x <= 0, relative error about 1e-7. Below, anything may come out, NaN too: mask it away."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # Adding 1.5 2^23 leaves the nearest whole number in the lowest bits, where it goes into the exponent from.
        shifted = builder.fadd(arguments[0], _constant(_ROUNDER))
        part = builder.fsub(arguments[0], builder.fsub(shifted, _constant(_ROUNDER)))
        value = _constant(_EXP2[-1])
        for coefficient in reversed(_EXP2[:-1]):
            value = _fma(builder, value, part, _constant(coefficient))
        exponent = builder.shl(builder.bitcast(shifted, _INTEGERS), _integer_constant(_MANTISSA_BITS))
        return builder.bitcast(builder.add(builder.bitcast(value, _INTEGERS), exponent), _FLOATS)

    return floats(floats), generate


_ROUNDER = 1.5 * 2**23
_MANTISSA_BITS = 23
# 2^f for f in [-1/2, 1/2] as a polynomial, lowest power first. Its largest relative error, 7.5e-8, was made least by
# iteratively reweighted least squares.
_EXP2 = (
    1.0000000716546535,
    0.6931469670638626,
    0.24022119723935142,
    0.0555071327496735,
    0.009675541330618712,
    0.0013276471517114426,
)


@intrinsic
def bits(typing: Any, where: Any) -> Any:
    """The mask as an int32 whose lowest bit is the first lane."""
    if where is not mask:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(builder.bitcast(arguments[0], ir.IntType(LANES)), _INTEGER)

    return types.int32(mask), generate


@intrinsic
def no_numbers(typing: Any) -> Any:
    """Sixteen int32 zeros."""
    return integers(), lambda *_: _integer_constant(0)


@intrinsic
def set_bits(typing: Any, words: Any, where: Any, word: Any) -> Any:
    """words | word in the lanes where the mask is set."""
    if words is not integers or where is not mask or word != types.int32:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        old, chosen, new = arguments
        nothing = ir.Constant(_INTEGERS, ir.Undefined)
        first = builder.insert_element(nothing, new, ir.Constant(_INTEGER, 0))
        spreaded = _shuffle(builder, first, nothing, [0] * LANES)
        return builder.select(chosen, builder.or_(old, spreaded), old)

    return integers(integers, mask, types.int32), generate


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
        return _load(builder, _address(context, builder, *arguments, *signature.args), _FLOATS, _LINE)

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
def lowest_bit(typing: Any, word: Any) -> Any:
    """The place of the lowest bit that is set in an int64, which must not be zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(_BIT, 1))

    return types.int64(types.int64), generate


@intrinsic
def load_block(typing: Any, array: Any, start: Any, stride: Any) -> Any:
    """Four rows of four from a flat float32 array; the second row starts `stride` numbers after the first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _block_rows(context, builder, signature, arguments, QUAD)
        top, bottom = (_shuffle(builder, rows[k], rows[k + 1], range(2 * QUAD)) for k in (0, 2))
        return _shuffle(builder, top, bottom, range(LANES))

    return floats(array, start, stride), generate


@intrinsic
def load_block_rgb(typing: Any, array: Any, start: Any, stride: Any) -> Any:
    """Four rows of four RGB triples from a flat float32 array, as sixteen reds, greens and blues."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _block_rows(context, builder, signature, arguments, 3 * QUAD)
        channels = []
        for channel in range(3):
            order = [*range(channel, 3 * QUAD, 3), *range(3 * QUAD + channel, 6 * QUAD, 3)]
            top, bottom = (_shuffle(builder, rows[k], rows[k + 1], order) for k in (0, 2))
            channels.append(_shuffle(builder, top, bottom, range(LANES)))
        return context.make_tuple(builder, signature.return_type, channels)

    return types.UniTuple(floats, 3)(array, start, stride), generate


def _block_rows(context: Any, builder: Any, signature: Any, arguments: Any, length: int) -> list[Any]:
    kind = ir.VectorType(_FLOAT, length)
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
            _store(builder, _shuffle(builder, arguments[3], arguments[3], lanes), address, _UNALIGNED)
        return context.get_dummy_value()

    return types.void(array, start, stride, values), generate


@intrinsic
def store_block_rgb(typing: Any, array: Any, start: Any, stride: Any, red: Any, green: Any, blue: Any) -> Any:
    """The inverse of `load_block_rgb`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        red_green = _shuffle(builder, arguments[3], arguments[4], range(2 * LANES))
        blue_twice = _shuffle(builder, arguments[5], arguments[5], range(2 * LANES))
        for row, address in enumerate(_row_addresses(context, builder, signature, arguments)):
            lanes = [LANES * channel + row * QUAD + column for column in range(QUAD) for channel in range(3)]
            _store(builder, _shuffle(builder, red_green, blue_twice, lanes), address, _UNALIGNED)
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
    low, high = (_shuffle(builder, value, value, range(first, first + half)) for first in (0, half))
    return builder.fadd(low, high)


def _add_neighbours(builder: Any, one: Any, other: Any) -> Any:
    even = [0, 2, 8, 10, 4, 6, 12, 14]
    return builder.fadd(_shuffle(builder, one, other, even), _shuffle(builder, one, other, [k + 1 for k in even]))
