"""How the kernels are compiled and kept on disk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from zero1toa.compiled import ForgivingCache, compiled

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
# What kernels that sum are allowed: any order of additions. Never "nnan" or "ninf", for infinities must be compared and
# not assumed away.
_ANY_ORDER = {"reassoc", "contract", "nsz"}


class _Cache(ForgivingCache):
    """Made to notice changes in helper files too, and to say that compiling takes a while."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Numba looks at the file of the kernel alone, but a kernel has constants and helpers of its neighbours inside.
        return (*super()._index_key(sig, codegen), _digest_of_sources())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        if found is None:
            _say_that_it_takes_a_while()
        return found


@lru_cache(maxsize=1)
def _say_that_it_takes_a_while() -> None:
    logging.getLogger(__name__).warning(
        "Compiling the rasterizer for this processor: some ten seconds, once; the result is kept on disk."
    )


@lru_cache(maxsize=1)
def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def kernel(function: Kernel) -> Kernel:
    """Compiles a function, additions in the written order. It does not hold Python's lock while it runs."""
    return compiled(function, _Cache, **_OPTIONS)


def summing_kernel(function: Kernel) -> Kernel:
    """Compiles a function whose sums may be taken in any order, which lets the compiler use vector instructions."""
    return compiled(function, _Cache, **_OPTIONS, fastmath=_ANY_ORDER)


def inlined(function: Kernel) -> Kernel:
    """Compiles a small helper that becomes a part of its callers."""
    return numba.njit(function, forceinline=True, **_OPTIONS)
