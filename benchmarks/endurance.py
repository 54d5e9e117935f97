"""Whether long work keeps its memory: `python -m benchmarks.endurance` prints a line for each part.

    python -m benchmarks.endurance --parts frames avatars threads workers page

frames: 1,000 pictures of one avatar in a loop. avatars: 200 avatars of one fit in one process. threads: 8 at once, in
threads of one process. workers: 8 at once, in the worker processes of a batch. page: the viewer plays a motion for ten
minutes. Each also compares its results with those of a single run. Ends with code 1 where memory grows or a result
differs.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro

import zero1toa
from benchmarks.viewer import ARGUMENTS, open_page, resident_megabytes
from zero1toa.avatar import Avatar
from zero1toa.config import PRESETS, CreateConfig
from zero1toa.heads import arkit
from zero1toa.portrait.portrait import Portrait
from zero1toa.viewer import ViewerServer

Part = Literal["frames", "avatars", "threads", "workers", "page"]

WARM_UP = 0.2
"""Share of the work that comes before memory is looked at: libraries fill their pools."""
FLAT = 0.05
"""Growth from the end of the warm-up to the end, as a share of what is used, up to which memory is called flat."""
_POSES = 20  # different pictures of the loop, each drawn again and again
_AT_ONCE = 8


@dataclass(frozen=True)
class Figures:
    """What one part showed."""

    part: str
    count: int
    seconds: float
    megabytes: tuple[float, float, float]  # after the warm-up, at most, and at the end
    after: int  # readings after the warm-up
    per_item: float  # kB: slope of a straight line through all readings after the warm-up
    differing: int  # results that are not those of a single run

    @property
    def is_flat(self) -> bool:
        """Whether the line rises by less than `FLAT` of what was used after the warm-up."""
        return self.per_item * self.after / 1e3 <= FLAT * self.megabytes[0]

    @property
    def line(self) -> str:
        """For people."""
        first, most, last = self.megabytes
        return (
            f"{self.part}: {self.count} in {self.seconds:.0f} s; {first:.0f} MB after warm-up, {last:.0f} MB at the "
            f"end, {most:.0f} MB at most, {self.per_item:+.1f} kB each ({'flat' if self.is_flat else 'GROWS'}); "
            f"{self.differing} results differ"
        )


def figures(part: str, readings: Sequence[float], seconds: float, differing: int, least: int = 0) -> Figures:
    """Of readings in MB, one after each item; the warm-up has at least `least` of them."""
    after = np.asarray(readings[min(max(int(len(readings) * WARM_UP), least), len(readings) - 1) :], float)
    slope = float(np.polyfit(np.arange(len(after)), after, 1)[0]) if len(after) > 1 else 0.0
    megabytes = (float(after[0]), float(np.max(readings)), float(after[-1]))
    return Figures(part, len(readings), seconds, megabytes, len(after), slope * 1e3, differing)


def resident() -> float:
    """MB that this process holds."""
    return resident_megabytes(os.getpid())


def needed() -> float:
    """MB that this process holds when the C library has given back what it keeps of freed memory (glibc's; elsewhere as
    `resident`). Otherwise gaps between blocks pass for growth: 0.7 MB an avatar in one run, none in another.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        pass
    return resident()


def frames(avatar: Avatar, count: int = 1000, size: int = 256) -> Figures:
    """Draws pictures in a loop, with every expression and view again after `_POSES`."""
    names = arkit.NAMES
    first: list[Any] = []
    readings, differing, start = [], 0, time.monotonic()
    for i in range(count):
        pose = i % _POSES
        camera = avatar.front_camera(yaw=60.0 * pose / _POSES - 30, size=size)
        picture = avatar.render(camera, {names[pose]: 0.8, "jawOpen": pose / _POSES})
        if i < _POSES:
            first.append(picture)
        differing += not np.array_equal(picture, first[pose])
        readings.append(resident())
    return figures("frames", readings, time.monotonic() - start, differing)


def avatars(
    portrait: Portrait,
    config: CreateConfig,
    count: int = 200,
    seconds: float | None = None,
    after: Callable[[], None] | None = None,
) -> Figures:
    """Makes avatars of one fit, one after the other, and stops after so many seconds; `after` is called after each."""
    expected = _splats(zero1toa.create(portrait, config=config, device="cpu"))
    readings, differing, start = [], 0, time.monotonic()
    for _ in range(count):
        if seconds is not None and time.monotonic() - start > seconds:
            break
        differing += _splats(zero1toa.create(portrait, config=config, device="cpu")) != expected
        readings.append(needed())
        if after is not None:
            after()
    return figures("avatars", readings, time.monotonic() - start, differing)


