"""The executor on Ray: with a stand-in everywhere, and with a real cluster of this machine where Ray is installed."""

import importlib.util
import os
import sys
from types import SimpleNamespace

import pytest

from zero1toa.batch.cluster import RayPool
from zero1toa.batch.executor import Finished, Lost, Started
from zero1toa.batch.options import Job
from zero1toa.batch.run import Batch, Rules
from zero1toa.errors import InputError, MissingDependency

WORK = "fake_work:work_on"


class FakeRay:
    """The few functions of Ray that are used, working in this process when they are waited for."""

    class RayError(Exception):
        pass

    def __init__(self, resources):
        self.exceptions = SimpleNamespace(RayError=self.RayError)
        self.resources, self.tasks, self.asked, self.stopped = resources, {}, {}, []

    def init(self, **options):
        if options.get("address") == "nowhere":
            raise ConnectionError("no answer")

    def remote(self, **settings):
        self.asked = settings
        return lambda function: SimpleNamespace(remote=lambda *arguments: self._new(function, arguments))

    def _new(self, function, arguments):
        self.tasks[key := object()] = (function, arguments)
        return key

    def wait(self, references, num_returns, timeout):
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        function, arguments = self.tasks[reference]
        if reference in self.stopped or arguments[0]["photo"] == "dies":
            raise self.RayError("The worker died unexpectedly.\nMany lines follow.")
        return function(*arguments)

    def cancel(self, reference, force):
        self.stopped.append(reference)

    def cluster_resources(self):
        return self.resources

    def shutdown(self):
        pass


def pool(resources=None, **options):
    ray = FakeRay(resources or {"CPU": 4.0, "memory": 64e9})
    return RayPool("local", "debug", work=WORK, ray=ray, **options), ray


def test_slots_follow_the_cluster():
    assert pool()[0].slots == 4
    assert pool({"CPU": 64.0, "memory": 4.1e9})[0].slots == 4  # of 1 GB each
    assert pool({"CPU": 64.0, "memory": 64e9, "GPU": 2.0}, gpu=True)[0].slots == 2
    assert pool(most=3)[0].slots == 3


def test_a_portrait_ends_well_is_lost_or_is_given_up(tmp_path):
    executor, ray = pool()
    for photo in ("fine", "dies", "slow"):
        executor.submit(Job(photo, photo, str(tmp_path)))
    executor.cancel("slow", "It took too long.")
    events = [event for _ in range(4) for event in executor.events(0)]
    assert [type(e) for e in events] == [Started] * 3 + [Finished, Lost, Lost]
    assert events[4].reason == "Ray lost the worker (RayError: The worker died unexpectedly)."
    assert events[5].reason == "It took too long."
    assert ray.asked["max_retries"] == 0  # the batch counts attempts


def test_no_cluster_and_no_ray_are_sentences(monkeypatch):
    with pytest.raises(InputError, match="No Ray cluster answers"):
        RayPool("nowhere", "debug", ray=FakeRay({}))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match="cluster"):
        RayPool("auto", "debug")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_real_cluster_whose_workers_are_killed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # for the workers to find the work
    names = ("fine", "dies once", "input", "dies", "other once", "last")
    jobs = [Job(name, f"/photos/{name}", str(tmp_path / "out")) for name in names]
    executor = RayPool("local", "debug", most=2, work=WORK)
    summary = Batch(jobs, tmp_path / "out", executor, Rules(attempts=2, retry_after=0)).run()
    states = {row["name"]: row["state"] for row in summary.rows}
    assert states == {name: "failed" if name in ("input", "dies") else "done" for name in names}
    assert len(list((tmp_path / "out/avatars/dies").glob("attempt-*"))) == 2
