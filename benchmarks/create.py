"""Where the time of `create` goes: `python -m benchmarks.create [PHOTO or FIT ...] --preset fast`.

Runs the whole way from the photo to the saved file in this process and prints, for each stage, seconds on the clock
and of the processor, and within the training the parts of the rasteriser, the clips and the optimiser. A run that only
compiles comes first.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

import zero1toa
from zero1toa.config import PRESETS
from zero1toa.portrait.portrait import Portrait
from zero1toa.progress import Progress, Stage
from zero1toa.splats.cpu import pipeline
from zero1toa.symgen import loop
from zero1toa.symgen.adam import GaussianAdam


class Watch:
    """Adds up the time spent in functions that it replaces by timed ones."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.processor: dict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Counts the time of the block."""
        start, busy = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start
            self.processor[name] += time.process_time() - busy

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Replaces a function or method by one that is timed under `name`."""
        original: Callable[..., Any] = getattr(owner, attribute)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.timed(name):
                return original(*arguments, **options)

        setattr(owner, attribute, timed)


class StageWatch(Progress):
    """Shows nothing and times the stages."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(quiet=True)
        self._watch = watch

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        with self._watch.timed(name), super().stage(name, total) as stage:
            yield stage


PARTS = {
    "rasteriser, forward": (pipeline, "forward"),
    "rasteriser, backward": (pipeline, "backward"),
    "clip: avatar's render": (loop.SymGen, "render"),
    "clip: all": (loop.SymGen, "update_dataset"),
    "optimiser": (GaussianAdam, "step"),
}


def main(photos: tyro.conf.Positional[tuple[str, ...]] = ("demo",), preset: str = "fast") -> None:
    """Prints a table for each photo.

    Args:
        photos: picture files, folders that fit wrote, or "demo".
        preset: which preset is measured.
    """
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    start = time.perf_counter()
    zero1toa.create("demo", preset="debug")
    print(f"compiling and warming up: {time.perf_counter() - start:.1f} s")
    for photo in photos:
        watch = Watch()
        originals = {name: getattr(owner, attribute) for name, (owner, attribute) in PARTS.items()}
        for name, (owner, attribute) in PARTS.items():
            watch.watch(owner, attribute, name)
        try:
            with watch.timed("all"):
                avatar, portrait = _create(photo, preset, StageWatch(watch))
                with tempfile.TemporaryDirectory() as folder, watch.timed("saving the file"):
                    avatar.save(Path(folder) / "avatar.glb")
        finally:
            for name, (owner, attribute) in PARTS.items():
                setattr(owner, attribute, originals[name])
        _report(photo, avatar, portrait, watch)


def _create(photo: str, preset: str, progress: Progress) -> tuple[zero1toa.Avatar, Portrait]:
    portrait = zero1toa.fit(photo, progress=progress)
    return zero1toa.create(portrait, config=PRESETS[preset], progress=progress), portrait


def _report(photo: str, avatar: zero1toa.Avatar, portrait: Portrait, watch: Watch) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    shown = avatar.render(portrait.camera, portrait.expression, portrait.pose, background=(0, 0, 0))
    error = ((shown - portrait.foreground * portrait.alpha[..., None]) ** 2).mean(-1)
    inside = portrait.alpha > 0.5
    print(f"\n{photo}: {len(avatar.splats.means)} Gaussians, load {load:.1f}, largest memory {memory:.2f} GiB")
    print(f"PSNR at the photo's view inside the matte {-10 * np.log10(error[inside].mean()):.1f} dB")
    print("| stage | seconds | of the processor |\n|---|---|---|")
    total = watch.seconds["training"]
    for name, seconds in watch.seconds.items():
        share = f" ({seconds / total:.0%} of the training)" if name in PARTS else ""
        print(f"| {name} | {seconds:.2f}{share} | {watch.processor[name]:.2f} |")


if __name__ == "__main__":
    tyro.cli(main)
