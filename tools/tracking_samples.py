"""Made-up persons, each at rest and with expressions, read by the landmark detector: what tracking is trained on.

Person k depends on k and the seed alone. Every second person is a textured `priors.subjects.Subject`, the others have
the plain vertex colours of `expression_samples`. Half of the expressions are drawn shape by shape, half are frames of
the procedural motions. Used by `train_tracking_prior.py`.
"""

from __future__ import annotations

import multiprocessing
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from expression_samples import HEAD_ASSETS, SIZE, random_colors
from zero1toa import motion
from zero1toa.camera import Camera
from zero1toa.heads import arkit, load_head
from zero1toa.heads.mesh_render import shade
from zero1toa.heads.sampling import sample_expressions
from zero1toa.portrait.load import to_bytes
from zero1toa.portrait.patches import PatchReader, Pyramid, patch_of_landmarks
from zero1toa.priors.landmarks import project_landmarks
from zero1toa.priors.subjects import draw, random_subject

REST, MOVING = 3, 9  # frames of each person without and with an expression
CHUNK = 20  # persons a file
SUBJECT_SEED = 20_000_000  # textured persons of seed s are SUBJECT_SEED + s * 100_000 + k: none of a benchmark is here
_TEXTURE = 512
_PERFORMANCE = 4000  # frames of each procedural motion that expressions are taken from
_MOVED = 0.4  # chance that the person of the mesh renderer is of full identity spread rather than the subjects'


class People(NamedTuple):
    """What was read of N frames; the first `REST` of every person's `REST + MOVING` are at rest."""

    person: NDArray[np.int64]  # (N,)
    weights: NDArray[np.float32]  # (N, 52)
    read: NDArray[np.float32]  # (N, 478, 2) px, the detector's
    true: NDArray[np.float32]  # (N, 478, 2) px, projected from the head


