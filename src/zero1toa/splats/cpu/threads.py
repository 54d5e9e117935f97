"""Sharing the pieces of a kernel's work among threads.

Plain Python threads run the compiled kernels, which do not hold Python's lock. Compared with Numba's own threads:
nobody waits at the end for a thread that the system has not yet let run, several Python threads may draw at once, and
there is no setting of the process to change and to put back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch

Run = Callable[..., None]
"""`run` or `alone`."""


_allowed: ContextVar[int | None] = ContextVar("allowed", default=None)
"""Inside `threads_for_kernels_alone`, what `torch.get_num_threads` said before."""


def thread_count() -> int:
    """How many threads the user allows: `torch.set_num_threads`, and at most the environment's NUMBA_NUM_THREADS."""
    return max(1, min(_allowed.get() or torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))


@contextmanager
def threads_for_kernels_alone() -> Iterator[None]:
    """Torch's own operations use one thread while the block runs; kernels go on with as many as the user allows.

    Torch's threads wait for each other after every small operation. On a machine that has other work to do, each wait
    can take as long as the system lets the other work run, and training ten times as long as with one thread.
    """
    count = thread_count()
    before = torch.get_num_threads()
    token = _allowed.set(count)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _allowed.reset(token)


def run(kernel: Callable[..., None], pieces: int, *arguments: Any) -> None:
    """Calls kernel(turn, *arguments) on some threads at once, this one among them; returns when all work is done.

    The kernel takes numbers of pieces from `turn` with `intrinsics.next_number` until they reach its own end. So free
    threads go on while slow ones are busy, and it does not matter how many there are.

    Args:
        pieces: how many pieces there are; there will not be more threads.
    """
    turn = np.zeros(1, np.int32)
    helpers = [_pool(os.getpid()).submit(kernel, turn, *arguments) for _ in range(min(thread_count(), pieces) - 1)]
    kernel(turn, *arguments)
    for helper in helpers:
        if not helper.cancel():  # it has begun: wait for its last piece
            helper.result()


def alone(kernel: Callable[..., None], pieces: int, *arguments: Any) -> None:
    """Like `run`, but all on this thread."""
    kernel(np.zeros(1, np.int32), *arguments)


def share(work: Callable[[int, Run], None], count: int) -> None:
    """Calls work(number, how) for each number below `count`, as many at a time as there are threads.

    `how` is what the work shall call its kernels with: `alone` while there is enough to do for all threads, `run` for
    the last few. Work on different numbers must not meet.
    """
    threads = thread_count()
    together = count - count % threads if threads > 1 else count
    numbers = iter(range(together))

    def take() -> None:
        for number in numbers:
            work(number, alone)

    helpers = [_pool(os.getpid()).submit(take) for _ in range(min(threads, together) - 1)]
    try:
        take()
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    for number in range(together, count):
        work(number, run)


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool for each process, as threads do not survive a fork; they are started when they are first needed."""
    return ThreadPoolExecutor(max_workers=max(1, numba.config.NUMBA_NUM_THREADS - 1), thread_name_prefix="rasterize")
