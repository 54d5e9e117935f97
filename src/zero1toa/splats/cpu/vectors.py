"""Whether the kernels with explicit vectors run, or the plain ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

SWITCH = "ZERO1TOA_SIMD"
"""Variable of the environment that, set to `off`, chooses the plain kernels."""

_log = logging.getLogger(__name__)


class VectorKernels(NamedTuple):
    composite: Callable[..., None]
    composite_backward: Callable[..., None]


def vector_kernels() -> VectorKernels | None:
    """The kernels with explicit vectors, or None if the plain ones are to be used.

    The plain ones are used if the environment says ZERO1TOA_SIMD=off, and where the installed Numba cannot build the
    vector type, which leans on parts of Numba and of LLVM that may change.
    """
    if os.environ.get(SWITCH, "").lower() == "off":
        return None
    return _built()


@lru_cache(maxsize=1)
def _built() -> VectorKernels | None:
    try:
        from zero1toa.splats.cpu.composite_backward_simd import composite_backward
        from zero1toa.splats.cpu.composite_simd import composite
        from zero1toa.splats.cpu.simd_check import check

        check()
    except Exception as error:  # noqa: BLE001  whatever it is, the plain kernels can do the work
        _log.warning("The rasterizer runs without its vector kernels, several times slower: %s", error)
        return None
    return VectorKernels(composite, composite_backward)
