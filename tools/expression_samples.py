"""Random heads before random cameras, drawn and read by the landmark detector: what the fit is trained and tested on.

Sample k depends on k and the seed alone, so a longer run extends a shorter one. Used by `train_expression_prior.py` and
`python -m benchmarks.expression_recovery`.
"""

from __future__ import annotations

import multiprocessing
import zlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from zero1toa.camera import Camera
from zero1toa.config import FitConfig
from zero1toa.heads import HeadTopology, arkit, load_head
from zero1toa.heads.appearance import default_colors
from zero1toa.heads.mesh_render import shade
from zero1toa.heads.sampling import sample_expressions
from zero1toa.portrait.detect import detect_faces
from zero1toa.portrait.expression_prior import NUM_FEATURES, frontal_features
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.landmarks import MIRROR
from zero1toa.portrait.solver import LandmarkModel, Pinhole

HEAD_ASSETS = Path(__file__).parents[1] / "src/zero1toa/heads/assets"
SIZE = 384
CHUNK = 200  # samples a file


@dataclass(frozen=True)
class Scene:
    """A random head before a random camera."""

    identity: NDArray[np.float64]  # (I,)
    expression: NDArray[np.float64]  # (52,)
    camera: Camera


@dataclass(frozen=True)
class Sample(Scene):
    """A scene that has been drawn."""

    image: NDArray[np.float32]  # (S, S, 3)


@cache
def landmarks_of_default() -> LandmarkModel:
    """The default head's landmarks with all identity components."""
    head = load_head()
    return landmark_model(head, head.num_identity)


def draw_scene(rng: np.random.Generator, max_yaw: float) -> Scene:
    """A head of the model's own population."""
    identity = rng.normal(size=load_head().num_identity)
    expression = sample_expressions(1, rng)[0]
    return Scene(identity, expression, random_camera(rng, max_yaw))


def draw_sample(seed: int, index: int, max_yaw: float = 45.0) -> Sample:
    """Sample number `index`: a scene with random light and colours."""
    rng = np.random.default_rng([seed, index])
    scene = draw_scene(rng, max_yaw)
    head = load_head()
    identity, expression = (torch.as_tensor(x, dtype=torch.float32)[None] for x in (scene.identity, scene.expression))
    with torch.no_grad():
        vertices = head.vertices(identity, expression)[0].numpy()
    light = rng.normal([0, 0.4, 0.8], [0.5, 0.3, 0.2])
    image = shade(
        vertices, head.topology, scene.camera, random_colors(head.topology, rng),
        background=tuple(rng.uniform(0, 1, 3)), light=tuple(light), ambient=rng.uniform(0.35, 0.7), supersample=1,
    )  # fmt: skip
    image = gaussian_filter(image, (*[rng.uniform(0.3, 1.2)] * 2, 0))
    image = image ** rng.uniform(0.7, 1.4) + rng.normal(0, rng.uniform(0, 0.03), image.shape)
    return Sample(scene.identity, scene.expression, scene.camera, image.clip(0, 1).astype(np.float32))


def random_camera(rng: np.random.Generator, max_yaw: float) -> Camera:
    """A portrait crop: the face about 0.45 of the picture's width, any lens from 15 to 40 degrees."""
    fov = rng.uniform(15, 40)
    distance = rng.uniform(0.15, 0.2) / np.tan(np.radians(fov / 2))
    yaw = float(np.clip(rng.normal(0, 18), -max_yaw, max_yaw))
    target = tuple(rng.normal(0, 0.012, 3) + [0, -0.01, 0])
    camera = Camera.orbit(yaw, rng.uniform(-15, 15), distance=distance, target=target, fov=fov, size=SIZE)
    roll = np.eye(4)
    roll[:3, :3] = Rotation.from_euler("z", rng.normal(0, 8), degrees=True).as_matrix()
    return replace(camera, viewmat=roll @ camera.viewmat)


