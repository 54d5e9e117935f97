"""What `zero1toa batch` costs over running `zero1toa create` by hand, in turns: CPU seconds and wall time.

python -m benchmarks.batch_throughput --portraits 4 --rounds 2 --preset debug
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zero1toa.batch.local import LocalPool
from zero1toa.batch.manifest import MANIFEST
from zero1toa.batch.options import Job
from zero1toa.batch.run import Batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--portraits", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--preset", default="debug")
    parser.add_argument("--empty", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.empty:
        _empty(arguments.empty)
        return
    seeds = range(arguments.portraits)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [f"demo,seed-{seed},{seed}" for seed in seeds]
        (folder / "list.csv").write_text("\n".join(["photo,name,seed", *rows]) + "\n", encoding="utf-8")
        common = ["--preset", arguments.preset, "--device", "cpu", "-q"]
        for turn in range(arguments.rounds):
            out = folder / f"batch-{turn}"
            start = _clock()
            _zero1toa("batch", str(folder / "list.csv"), "-o", str(out), "--workers", "1", "--no-preview", *common)
            batch = _since(start)
            start = _clock()
            for seed in seeds:
                path = str(folder / f"{turn}-{seed}.glb")
                _zero1toa("create", "demo", "-o", path, "--seed", str(seed), *common)
            by_hand = _since(start)
            print(
                f"{arguments.portraits} portraits, {arguments.preset}, one at a time: batch {batch[1]:.1f} s CPU "
                f"({batch[0]:.1f} s wall), create by hand {by_hand[1]:.1f} s CPU ({by_hand[0]:.1f} s wall): "
                f"{batch[1] / by_hand[1] - 1:+.1%} CPU"
            )


def nothing(job: Job, report: object) -> dict[str, object]:
    """Work that takes no time."""
    return {**job.as_dict(), "state": "done", "seconds": {}, "files": [], "warnings": []}


def _empty(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = [Job(f"{number:07d}", "demo", name) for number in range(count)]
        pool = LocalPool(1, 1, folder / "logs", work="benchmarks.batch_throughput:nothing")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, used = time.monotonic(), time.process_time()
        run = Batch(jobs, folder, pool)
        run.run()
        wall, cpu = time.monotonic() - start, time.process_time() - used
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
        size = (folder / MANIFEST).stat().st_size
        print(
            f"{count} portraits without work, one worker: {1e3 * cpu / count:.2f} ms CPU a portrait in the batch's own "
            f"process ({1e3 * wall / count:.2f} ms wall), {grown:.0f} MB more memory, manifest {size / 1e6:.1f} MB"
        )


def _zero1toa(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "zero1toa", *words], check=True)


def _clock() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), used.ru_utime + used.ru_stime


def _since(start: tuple[float, float]) -> tuple[float, float]:
    wall, cpu = _clock()
    return wall - start[0], cpu - start[1]


if __name__ == "__main__":
    main()
