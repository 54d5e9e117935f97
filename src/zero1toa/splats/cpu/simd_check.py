"""A small kernel that tells whether the installed Numba and LLVM build the vector type, and build it right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa.splats.cpu.jit import kernel
from zero1toa.splats.cpu.simd import LANES, bits, exp2, fma, lowest_bit, no_numbers, select, set_bits
from zero1toa.splats.cpu.simd_memory import line_start, load, load_block, store, store_sums

_LIMIT, _TWO = np.float32(-4), np.float32(2)


@kernel
def _try(given: NDArray[np.float32], result: NDArray[np.float32], words: NDArray[np.int32]) -> int:
    values = load(given, line_start(given))
    low = values < _LIMIT
    store(result, line_start(result), exp2(select(low, fma(values, _TWO, values), values)))
    store(words, line_start(words), set_bits(no_numbers(), low, np.int32(6)))
    square = load_block(given, line_start(given), 4)
    store_sums(result, line_start(result) + LANES, (values, square * square, square, square))
    return bits(low) * LANES + lowest_bit(np.int64(8))


def check() -> None:
    """Raises an error if the vector type cannot be built or does not do what it should."""
    given, result = (np.linspace(-8, 0, 4 * LANES, dtype=np.float32) for _ in range(2))
    words = np.zeros(2 * LANES, np.int32)
    found = _try(given, result, words)
    lanes = np.arange(LANES)
    start, place, word = (-array.ctypes.data % 64 // 4 + lanes for array in (given, result, words))
    values = given[start].astype(np.float64)
    low = values < _LIMIT
    right = (
        np.allclose(result[place], np.exp2(np.where(low, 3 * values, values)), rtol=1e-6, atol=0)
        and np.allclose(result[place + LANES][:2], [values.sum(), np.square(values).sum()], rtol=1e-5, atol=0)
        and np.array_equal(words[word], np.where(low, 6, 0))
        and found == (low << lanes).sum() * LANES + 3
    )
    if not right:
        raise RuntimeError("the vector type computes something else than it should")
