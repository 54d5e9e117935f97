"""The loop that every training of a network here shares, and how it goes on after a kill."""

from __future__ import annotations

import math
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import AssetError, InputError
from ..files import atomic_write
from ..progress import Progress
from .mini.engine import Engine, Precision
from .mini.training_data import PoolPlan

STATE = "state.pt"
"""What a training goes on from."""

_FORMAT = 1
_WARMUP, _WARMUP_SHARE = 100, 0.1  # steps until the rate is whole, at most this share of all
_LARGEST_GRADIENT = 1.0
_LENGTH: dict[str, Any] = {"steps": 0, "minutes": None, "save_every": 0, "validate_every": 0, "held_out": 0}
"""What may change when a training goes on: its length, and how often it looks and saves."""

Look = Callable[[int, dict[str, float], Tensor], None]
"""Called after a look at held-out persons: step, figures, and a row (4, B, 3, S, S) of photo, condition, sample, truth
in [0, 1]."""

Log = Callable[[int, dict[str, float]], None]
"""Called with the figures of every step."""


@dataclass(frozen=True)
class RunConfig:
    """What all trainings are told."""

    steps: int = 6000
    """Steps of the optimizer."""
    minutes: float | None = None
    """Minutes after which training ends, whatever `steps` says; the rate falls with the time then."""
    clips: int = 4
    """Clips of a step and a process."""
    rate: float = 1.5e-3
    """Learning rate; it falls to zero along a cosine."""
    average: float = 0.998
    """Decay of the running average of the weights, which is what is kept."""
    precision: Precision = "auto"
    """"auto" is bfloat16 where the machine computes in it."""
    seed: int = 0
    """Of weights, persons, clips and noise."""
    save_every: int = 200
    """Steps between two saved states."""
    validate_every: int = 500
    """Steps between two looks at held-out persons."""
    held_out: int = 8
    """Held-out persons in a look."""

    def check(self, pool: PoolPlan) -> None:
        """Raises InputError for numbers with which nothing can be trained; `pool` holds the made-up persons."""
        counts = (self.steps, self.clips, pool.size, self.validate_every, self.save_every, self.held_out)
        if min(counts) < 1 or pool.workers < 0 or not 0 < self.rate < 1:
            raise InputError(
                "Steps, clips, pool and intervals are at least 1, workers at least 0, the rate is in (0, 1)."
            )
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"A training cannot last {self.minutes} minutes.")


def saved_step(output: Path) -> int:
    """The step of the state in a folder; 0 where there is none."""
    path = output / STATE
    return int(_read_state(path)["step"]) if path.exists() else 0


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise AssetError(f"{path} is no state of a training: remove it and begin anew.") from error
    return state