def random_colors(topology: HeadTopology, rng: np.random.Generator) -> NDArray[np.float32]:
    """Vertex colours with another skin tone, brow strength, lip and eye colour."""
    colors = default_colors(topology)
    skin = topology.part_vertices("skin")[:, None]
    lips, brows = (
        topology.regions["lips"][:, None],
        (topology.regions["browLeft"] + topology.regions["browRight"])[:, None],
    )
    tone = rng.uniform(0.35, 1.1) * np.array([1.0, rng.uniform(0.85, 1.05), rng.uniform(0.75, 1.05)])
    plain = np.array([0.84, 0.66, 0.56])
    colors = np.where(skin, colors * (1 - rng.uniform(0, 0.7) * lips) + plain * rng.uniform(0, 0.7) * lips, colors)
    colors = np.where(skin, colors + rng.uniform(-0.6, 0.6) * brows * (plain - colors), colors)
    colors = np.where(skin, colors * tone, colors)
    iris = topology.regions["iris"][:, None] * (1 - topology.regions["pupil"][:, None])
    colors = colors * (1 - iris) + iris * rng.uniform(0.05, 0.6, 3)
    return colors.clip(0, 1).astype(np.float32)


def true_features(scene: Scene) -> NDArray[np.float64]:
    """The features (958,) that a perfect detector would give."""
    model = landmarks_of_default()
    pinhole = Pinhole.from_fov(FitConfig.fov, SIZE)
    return frontal_features(model, scene.camera.project(model.points(scene.identity, scene.expression)), pinhole)


def read_sample(sample: Sample) -> NDArray[np.float64] | None:
    """The detector's features (958,) of a sample, or None where it finds no face."""
    faces = detect_faces(sample.image)
    if not faces:
        return None
    return frontal_features(landmarks_of_default(), faces[0].landmarks, Pinhole.from_fov(FitConfig.fov, SIZE))


class Samples(NamedTuple):
    """What is known of N heads."""

    truth: NDArray[np.float32]  # (N, 52)
    clean: NDArray[np.float32]  # (N, 958) features of a perfect detector
    read: NDArray[np.float32]  # (N, 958) features of the real one; none for heads that were not drawn

    def part(self, index: NDArray[np.int64] | slice) -> Samples:
        """Some of the drawn ones."""
        return Samples(self.truth[index], self.clean[index], self.read[index])

    def with_mirrored(self) -> Samples:
        """All of them, then all of them in a mirror: two lessons from one head."""
        return Samples(
            np.concatenate([self.truth, self.truth[:, list(arkit.MIRROR)]]),
            np.concatenate([self.clean, mirror_features(self.clean)]),
            np.concatenate([self.read, mirror_features(self.read)]),
        )


def mirror_features(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (N, 958) of the same heads in a mirror. The mean head is symmetric: offsets only change sides."""
    flip = np.array([-1, 1], np.float32)  # of x
    offsets = features[:, :-2].reshape(-1, len(MIRROR), 2)[:, MIRROR] * flip
    return np.concatenate([offsets.reshape(-1, 2 * len(MIRROR)), features[:, -2:] * flip], axis=1)


def _drawn(task: tuple[int, int]) -> Samples:
    seed, start = task
    torch.set_num_threads(1)
    rows = []
    for index in range(start, start + CHUNK):
        sample = draw_sample(seed, index)
        found = read_sample(sample)
        if found is not None:
            rows.append((sample.expression, true_features(sample), found))
    return Samples(*(np.array(column, np.float32) for column in zip(*rows, strict=True)))


def _projected(task: tuple[int, int]) -> Samples:
    seed, start = task
    torch.set_num_threads(1)
    scenes = [draw_scene(np.random.default_rng([seed, i]), 45.0) for i in range(start, start + CHUNK)]
    return Samples(
        np.array([s.expression for s in scenes], np.float32),
        np.array([true_features(s) for s in scenes], np.float32),
        np.zeros((0, NUM_FEATURES), np.float32),
    )


def collect(kind: str, count: int, seed: int, folder: Path, processes: int) -> Samples:
    """At least the first `count` samples, "drawn" or "projected", read from `folder` where they lie there.

    They lie in a folder named after the head and its landmarks, since samples of another bake are of no use.
    """
    folder = (
        folder / f"head-{zlib.crc32(b''.join(file.read_bytes() for file in sorted(HEAD_ASSETS.glob('*.npz')))):08x}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{kind}-{seed}-{start}.npz" for start in range(0, count, CHUNK)]
    missing = [i for i, file in enumerate(files) if not file.exists()]
    work = {"drawn": _drawn, "projected": _projected}[kind]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for i, samples in zip(missing, pool.imap(work, [(seed, i * CHUNK) for i in missing]), strict=True):
            np.savez_compressed(files[i], **samples._asdict())
            print(f"{kind} samples up to {(i + 1) * CHUNK}: {len(samples.truth)} of {CHUNK} usable", flush=True)
    loaded = [np.load(file) for file in files]
    return Samples(*(np.concatenate([f[name] for f in loaded]) for name in Samples._fields))
