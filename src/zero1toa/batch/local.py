"""The default executor: worker processes of this machine.

`concurrent.futures.ProcessPoolExecutor` gives all its work up when one process dies, as the system kills one when
memory runs out. Here the others go on, and the dead one is replaced.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .executor import Advanced, Event, Finished, Lost, Started
from .options import Job

WORK = "zero1toa.batch.work:work_on"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_SECONDS_TO_STOP = 12.0  # a little more than a worker allows itself
_SECONDS_TO_HEAR = 1.0  # that a dead worker's pipe stays open, where it left processes of its own


@dataclass(eq=False)
class _Worker:
    number: int
    process: subprocess.Popen[str]
    job: Job | None = None
    given_up: str = ""  # why it was killed
    listener: threading.Thread | None = None  # reads what it says, and closes that pipe at its end


class LocalPool:
    """Worker processes.

    Args:
        workers: how many.
        threads: of each.
        logs: folder for what workers and their libraries print, one file each.
        gpus: indices of GPUs, shared out among the workers in turn; None leaves them as they are.
        work: "module:function" that workers call; only tests pass their own.
    """

    def __init__(
        self, workers: int, threads: int, logs: Path, *, gpus: tuple[int, ...] | None = None, work: str = WORK
    ) -> None:
        self._count = workers
        self._threads = threads
        self._logs = logs
        self._gpus = gpus
        self._work = work
        self._messages: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._events: list[Event] = []

    @property
    def slots(self) -> int:
        """The number of workers."""
        return self._count

    def submit(self, job: Job) -> None:
        """Gives a job to a worker that has none; starts one if need be."""
        worker = next((w for w in self._workers if w.job is None), None)
        if worker is None:
            assert len(self._workers) < self._count, "more jobs than slots"
            worker = self._start()
        worker.job = job
        self._events.append(Started(job.name, f"local-{worker.number}"))
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.write(json.dumps(replace(job, threads=self._threads).as_dict()) + "\n")
            worker.process.stdin.flush()
        except OSError:  # it has just died: its end is in the queue, and becomes `Lost`
            pass

    def events(self, timeout: float) -> list[Event]:
        """See `Executor`."""
        if not self._events:
            try:
                self._take(*self._messages.get(timeout=timeout))
            except queue.Empty:
                pass
        while not self._messages.empty():
            self._take(*self._messages.get())
        events, self._events = self._events, []
        return events

    def cancel(self, name: str, reason: str) -> None:
        """Kills the worker; another takes its place."""
        for worker in self._workers:
            if worker.job is not None and worker.job.name == name:
                worker.given_up = reason
                worker.process.kill()

    def close(self, now: bool = False) -> None:
        """Tells all workers to stop and waits for it, or kills them `now`."""
        for worker in self._workers:
            if now:
                worker.process.kill()
            _hang_up(worker)
        try:
            for worker in self._workers:
                try:
                    worker.process.wait(_SECONDS_TO_STOP)
                except subprocess.TimeoutExpired:
                    pass
        finally:  # also when the user will not wait
            for worker in self._workers:
                worker.process.kill()
                worker.process.wait()
                if worker.listener is not None:
                    worker.listener.join(_SECONDS_TO_HEAR)
            self._workers = []

    def _start(self) -> _Worker:
        taken = {w.number for w in self._workers}
        number = next(n for n in range(1, self._count + 1) if n not in taken)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
        for name in _THREAD_VARIABLES:
            environment[name] = str(self._threads)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = str(self._gpus[(number - 1) % len(self._gpus)])
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"worker-{number}.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "zero1toa.batch.worker", self._work],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                env=environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops its workers in order
            )
        worker = _Worker(number, process)
        self._workers.append(worker)
        worker.listener = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        worker.listener.start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        with worker.process.stdout as lines:
            for line in lines:
                try:
                    self._messages.put((worker, json.loads(line)))
                except ValueError:  # cut short by its death
                    break
        worker.process.wait()
        self._messages.put((worker, None))

    def _take(self, worker: _Worker, message: dict[str, Any] | None) -> None:
        job = worker.job
        if message is None:
            if worker in self._workers:
                self._workers.remove(worker)
            _hang_up(worker)
            if job is not None:
                self._events.append(Lost(job.name, worker.given_up or _death(worker.process.returncode, worker.number)))
        elif job is not None and "row" in message:
            worker.job = None
            self._events.append(Finished(job.name, message["row"]))
        elif job is not None:
            self._events.append(Advanced(job.name, message["stage"], message["share"]))


def _hang_up(worker: _Worker) -> None:
    """Closes the pipe through which it gets jobs: it stops, if it has not."""
    assert worker.process.stdin is not None
    try:
        worker.process.stdin.close()
    except OSError:  # it died before it read the last one
        pass


def _death(code: int | None, number: int) -> str:
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = ", perhaps for want of memory: use fewer workers" if name == "SIGKILL" else ""
        return f"The worker was ended by {name}{hint}."
    return f"The worker ended by itself (code {code}); logs/worker-{number}.log says more."