@cache
def _performances(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng([seed, 77])
    clips = [
        motion.exaggerated(_PERFORMANCE, 25, rng),
        motion.near_neutral(_PERFORMANCE // 4, 25, rng),
        motion.builtin("talk", _PERFORMANCE // 2 / 25, 25, seed + 1000),
    ]
    return np.concatenate([clip.weights for clip in clips])


def draw_weights(count: int, seed: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, 52) expressions, half of them drawn shape by shape and half out of performances."""
    weights = sample_expressions(count, rng)
    performed = _performances(seed)[rng.integers(0, len(_performances(seed)), count)]
    half = rng.random(count) < 0.5
    weights[half] = performed[half]
    return weights


def draw_person(seed: int, index: int) -> tuple[NDArray, NDArray, NDArray] | None:
    """Weights (M, 52), read (M, 478, 2) and true landmarks (M, 478, 2) of one person; None if a frame is unreadable."""
    rng = np.random.default_rng([seed, index])
    count = REST + MOVING
    weights = np.zeros((count, len(arkit.NAMES)))
    weights[REST:] = draw_weights(MOVING, seed, rng)
    fov = rng.uniform(15, 45)
    distance = rng.uniform(0.15, 0.21) / np.tan(np.radians(fov / 2))
    cameras = [random_camera(rng, fov, distance) for _ in range(count)]
    render = (_textured if index % 2 else _plain)(seed, index, rng)
    vertices, images = render(weights, cameras)
    true = project_landmarks(vertices, load_head().topology, cameras)
    blur, gamma, noise = rng.uniform(0.3, 1.2), rng.uniform(0.7, 1.4), rng.uniform(0, 0.03)
    found = []
    for image, landmarks in zip(images, true, strict=True):
        image = gaussian_filter(image, (blur, blur, 0)).clip(0, 1) ** gamma
        image = (image + rng.normal(0, noise, image.shape)).clip(0, 1)
        points = read_as_tracked(image, landmarks)
        if points is None:
            return None
        found.append(points)
    return weights, np.stack(found), true[..., :2]


def read_as_tracked(image: NDArray, around: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(478, 2) px: mean of a straight and a mirrored reading, as from frame to frame of a video."""
    pyramid = Pyramid(Image.fromarray(to_bytes(image.astype(np.float32))))
    patch = patch_of_landmarks(around)
    first = PatchReader(pyramid, patch).read(patch)
    if first.presence < 0.5:
        return None
    patch = patch_of_landmarks(first.landmarks)
    reader = PatchReader(pyramid, patch)
    readings = [reader.read(patch), reader.read(patch, mirror=True)]
    return np.mean([reading.landmarks[:, :2] for reading in readings], axis=0)


def random_camera(rng: np.random.Generator, fov: float, distance: float) -> Camera:
    """Any view from near the front, with a vertical field of view in degrees and a distance in metres."""
    yaw, pitch, roll = rng.normal(0, [14, 8, 5])
    target = tuple(rng.normal(0, 0.012, 3) + [0, -0.01, 0])
    camera = Camera.orbit(
        float(np.clip(yaw, -40, 40)), float(np.clip(pitch, -22, 22)),
        distance=distance * rng.uniform(0.95, 1.05), target=target, fov=fov, size=SIZE,
    )  # fmt: skip
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("z", roll, degrees=True).as_matrix()
    return replace(camera, viewmat=turn @ camera.viewmat)


Render = Callable[[NDArray, list[Camera]], tuple[NDArray, list[NDArray]]]


def _textured(seed: int, index: int, rng: np.random.Generator) -> Render:
    subject = random_subject.__wrapped__(SUBJECT_SEED + seed * 100_000 + index, _TEXTURE)
    background = rng.uniform(0, 1, 3)

    def render(weights: NDArray, cameras: list[Camera]) -> tuple[NDArray, list[NDArray]]:
        with torch.no_grad():
            posed = subject.head.pose(torch.as_tensor(weights, dtype=torch.float32)).numpy()
        images = []
        for vertices, camera in zip(posed, cameras, strict=True):
            colors, alpha = draw(vertices[None], subject.head, subject.texture_for(SIZE), [camera])
            cover = alpha[0, 0, ..., None].numpy()
            images.append(colors[0].permute(1, 2, 0).numpy() * cover + background * (1 - cover))
        return posed, images

    return render


def _plain(seed: int, index: int, rng: np.random.Generator) -> Render:
    head = load_head()
    identity = rng.normal(size=head.num_identity) * (1.0 if rng.random() < _MOVED else 0.75)
    colors = random_colors(head.topology, rng)
    light = tuple(rng.normal([0, 0.4, 0.8], [0.5, 0.3, 0.2]))
    background, ambient = tuple(rng.uniform(0, 1, 3)), rng.uniform(0.35, 0.7)

    def render(weights: NDArray, cameras: list[Camera]) -> tuple[NDArray, list[NDArray]]:
        with torch.no_grad():
            posed = head.vertices(
                torch.as_tensor(identity, dtype=torch.float32)[None], torch.as_tensor(weights, dtype=torch.float32)
            ).numpy()
        images = [
            shade(v, head.topology, c, colors, background=background, light=light, ambient=ambient, supersample=1)
            for v, c in zip(posed, cameras, strict=True)
        ]
        return posed, images

    return render


def _drawn(task: tuple[int, int]) -> People:
    seed, start = task
    torch.set_num_threads(1)
    rows = []
    for index in range(start, start + CHUNK):
        found = draw_person(seed, index)
        if found is not None:
            rows.append((np.full(REST + MOVING, index), *found))
    person, weights, read, true = (np.concatenate(column) for column in zip(*rows, strict=True))
    return People(person, *(np.asarray(a, np.float32) for a in (weights, read, true)))


def collect(count: int, seed: int, folder: Path, processes: int) -> People:
    """At least the first `count` persons, read from `folder` where they lie there."""
    crc = zlib.crc32(b"".join(file.read_bytes() for file in sorted(HEAD_ASSETS.glob("*.npz"))))
    folder = folder / f"head-{crc:08x}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"people-{seed}-{start}.npz" for start in range(0, count, CHUNK)]
    missing = [i for i, file in enumerate(files) if not file.exists()]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        work = pool.imap(_drawn, [(seed, i * CHUNK) for i in missing])
        for i, people in zip(missing, work, strict=True):
            np.savez_compressed(files[i], **people._asdict())
            print(f"persons up to {(i + 1) * CHUNK}: {len(people.weights)} frames", flush=True)
    loaded = [np.load(file) for file in files]
    return People(*(np.concatenate([f[name] for f in loaded]) for name in People._fields))


if __name__ == "__main__":
    import tyro

    tyro.cli(collect)
