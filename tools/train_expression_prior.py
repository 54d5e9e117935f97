"""Trains the expression prior of the fit and the detector's bias on rendered heads and writes both into the package.

    python tools/train_expression_prior.py --count 8000

Each sample is a random head with a random expression, light, colour and camera, drawn with the plain mesh renderer and
read by the landmark detector. From these the detector itself is modelled (a linear map of the true features plus
noise), so that many more heads, which are projected but not drawn, can be read as it would read them; the network is
trained on both. Takes about 20 minutes on two cores. Sample k depends on k and the seed alone, so a longer run extends
a shorter one; samples are kept in --folder.
"""

from __future__ import annotations

import itertools
import multiprocessing
import zlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
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
from zero1toa.portrait.detector_bias import NUM_TERMS, DetectorBias, view_terms
from zero1toa.portrait.expression_prior import NUM_FEATURES, ExpressionRegressor, frontal_features
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.solver import LandmarkModel, Pinhole

ASSETS = Path(__file__).parents[1] / "src/zero1toa/portrait/assets"
HEAD_ASSETS = Path(__file__).parents[1] / "src/zero1toa/heads/assets"
SIZE = 384
CHUNK = 200
LEAST_ACTIVE = 8  # heads that must show a movement before it is calibrated
THRESHOLDS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2)
GAINS = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0)
SPURIOUS_COST = 0.3  # of a mean spurious weight beside the squared error
# Cost of what is not recovered, by the beginning of the name. High for movements that the detector half hides and that
# spoil a neutral face if they stay in it; low for others, whose over-reading would widen eyes and thin lips. Chosen on
# rendered heads of seed 20,000, so that those are no test of the result.
MISSING_COST = {
    "mouthPucker": 8.0, "mouthFrown": 8.0, "mouthSmile": 4.0, "jawOpen": 4.0, "eyeBlink": 4.0,
    "browInnerUp": 9.0, "browOuterUp": 9.0, "browDown": 4.0,
}  # fmt: skip
OTHER_MISSING_COST = 1.0


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


