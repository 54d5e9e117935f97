"""Trains the network that reads a face's movements in a video, on made-up persons, and writes it into the package.

    python tools/train_tracking_prior.py

Each person is drawn three times at rest and nine times with expressions, before any camera, and read by the landmark
detector as a video is. From these the detector itself is modelled (a linear map of true offsets plus noise), so that
many more movements, which are projected but not drawn, can be read as it would read them. The network sees what
tracking sees: offsets from the person's own rest, after the head's pose is taken out. Every fifth person is held out;
the gains are chosen on them, so that what is printed for them is a little too good. Takes about 25 minutes on two
cores, most of it for the drawing; samples are kept in --folder, and a longer run extends a shorter one.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from tracking_samples import CHUNK, REST, SIZE, People, collect, draw_weights, random_camera
from zero1toa.config import FitConfig
from zero1toa.heads import arkit, load_head
from zero1toa.portrait.detector_bias import view_terms
from zero1toa.portrait.solver import Pinhole
from zero1toa.priors.landmarks import project_landmarks
from zero1toa.tracking.person import movements, solve_person
from zero1toa.tracking.reader import VIEW_UNIT, MovementReader, mirrored

ASSET = Path(__file__).parents[1] / "src/zero1toa/tracking/assets/movement_reader.npz"
MIRROR = list(arkit.MIRROR)
BLOCK, MOVEMENTS = 25, 60  # persons that are projected at a time, and movements of each
PROJECTED_SEED = 1000
HELD_OUT = 5  # every fifth person
# Share of a movement that a least-squares reader with its gain gives back on held-out persons. Below 1, for a gain
# enlarges noise, and the persons' lids are calibrated again in the video.
TARGET = 0.95
# What a viewer notices first; their errors count that much more in the loss. Chosen on held-out persons.
IMPORTANT = ("jawOpen", "eyeBlink", "mouthSmile", "mouthPucker", "browInnerUp", "browOuterUp")
IMPORTANCE = 3.0
MOST_GAIN = 1.6  # of the movements that landmarks hardly show; more would make noise of them


class Lessons(NamedTuple):
    """What tracking sees of N frames."""

    offsets: NDArray[np.float32]  # (N, 478, 2) cm
    clean: NDArray[np.float32]  # (N, 478, 2) cm, of a perfect detector
    view: NDArray[np.float32]  # (N, 2)
    truth: NDArray[np.float32]  # (N, 52)
    person: NDArray[np.int64]  # (N,)

    def of(self, rows: NDArray[np.bool_]) -> Lessons:
        """Some of them."""
        return Lessons(self.offsets[rows], self.clean[rows], self.view[rows], self.truth[rows], self.person[rows])

    def with_mirrored(self) -> Lessons:
        """All of them, then all of them in a mirror."""
        offsets, view = mirrored(self.offsets.astype(np.float64), self.view.astype(np.float64))
        clean, _ = mirrored(self.clean.astype(np.float64), view)
        return Lessons(
            np.concatenate([self.offsets, offsets]).astype(np.float32),
            np.concatenate([self.clean, clean]).astype(np.float32),
            np.concatenate([self.view, view]).astype(np.float32),
            np.concatenate([self.truth, self.truth[:, MIRROR]]),
            np.concatenate([self.person, self.person]),
        )


def lessons(people: People, rest: int = REST) -> Lessons:
    """Each person's identity and rest from the frames at rest, and the movements of all others."""
    head, config, pinhole = load_head(), FitConfig(), Pinhole.from_fov(FitConfig.fov, SIZE)
    rows = []
    for number in np.unique(people.person):
        mine = people.person == number
        weights = people.weights[mine].astype(np.float64)
        seen = []
        for source in (people.true,) if people.read is people.true else (people.read, people.true):
            landmarks = source[mine].astype(np.float64)
            person = solve_person(head, landmarks[:rest], weights[:rest], pinhole, config, np.ones(rest))
            seen.append(movements(person, landmarks[rest:], pinhole))
        (read, poses), (clean, _) = seen[0], seen[-1]
        rows.append((read, clean, poses.rotation[:, 2, :2], weights[rest:], np.full(len(read), number)))
    read, clean, view, truth, person_of = (np.concatenate(column) for column in zip(*rows, strict=True))
    read, clean, view, truth = (a.astype(np.float32) for a in (read, clean, view, truth))
    return Lessons(read, clean, view, truth, person_of)


