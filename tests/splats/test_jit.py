"""Kernels are kept on disk where that is possible, and work where it is not."""

from __future__ import annotations

import errno

import pytest

from zero1toa.splats.cpu import jit, pipeline


def test_kernels_work_where_nothing_can_be_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    assert jit.kernel(lambda x: x + 1)(1) == 2


def test_kernels_work_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.load", full)
    assert jit.kernel(lambda x: x + 2)(1) == 3


def test_a_change_in_a_helper_file_is_noticed_by_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = pipeline.project._cache
    assert isinstance(cache, jit._Cache)
    codegen = type("Codegen", (), {"magic_tuple": lambda self: ()})()
    before = cache._index_key((), codegen)
    assert cache._index_key((), codegen) == before
    monkeypatch.setattr(jit, "_digest_of_sources", lambda: "other")
    assert cache._index_key((), codegen) != before


def test_compiling_is_announced_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.load", lambda *_: None)
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", lambda *_: None)
    jit._say_that_it_takes_a_while.cache_clear()
    assert [jit.kernel(lambda x: x + 3)(1), jit.kernel(lambda x: x + 4)(1)] == [4, 5]
    assert len([record for record in caplog.records if "Compiling" in record.message]) == 1
