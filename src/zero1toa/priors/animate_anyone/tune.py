"""Fine-tuning of a model of the family, in the two stages in which its authors trained it.

"images": single frames; the reference UNet, the pose guider and the denoising UNet without its motion modules learn.
"motion": clips; the motion modules alone learn. VAE and image encoder never do. Numbers that are not ours are of
AniPortrait's `configs/train/stage1.yaml` (commit 8c2b5db) and `stage2.yaml` (7b2277e).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..._version import __version__
from ...config import DiffusionConfig
from ...errors import InputError
from ...progress import Progress
from ..mini.engine import Engine
from ..mini.training_data import ClipData, PoolPlan, SyntheticPool
from ..training_run import Log, Look, RunConfig, TrainingRun, psnr
from . import condition as conditions
from .checkpoint import load_networks
from .files import located
from .motion import MOTION
from .networks import Networks, random_networks
from .prior import decode_latents
from .sampler import Sampler, score_levels
from .save import complete_folder, network_files, write_recipe, write_tensors
from .spec import SPECS, ModelSpec, configured, tiny
from .training_clips import ClipShape, PortraitClip, PortraitSitting
from .tuning_loss import LatentBatch, TuningNetworks, latent_batch, velocity_loss

Stage = Literal["images", "motion"]

_LOOK_STEPS = 10  # DDIM steps of held-out samples, at most
_LOOK_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)  # shares of the schedule at which the held-out loss is taken
_DENOISER = ("denoising_unet", "motion_module", "unet")  # files that the second stage writes


@dataclass(frozen=True)
class TuneConfig(RunConfig):
    """How a model is fine-tuned."""

    steps: int = 2000
    clips: int = 1
    rate: float = 1e-5
    save_every: int = 500
    validate_every: int = 500
    held_out: int = 2
    model: str = "aniportrait"
    """Of `spec.SPECS`."""
    stage: Stage = "images"
    """Which of the two stages."""
    frames: int = 16
    """Frames of a clip; in the first stage one of them is drawn."""
    levels: Literal["inference", "train"] = "inference"
    """Noise levels: those with which clips are sampled, or those of the model's own training, where they differ."""
    without_photo: float = 0.1
    """Share of the clips without reference features and tokens, for classifier-free guidance."""
    noise_offset: float = 0.05
    """Deviation of an offset that all pixels of a channel's noise share."""
    snr_gamma: float = 5.0
    """Of min-SNR weighting (Hang 2023)."""
    recompute: bool = False
    """Gradient checkpointing."""
    pool: PoolPlan = field(default_factory=lambda: PoolPlan(size=12, clips=4, reuse=4.0))
    """Of synthetic persons."""
    weights: str = ""
    """Tells the weights that it began with from others; filled in by `tune`."""


@dataclass(eq=False)
class Tuned:
    """What a fine-tuning has come to."""

    networks: Networks
    step: int
    frames: int
    seconds: float


def tune(
    output: Path,
    config: TuneConfig,
    weights: str | None,
    *,
    data: ClipData[PortraitSitting] | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    look: Look | None = None,
    log: Log | None = None,
) -> Tuned:
    """Fine-tunes a model into a folder that `load_networks` reads.

    Args:
        output: gets the state while training runs, and all files of the model with averaged weights whenever it looks
            at held-out persons and at the end.
        config: how.
        weights: folder of the model's files, or "hub"; None begins with tiny random networks.
        data: clips of the shape that `clip_shape` tells; by default synthetic ones.
        resume: go on from the state in `output`, if there is one.
        device: "auto", "cpu" or "cuda".
        progress: where to show how far it is.
        look: called after each look at held-out persons; of its pictures the second row are landmarks.
        log: called with the figures of every step.

    Raises:
        InputError: `output` is the folder of the weights, or holds another training.
        MissingWeights: files are missing.
        AssetError: a file does not hold this network.
        OutputError: a file cannot be written.
        MissingDependency: the extra `diffusion` is not installed.
    """
    check_tuning(output, config, weights)
    engine = Engine(config.precision, device)
    spec = tuned_spec(config.model, weights)
    source = {} if weights is None else located(config.model, weights)
    if weights is None:
        networks = random_networks(spec, config.seed).ready(spec, engine.device, torch.float32, None)
    else:
        networks = load_networks(config.model, DiffusionConfig(weights=weights, dtype="float32"), engine.device)
    config = replace(config, weights=_fingerprint(source))
    run = _Run(output, config, engine, networks, spec, source, data)
    try:
        run.begin(resume)
        run.loop(progress or Progress(quiet=True), look, log)
    finally:
        run.data.close()
    run.take_averages()
    return Tuned(networks, run.step, run.frames, run.seconds)


