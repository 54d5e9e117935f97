"""Trains the network that reads a face's movements in a video, on made-up persons, and writes it into the package.

    python tools/train_tracking_prior.py --count 1600

Each person is drawn three times at rest and nine times with expressions, before any camera, and read by the landmark
detector as a video is. The network sees what tracking sees: offsets from the person's own rest, after the head's pose
is taken out. Every fifth person is held out; the gains are chosen on them, so that what is printed for them is a little
too good. Takes about 25 minutes on two cores, most of it for the drawing; samples are kept in --folder, and a longer
run extends a shorter one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from tracking_samples import REST, SIZE, People, collect
from zero1toa.config import FitConfig
from zero1toa.heads import arkit, load_head
from zero1toa.portrait.solver import Pinhole
from zero1toa.tracking.person import solve_person
from zero1toa.tracking.reader import MovementReader, features, mirrored
from zero1toa.tracking.track import movements

ASSET = Path(__file__).parents[1] / "src/zero1toa/tracking/assets/movement_reader.npz"
MIRROR = list(arkit.MIRROR)
HELD_OUT = 5  # every fifth person
# Share of a movement that a least-squares reader with its gain gives back on held-out persons. Below 1, for a gain
# enlarges noise, and the persons' lids are calibrated again in the video.
TARGET = 0.95
MOST_GAIN = 1.6  # of the movements that landmarks hardly show; more would make noise of them


class Lessons(NamedTuple):
    """What tracking sees of N frames."""

    offsets: NDArray[np.float32]  # (N, 478, 2) cm
    view: NDArray[np.float32]  # (N, 2)
    truth: NDArray[np.float32]  # (N, 52)
    person: NDArray[np.int64]  # (N,)

    def of(self, rows: NDArray[np.bool_]) -> Lessons:
        """Some of them."""
        return Lessons(*(part[rows] for part in self))

    def with_mirrored(self) -> Lessons:
        """All of them, then all of them in a mirror."""
        offsets, view = mirrored(self.offsets, self.view)
        return Lessons(
            np.concatenate([self.offsets, offsets.astype(np.float32)]),
            np.concatenate([self.view, view.astype(np.float32)]),
            np.concatenate([self.truth, self.truth[:, MIRROR]]),
            np.concatenate([self.person, self.person]),
        )


def lessons(people: People) -> Lessons:
    """Each person's identity and rest from the frames at rest, and the movements of all others."""
    head, config, pinhole = load_head(), FitConfig(), Pinhole.from_fov(FitConfig.fov, SIZE)
    rows = []
    for number in np.unique(people.person):
        mine = people.person == number
        landmarks, weights = people.read[mine].astype(np.float64), people.weights[mine].astype(np.float64)
        person = solve_person(head, landmarks[:REST], weights[:REST], pinhole, config, np.ones(REST))
        offsets, poses = movements(person, landmarks[REST:], pinhole)
        rows.append((offsets, poses.rotation[:, 2, :2], weights[REST:], np.full(len(offsets), number)))
    offsets, view, truth, person_of = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Lessons(*(a.astype(np.float32) for a in (offsets, view, truth)), person_of)


def train(known: Lessons, components: int = 250, epochs: int = 50, seed: int = 0) -> MovementReader:
    """Least squares on the weights. Whitening is linear, so the finished network takes it into its first layer."""
    torch.manual_seed(seed)
    known = known.with_mirrored()
    values = features(known.offsets, known.view)
    mean = values.mean(0)
    mean[-2:] = 0
    plain = values[:, :-2] - mean[:-2]
    variances, basis = np.linalg.eigh(plain.T @ plain / len(plain))
    basis, variances = basis[:, ::-1][:, :components], variances[::-1][:components]
    projection = np.zeros((components + 2, values.shape[1]), np.float32)
    projection[:components, :-2] = (basis / np.sqrt(variances)).T
    projection[components:, -2:] = np.eye(2)
    inputs = torch.tensor((values - mean) @ projection.T)
    targets = torch.tensor(known.truth)
    width = inputs.shape[1]
    network = torch.nn.Sequential(
        torch.nn.Linear(width, 256), torch.nn.SiLU(), torch.nn.Dropout(0.1), torch.nn.Linear(256, 128),
        torch.nn.SiLU(), torch.nn.Linear(128, 52),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=5e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(256):
            jittered = inputs[batch] + 0.1 * torch.randn(len(batch), width)
            loss = (network(jittered) - targets[batch]).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    layers = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in network if isinstance(m, torch.nn.Linear)]
    weights = [weight for weight, _ in layers]
    weights[0] = (weights[0] @ projection).astype(np.float32)
    return MovementReader(mean, tuple(weights), tuple(bias for _, bias in layers), np.ones(52, np.float32))


def gains(predicted: NDArray[np.float64], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(52,) factors with which predictions (N, 52) give back `TARGET` of the truth; both sides alike."""
    share = (predicted * truth).sum(0) / np.maximum((truth**2).sum(0), 1e-9)
    factor = np.clip(TARGET / np.maximum(share, 1e-3), 1 / MOST_GAIN, MOST_GAIN)
    factor[(truth > 0).sum(0) < 8] = 1.0
    return ((factor + factor[MIRROR]) / 2).astype(np.float32)


def main(count: int = 1600, seed: int = 1, folder: Path = Path("build/tracking_prior"), processes: int = 2) -> None:
    """Draws, reads, trains and writes the asset."""
    known = lessons(collect(count, seed, folder, processes))
    held = known.person % (2 * HELD_OUT) < 2  # one textured and one plain person of ten
    first = train(known.of(~held))
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
    replace(train(known), gain=factor).save(ASSET)
    print(f"Wrote {ASSET}")


if __name__ == "__main__":
    tyro.cli(main)
