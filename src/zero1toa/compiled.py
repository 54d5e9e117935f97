"""Functions that Numba compiles and keeps on disk: the cache never stops the work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numba
from numba import njit as _njit
from numba.core.caching import FunctionCache

from .caches import keep_compiled_code

Function = TypeVar("Function", bound=Callable[..., Any])


class ForgivingCache(FunctionCache):
    """Numba's cache on disk, made to survive a disk that is full or fails."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept, or None."""
        with contextlib.suppress(OSError):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keeps it where that is possible."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def compiled(function: Function, cache: type[FunctionCache] = ForgivingCache, **options: Any) -> Function:
    """`numba.njit` with these options, kept on disk where there is a place for it; elsewhere compiled in each run."""
    dispatcher = _njit(function, **options)
    keep_compiled_code()
    with contextlib.suppress(RuntimeError):  # of Numba, where no folder can be written to
        dispatcher._cache = cache(dispatcher.py_func)
    return dispatcher


class _SerialCache(ForgivingCache):
    """Keeps them apart from what others keep of the same functions, whose loops have threads."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), "zero1toa: one thread")


@contextlib.contextmanager
def others_without_threads() -> Iterator[None]:
    """What modules that are imported inside the block give to `numba.njit` is compiled without Numba's threads.

    These share OpenMP with torch: the first loop that uses them changes `torch.set_num_threads` to the number of cores,
    a fork of the process then waits for ever, and some layers end the process when two threads meet there.
    """
    original = numba.njit

    def njit(signature: Any, *, parallel: bool = False, cache: bool = False, **options: Any) -> Any:
        if callable(signature):  # the bare decorator
            return compiled(signature, _SerialCache, **options)

        def decorate(function: Callable[..., Any]) -> Any:
            dispatcher: Any = compiled(function, _SerialCache, **options)
            dispatcher.compile(signature)
            dispatcher.disable_compile()  # as Numba does where a signature is given
            return dispatcher

        return decorate

    numba.njit = njit
    try:
        yield
    finally:
        numba.njit = original
