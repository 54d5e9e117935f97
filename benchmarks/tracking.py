"""How much of a known motion tracking recovers: `python -m benchmarks.tracking`.

Made-up persons (`priors.subjects`) perform near-neutral and exaggerated sequences, speech and every ARKit shape once,
before a fixed camera. The film is written as H.264 and tracked. Printed are, for each movement, the correlation of
tracked and true weights over all frames of all persons, the mean over persons of the correlation within each, and the
gain: least squares of tracked over true weights. "At rest" is the mean tracked weight where the true one is zero.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from zero1toa import motion
from zero1toa.camera import Camera
from zero1toa.heads import JOINTS, arkit, load_head
from zero1toa.media import write_mp4
from zero1toa.motion import Motion
from zero1toa.priors.protocol import Drive
from zero1toa.priors.subjects import Subject, photo_camera, random_subject
from zero1toa.tracking import Tracking, track_video

TEST_SEED = 51_000  # persons and motions of the reported table; weights were chosen with others
FPS = 25.0
SIZE = 512
TEXTURE = 512
UPPER_LIP, LOWER_LIP = (82, 13, 312), (87, 14, 317)  # landmarks of the inner lips around the middle
GROUPS = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "pucker": ("mouthPucker",),
    "brow up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brow down": ("browDownLeft", "browDownRight"),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "funnel": ("mouthFunnel",),
    "gaze sideways": ("eyeLookInLeft", "eyeLookOutLeft", "eyeLookInRight", "eyeLookOutRight"),
    "gaze up, down": ("eyeLookUpLeft", "eyeLookUpRight", "eyeLookDownLeft", "eyeLookDownRight"),
}


@dataclass(frozen=True, eq=False)
class Performance:
    """One person's film and what was tracked in it."""

    truth: Motion
    identity: NDArray[np.float64]  # (I,) true
    turns: NDArray[np.float64]  # (F, 3, 3) true rotation of the head to camera axes
    tracking: Tracking