def projected(count: int, frames: int, seed: int) -> Lessons:
    """Movements of `count` persons who were not drawn: `offsets` are those of a perfect detector, too."""
    head = load_head()
    rng = np.random.default_rng([seed, 1])
    people = []
    for number in range(count):
        weights = np.concatenate([np.zeros((REST, 52)), draw_weights(frames, seed, rng)])
        identity = torch.as_tensor(rng.normal(size=(1, head.num_identity)) * rng.uniform(0.7, 1), dtype=torch.float32)
        with torch.no_grad():
            vertices = head.vertices(identity, torch.as_tensor(weights, dtype=torch.float32)).numpy()
        fov = rng.uniform(15, 45)
        distance = rng.uniform(0.15, 0.21) / np.tan(np.radians(fov / 2))
        cameras = [random_camera(rng, fov, distance) for _ in weights]
        true = project_landmarks(vertices, head.topology, cameras)[..., :2].astype(np.float32)
        people.append(People(np.full(len(true), number), weights.astype(np.float32), true, true))
    person, weights, true, _ = (np.concatenate(part) for part in zip(*people, strict=True))
    return lessons(People(person, weights, true, true))


class Detector:
    """What the landmark detector makes of true offsets: a linear map and correlated noise, in a whitened space."""

    def __init__(self, drawn: Lessons, components: int, ridge: float = 3.0) -> None:
        read, clean = drawn.offsets.reshape(len(drawn.view), -1), drawn.clean.reshape(len(drawn.view), -1)
        self.mean = read.mean(0)
        variances, basis = np.linalg.eigh((read - self.mean).T @ (read - self.mean) / len(read))
        self.projection = (basis[:, ::-1][:, :components] / np.sqrt(variances[::-1][:components])).T
        self._clean_mean = clean.mean(0)
        _, basis = np.linalg.eigh((clean - self._clean_mean).T @ (clean - self._clean_mean))
        self._clean_basis = basis[:, ::-1][:, : components + 40].T
        inputs, outputs = self._inputs(drawn), self.whiten(drawn.offsets)
        self._map = np.linalg.solve(inputs.T @ inputs + ridge * np.eye(inputs.shape[1]), inputs.T @ outputs)
        self._noise = np.linalg.cholesky(np.cov((outputs - inputs @ self._map).T) + 1e-6 * np.eye(components))

    def _inputs(self, known: Lessons) -> NDArray[np.float64]:
        reduced = (known.clean.reshape(len(known.view), -1) - self._clean_mean) @ self._clean_basis.T
        return np.concatenate([reduced, view_terms(known.view.astype(np.float64))], 1)

    def whiten(self, offsets: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 478, 2) to unit variance (N, P)."""
        return ((offsets.reshape(len(offsets), -1) - self.mean) @ self.projection.T).astype(np.float32)

    def expected(self, known: Lessons) -> NDArray[np.float32]:
        """(N, P) what it would read on average."""
        return (self._inputs(known) @ self._map).astype(np.float32)

    def noise(self, count: int) -> torch.Tensor:
        """(count, P) one draw of its error."""
        mixing = torch.tensor(self._noise, dtype=torch.float32)
        return torch.randn(count, len(mixing)) @ mixing.T


def train(drawn: Lessons, more: Lessons, components: int = 250, epochs: int = 24, seed: int = 0) -> MovementReader:
    """Least squares on the weights. Each epoch sees the drawn frames twice and the projected ones once.

    Whitening is linear, so the finished network takes it into its first layer.
    """
    torch.manual_seed(seed)
    drawn, more = drawn.with_mirrored(), more.with_mirrored()
    detector = Detector(drawn, components)
    real = torch.tensor(np.concatenate([detector.whiten(drawn.offsets), VIEW_UNIT * drawn.view], 1)).repeat(2, 1)
    imagined = torch.tensor(detector.expected(more))
    views = torch.tensor(VIEW_UNIT * more.view)
    targets = torch.tensor(np.concatenate([drawn.truth, drawn.truth, more.truth]))
    width = components + 2
    importance = torch.tensor([IMPORTANCE if name.startswith(IMPORTANT) else 1.0 for name in arkit.NAMES])
    network = torch.nn.Sequential(
        torch.nn.Linear(width, 256), torch.nn.SiLU(), torch.nn.Dropout(0.1), torch.nn.Linear(256, 128),
        torch.nn.SiLU(), torch.nn.Linear(128, 52),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        jittered = real + 0.1 * torch.randn_like(real)
        inputs = torch.cat([jittered, torch.cat([imagined + detector.noise(len(imagined)), views], 1)])
        for batch in torch.randperm(len(inputs)).split(256):
            loss = ((network(inputs[batch]) - targets[batch]).square() @ importance).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    network.eval()
    layers = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in network if isinstance(m, torch.nn.Linear)]
    weights = [weight for weight, _ in layers]
    projection = np.zeros((width, len(detector.mean) + 2))
    projection[:components, :-2], projection[components:, -2:] = detector.projection, np.eye(2)
    weights[0] = (weights[0] @ projection).astype(np.float32)
    mean = np.append(detector.mean, [0, 0]).astype(np.float32)
    return MovementReader(mean, tuple(weights), tuple(bias for _, bias in layers), np.ones(52, np.float32))


def gains(predicted: NDArray[np.float64], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(52,) factors with which predictions (N, 52) give back `TARGET` of the truth; both sides alike."""
    share = (predicted * truth).sum(0) / np.maximum((truth**2).sum(0), 1e-9)
    factor = np.clip(TARGET / np.maximum(share, 1e-3), 1 / MOST_GAIN, MOST_GAIN)
    factor[(truth > 0).sum(0) < 8] = 1.0
    return ((factor + factor[MIRROR]) / 2).astype(np.float32)


