"""Clips for training: a pool of sittings that is renewed as training goes on, the same at the same step in any run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .person import HELD_OUT_FROM
from .synthetic import Clip, Sitting

_PERSONS = 1_000_000  # seeds that one run may use; runs of other seeds begin elsewhere
_AHEAD = 4  # sittings that each worker makes in advance
_FEATURES, _FACE = 2.0, 0.5  # added weight of pixels about eyes, brows and mouth, and of the face
_GAIN, _GAMMA = 0.08, 0.12  # standard deviations of the logarithms of a colour's gain and of a clip's gamma

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Batch(NamedTuple):
    """B clips of F frames, all pictures S x S. Colours are in [-1, 1], everything else in [0, 1]."""

    frames: Tensor  # (B, F, 3, S, S) the truth
    center: Tensor  # (B, F, 3, S, S) the reprojected photo
    known: Tensor  # (B, F, 2, S, S) its confidence, and the head's coverage
    landmarks: Tensor  # (B, F, 3, S, S)
    weight: Tensor  # (B, F, 1, S, S) of the loss
    face: Tensor  # (B, F, 1, S, S) where the face is seen
    photo: Tensor  # (B, 6, S, S) the photo, and its landmarks in [0, 1]
    yaw: Tensor  # (B, F) degrees

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(t.to(device) for t in self))


class ClipData(Protocol[S_co]):
    """Where clips come from."""

    @property
    def description(self) -> str:
        """For a recipe."""
        ...

    def at(self, step: int) -> Sequence[S_co]:
        """The sittings from which a step draws; the same for the same step in any run."""
        ...

    def held_out(self, count: int) -> Sequence[S_co]:
        """Sittings of persons whom `at` never shows."""
        ...

    def close(self) -> None:
        """Ends what works in the background."""
        ...


@dataclass(frozen=True)
class PoolPlan:
    """How many synthetic sittings there are and how fast they are renewed."""

    size: int = 192
    """Sittings in the pool."""
    clips: int = 6
    """Clips of a sitting."""
    reuse: float = 2.0
    """How often, on average, a clip is trained on before its sitting is replaced."""
    workers: int = 1
    """Processes that make sittings; 0 makes them in the training process."""


class SyntheticPool(Generic[S]):
    """`ClipData` of made-up persons without end.

    Args:
        make: makes the sitting of a seed with so many clips; it goes to other processes, so it has to pickle.
        seed: of the run.
        plan: sizes.
        clips_per_step: clips that a step draws.
        rank: number of this process.
        ranks: how many train together.
    """

    def __init__(
        self,
        make: Callable[[int, int], S],
        seed: int,
        plan: PoolPlan,
        clips_per_step: int,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.make = make
        self.plan = plan
        self.first = (seed * _PERSONS) % HELD_OUT_FROM
        self.rank, self.ranks = rank, ranks
        self.rate = clips_per_step / (plan.clips * plan.reuse)  # new sittings a step
        self.slots: list[S | None] = [None] * plan.size
        self.made = 0  # sittings asked for so far are those before this one
        self.waiting: dict[int, Future[S]] = {}
        context = get_context("spawn")  # threads of torch do not survive a fork
        self.workers = ProcessPoolExecutor(plan.workers, context, initializer=_calm) if plan.workers else None

    @property
    def description(self) -> str:
        return f"synthetic portraits, persons from {self.first}"

    def at(self, step: int) -> Sequence[S]:
        needed = self.plan.size + int(step * self.rate)
        begin = max(self.made, needed - self.plan.size)  # after a resume what has been replaced is not made again
        self._ask(begin, needed + (_AHEAD * self.plan.workers if self.workers else 0))
        for index in range(begin, needed):
            waiting = self.waiting.pop(index, None)
            self.slots[index % self.plan.size] = waiting.result() if waiting else self._make(index)
        self.made = max(self.made, needed)
        return [s for s in self.slots if s is not None]

    def _ask(self, begin: int, end: int) -> None:
        if self.workers is None:
            return
        for index in range(begin, end):
            if index not in self.waiting:
                self.waiting[index] = self.workers.submit(self.make, self._seed(index), self.plan.clips)

    def _seed(self, index: int) -> int:
        return self.first + (index * self.ranks + self.rank) % _PERSONS

    def _make(self, index: int) -> S:
        return self.make(self._seed(index), self.plan.clips)

    def held_out(self, count: int) -> list[S]:
        return [self.make(HELD_OUT_FROM + index, 1) for index in range(count)]

    def close(self) -> None:
        if self.workers is not None:
            self.workers.shutdown(wait=True, cancel_futures=True)


def _calm() -> None:
    """A worker shares the machine with training: one thread."""
    torch.set_num_threads(1)


def draw_batch(sittings: Sequence[Sitting], clips: int, rng: np.random.Generator, *, augment: bool = True) -> Batch:
    """Clips drawn at random; with `augment`, a clip and its photo share a random gain of the colours and a gamma."""
    chosen: list[tuple[Sitting, Clip]] = []
    for _ in range(clips):
        one = sittings[int(rng.integers(len(sittings)))]
        chosen.append((one, one.clips[int(rng.integers(len(one.clips)))]))
    batch = batch_of(chosen)
    if not augment:
        return batch
    gain = torch.from_numpy(np.exp(_GAIN * rng.normal(size=(clips, 1, 3, 1, 1)))).float()
    gamma = torch.from_numpy(np.exp(_GAMMA * rng.normal(size=(clips, 1, 1, 1, 1)))).float()

    def toned(colors: Tensor, gain: Tensor, gamma: Tensor) -> Tensor:
        return ((colors / 2 + 0.5).clamp(0, 1).pow(gamma) * gain).clamp(0, 1) * 2 - 1

    photo = torch.cat([toned(batch.photo[:, :3], gain[:, 0], gamma[:, 0]), batch.photo[:, 3:]], 1)
    return batch._replace(frames=toned(batch.frames, gain, gamma), center=toned(batch.center, gain, gamma), photo=photo)


def batch_of(chosen: Sequence[tuple[Sitting, Clip]]) -> Batch:
    """Clips as tensors."""

    def stacked(get: Callable[[tuple[Sitting, Clip]], NDArray[np.uint8]]) -> Tensor:
        values = torch.from_numpy(np.stack([get(c) for c in chosen])).float() / 255
        return values.movedim(-1, -3) if values.ndim >= 4 and values.shape[-1] in (2, 3) else values

    features = stacked(lambda c: c[1].features)[:, :, None]
    face = stacked(lambda c: c[1].face)[:, :, None]
    photo = torch.cat([stacked(lambda c: c[0].photo) * 2 - 1, stacked(lambda c: c[0].photo_landmarks)], 1)
    return Batch(
        frames=stacked(lambda c: c[1].frames) * 2 - 1,
        center=stacked(lambda c: c[1].condition) * 2 - 1,
        known=stacked(lambda c: c[1].known),
        landmarks=stacked(lambda c: c[1].landmarks),
        weight=1 + _FEATURES * features + _FACE * face,
        face=face,
        photo=photo,
        yaw=torch.from_numpy(np.stack([c[1].yaw for c in chosen])),
    )