def perform(seed: int, seconds: float) -> Motion:
    """A motion of about four times `seconds`: near neutral, exaggerated, talk, each ARKit shape once."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * FPS)
    return motion.near_neutral(frames, FPS, rng).concatenated(
        motion.exaggerated(frames, FPS, rng),
        motion.builtin("talk", seconds, FPS, seed),
        motion.builtin("expressions", max(seconds, 52 * 5 / FPS), FPS, seed),
    )


def film(subject: Subject, truth: Motion, camera: Camera) -> Iterator[NDArray[np.float32]]:
    """Frames (S, S, 3) before a plain wall."""
    wall = np.random.default_rng(subject.seed).uniform(0.2, 0.8, 3).astype(np.float32)
    for first in range(0, len(truth), 16):
        part = slice(first, first + 16)
        weights, poses = torch.as_tensor(truth.weights[part].copy()), torch.as_tensor(truth.poses[part].copy())
        video = subject.video(Drive([camera] * len(weights), weights, poses))
        frames, alpha = video.frames.permute(0, 2, 3, 1).numpy(), video.alpha.permute(0, 2, 3, 1).numpy()
        yield from frames + (1 - alpha) * wall


def head_turns(subject: Subject, truth: Motion, camera: Camera) -> NDArray[np.float64]:
    """(F, 3, 3) rotation of the head joint, head axes to camera axes."""
    poses = torch.as_tensor(truth.poses.copy())
    transforms = subject.head.joint_transforms(torch.zeros(len(poses), 52), poses)
    return camera.viewmat[:3, :3] @ transforms[:, JOINTS.index("head"), :3, :3].numpy().astype(np.float64)


def run(seed: int, seconds: float, folder: Path) -> Performance:
    """Person, motion, film, track."""
    subject, truth = random_subject.__wrapped__(seed, TEXTURE), perform(seed, seconds)
    rng = np.random.default_rng([seed, 9])
    camera = photo_camera(float(rng.normal(0, 5)), float(rng.normal(0, 4)), SIZE)
    path = folder / f"{seed}.mp4"
    if not path.exists():
        write_mp4(path, film(subject, truth, camera), fps=FPS)
    return Performance(truth, subject.identity, head_turns(subject, truth, camera), track_video(path))


def correlation(a: NDArray, b: NDArray) -> float:
    """Of two arrays, NaN if either does not vary."""
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 1e-9 else float("nan")


def table(performances: list[Performance]) -> list[str]:
    """Markdown lines, movements first, then every ARKit shape."""
    tracked = [p.tracking.motion.weights for p in performances]
    truth = [p.truth.weights for p in performances]
    lines = []
    rows = [*GROUPS.items(), *((name, (name,)) for name in arkit.NAMES)]
    for name, shapes in rows:
        index = [arkit.INDEX[shape] for shape in shapes]
        a, b = (np.concatenate([w[:, index].ravel() for w in each]) for each in (tracked, truth))
        each = [correlation(x[:, index], y[:, index]) for x, y in zip(tracked, truth, strict=True)]
        gain = float((a * b).sum() / max((b * b).sum(), 1e-9))
        idle = float(a[b <= 0].mean()) if (b <= 0).any() else float("nan")
        figures = f"{correlation(a, b):.2f} | {np.nanmean(each):.2f} | {np.nanmin(each):.2f} | {gain:.2f} | {idle:.3f}"
        lines.append(f"| {name} | {figures} |")
    head = ["| movement | correlation | within a person | worst person | gain | at rest |", "|---|---|---|---|---|---|"]
    return [*head, *lines[: len(GROUPS)], "", *head, *lines[len(GROUPS) :]]


def pose_errors(performance: Performance) -> tuple[float, float]:
    """Mean angle in degrees between tracked and true rotations: as they are, and less their mean difference."""
    difference = Rotation.from_matrix(performance.tracking.rotation) * Rotation.from_matrix(performance.turns).inv()
    still = difference.mean().inv() * difference
    return float(np.degrees(difference.magnitude()).mean()), float(np.degrees(still.magnitude()).mean())


def blinks(performance: Performance) -> tuple[int, int]:
    """How many of the true blinks (a lid shut to 0.9) are seen shut to 0.8 in the same frames or next to them; of how
    many."""
    seen = all_ = 0
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        true = performance.truth.weights[:, arkit.INDEX[name]] >= 0.9
        tracked = np.pad(performance.tracking.motion.weights[:, arkit.INDEX[name]], 1, mode="edge")
        edges = np.flatnonzero(np.diff(np.pad(true.astype(int), 1)))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            all_ += 1
            seen += int(tracked[first : end + 2].max() >= 0.8)
    return seen, all_


def closed_lips(performance: Performance) -> NDArray[np.float64]:
    """Opening of the tracked lips beyond rest in the frames in which the true ones are closed (within 0.5 mm), mm."""
    true, tracked = (
        lip_opening(identity, motion.weights)
        for identity, motion in (
            (performance.identity, performance.truth),
            (performance.tracking.identity, performance.tracking.motion),
        )
    )
    return tracked[true < 0.5]


def lip_opening(identity: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """(F,) mm by which the middle of the lips is farther apart than at rest."""
    head = load_head()
    with torch.no_grad():
        vertices = head.vertices(
            torch.as_tensor(identity, dtype=torch.float32)[None],
            torch.as_tensor(np.concatenate([np.zeros((1, 52), np.float32), weights])),
        )
        landmarks = head.landmarks(vertices).numpy()
    gap = np.linalg.norm(landmarks[:, UPPER_LIP] - landmarks[:, LOWER_LIP], axis=-1).mean(1) * 1000
    return gap[1:] - gap[0]


def main(persons: int = 5, seconds: float = 8.0, seed: int = TEST_SEED, folder: Path | None = None) -> None:
    """Prints the tables as Markdown.

    Args:
        persons: how many.
        seconds: length of each of the four parts of a performance.
        seed: of the first person.
        folder: where films are kept; by default nowhere.
    """
    performances = []
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        for k in range(persons):
            began, used = time.perf_counter(), time.process_time()
            performances.append(run(seed + k, seconds, place))
            p = performances[-1]
            raw, still = pose_errors(p)
            print(
                f"person {k + 1}: {len(p.truth)} frames, {np.mean(p.tracking.state == 0):.1%} tracked, landmarks "
                f"{np.nanmean(p.tracking.errors):.2f} px at 225, head {raw:.1f} degrees off, {still:.2f} after a "
                f"constant ({time.perf_counter() - began:.0f} s, {time.process_time() - used:.0f} s CPU)",
                flush=True,
            )
    seen, blinked = np.sum([blinks(p) for p in performances], axis=0)
    lips = np.concatenate([closed_lips(p) for p in performances])
    print(f"\n{seen} of {blinked} blinks of single eyes are shut to 0.8 in the track")
    print(f"closed lips: the track's are {np.median(lips):.1f} mm apart in half, at most {np.percentile(lips, 95):.1f} "
          f"in 95 % of {len(lips)} frames")  # fmt: skip
    print("\n" + "\n".join(table(performances)))


if __name__ == "__main__":
    tyro.cli(main)
