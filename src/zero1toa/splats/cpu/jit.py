"""How the kernels are compiled and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
# What kernels that sum are allowed: any order of additions. Never "nnan" or "ninf", for infinities must be compared and
# not assumed away.
_ANY_ORDER = {"reassoc", "contract", "nsz"}


class _Cache(FunctionCache):
    """Numba's cache on disk, made to notice changes in helper files and to survive a disk that is full."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Numba looks at the file of the kernel alone, but a kernel has constants and helpers of its neighbours inside.
        return (*super()._index_key(sig, codegen), _digest_of_sources())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with contextlib.suppress(OSError):
            found = super().load_overload(sig, target_context)
            if found is not None:
                return found
        _say_that_it_takes_a_while()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


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


def _compiled(function: Kernel, **options: Any) -> Kernel:
    dispatcher = numba.njit(function, **_OPTIONS, **options)
    # Without a folder that can be written to (the package's own, NUMBA_CACHE_DIR or the user's), Numba raises this, and
    # every process compiles anew.
    with contextlib.suppress(RuntimeError):
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher


def kernel(function: Kernel) -> Kernel:
    """Compiles a function, additions in the written order. It does not hold Python's lock while it runs."""
    return _compiled(function)


def summing_kernel(function: Kernel) -> Kernel:
    """Compiles a function whose sums may be taken in any order, which lets the compiler use vector instructions."""
    return _compiled(function, fastmath=_ANY_ORDER)


def inlined(function: Kernel) -> Kernel:
    """Compiles a small helper that becomes a part of its callers."""
    return numba.njit(function, forceinline=True, **_OPTIONS)
