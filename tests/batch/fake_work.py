"""Work that takes no time, for tests of executors and batches. What happens is the photo's name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from zero1toa import files


def work_on(job, report=lambda stage, share: None):
    """Does what the photo's name says and notes each attempt in the portrait's folder."""
    job.folder.mkdir(parents=True, exist_ok=True)
    attempt = len(list(job.folder.glob("attempt-*"))) + 1
    (job.folder / f"attempt-{attempt}").touch()
    report("create", 0.5)
    what = Path(job.photo).name
    row = {"name": job.name, "photo": job.photo, "state": "done", "seconds": {}, "files": [], "worker": os.getpid()}
    if what == "dies" or (what == "dies once" and attempt == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "hangs":
        time.sleep(600)
    elif what == "is being written":
        with files.atomic_write(job.folder / "result"):
            (job.folder / "began").touch()
            time.sleep(600)
    elif what == "prints":
        os.write(1, b"a library's noise\n")
    elif what == "threads":
        row["threads"] = os.environ["OMP_NUM_THREADS"]
    elif what in ("input", "output", "other", "setup", "resource") or (what == "other once" and attempt == 1):
        row |= {"state": "failed", "kind": what.removesuffix(" once"), "error": f"It is {what}."}
    return row