class TrainingRun(ABC):
    """The state of a training.

    Args:
        output: gets `STATE` while training runs.
        config: how.
        engine: where.
        optimizer: of `parameters`.
        parameters: what is trained.
        averages: tensors that follow them, in the same order.
    """

    def __init__(
        self,
        output: Path,
        config: RunConfig,
        engine: Engine,
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[Tensor],
        averages: Sequence[Tensor],
    ) -> None:
        self.output, self.run_config, self.engine, self.optimizer = output, config, engine, optimizer
        self.parameters, self.averages = list(parameters), list(averages)
        self.rng = np.random.default_rng([config.seed, engine.rank, 3])
        self.generator = torch.Generator().manual_seed(config.seed * 1000 + engine.rank)
        self.step, self.frames, self.seconds = 0, 0, 0.0

    @abstractmethod
    def batch_loss(self) -> tuple[Tensor, int]:
        """The loss of the next batch, and of how many frames it is."""

    @abstractmethod
    def look(self, look: Look | None) -> None:
        """Samples held-out persons, and writes the weights."""

    @abstractmethod
    def weights(self) -> dict[str, Any]:
        """What a state holds of the networks and of their averages, by names of its own."""

    @abstractmethod
    def put_weights(self, state: dict[str, Any]) -> None:
        """Takes what `weights` gave."""

    def begin(self, resume: bool) -> None:
        """From the state in the folder, or from nothing.

        Raises:
            InputError: there is a state already, and `resume` is off, or the state is of another training.
            AssetError: the state cannot be read.
        """
        if resume:
            self.load()
        elif (self.output / STATE).exists():
            raise InputError(f"{self.output} holds a training already: go on with --resume, or choose another folder.")

    def loop(self, progress: Progress, look: Look | None, log: Log | None) -> None:
        """Trains to the end."""
        config, engine = self.run_config, self.engine
        begun = time.monotonic() - self.seconds
        with progress.stage("training", config.steps) as stage:
            if self.step:
                stage.advance(self.step)
            while True:
                self.seconds = time.monotonic() - begun
                share = self.step / max(config.steps, 1)
                if config.minutes is not None:
                    share = max(share, self.seconds / (60 * config.minutes))
                if engine.agreed(share >= 1):
                    break
                figures = self.advance(share)
                stage.advance(1, **figures, frames_per_second=self.frames / max(time.monotonic() - begun, 1e-6))
                if log is not None and engine.is_main:
                    log(self.step, figures)
                if self.step % config.validate_every == 0 and engine.is_main:
                    self.look(look)
                if self.step % config.save_every == 0 and engine.is_main:
                    self.save()
        if engine.is_main:
            self.look(look)
            self.save()

    def advance(self, share: float) -> dict[str, float]:
        """One step of the optimizer, `share` of the way along."""
        config, engine = self.run_config, self.engine
        warmup = max(1.0, min(_WARMUP, _WARMUP_SHARE * config.steps))
        rate = config.rate * min(1.0, (self.step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * min(share, 1.0)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, frames = self.batch_loss()
        self.optimizer.zero_grad(set_to_none=True)
        engine.backward(loss)
        size = float(nn.utils.clip_grad_norm_(self.parameters, _LARGEST_GRADIENT))
        self.optimizer.step()
        decay = min(config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)
        self.step += 1
        self.frames += frames * engine.processes
        return {"loss": float(loss.detach()), "rate": rate, "gradient": size}

    def save(self) -> None:
        """Writes the state, whole or not at all. It goes to the disk as it is made: of large networks it has 30 GB."""
        state = {
            "format": _FORMAT,
            "config": comparable(self.run_config),
            "step": self.step,
            "frames": self.frames,
            "seconds": self.seconds,
            **self.weights(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "generator": self.generator.get_state(),
        }
        with atomic_write(self.output / STATE) as temporary, temporary.open("wb") as file:
            torch.save(state, file)

    def load(self) -> None:
        """Goes on from the state in the folder; without one, from the beginning."""
        path = self.output / STATE
        if not path.exists():
            return
        state = _read_state(path)
        if state.get("format") != _FORMAT or state["config"] != comparable(self.run_config):
            raise InputError(f"{path} is of a training with other options: repeat those, or choose another folder.")
        self.put_weights(state)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.frames, self.seconds = state["step"], state["frames"], state["seconds"]
        if self.engine.rank == 0:
            self.rng.bit_generator.state = state["rng"]
            self.generator.set_state(state["generator"])
        else:  # another process' dice: new ones, that no step before has seen
            config, rank = self.run_config, self.engine.rank
            self.rng = np.random.default_rng([config.seed, rank, self.step, 3])
            self.generator.manual_seed(config.seed * 1000 + rank + 7919 * self.step)


def comparable(config: RunConfig) -> dict[str, Any]:
    """What may not change when a training goes on: all but its length and how often it looks and saves."""
    return {k: str(v) for k, v in asdict(replace(config, **_LENGTH)).items()}


def psnr(pictures: Tensor, truth: Tensor) -> float:
    """Mean over frames, dB, of pictures (..., 3, H, W) in [-1, 1]."""
    error = ((pictures - truth) ** 2).mean((-1, -2, -3)) / 4
    return float((-10 * torch.log10(error.clamp_min(1e-9))).mean())