def threads(portrait: Portrait, config: CreateConfig, count: int = 5 * _AT_ONCE, at_once: int = _AT_ONCE) -> Figures:
    """Makes avatars in threads of this process, each with a seed of its own, and compares each with a single run."""

    def made(seed: int) -> bytes:
        own = replace(config, seed=seed)
        return _splats(zero1toa.create(portrait, config=own, device="cpu"))

    expected = [made(seed) for seed in range(at_once)]
    readings, differing, start = [], 0, time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        for seed, result in enumerate(pool.map(made, [i % at_once for i in range(count)])):
            differing += result != expected[seed % at_once]
            readings.append(resident())
    return figures("threads", readings, time.monotonic() - start, differing, 2 * at_once)


def workers(portrait: Portrait, iterations: int, folder: Path, count: int = 2 * _AT_ONCE) -> Figures:
    """Makes avatars in the worker processes of a batch, and compares each with a single run. Memory is the most that
    the worker of each portrait has had."""
    from zero1toa.batch.local import LocalPool
    from zero1toa.batch.manifest import MANIFEST
    from zero1toa.batch.options import Job, Options
    from zero1toa.batch.run import Batch

    torch.set_num_threads(1)  # as each worker has: another number sums in another order
    (folder / "fit").mkdir(parents=True, exist_ok=True)
    portrait.save(folder / "fit")
    output = folder / "batch"
    options = Options(preset="debug", iterations=iterations, preview=False)
    jobs = [Job(f"{i:03d}", str(folder / "fit"), str(output), options, "cpu") for i in range(count)]
    start = time.monotonic()
    Batch(jobs, output, LocalPool(_AT_ONCE, 1, output / "logs")).run()
    seconds = time.monotonic() - start
    rows = [json.loads(line) for line in (output / MANIFEST).read_text(encoding="utf-8").splitlines()]
    zero1toa.create(zero1toa.fit(folder / "fit"), config=options.config(), device="cpu").save(folder / "single.glb")
    expected = _splats(zero1toa.load(folder / "single.glb"))
    differing = sum(_splats(zero1toa.load(job.folder / "avatar.glb")) != expected for job in jobs)
    readings = [float(row["peak_memory_mb"]) for row in sorted(rows, key=lambda row: str(row["finished"]))]
    return figures("workers", readings, seconds, differing)


def page(avatar: Avatar, folder: Path, minutes: float = 10.0, every: float = 2.0) -> Figures:
    """Lets the viewer play a motion and reads the page's JavaScript heap, after a collection, every few seconds."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("ZERO1TOA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        sys.exit("No Chromium was found; install the system's package chromium, or set ZERO1TOA_CHROMIUM.")
    avatar.save(folder / "avatar.glb")
    server = ViewerServer((folder / "avatar.glb").read_bytes(), "avatar.glb")
    threading.Thread(target=server.serve, daemon=True).start()
    readings: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        view, _ = open_page(browser, server.url)
        session = view.context.new_cdp_session(view)
        session.send("Performance.enable")
        view.evaluate("zero1toa.play('talk')")
        start = time.monotonic()
        while time.monotonic() - start < minutes * 60:
            time.sleep(every)
            session.send("HeapProfiler.collectGarbage")
            metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            readings.append(metrics["JSHeapUsedSize"] / 1e6)
        drawn = view.evaluate("zero1toa.statistics()")
        browser.close()
    server.close()
    print(f"page: {json.dumps(drawn)[:200]}")
    return figures("page", readings, time.monotonic() - start, 0)


def live_tensors() -> int:
    """Tensors that Python's collector knows of, after a collection."""
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def _splats(avatar: Avatar) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in avatar.splats)


def main(
    parts: tuple[Part, ...] = ("frames", "avatars", "threads", "workers", "page"),
    frame_count: int = 1000,
    avatar_count: int = 200,
    thread_count: int = 5 * _AT_ONCE,
    worker_count: int = 2 * _AT_ONCE,
    avatar_seconds: float | None = None,
    iterations: int = PRESETS["debug"].iterations,
    minutes: float = 10.0,
    json_lines: bool = False,
) -> int:
    """Runs the parts and prints their figures.

    Args:
        parts: Which.
        frame_count: Pictures of the loop.
        avatar_count: Avatars that are made one after the other.
        thread_count: Avatars that are made 8 at once in threads.
        worker_count: Avatars that are made 8 at once in processes.
        avatar_seconds: When to stop making them, if there are fewer by then.
        iterations: Training steps of each avatar, of the preset debug.
        minutes: How long the page plays.
        json_lines: Print JSON.
    """
    portrait = zero1toa.fit("demo")
    config = replace(PRESETS["debug"], iterations=iterations)
    avatar = zero1toa.create(portrait, config=config, device="cpu")
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work: dict[str, Callable[[], Figures]] = {
            "frames": lambda: frames(avatar, frame_count),
            "avatars": lambda: avatars(portrait, config, avatar_count, avatar_seconds),
            "threads": lambda: threads(portrait, config, thread_count),
            "workers": lambda: workers(portrait, iterations, folder, worker_count),
            "page": lambda: page(avatar, folder, minutes),
        }
        for part in parts:
            found = work[part]()
            print(json.dumps(asdict(found)) if json_lines else found.line, flush=True)
            good &= found.is_flat and not found.differing
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
