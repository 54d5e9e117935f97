"""Workers that die, hang or chatter harm nobody but the portrait in their hands."""

import os
import time

import pytest

from zero1toa.batch.executor import Advanced, Finished, Lost, Started
from zero1toa.batch.local import LocalPool
from zero1toa.batch.options import Job

WORK = "fake_work:work_on"


@pytest.fixture
def pool(tmp_path):
    pool = LocalPool(2, 1, tmp_path / "logs", work=WORK)
    yield pool
    pool.close(now=True)


def ended(pool, count):
    """The first `count` events that end a portrait, by name, and all others."""
    ends, others, until = {}, [], time.monotonic() + 60
    while len(ends) < count:
        assert time.monotonic() < until
        for event in pool.events(0.1):
            if isinstance(event, (Finished, Lost)):
                ends[event.name] = event
            else:
                others.append(event)
    return ends, others


def job(tmp_path, what, name=None):
    return Job(name or what, f"/photos/{what}", str(tmp_path))


def test_a_portrait_starts_advances_and_ends(pool, tmp_path):
    pool.submit(job(tmp_path, "prints"))
    ends, others = ended(pool, 1)
    assert ends["prints"].row["state"] == "done"
    assert [type(e) for e in others] == [Started, Advanced]
    assert "noise" in (tmp_path / "logs/worker-1.log").read_text()


def test_a_worker_that_dies_is_replaced_and_the_other_goes_on(pool, tmp_path):
    pool.submit(job(tmp_path, "dies"))
    pool.submit(job(tmp_path, "fine"))
    ends, _ = ended(pool, 2)
    assert isinstance(ends["dies"], Lost)
    assert "SIGKILL" in ends["dies"].reason
    assert ends["fine"].row["state"] == "done"
    pool.submit(job(tmp_path, "threads"))
    pool.submit(job(tmp_path, "next"))
    ends, _ = ended(pool, 2)
    assert ends["threads"].row["threads"] == "1"
    assert ends["next"].row["state"] == "done"


def test_a_worker_that_hangs_can_be_given_up(pool, tmp_path):
    pool.submit(job(tmp_path, "hangs"))
    pool.events(0.1)
    pool.cancel("hangs", "It took too long.")
    assert ended(pool, 1)[0]["hangs"] == Lost("hangs", "It took too long.")


def test_workers_told_to_stop_remove_what_is_half_written(pool, tmp_path):
    one = job(tmp_path, "is being written")
    pool.submit(one)
    while not (one.folder / "began").exists():
        time.sleep(0.01)
    process = pool._workers[0].process
    pool.close()
    assert process.returncode == 130
    assert {p.name for p in one.folder.iterdir()} == {"attempt-1", "began"}


def test_a_worker_does_not_outlive_who_started_it(pool, tmp_path):
    one = job(tmp_path, "is being written")
    pool.submit(one)
    while not (one.folder / "began").exists():
        time.sleep(0.01)
    process = pool._workers[0].process
    os.close(process.stdin.fileno())  # as the system does when a process is killed
    process.wait(20)
    assert not list(one.folder.glob(".*"))