def check_tuning(output: Path, config: TuneConfig, weights: str | None) -> None:
    """Fails for what `tune` could not do, before anything is loaded. See there for the errors."""
    spec = tuned_spec(config.model, weights)
    if not 1 <= config.frames <= spec.network.motion_length:
        raise InputError(f"A clip has 1 to {spec.network.motion_length} frames, not {config.frames}.")
    if config.stage == "motion" and config.frames < 2:
        raise InputError("The motion modules need clips of at least 2 frames.")
    if weights is None:
        return
    for path in located(config.model, weights).values():
        if path.parent.resolve() == output.expanduser().resolve():
            raise InputError(f"{output} holds the weights to begin with: choose another folder for the new ones.")


def tuned_spec(model: str, weights: str | None) -> ModelSpec:
    """Of a model, or of its tiny version where there are no weights."""
    spec = SPECS[model]
    return configured(spec if weights is not None else tiny(spec), DiffusionConfig())


def clip_shape(config: TuneConfig, weights: str | None) -> ClipShape:
    """Of the clips on which a model is fine-tuned."""
    return ClipShape(config.model, tuned_spec(config.model, weights).size, config.frames)


def _fingerprint(source: dict[str, Path]) -> str:
    files = [(name, path.stat().st_size) for name, path in sorted(source.items()) if path.is_file()]
    return f"{zlib.crc32(str(files).encode()):08x}"


