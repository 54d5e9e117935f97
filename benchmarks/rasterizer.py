"""How long the rasteriser takes: `python -m benchmarks.rasterizer`.

The scene is an ellipsoid of a head's size, covered with Gaussians whose longest 3-sigma radius is 6 to 15 pixels in a
picture of 512 pixels. Times are those of the rasteriser alone: projection, sorting, binning, compositing, and the way
back to means, quaternions, scales, opacities and colours from random gradients of the image.

What is compared takes turns, so that other work on the machine strikes all alike; medians are printed. With one thread
it is the thread's own time, which other work disturbs least.

A peer that is installed beside this package can be put into the table with `--peer MODULE:FUNCTION`. The function is
called with means, quats, scales, opacities, colors (torch tensors) and a `zero1toa.camera.Camera`, and returns the
image (H, W, 3) with its gradients. Nothing is built or installed for it.
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np
import torch
import tyro
from torch import Tensor

from benchmarks.torch_tiles import rasterize_with_torch
from zero1toa.camera import Camera
from zero1toa.splats import WorldGaussians, quaternion, rasterize
from zero1toa.splats.cpu import layout, pipeline
from zero1toa.splats.cpu.vectors import SWITCH, vector_kernels

_HEAD = np.array([0.085, 0.125, 0.105])  # half axes, metres
_DISTANCE = 0.8  # metres
_FILL = 0.82  # the head's share of the picture's height


def head_scene(count: int, size: int, seed: int = 0) -> tuple[WorldGaussians, Camera]:
    """Random Gaussians on an ellipsoid, flat against it, and a camera that sees it from the side by 17 degrees."""
    random = np.random.default_rng(seed)
    fov = 2 * np.degrees(np.arctan(_HEAD[1] / _FILL / _DISTANCE))
    camera = Camera.orbit(yaw=17, distance=_DISTANCE, fov=fov, size=size)
    points = np.empty((0, 3))
    while len(points) < count:  # uniform on the surface: keep directions by the area they stand for
        directions = random.normal(size=(2 * count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        area = np.linalg.norm(directions / _HEAD, axis=1) * _HEAD.min()
        points = np.concatenate([points, (directions * _HEAD)[random.random(len(directions)) < area]])
    points = points[:count]
    normals = points / _HEAD**2
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points += normals * random.normal(0, 0.001, (count, 1))

    up = normals + random.normal(0, 0.15, (count, 3))
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    along = np.cross(random.normal(size=(count, 3)), up)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    rotations = np.stack([along, np.cross(up, along), up], -1)

    metres_per_pixel = _DISTANCE / (camera.fx * 512 / size)
    longest = random.uniform(6, 15, count) / 3 * metres_per_pixel
    ratios = np.stack([np.ones(count), random.uniform(0.3, 1, count), random.uniform(0.1, 0.4, count)], -1)
    return WorldGaussians(
        torch.tensor(points, dtype=torch.float32),
        quaternion.from_matrix(torch.tensor(rotations)).float(),
        torch.tensor(longest[:, None] * ratios, dtype=torch.float32),
        torch.tensor(random.uniform(0.3, 0.95, count), dtype=torch.float32),
        torch.tensor(random.uniform(0, 1, (count, 3)), dtype=torch.float32),
    ), camera


Draw = Callable[[WorldGaussians, Camera], Tensor]

FORWARD_OPERATIONS, BACKWARD_OPERATIONS = 25, 44
"""Vector instructions for a block of sixteen pixels and one Gaussian, counted in the machine code for AVX-512."""


def ours(gaussians: WorldGaussians, camera: Camera) -> Tensor:
    return rasterize(*gaussians, camera).image


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Switches the vector kernels off."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "off"
    try:
        yield
    finally:
        del os.environ[SWITCH]
        if before is not None:
            os.environ[SWITCH] = before


def plain(gaussians: WorldGaussians, camera: Camera) -> Tensor:
    with plain_kernels():
        return ours(gaussians, camera)


def forward_and_backward(
    draw: Draw,
    gaussians: WorldGaussians,
    camera: Camera,
    gradient: Tensor,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Seconds for the forward pass, and for both."""
    for tensor in gaussians:
        tensor.requires_grad_().grad = None
    start = clock()
    image = draw(gaussians, camera)
    between = clock()
    image.backward(gradient)
    return between - start, clock() - start


