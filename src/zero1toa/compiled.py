"""Functions that Numba compiles and keeps on disk: the cache never stops the work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numba
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
    dispatcher = numba.njit(function, **options)
    keep_compiled_code()
    with contextlib.suppress(RuntimeError):  # of Numba, where no folder can be written to
        dispatcher._cache = cache(dispatcher.py_func)
    return dispatcher


@contextlib.contextmanager
def forgiving_cache() -> Iterator[None]:
    """The same for functions that others declare while the block runs."""
    keep_compiled_code()
    save = FunctionCache.save_overload

    def forgiving(self: FunctionCache, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            save(self, sig, data)

    FunctionCache.save_overload = forgiving
    try:
        yield
    finally:
        FunctionCache.save_overload = save
