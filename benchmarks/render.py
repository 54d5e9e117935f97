"""How fast an avatar moves: `python -m benchmarks.render AVATAR`.

Every frame has another expression and another pose, as in `zero1toa animate`: morphing, skinning, the frames of the
triangles, 50,000 Gaussians placed and drawn, pixels in 8 bits. An avatar of another number of splats is thinned out, or
some are doubled in place with a little noise, so that the number is what was asked.

Other work on the machine disturbs the clock. So there are three figures: frames a second by the clock, the median over
short bursts and the best of them; the processor time of all threads together for a frame in the same bursts, and what
rate it would give on cores that do nothing else; and milliseconds of one thread's own time for the stages.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

import zero1toa
from zero1toa.avatar import Avatar
from zero1toa.films import write_film
from zero1toa.motion import Motion, builtin
from zero1toa.playback import Playback
from zero1toa.splats import Gaussians

_BURSTS = 12
_BURST_FRAMES = 24
_NOISE = 0.05  # of a triangle's size: doubled splats are not in quite the same place


def with_splats(avatar: Avatar, count: int) -> Avatar:
    """The avatar with that many splats."""
    generator = torch.Generator().manual_seed(0)
    number = len(avatar.splats.means)
    extra = max(0, count - number)
    chosen = torch.cat(
        [torch.randperm(number, generator=generator)[:count], torch.randint(number, (extra,), generator=generator)]
    )
    splats = Gaussians(*(tensor[chosen].contiguous() for tensor in avatar.splats))
    moved = splats.means.clone()
    moved[number:] += _NOISE * torch.randn(moved[number:].shape, generator=generator)
    return replace(avatar, splats=splats._replace(means=moved))


def bursts(draw: Callable[[int, int], object], frames: int) -> tuple[list[float], list[float]]:
    """Frames a second by the clock, and milliseconds of processor time (all threads) a frame, of some short bursts."""
    rates, work = [], []
    for burst in range(-1, _BURSTS):
        first = max(burst, 0) * _BURST_FRAMES % (frames - _BURST_FRAMES)
        began, used = time.perf_counter(), time.process_time()
        draw(first, first + _BURST_FRAMES)
        if burst >= 0:  # the first one warms up
            rates.append(_BURST_FRAMES / (time.perf_counter() - began))
            work.append(1000 * (time.process_time() - used) / _BURST_FRAMES)
    return rates, work


def own_milliseconds(call: Callable[[], object], repeats: int = 30) -> float:
    """Median of a call's time on this thread alone."""
    call()
    times = []
    for _ in range(repeats):
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
    return 1000 * median(times)


def print_stages(playback: Playback, motion: Motion, avatar: Avatar, size: int) -> None:
    """What a frame needs, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    camera = avatar.front_camera(size=size)
    weights, poses = motion.weights[:1], motion.poses[:1]
    rig = own_milliseconds(lambda: playback.pose(weights, poses))
    whole = own_milliseconds(lambda: playback.draw(weights, poses, [camera]))
    slow = own_milliseconds(lambda: avatar.render(camera, weights[0], poses[0]), 10)
    torch.set_num_threads(before)
    print(f"    one thread, ms of its own time: rig {rig:.1f}, whole frame {whole:.1f}; Avatar.render {slow:.1f}")


def main(
    avatar: Annotated[Path, tyro.conf.Positional],
    sizes: tuple[int, ...] = (512,),
    counts: tuple[int, ...] = (50_000,),
    threads: int = 2,
    motion: str = "talk",
    encode: bool = True,
) -> None:
    """Prints frames a second.

    Args:
        avatar: an avatar's file.
        sizes: pixels on a side.
        counts: numbers of splats.
        threads: with how many threads.
        motion: a built-in one, with the head moving.
        encode: measure writing an MP4 too.
    """
    torch.set_num_threads(threads)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {threads} threads")
    original = zero1toa.load(avatar)
    played = builtin(motion, 10.0, 30.0)
    for size in sizes:
        for count in counts:
            shown = with_splats(original, count)
            playback, camera, poses = shown.playback, shown.front_camera(size=size), played.poses

            def draw(first: int, last: int, of: Playback = playback, view: zero1toa.Camera = camera) -> None:
                for start in range(first, last, of.batch):
                    part = slice(start, min(start + of.batch, last))
                    of.draw(played.weights[part], poses[part], [view] * (part.stop - part.start))  # noqa: B023

            rates, work = bursts(draw, len(played))
            load = f", load of the machine {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
            print(f"{size} x {size} px, {count} splats, rig included{load}")
            print(f"    frames a second by the clock: {median(rates):.1f} (best burst {max(rates):.1f})")
            possible = 1000 * threads / median(work)
            print(
                f"    processor time a frame, all threads: {median(work):.1f} ms, that is {possible:.0f} frames a "
                f"second where {threads} cores do nothing else"
            )
            print_stages(playback, played, shown, size)
            if encode:
                print(f"    with H.264 encoding: {_encoded(shown, played, size):.1f} frames a second")


def _encoded(avatar: Avatar, motion: Motion, size: int) -> float:
    camera, playback, poses = avatar.front_camera(size=size), avatar.playback, motion.poses

    def frames() -> Iterator[NDArray[np.uint8]]:
        for start in range(0, 120, playback.batch):
            part = slice(start, start + playback.batch)
            yield from playback.draw(motion.weights[part], poses[part], [camera] * playback.batch)

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write_film(Path(folder) / "a.mp4", frames(), fps=30)
        return 120 / (time.perf_counter() - began)


if __name__ == "__main__":
    tyro.cli(main)
