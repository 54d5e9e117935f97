"""Training of the mini prior: one loop for a CPU, a GPU or many, that goes on after a kill where it last saved."""

from __future__ import annotations

import copy
import io
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._version import __version__
from ...errors import AssetError, InputError
from ...files import write_whole
from ...progress import Progress
from .diffusion import UNSURE, Around, denoise, levels, spread
from .engine import Engine, Precision
from .network import Network, NetworkConfig
from .training_data import Batch, ClipData, PoolPlan, SyntheticPool, batch_of, draw_batch
from .weights import save_network

STATE = "state.pt"
"""What a training goes on from."""

WEIGHTS = "mini.safetensors"
"""The averaged network, for `create --prior mini --weights`."""

_FORMAT = 1
_WARMUP, _WARMUP_SHARE = 100, 0.1  # steps until the rate is whole, at most this share of all
_SINGLE = 0.15  # share of the steps that train on frames by themselves
_NEAR_NOISE, _NEAREST = 0.25, 0.1  # share of the steps with a clip near pure noise, and how near: times above 0.9
_NOBODY, _NO_TOKENS = 0.04, 0.05  # shares of clips without photo and reprojection, and without the photo's tokens
_BLIND = 0.15  # weight of clips without reprojection: their large errors would take most of every step
_LARGEST_GRADIENT = 1.0
_VALIDATION_STEPS = 6  # DDIM steps of validation samples


