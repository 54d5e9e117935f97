"""One bad photo never stops the others, what may pass is tried again, and the books are right."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zero1toa.batch.executor import Finished, Lost, Started
from zero1toa.batch.local import LocalPool
from zero1toa.batch.manifest import read_manifest
from zero1toa.batch.options import Job
from zero1toa.batch.run import Batch, Rules
from zero1toa.errors import BusyError, OutputError
from zero1toa.locks import exclusive

AT_ONCE = Rules(retry_after=0)


class Scripted:
    """An executor that answers each attempt at a portrait from a list."""

    def __init__(self, answers, slots=2):
        self.slots = slots
        self.answers = {name: list(many) for name, many in answers.items()}
        self.submitted, self.cancelled, self.closed, self._events = [], [], [], []

    def submit(self, job):
        self.submitted.append(job.name)
        self._events.append(Started(job.name, "scripted"))
        answer = self.answers[job.name].pop(0)
        if answer == "lost":
            self._events.append(Lost(job.name, "It died."))
        elif answer == "interrupt":
            self._events.append(KeyboardInterrupt())
        elif answer != "never":
            state = (
                {"state": "done"} if answer == "done" else {"state": "failed", "kind": answer, "error": "It failed."}
            )
            self._events.append(Finished(job.name, {"name": job.name, "photo": job.photo, **state}))

    def events(self, timeout):
        events, self._events = self._events, []
        if any(isinstance(e, KeyboardInterrupt) for e in events):
            raise KeyboardInterrupt
        return events

    def cancel(self, name, reason):
        self.cancelled.append(name)
        self._events.append(Lost(name, reason))

    def close(self, now=False):
        self.closed.append(now)


def batch(folder, answers, rules=AT_ONCE, **more):
    executor = Scripted(answers)
    jobs = [Job(name, f"/photos/{name}.jpg", str(folder)) for name in answers]
    return Batch(jobs, folder, executor, rules, **more), executor


def events_of(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_a_bad_photo_does_not_stop_the_others_and_is_not_tried_again(tmp_path):
    run, executor = batch(tmp_path, {"a": ["done"], "bad": ["input"], "b": ["done"]})
    summary = run.run()
    assert (summary.made, summary.failed) == (2, 1)
    assert executor.submitted == ["a", "bad", "b"]
    assert {r["name"]: r["state"] for r in read_manifest(tmp_path)} == {"a": "done", "bad": "failed", "b": "done"}
    assert (tmp_path / "sheet.png").is_file()


@pytest.mark.parametrize("kind", ["lost", "other", "resource", "busy"])
def test_what_may_pass_is_tried_again(tmp_path, kind):
    run, _ = batch(tmp_path, {"a": [kind, kind, "done"]})
    summary = run.run()
    assert (summary.made, summary.failed) == (1, 0)
    assert summary.rows[0]["attempts"] == 3
    assert [e["event"] for e in events_of(tmp_path)].count("will be tried again") == 2


def test_attempts_end(tmp_path):
    run, executor = batch(tmp_path, {"a": ["lost"] * 3})
    summary = run.run()
    assert summary.failed == 1
    assert summary.rows[0]["error"] == "It died."
    assert len(executor.submitted) == 3


def test_what_takes_too_long_is_given_up_once(tmp_path):
    seconds = iter(range(0, 100000, 10))
    rules = Rules(retry_after=0, timeout=60)
    run, executor = batch(tmp_path, {"slow": ["never"]}, rules, clock=lambda: float(next(seconds)))
    assert run.run().failed == 1
    assert executor.cancelled == ["slow"]


def test_a_full_disk_stops_the_batch_and_leaves_the_rest_for_later(tmp_path):
    run, executor = batch(tmp_path, {name: ["output"] * 3 for name in "abcdefgh"})
    with pytest.raises(OutputError, match=r"It failed\."):
        run.run()
    assert executor.closed
    assert read_manifest(tmp_path)[-1]["state"] == "waiting"


def test_control_c_stops_the_workers_in_order_and_keeps_the_books(tmp_path):
    run, executor = batch(tmp_path, {"a": ["done"], "b": ["interrupt"], "c": ["done"]})
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert executor.closed[0] is False
    assert [r["state"] for r in read_manifest(tmp_path)] == ["waiting"] * 3  # the interrupt came before any answer
    assert events_of(tmp_path)[-1]["event"] == "batch stopped"
    assert not list(tmp_path.glob(".*"))


def test_two_batches_keep_off_one_folder(tmp_path):
    run, executor = batch(tmp_path, {"a": ["done"]})
    with exclusive(tmp_path / "manifest.jsonl"), pytest.raises(BusyError):
        run.run()
    assert executor.submitted == []


STOPPED = """
import sys
from pathlib import Path
from zero1toa.batch.local import LocalPool
from zero1toa.batch.options import Job
from zero1toa.batch.run import Batch
folder = Path(sys.argv[1])
jobs = [Job(n, "/photos/is being written", sys.argv[1]) for n in "abc"]
try:
    Batch(jobs, folder, LocalPool(2, 1, folder / "logs", work="fake_work:work_on")).run()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_batch_that_is_stopped_or_killed_leaves_no_worker_and_nothing_half_written(tmp_path, how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", STOPPED, str(tmp_path)], env=environment)
    while len(list(tmp_path.rglob("began"))) < 2:
        time.sleep(0.01)
    process.send_signal(how)
    assert process.wait(20) == (130 if how == signal.SIGINT else -how)
    until = time.monotonic() + 20
    while list(tmp_path.rglob(".*.part")) and time.monotonic() < until:
        time.sleep(0.01)  # orphans take a moment to see that nobody is there
    assert not list(tmp_path.rglob(".*.part"))
    assert not (tmp_path / "avatars/c").exists()
    if how == signal.SIGINT:
        assert [row["state"] for row in read_manifest(tmp_path)] == ["waiting"] * 3


def test_with_processes_that_are_killed(tmp_path):
    jobs = [Job(n, f"/photos/{n}", str(tmp_path)) for n in ("fine", "dies once", "input", "dies", "other once", "last")]
    pool = LocalPool(2, 1, tmp_path / "logs", work="fake_work:work_on")
    summary = Batch(jobs, tmp_path, pool, Rules(attempts=2, retry_after=0)).run()
    states = {row["name"]: row["state"] for row in summary.rows}
    assert states == {n: "failed" if n in ("input", "dies") else "done" for n in states}
    assert [row["name"] for row in summary.rows] == [job.name for job in jobs]
    assert len(list((Path(tmp_path) / "avatars/dies").glob("attempt-*"))) == 2
