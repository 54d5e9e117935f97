"""Single instructions that Numba has no name for."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

_FLOAT = ir.FloatType()
_INTEGER = ir.IntType(32)


@intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """float32 a * b + c, rounded once where the processor has an instruction for it: the same bits in every kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT] * 3)
        return builder.call(builder.module.declare_intrinsic("llvm.fmuladd", [_FLOAT], kind), arguments)

    float32 = numba.types.float32
    return float32(float32, float32, float32), generate


@intrinsic
def bits_of(typing: Any, value: Any) -> Any:
    """The 32 bits of a float32, as an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _INTEGER)

    return numba.types.int32(numba.types.float32), generate


@intrinsic
def float_of_bits(typing: Any, value: Any) -> Any:
    """The float32 that the 32 bits of an int32 stand for."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _FLOAT)

    return numba.types.float32(numba.types.int32), generate


@intrinsic
def prefetch(typing: Any, array: Any, row: Any) -> Any:
    """Asks for the start of a row of a two-dimensional array to be brought near; any row number is harmless."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = make_array(signature.args[0])(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        stride = builder.extract_value(view.strides, 0)
        row_number = context.cast(builder, arguments[1], signature.args[1], numba.types.intp)
        offset = builder.mul(row_number, stride)
        address = builder.gep(builder.bitcast(view.data, byte), [offset])
        kind = ir.FunctionType(ir.VoidType(), [byte] + [_INTEGER] * 3)
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        read, keep, data = (ir.Constant(_INTEGER, value) for value in (0, 3, 1))
        builder.call(function, [address, read, keep, data])
        return context.get_dummy_value()

    return numba.types.void(array, row), generate


@intrinsic
def next_number(typing: Any, counter: Any) -> Any:
    """Adds one to the first element of an int32 array and returns what it was, in one step that no thread can split."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", view.data, ir.Constant(_INTEGER, 1), "monotonic")

    return numba.types.int32(counter), generate
