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

LANES = 16
QUAD = 4
"""Rows, and columns, of a block of sixteen pixels."""

FLOAT, INTEGER, _BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)
FLOATS, INTEGERS, _BITS = (ir.VectorType(kind, LANES) for kind in (FLOAT, INTEGER, _BIT))


class _Lanes(types.Type):
    """The type of sixteen numbers of one kind."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


floats = _Lanes("float32x16")
integers = _Lanes("int32x16")
mask = _Lanes("boolx16")
_STORED = {"float32x16": FLOATS, "int32x16": INTEGERS, "boolx16": _BITS}


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _STORED[kind.name])


def _constant(value: float) -> ir.Constant:
    return ir.Constant(FLOATS, [ir.Constant(FLOAT, float(value))] * LANES)


def _integer_constant(value: int) -> ir.Constant:
    return ir.Constant(INTEGERS, [ir.Constant(INTEGER, value)] * LANES)


def shuffle(builder: Any, one: Any, other: Any, order: Sequence[int]) -> Any:
    """Picks lanes out of two vectors of one length, those of `other` counted on after those of `one`."""
    chosen = ir.Constant(ir.VectorType(INTEGER, len(order)), [ir.Constant(INTEGER, k) for k in order])
    return builder.shuffle_vector(one, other, chosen)


def spread_scalar(builder: Any, value: Any, kind: Any) -> Any:
    """Sixteen times a scalar; sixteen numbers as they are."""
    if kind is floats:
        return value
    nothing = ir.Constant(FLOATS, ir.Undefined)
    return shuffle(builder, builder.insert_element(nothing, value, ir.Constant(INTEGER, 0)), nothing, [0] * LANES)


def _define(function: Any, result: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Gives an operator of two numbers its meaning for sixteen floats, of which one side may be a scalar."""

    @type_callable(function)
    def _typed(context: Any) -> Any:
        def resolve(a: Any, b: Any) -> Any:
            pair = {a, b}
            return result if floats in pair and pair <= {floats, types.float32} else None

        return resolve

    def lowered(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (spread_scalar(builder, value, kind) for value, kind in zip(arguments, signature.args))
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
    return floats(types.float32), lambda context, builder, signature, arguments: spread_scalar(
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
    constant = ir.Constant(FLOATS, [ir.Constant(FLOAT, float(value)) for value in values])
    return floats(), lambda *_: constant


def _take(typing: Any, *kinds: Any) -> bool:
    return all(kind in (floats, types.float32) for kind in kinds)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once where the processor has an instruction for it."""
    if not _take(typing, a, b, c):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        spreaded = [spread_scalar(builder, value, kind) for value, kind in zip(arguments, signature.args)]
        return _fma(builder, *spreaded)

    return floats(a, b, c), generate


@intrinsic
def minus_fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """c - a b, rounded once where the processor has an instruction for it."""
    if not _take(typing, a, b, c):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second, third = (spread_scalar(builder, value, kind) for value, kind in zip(arguments, signature.args))
        return _fma(builder, builder.fneg(first), second, third)

    return floats(a, b, c), generate


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fmuladd.v{LANES}f32"  # llvmlite knows no names of intrinsics for vectors
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(FLOATS, [FLOATS] * 3), name)
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
        one, other = (spread_scalar(builder, value, kind) for value, kind in zip(arguments, signature.args))
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
            chosen, spread_scalar(builder, one, signature.args[1]), spread_scalar(builder, other, signature.args[2])
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
        exponent = builder.shl(builder.bitcast(shifted, INTEGERS), _integer_constant(_MANTISSA_BITS))
        return builder.bitcast(builder.add(builder.bitcast(value, INTEGERS), exponent), FLOATS)

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
        return builder.zext(builder.bitcast(arguments[0], ir.IntType(LANES)), INTEGER)

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
        nothing = ir.Constant(INTEGERS, ir.Undefined)
        first = builder.insert_element(nothing, new, ir.Constant(INTEGER, 0))
        spreaded = shuffle(builder, first, nothing, [0] * LANES)
        return builder.select(chosen, builder.or_(old, spreaded), old)

    return integers(integers, mask, types.int32), generate


@intrinsic
def lowest_bit(typing: Any, word: Any) -> Any:
    """The place of the lowest bit that is set in an int64, which must not be zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(_BIT, 1))

    return types.int64(types.int64), generate