def forward_only(
    draw: Draw, gaussians: WorldGaussians, camera: Camera, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds for a picture that nobody differentiates."""
    with torch.no_grad():
        start = clock()
        draw(gaussians, camera)
        return clock() - start


def first_call_seconds(cache: str) -> float:
    """Seconds that the first forward and backward pass take in a new process that keeps its kernels in `cache`."""
    code = (
        "import time, torch; from benchmarks.rasterizer import head_scene, forward_and_backward, ours\n"
        "scene, camera = head_scene(10, 32); start = time.perf_counter()\n"
        "forward_and_backward(ours, scene, camera, torch.ones(32, 32, 3)); print(time.perf_counter() - start)"
    )
    return float(_in_new_process(code, NUMBA_CACHE_DIR=cache))


def extra_megabytes(count: int, size: int) -> float:
    """How much more memory a process holds at the peak of a forward and backward pass than before it. Linux only."""
    code = (
        "import torch; from benchmarks.rasterizer import head_scene, forward_and_backward, ours\n"
        "def held(what):\n"
        "    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith(what))\n"
        "small, near = head_scene(10, 32); forward_and_backward(ours, small, near, torch.ones(32, 32, 3))\n"
        f"scene, camera = head_scene({count}, {size}); gradient = torch.ones({size}, {size}, 3)\n"
        "open('/proc/self/clear_refs', 'w').write('5'); before = held('VmRSS')\n"
        "forward_and_backward(ours, scene, camera, gradient); print((held('VmHWM') - before) / 1024)"
    )
    # Freed memory must go back to the system, or what an earlier step left lying about is used first.
    return float(_in_new_process(code, MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="65536"))


def _in_new_process(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def print_work(gaussians: WorldGaussians, camera: Camera) -> None:
    """Counts what the vector kernels have to do, and says how long it must take at least."""
    if vector_kernels() is None:
        return
    inputs = pipeline.Inputs(*(tensor.detach().numpy() for tensor in gaussians))
    size = (camera.height, camera.width)
    picture = pipeline.Picture(*(np.empty(shape, np.float32) for shape in ((*size, 3), size, size)))
    lists = pipeline.forward(inputs, camera, np.zeros(3, np.float32), picture)
    live = np.concatenate([np.arange(*ends) for ends in zip(lists.starts[:-1], lists.ends)] or [np.empty(0, int)])
    assert lists.masks is not None
    blocks = int(np.unpackbits(lists.masks[live].view(np.uint8)).sum())
    pairs, count = len(lists.pairs), len(lists.records)
    visible = int((lists.records[:, layout.REACH] > 0).sum())
    there = count * 4 * (14 + layout.RECORD) + visible * 4 * layout.RECORD + pairs * 4 * (1 + layout.RECORD)
    back = pairs * 4 * (layout.RECORD + 2 * layout.GRADIENT + 2) + count * 4 * (14 + 14 + layout.RECORD)
    pixels = camera.width * camera.height
    print(
        f"    work: {visible} visible, {pairs} pairs with tiles, {blocks} blocks of 16 pixels; vector instructions "
        f"{blocks * FORWARD_OPERATIONS / 1e6:.0f} M forward, {blocks * BACKWARD_OPERATIONS / 1e6:.0f} M backward; "
        f"bytes moved {(there + pixels * 20) / 1e6:.0f} MB forward, {(back + pixels * 32) / 1e6:.0f} MB backward"
    )


def compare(
    draws: dict[str, Draw], gaussians: WorldGaussians, camera: Camera, repeats: int, slow_repeats: int
) -> dict[str, tuple[list[float], list[float], list[float]]]:
    """Seconds for the picture only, forward, and both, of each; they take turns."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    gradient = torch.randn(camera.height, camera.width, 3, generator=torch.Generator().manual_seed(1))
    times: dict[str, tuple[list[float], list[float], list[float]]] = {name: ([], [], []) for name in draws}
    for turn in range(-1, repeats):
        for name, draw in draws.items():
            if turn >= slow_repeats and draw not in (ours, plain):
                continue
            with plain_kernels() if draw is plain else _nothing():
                alone = forward_only(draw, gaussians, camera, clock)
                one, both = forward_and_backward(draw, gaussians, camera, gradient, clock)
            if turn >= 0:  # the first turn warms up
                for kept, value in zip(times[name], (alone, one, both)):
                    kept.append(value)
    return times


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _peer(name: str) -> Draw:
    module, _, function = name.partition(":")
    draw = getattr(importlib.import_module(module), function)
    return lambda gaussians, camera: draw(*gaussians, camera)


def main(
    sizes: tuple[int, ...] = (256, 512, 1024),
    counts: tuple[int, ...] = (20_000, 50_000, 100_000),
    threads: tuple[int, ...] = (1, 2),
    repeats: int = 15,
    with_torch: bool = True,
    torch_repeats: int = 1,
    peer: str | None = None,
    memory: bool = True,
    compilation: bool = True,
) -> None:
    """Prints the times of the rasteriser on this machine.

    Args:
        sizes: pixels on the side of the square picture.
        counts: numbers of Gaussians.
        threads: with how many threads; with one, the thread's own time is measured and not the clock's.
        repeats: how often each is measured; the median is printed.
        with_torch: whether the tile rasteriser in plain torch takes part where there is one thread; it needs seconds
            for a picture, and more threads do not help it.
        torch_repeats: how often it, and the peer, are measured.
        peer: MODULE:FUNCTION of another rasteriser that takes part.
        memory: whether to measure memory, in a process of its own for each size.
        compilation: whether to measure what the first call takes.
    """
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}")
    if compilation:
        with tempfile.TemporaryDirectory() as cache:
            compiled, cached = first_call_seconds(cache), first_call_seconds(cache)
        print(f"first call: {compiled:.1f} s with compilation, {cached:.2f} s with kernels from the disk")
    draws: dict[str, Draw] = {"vectors": ours, "plain Numba": plain}
    if with_torch:
        draws["torch tiles"] = lambda gaussians, camera: rasterize_with_torch(gaussians, camera)
    if peer is not None:
        draws[peer] = _peer(peer)
    for size in sizes:
        for count in counts:
            gaussians, camera = head_scene(count, size)
            print(f"{size} x {size} px, {count} Gaussians")
            print_work(gaussians, camera)
            if memory and sys.platform == "linux":
                print(f"    memory: {extra_megabytes(count, size):.0f} MB at the peak of a forward and backward pass")
            for number in threads:
                torch.set_num_threads(number)
                part = {name: draw for name, draw in draws.items() if name != "torch tiles" or number == 1}
                times = compare(part, gaussians, camera, repeats, torch_repeats)
                load = f", load of the machine {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
                what = "one thread, ms of its own time" if number == 1 else f"{number} threads, ms by the clock"
                print(f"    {what}{load}: picture only, forward, forward + backward (least), ratio")
                fastest = median(times["vectors"][2])
                for name, (alone, forward, both) in times.items():
                    figures = "".join(f"{1000 * median(values):10.1f}" for values in (alone, forward, both))
                    print(
                        f"      {name:14s}{figures} ({1000 * min(both):.1f}){median(both) / fastest:8.1f}x", flush=True
                    )


if __name__ == "__main__":
    tyro.cli(main)
