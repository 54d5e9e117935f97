"""How long the rasteriser takes: `python -m benchmarks.rasterizer --size 512 --count 50000`.

The scene is an ellipsoid of a head's size, covered with Gaussians whose longest 3-sigma radius is 6 to 15 pixels in a
picture of 512 pixels. Times are those of the rasteriser alone: projection, sorting, binning, compositing, and the way
back to means, quaternions, scales, opacities and colours from random gradients of the image.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from statistics import median

import numpy as np
import torch
import tyro
from torch import Tensor

from zero1toa.camera import Camera
from zero1toa.splats import WorldGaussians, quaternion, rasterize

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


def forward_and_backward(gaussians: WorldGaussians, camera: Camera, gradient: Tensor) -> tuple[float, float]:
    """Seconds for the forward pass, and for both."""
    for tensor in gaussians:
        tensor.requires_grad_().grad = None
    start = time.perf_counter()
    image = rasterize(*gaussians, camera).image
    between = time.perf_counter()
    image.backward(gradient)
    return between - start, time.perf_counter() - start


def forward_only(gaussians: WorldGaussians, camera: Camera) -> float:
    """Seconds for a picture that nobody differentiates."""
    with torch.no_grad():
        start = time.perf_counter()
        rasterize(*gaussians, camera)
        return time.perf_counter() - start


def first_call_seconds(cache: str) -> float:
    """Seconds that the first forward and backward pass take in a new process that keeps its kernels in `cache`."""
    code = (
        "import time, torch; from benchmarks.rasterizer import head_scene, forward_and_backward\n"
        "scene, camera = head_scene(10, 32); start = time.perf_counter()\n"
        "forward_and_backward(scene, camera, torch.ones(32, 32, 3)); print(time.perf_counter() - start)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(result.stdout)


def main(size: int = 512, count: int = 50_000, repeats: int = 25, threads: int | None = None) -> None:
    """Prints the times of the rasteriser on this machine.

    Args:
        size: pixels on the side of the square picture.
        count: number of Gaussians.
        repeats: how often each is measured; the median is printed.
        threads: as many as torch would use if not given.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as cache:
        compiled, cached = first_call_seconds(cache), first_call_seconds(cache)
    gaussians, camera = head_scene(count, size)
    gradient = torch.randn(size, size, 3, generator=torch.Generator().manual_seed(1)) / size**2
    forward_and_backward(gaussians, camera, gradient)
    forward_only(gaussians, camera)
    alone, forward, both = [], [], []
    for _ in range(repeats):
        alone.append(forward_only(gaussians, camera))
        one, two = forward_and_backward(gaussians, camera, gradient)
        forward.append(one)
        both.append(two)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if hasattr(os, "getloadavg"):
        print(f"load of the machine in the last minute: {os.getloadavg()[0]:.1f} (times mean something when it is low)")
    print(f"{size} x {size} px, {count} Gaussians, median (least) of {repeats}, ms")
    for name, times in (("picture only", alone), ("forward", forward), ("forward + backward", both)):
        print(f"  {name:20s}{1000 * median(times):8.2f} ({1000 * min(times):.2f})")
    print(f"first call: {compiled:.1f} s with compilation, {cached:.2f} s with kernels from the disk")


if __name__ == "__main__":
    tyro.cli(main)
