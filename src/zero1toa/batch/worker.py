"""A worker of `LocalPool`: a process that takes jobs as lines of JSON and answers in lines of JSON.

    python -m zero1toa.batch.worker MODULE:FUNCTION

The end of its input is the order to stop, so no worker outlives the process that started it, however that died.
"""

from __future__ import annotations

import _thread
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any, TextIO

_SECONDS_TO_STOP = 10.0  # for the work to unwind and remove what is half-written


def main(function: str) -> int:
    """Works until its input ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    answers = _private_output()
    lock = threading.Lock()

    def tell(message: dict[str, Any]) -> None:
        with lock:
            try:
                answers.write(json.dumps(message) + "\n")
                answers.flush()
            except OSError:  # nobody listens any more; the end of the input says the same
                pass

    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    module, _, name = function.partition(":")
    work = getattr(importlib.import_module(module), name)
    from .options import Job

    try:
        while True:
            job = Job.of(json.loads(jobs.get()))
            _share_threads(job.threads)
            row = work(job, lambda stage, share: tell({"stage": stage, "share": share}))
            tell({"row": row})
    except KeyboardInterrupt:
        return 130


def _read(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    _interrupt()
    time.sleep(_SECONDS_TO_STOP)
    os._exit(1)


def _interrupt() -> None:
    """Ctrl-C for the main thread. Where there are signals to threads, one also wakes it from sleeping and waiting."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _private_output() -> TextIO:
    """What was the standard output, for answers alone: whatever a library prints goes with its errors into the log."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _share_threads(count: int) -> None:
    """For torch, which may have been imported by the job before. The environment tells everything else."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