def joined(parts: list[Lessons]) -> Lessons:
    """All of them in one."""
    return Lessons(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _lessons_of_some(people: People) -> Lessons:
    torch.set_num_threads(1)
    return lessons(people)


def _projected_block(block: int) -> Lessons:
    torch.set_num_threads(1)
    return projected(BLOCK, MOVEMENTS, PROJECTED_SEED + block)


def main(
    count: int = 860,
    blocks: int = 22,
    seed: int = 1,
    folder: Path = Path("build/tracking_prior"),
    processes: int = 2,
) -> None:
    """Draws `count` persons, projects `blocks` of 25 more with 60 movements each, trains and writes the asset."""
    people = collect(count, seed, folder, processes)
    chunks = np.unique(people.person // CHUNK)
    some = [People(*(part[people.person // CHUNK == chunk] for part in people)) for chunk in chunks]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        known = joined(pool.map(_lessons_of_some, some, chunksize=1))
        more = joined(pool.map(_projected_block, range(blocks), chunksize=1))
    held = known.person % (2 * HELD_OUT) < 2  # one textured and one plain person of ten
    first = train(known.of(~held), more)
    test = known.of(held)
    predicted = first(test.offsets.astype(np.float64), test.view.astype(np.float64))
    factor = gains(predicted, test.truth)
    print(f"{len(known.truth)} frames; held-out squared error {((predicted - test.truth) ** 2).sum(1).mean():.3f}")
    for k, name in enumerate(arkit.NAMES):
        guess, truth = predicted[:, k] * factor[k], test.truth[:, k]
        if (truth > 0).sum() > 8:
            correlation = np.corrcoef(guess, truth)[0, 1]
            print(f"{name:20s} correlation {correlation:.2f} gain {(guess * truth).sum() / (truth**2).sum():.2f}")
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    replace(train(known, more), gain=factor).save(ASSET)
    print(f"Wrote {ASSET}")


if __name__ == "__main__":
    tyro.cli(main)
