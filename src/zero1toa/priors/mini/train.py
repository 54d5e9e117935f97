"""Training of the mini prior: one loop for a CPU, a GPU or many, that goes on after a kill where it last saved."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._version import __version__
from ...progress import Progress
from ..training_run import STATE as STATE
from ..training_run import Log, Look, RunConfig, TrainingRun, psnr
from ..training_run import saved_step as saved_step
from .diffusion import UNSURE, Around, denoise, levels, spread
from .engine import Engine
from .network import Network, NetworkConfig
from .synthetic import Sitting, sitting
from .training_data import Batch, ClipData, PoolPlan, SyntheticPool, batch_of, draw_batch
from .weights import save_network

WEIGHTS = "mini.safetensors"
"""The averaged network, for `create --prior mini --weights`."""

_SINGLE = 0.15  # share of the steps that train on frames by themselves
_NEAR_NOISE, _NEAREST = 0.25, 0.1  # share of the steps with a clip near pure noise, and how near: times above 0.9
_NOBODY, _NO_TOKENS = 0.04, 0.05  # shares of clips without photo and reprojection, and without the photo's tokens
_BLIND = 0.15  # weight of clips without reprojection: their large errors would take most of every step
_VALIDATION_STEPS = 6  # DDIM steps of validation samples


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """How the network is trained."""

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


def train(
    output: Path,
    config: TrainConfig,
    *,
    data: ClipData[Sitting] | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    look: Look | None = None,
    log: Log | None = None,
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
    try:
        run.begin(resume)
        run.loop(progress, look, log)
    finally:
        run.data.close()
    return Trained(run.average, run.step, run.frames, run.seconds, run.sha256)


class _Run(TrainingRun):
    """The state of a training."""

    def __init__(self, output: Path, config: TrainConfig, engine: Engine, data: ClipData[Sitting] | None) -> None:
        self.config = config
        torch.manual_seed(config.seed)
        self.network = Network(config.network).to(engine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        adam = torch.optim.AdamW(self.network.parameters(), config.rate, betas=(0.9, 0.99), weight_decay=0.01)
        self.model, optimizer = engine.prepare(self.network, adam)
        super().__init__(
            output, config, engine, optimizer, list(self.network.parameters()), list(self.average.parameters())
        )
        self.data = data or SyntheticPool(
            sitting, config.seed, config.pool, config.clips, engine.rank, engine.processes
        )
        self.sha256 = ""
        self.validation: Batch | None = None

    def batch_loss(self) -> tuple[Tensor, int]:
        batch = draw_batch(self.data.at(self.step), self.config.clips, self.rng)
        return self.loss(batch), batch.frames.shape[0] * batch.frames.shape[1]

    def weights(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "average": self.average.state_dict()}

    def put_weights(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])

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
        figures = {"sample_psnr": psnr(sample, batch.frames), "condition_psnr": psnr(batch.center, batch.frames)}
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
