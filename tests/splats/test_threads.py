"""The sharing of work among threads."""

from __future__ import annotations

import os
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from zero1toa.splats.cpu import threads

_lock = threading.Lock()


def take_all(turn: NDArray[np.int32], pieces: int, done: list[int]) -> None:
    """What a kernel does, in plain Python."""
    while True:
        with _lock:
            piece = int(turn[0])
            turn[0] += 1
        if piece >= pieces:
            return
        done.append(piece)


@pytest.mark.parametrize("pieces", [0, 1, 3, 500])
def test_every_piece_is_done_once(pieces: int) -> None:
    done: list[int] = []
    threads.run(take_all, pieces, pieces, done)
    assert Counter(done) == Counter(range(pieces))


def test_an_error_reaches_the_caller() -> None:
    def fail(turn: NDArray[np.int32]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.run(fail, 10)


def test_nobody_waits_for_helpers_that_have_not_begun() -> None:
    release = threading.Event()
    pool = threads._pool(os.getpid())
    busy = [pool.submit(release.wait) for _ in range(pool._max_workers)]
    try:
        done: list[int] = []
        threads.run(take_all, 20, 20, done)
        assert len(done) == 20
    finally:
        release.set()
    assert all(future.result() for future in busy)


def test_the_number_of_threads_is_that_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 8)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert threads.thread_count() == 3
        torch.set_num_threads(20)
        assert threads.thread_count() == 8
    finally:
        torch.set_num_threads(before)


def test_kernels_keep_their_threads_while_torch_has_one():
    before = torch.get_num_threads()
    allowed = threads.thread_count()
    with threads.threads_for_kernels_alone():
        assert torch.get_num_threads() == 1
        assert threads.thread_count() == allowed
        with threads.threads_for_kernels_alone():
            assert threads.thread_count() == allowed
    assert torch.get_num_threads() == before
    assert threads.thread_count() == allowed