@dataclass(frozen=True)
class TrainConfig:
    """How the network is trained."""

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
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Shape of the network."""
    pool: PoolPlan = field(default_factory=PoolPlan)
    """Of synthetic persons."""


@dataclass(eq=False)
class Trained:
    """What a training has come to."""

    network: Network  # the average
    step: int
    frames: int
    seconds: float
    sha256: str  # of the file of weights


Look = Callable[[int, dict[str, float], Tensor], None]
"""Called after a look at held-out persons: step, figures, and a row (4, B, 3, S, S) of photo, condition, sample, truth
in [0, 1]."""


def train(
    output: Path,
    config: TrainConfig,
    *,
    data: ClipData | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    look: Look | None = None,
    log: Callable[[int, dict[str, float]], None] | None = None,
) -> Trained:
    """Trains a network into a folder.

    Args:
        output: gets `STATE` while training runs, and `WEIGHTS` whenever it looks at held-out persons and at the end.
        config: how.
        data: clips; by default synthetic ones.
        resume: go on from the state in `output`, if there is one.
        device: "auto", "cpu" or "cuda".
        progress: where to show how far it is.
        look: called after each look at held-out persons.
        log: called with the figures of every step.

    Raises:
        InputError: there is a state already, and `resume` is off, or the state is of another training.
        OutputError: a file cannot be written.
        MissingDependency: several processes were launched without accelerate.
    """
    progress = progress or Progress(quiet=True)
    engine = Engine(config.precision, device)
    run = _Run(output, config, engine, data)
    if resume:
        run.load()
    elif (output / STATE).exists():
        raise InputError(f"{output} holds a training already: go on with --resume, or choose another folder.")
    try:
        return run.loop(progress, look, log)
    finally:
        run.data.close()


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


class _Run:
    """The state of a training."""

    def __init__(self, output: Path, config: TrainConfig, engine: Engine, data: ClipData | None) -> None:
        self.output, self.config, self.engine = output, config, engine
        torch.manual_seed(config.seed)
        self.network = Network(config.network).to(engine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        optimizer = torch.optim.AdamW(self.network.parameters(), config.rate, betas=(0.9, 0.99), weight_decay=0.01)
        self.model, self.optimizer = engine.prepare(self.network, optimizer)
        self.rng = np.random.default_rng([config.seed, engine.rank, 3])
        self.generator = torch.Generator().manual_seed(config.seed * 1000 + engine.rank)
        self.data = data or SyntheticPool(config.seed, config.pool, config.clips, engine.rank, engine.processes)
        self.step, self.frames, self.seconds = 0, 0, 0.0
        self.sha256 = ""
        self.validation: Batch | None = None

    def loop(
        self, progress: Progress, look: Look | None, log: Callable[[int, dict[str, float]], None] | None
    ) -> Trained:
        config, engine = self.config, self.engine
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
        return Trained(self.average, self.step, self.frames, self.seconds, self.sha256)

    def advance(self, share: float) -> dict[str, float]:
        """One step of the optimizer, `share` of the way along."""
        config, engine = self.config, self.engine
        warmup = max(1.0, min(_WARMUP, _WARMUP_SHARE * config.steps))
        rate = config.rate * min(1.0, (self.step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * min(share, 1.0)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = draw_batch(self.data.at(self.step), config.clips, self.rng)
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        engine.backward(loss)
        size = float(nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT))
        self.optimizer.step()
        decay = min(config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
        self.step += 1
        self.frames += batch.frames.shape[0] * batch.frames.shape[1] * engine.processes
        return {"loss": float(loss.detach()), "rate": rate, "gradient": size}

    def loss(self, batch: Batch) -> Tensor:
        """Weighted squared error of F for noise and conditions drawn at random."""
        device = self.engine.device
        clips, frames = batch.frames.shape[:2]
        temporal = bool(self.rng.random() > _SINGLE)
        time_ = self._times(clips, frames, temporal)
        nobody = torch.from_numpy(self.rng.random(clips) < _NOBODY)
        keep = (~nobody & torch.from_numpy(self.rng.random(clips) > _NO_TOKENS)).float()
        shown = (~nobody).float()[:, None, None, None, None]
        noise = torch.randn(batch.frames.shape, generator=self.generator)
        batch = batch._replace(center=batch.center * shown, known=batch.known * shown).to(device)
        time_, noise, keep = time_.to(device), noise.to(device), keep.to(device)
        alpha, sigma = (level[..., None, None, None] for level in levels(time_))
        around = Around(batch.center, spread(batch.known[:, :, :1]), alpha, sigma)
        noisy = alpha * batch.frames + sigma * noise
        condition = torch.cat([batch.center, batch.known, batch.landmarks], 2)
        with self.engine.autocast():
            answer = self.model(around.scaled(noisy), condition, time_, (batch.photo, keep), temporal)
        weight = batch.weight * around.spread / UNSURE  # sure pixels have large F for small errors
        told = batch.known[:, :, 1].mean((1, 2, 3)) > 0
        weight = weight * torch.where(told, 1.0, _BLIND)[:, None, None, None, None]
        return (weight * (around.unit(noisy, answer) - around.target(batch.frames, noise)) ** 2).mean()

    def _times(self, clips: int, frames: int, temporal: bool) -> Tensor:
        """(B, F) spread evenly over [0, 1); the frames of a clip share theirs where they see each other."""
        count = clips if temporal else clips * frames
        times = (self.rng.random() + np.arange(count) / count) % 1
        times = np.repeat(times[:, None], frames, 1) if temporal else self.rng.permutation(times).reshape(clips, frames)
        if self.rng.random() < _NEAR_NOISE:
            times[self.rng.integers(clips)] = 1 - _NEAREST * self.rng.random()
        return torch.from_numpy(times).float()

    @torch.no_grad()
    def look(self, look: Look | None) -> None:
        """Samples held-out persons, and writes the weights."""
        if self.validation is None:
            sittings = self.data.held_out(self.config.held_out)
            self.validation = batch_of([(s, s.clips[0]) for s in sittings])
        batch = self.validation.to(self.engine.device)
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(batch.frames.shape, generator=generator).to(self.engine.device)
        with self.engine.autocast():
            sample = sample_batch(self.average, batch, noise, _VALIDATION_STEPS)
        figures = {"sample_psnr": _psnr(sample, batch.frames), "condition_psnr": _psnr(batch.center, batch.frames)}
        self.sha256 = save_network(self.output / WEIGHTS, self.average, self.recipe(figures))
        if look is not None:
            shown = torch.stack(
                [batch.photo[:, :3], batch.center[:, -1], sample[:, -1].clamp(-1, 1), batch.frames[:, -1]]
            )
            look(self.step, figures, (shown / 2 + 0.5).cpu())

    def recipe(self, figures: dict[str, float]) -> dict[str, Any]:
        """What a file of weights says of itself."""
        config = asdict(self.config)
        config.pop("network")
        return {
            "made_by": f"zero1toa {__version__} train-prior",
            "data": self.data.description,
            "engine": self.engine.description,
            "steps": self.step,
            "frames": self.frames,
            "minutes": round(self.seconds / 60, 2),
            "config": config,
            "figures": {name: round(value, 3) for name, value in figures.items()},
        }

    def save(self) -> None:
        """Writes the state, whole or not at all."""
        state = {
            "format": _FORMAT,
            "config": _comparable(self.config),
            "step": self.step,
            "frames": self.frames,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "generator": self.generator.get_state(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_whole(self.output / STATE, buffer)

    def load(self) -> None:
        """Goes on from the state in the folder; without one, from the beginning."""
        path = self.output / STATE
        if not path.exists():
            return
        state = _read_state(path)
        if state.get("format") != _FORMAT or state["config"] != _comparable(self.config):
            raise InputError(f"{path} is of a training with other options: repeat those, or choose another folder.")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.frames, self.seconds = state["step"], state["frames"], state["seconds"]
        if self.engine.rank == 0:
            self.rng.bit_generator.state = state["rng"]
            self.generator.set_state(state["generator"])
        else:  # another process' dice: new ones, that no step before has seen
            self.rng = np.random.default_rng([self.config.seed, self.engine.rank, self.step, 3])
            self.generator.manual_seed(self.config.seed * 1000 + self.engine.rank + 7919 * self.step)


def _comparable(config: TrainConfig) -> dict[str, Any]:
    """What may not change when a training goes on: all but its length and how often it looks and saves."""
    same = replace(config, steps=0, minutes=None, save_every=0, validate_every=0, held_out=0)
    return {k: str(v) for k, v in asdict(same).items()}


@torch.no_grad()
def sample_batch(network: Network, batch: Batch, noise: Tensor, steps: int, temporal: bool = True) -> Tensor:
    """(B, F, 3, S, S) clips made from noise under a batch's conditions."""
    condition = torch.cat([batch.center, batch.known, batch.landmarks], 2)
    reference = network.read(batch.photo, torch.ones(len(batch.photo), device=batch.photo.device))

    def velocity(noisy: Tensor, time_: float) -> Tensor:
        alpha, sigma = levels(torch.tensor(time_))
        around = Around(batch.center, spread(batch.known[:, :, :1]), alpha, sigma)
        times = torch.full(noisy.shape[:2], time_, device=noisy.device)
        return around.velocity(noisy, network(around.scaled(noisy), condition, times, reference, temporal))

    return denoise(velocity, noise, steps)


def _psnr(pictures: Tensor, truth: Tensor) -> float:
    """Mean over frames, dB, of pictures in [-1, 1]."""
    error = ((pictures - truth) ** 2).mean((-1, -2, -3)) / 4
    return float((-10 * torch.log10(error.clamp_min(1e-9))).mean())