class Detector:
    """What the landmark detector makes of true features: a linear map and correlated noise, in a whitened space."""

    def __init__(self, drawn: Samples, components: int, ridge: float = 3.0) -> None:
        self.mean = drawn.read.mean(0)
        _, singular, basis = np.linalg.svd(drawn.read - self.mean, full_matrices=False)
        self.projection = basis[:components] / (singular[:components, None] / np.sqrt(len(drawn.read)))
        self._clean_mean = drawn.clean.mean(0)
        self._clean_basis = np.linalg.svd(drawn.clean - self._clean_mean, full_matrices=False)[2][: components + 40]
        clean, read = self._reduce(drawn.clean), self.whiten(drawn.read)
        self._map = np.linalg.solve(clean.T @ clean + ridge * np.eye(clean.shape[1]), clean.T @ read)
        self._noise = np.linalg.cholesky(np.cov((read - clean @ self._map).T) + 1e-6 * np.eye(components))

    def _reduce(self, clean: NDArray[np.float32]) -> NDArray[np.float64]:
        return (clean - self._clean_mean) @ self._clean_basis.T

    def whiten(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features (N, 958) to unit variance (N, P)."""
        return (features - self.mean) @ self.projection.T

    def expected(self, clean: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, P) what it would read on average."""
        return self._reduce(clean) @ self._map

    def noise(self, count: int) -> torch.Tensor:
        """(count, P) one draw of its error."""
        mixing = torch.tensor(self._noise, dtype=torch.float32)
        return torch.randn(count, len(mixing)) @ mixing.T


def train(
    drawn: Samples, projected: Samples, *, components: int = 160, epochs: int = 40, seed: int = 0
) -> ExpressionRegressor:
    """Least squares on the weights; the last tenth of the drawn samples is held out for calibration and covariance."""
    torch.manual_seed(seed)
    split = len(drawn.read) * 9 // 10
    detector = Detector(Samples(*(column[:split] for column in drawn)), components)
    real = torch.tensor(detector.whiten(drawn.read), dtype=torch.float32)
    truth = torch.tensor(drawn.truth)
    imagined = torch.tensor(detector.expected(projected.clean), dtype=torch.float32)
    network = torch.nn.Sequential(
        torch.nn.Linear(components, 256), torch.nn.SiLU(), torch.nn.Linear(256, 128), torch.nn.SiLU(),
        torch.nn.Linear(128, 52),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    targets = torch.cat([torch.tensor(projected.truth), truth[:split]])
    for epoch in range(epochs):
        jitter = 0.05 * torch.randn(split, components)
        inputs = torch.cat([imagined + detector.noise(len(imagined)), real[:split] + jitter])
        for batch in torch.randperm(len(inputs)).split(256):
            loss = (network(inputs[batch]) - targets[batch]).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 10 == 9:
            with torch.no_grad():
                held_out = (network(real[split:]) - truth[split:]).square().sum(1).mean()
            print(f"epoch {epoch + 1}: squared error {loss.item():.3f}, held out {held_out.item():.3f}", flush=True)
    with torch.no_grad():
        predicted = network(real[split:]).clamp(0, 1).numpy()
    threshold, gain = calibrate(predicted, drawn.truth[split:])
    residual = ((predicted - threshold) * gain).clip(0, 1) - drawn.truth[split:]
    layers = [m for m in network if isinstance(m, torch.nn.Linear)]
    return ExpressionRegressor(
        detector.mean, detector.projection.astype(np.float32),
        tuple(m.weight.detach().numpy() for m in layers), tuple(m.bias.detach().numpy() for m in layers),
        threshold, gain, (residual.T @ residual / len(residual)).astype(np.float32),
    )  # fmt: skip


def calibrate(
    predicted: NDArray[np.float32], truth: NDArray[np.float32], target: float = 0.85
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Threshold and gain (52,) for each weight, from predictions (N, 52) on heads not trained on.

    Least squares answers an unsure smile with a little of everything. A threshold takes the little away, a gain gives
    what is left its size back. For each weight the pair is chosen that keeps the squared error and the mean spurious
    weight low while about `target` of a true movement is recovered.
    """
    threshold, gain = np.zeros(52, np.float32), np.ones(52, np.float32)
    for k in range(52):
        missing_cost = next((c for n, c in MISSING_COST.items() if arkit.NAMES[k].startswith(n)), OTHER_MISSING_COST)
        energy = float((truth[:, k] ** 2).mean())
        if (truth[:, k] > 0).sum() < LEAST_ACTIVE:
            continue
        costs = {}
        for low, factor in itertools.product(THRESHOLDS, GAINS):
            guess = ((predicted[:, k] - low) * factor).clip(0, 1)
            recovered = float((guess * truth[:, k]).mean()) / energy
            missing = max(0.0, target - recovered) ** 2 * energy
            spurious = float((guess * (truth[:, k] == 0)).mean())
            error = float(((guess - truth[:, k]) ** 2).mean())
            costs[low, factor] = error + SPURIOUS_COST * spurious + missing_cost * missing
        threshold[k], gain[k] = min(costs, key=lambda pair: costs[pair])
    mirror = list(arkit.MIRROR)  # both sides alike
    return (threshold + threshold[mirror]) / 2, (gain + gain[mirror]) / 2


def learn_bias(drawn: Samples, ridge: float = 1e-2) -> DetectorBias:
    """Least squares of the detector's error on the viewing direction."""
    error = (drawn.read - drawn.clean)[:, :-2]
    terms = view_terms(drawn.read[:, -2:].astype(np.float64))
    solved = np.linalg.solve(terms.T @ terms + ridge * np.eye(NUM_TERMS), terms.T @ error)
    return DetectorBias(solved.reshape(NUM_TERMS, -1, 2).astype(np.float32))


def main(
    count: int = 8000,
    projected: int = 20000,
    seed: int = 1,
    folder: Path = Path("build/expression_prior"),
    processes: int = 2,
) -> None:
    """Draws, reads, trains and writes the asset."""
    drawn = collect("drawn", count, seed, folder, processes)
    more = collect("projected", projected, seed + 1, folder, processes)
    ASSETS.mkdir(parents=True, exist_ok=True)
    learn_bias(drawn).save(ASSETS / "detector_bias.npz")
    train(drawn, more).save(ASSETS / "expression_prior.npz")
    print(f"Wrote detector_bias.npz and expression_prior.npz into {ASSETS}")


if __name__ == "__main__":
    tyro.cli(main)