class _Run(TrainingRun):
    """The state of a fine-tuning."""

    def __init__(
        self,
        output: Path,
        config: TuneConfig,
        engine: Engine,
        networks: Networks,
        spec: ModelSpec,
        source: dict[str, Path],
        data: ClipData[PortraitSitting] | None,
    ) -> None:
        self.config, self.networks, self.spec, self.source = config, networks, spec, source
        temporal = config.stage == "motion"
        networks.denoiser.temporal = temporal
        for unet in (networks.reference, networks.denoiser):
            unet.recompute = config.recompute
        module = TuningNetworks(networks, spec).to(engine.device)
        self.trained = {n: p for n, p in module.named_parameters() if (MOTION in n) == temporal}
        for parameter in self.trained.values():
            parameter.requires_grad_(True)
        self.average = {name: parameter.detach().clone() for name, parameter in self.trained.items()}
        # Betas and decay: AniPortrait's.
        adam = torch.optim.AdamW(self.trained.values(), config.rate, betas=(0.9, 0.999), weight_decay=0.01)
        self.alone = module  # without the other processes, who are not there when the first looks at held-out persons
        self.model, optimizer = engine.prepare(module, adam)
        super().__init__(output, config, engine, optimizer, list(self.trained.values()), list(self.average.values()))
        self.levels = score_levels(spec.noise, config.levels)
        shape = ClipShape(spec.name, spec.size, config.frames)
        self.data = data or SyntheticPool(
            shape.maker(), config.seed, config.pool, config.clips, engine.rank, engine.processes
        )
        self.kept: list[tuple[PortraitSitting, PortraitClip]] = []

    def batch_loss(self) -> tuple[Tensor, int]:
        sittings = self.data.at(self.step)
        chosen = []
        for _ in range(self.config.clips):
            one = sittings[int(self.rng.integers(len(sittings)))]
            clip = one.clips[int(self.rng.integers(len(one.clips)))]
            if self.config.stage == "images":
                index = int(self.rng.integers(len(clip.frames)))
                clip = PortraitClip(clip.frames[index : index + 1], clip.landmarks[index : index + 1])
            chosen.append((one, clip))
        count = len(chosen)
        times = (self.rng.random() + np.arange(count) / count) % 1  # spread evenly over the schedule
        plain = int((self.rng.random(count) < self.config.without_photo).sum())
        with self.engine.autocast():
            batch = latent_batch(self.networks, self.spec, chosen, self.generator)
            loss = self.loss(self.model, batch, torch.from_numpy(times), plain, self.generator)
        return loss, count * len(chosen[0][1].frames)

    def loss(
        self, model: nn.Module, batch: LatentBatch, times: Tensor, plain: int, generator: torch.Generator
    ) -> Tensor:
        """Of clips at times (B,) in [0, 1), the first `plain` of which see no photo."""
        device = self.engine.device
        timesteps = (times * len(self.levels)).long().clamp_max(len(self.levels) - 1)
        kept = self.levels[timesteps].to(device)
        shape = batch.clean.shape
        noise = torch.randn(shape, generator=generator)
        noise = noise + self.config.noise_offset * torch.randn((*shape[:2], 1, 1, 1), generator=generator)
        noise = noise.to(device)
        alpha, sigma = (level.sqrt()[:, None, None, None, None] for level in (kept, 1 - kept))
        shown = (torch.arange(shape[0], device=device) >= plain).to(batch.tokens)[:, None, None]
        answer = model(
            alpha * batch.clean + sigma * noise,
            timesteps.to(device),
            shown * batch.tokens,
            batch.photo[plain:],
            batch.landmarks,
        )
        return velocity_loss(answer, batch.clean, noise, kept, self.config.snr_gamma)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The networks with their averages in place of their weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self.trained.items():
            parameter.data, self.average[name].data = self.average[name].data, parameter.data

    def take_averages(self) -> None:
        """Leaves the networks with their averages, as they are written; all frozen."""
        for name, parameter in self.trained.items():
            parameter.data = self.average[name].data
            parameter.requires_grad_(False)
        self.networks.denoiser.temporal = True

    @torch.no_grad()
    def look(self, look: Look | None) -> None:
        if not self.kept:
            self.kept = [(s, s.clips[0]) for s in self.data.held_out(self.config.held_out)]
        with self.averaged():
            figures, pictures = self.held_out()
            self.write(figures)
        if look is not None:
            look(self.step, figures, pictures)

    def held_out(self) -> tuple[dict[str, float], Tensor]:
        """Loss and samples of held-out persons, and (4, B, 3, S, S) photos, landmarks, samples and truths in [0, 1]."""
        losses, rows, values = [], [], []
        for number, (sitting, clip) in enumerate(self.kept):
            generator = torch.Generator().manual_seed(number)
            with self.engine.autocast():
                batch = latent_batch(self.networks, self.spec, [(sitting, clip)], generator)
                for time in _LOOK_TIMES:
                    losses.append(float(self.loss(self.alone, batch, torch.tensor([time]), 0, generator)))
                sample = self.sample(sitting, clip, generator)
            truth, photo = _planes(clip.frames), _planes(sitting.photo[None])
            values.append((psnr(sample * 2 - 1, truth * 2 - 1), psnr(photo * 2 - 1, truth * 2 - 1)))
            rows.append(torch.stack([photo[0], _planes(clip.landmarks)[-1], sample[-1], truth[-1]]))
        sampled, copied = np.mean(values, 0)
        figures = {"loss": float(np.mean(losses)), "sample_psnr": float(sampled), "photo_psnr": float(copied)}
        return figures, torch.stack(rows, 1)

    def sample(self, sitting: PortraitSitting, clip: PortraitClip, generator: torch.Generator) -> Tensor:
        """(F, 3, S, S) a clip made from noise, in [0, 1]."""
        spec, networks = self.spec, self.networks
        picture = Image.fromarray(sitting.photo)
        tokens = conditions.clip_tokens(networks, picture)
        bank = conditions.reference_bank(networks, spec, picture, tokens, generator)
        condition = conditions.clip_condition(networks, spec, tokens, bank, list(clip.landmarks))
        side = spec.size // 8
        noise = torch.randn((1, 4, len(clip.frames), side, side), generator=generator).to(self.engine.device)
        sampler = Sampler(networks.denoiser, spec)
        latents = sampler.denoise(condition, noise, min(_LOOK_STEPS, spec.steps), spec.guidance)
        return decode_latents(networks, spec, latents).cpu()

    def write(self, figures: dict[str, float]) -> None:
        """All files of the model, and the recipe."""
        for name, tensors in network_files(self.config.model, self.networks).items():
            if self.config.stage == "images" or name in _DENOISER or not self.source:
                write_tensors(self.output / f"{name}.safetensors", tensors)
        complete_folder(self.output, self.config.model, self.networks, self.source)
        write_recipe(self.output, self.recipe(figures))

    def recipe(self, figures: dict[str, float]) -> dict[str, Any]:
        """What the folder says of itself."""
        return {
            "made_by": f"zero1toa {__version__} tune-prior",
            "model": f"{self.config.model} (tiny, random weights)" if not self.source else self.config.model,
            "stage": self.config.stage,
            "data": self.data.description,
            "engine": self.engine.description,
            "steps": self.step,
            "frames": self.frames,
            "minutes": round(self.seconds / 60, 2),
            "config": asdict(self.config),
            "figures": {name: round(value, 4) for name, value in figures.items()},
        }

    def weights(self) -> dict[str, Any]:
        held = {name: parameter.detach() for name, parameter in self.trained.items()}
        return {"network": held, "average": self.average}

    def put_weights(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(state["network"][name])
                self.average[name].copy_(state["average"][name])


def _planes(pictures: np.ndarray[Any, Any]) -> Tensor:
    """(F, 3, S, S) in [0, 1] of pictures (F, S, S, 3)."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
