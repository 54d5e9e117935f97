"""An executor on a Ray cluster, for more machines than one: extra `cluster`.

Every machine must see photos and results under the same paths, on a disk that they share, and have zero1toa installed.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from typing import Any

from ..errors import InputError, MissingDependency
from .executor import Event, Finished, Lost, Started
from .machine import memory_need
from .options import Job

_INSTALL = "python -m pip install 'zero1toa[cluster]'"
_SECONDS_TO_STOP = 10.0
_WORK = "zero1toa.batch.work:work_on"


class RayPool:
    """Portraits as Ray tasks of one core each, one GPU each on a GPU, with the memory that the preset needs.

    Ray neither retries nor queues: both is the batch's, so that its books are right.

    Args:
        address: of a cluster (ray://HOST:10001, HOST:6379), "auto" for the one that runs here, "local" for a new one.
        preset: whose memory each task asks for.
        gpu: whether each task takes a GPU.
        most: how many at a time, if not what the cluster has room for.
        work: "module:function" that tasks call; only tests pass their own.
        ray: the module; only tests pass their own.

    Raises:
        MissingDependency: Ray is not installed.
        InputError: no cluster answers.
    """

    def __init__(
        self,
        address: str,
        preset: str,
        *,
        gpu: bool = False,
        most: int | None = None,
        work: str = _WORK,
        ray: Any = None,
    ) -> None:
        self._ray = ray or _import_ray()
        self._most = most
        self._gpu = gpu
        options: dict[str, Any] = {"ignore_reinit_error": True, "log_to_driver": False, "include_dashboard": False}
        if address != "local":
            options["address"] = address
            options.pop("include_dashboard")
        try:
            self._ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise InputError(f"No Ray cluster answers at '{address}' ({error}); start one with `ray start`.") from error
        memory = memory_need(preset) * 1e6
        settings = {"num_cpus": 1, "num_gpus": 1 if gpu else 0, "memory": memory, "max_retries": 0, "max_calls": 0}
        self._task = self._ray.remote(**settings)(_call)
        self._memory = memory
        self._work = work
        self._jobs: dict[Any, Job] = {}
        self._reasons: dict[str, str] = {}
        self._events: list[Event] = []

    @property
    def slots(self) -> int:
        """How many tasks the cluster has room for now."""
        have = self._ray.cluster_resources()
        room = [have.get("CPU", 0), have.get("memory", 0) // self._memory]
        if self._gpu:
            room.append(have.get("GPU", 0))
        return max(1, int(min(room)) if self._most is None else min(int(min(room)), self._most))

    def submit(self, job: Job) -> None:
        """Hands the job to the cluster."""
        reference = self._task.remote(replace(job, threads=1).as_dict(), self._work)
        self._jobs[reference] = job
        self._events.append(Started(job.name, "ray"))

    def events(self, timeout: float) -> list[Event]:
        """See `Executor`. There are no steps between a portrait's start and its end."""
        if self._jobs:
            ready, _ = self._ray.wait(list(self._jobs), num_returns=1, timeout=0 if self._events else timeout)
        else:
            ready = []
            if not self._events:
                time.sleep(timeout)
        for reference in ready:
            job = self._jobs.pop(reference)
            try:
                self._events.append(Finished(job.name, self._ray.get(reference)))
            except self._ray.exceptions.RayError as error:
                reason = self._reasons.pop(job.name, None) or _sentence(error)
                self._events.append(Lost(job.name, reason))
        events, self._events = self._events, []
        return events

    def cancel(self, name: str, reason: str) -> None:
        """Kills the task's process."""
        for reference, job in self._jobs.items():
            if job.name == name:
                self._reasons[name] = reason
                self._ray.cancel(reference, force=True)

    def close(self, now: bool = False) -> None:
        """Interrupts all tasks as Ctrl-C would, waits for them, and leaves the cluster."""
        for reference in self._jobs:
            self._ray.cancel(reference, force=now)
        if self._jobs and not now:
            self._ray.wait(list(self._jobs), num_returns=len(self._jobs), timeout=_SECONDS_TO_STOP)
        self._jobs.clear()
        self._ray.shutdown()


def _call(job: dict[str, Any], work: str) -> dict[str, Any]:
    """What runs on the cluster."""
    module, _, name = work.partition(":")
    return dict(getattr(importlib.import_module(module), name)(Job.of(job)))


def _sentence(error: Exception) -> str:
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    return f"Ray lost the worker ({type(error).__name__}: {first_line})."


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise MissingDependency(f"Working on a cluster needs Ray: {_INSTALL}.") from error
