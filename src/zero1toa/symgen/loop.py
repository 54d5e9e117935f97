"""SymGEN, symbiotic generation (paper, section 3.3): the avatar and its video dataset make each other better.

Two steps take turns. *Avatar-driven dataset enhancement*: a clip is rendered from the avatar, the prior makes it
better, and the result replaces the clip in the dataset. *Dataset-refined avatar reconstruction*: the avatar trains on
frames of the dataset. Which clips there are, and how far their cameras go, is decided by progressive learning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from ..camera import Camera
from ..config import CreateConfig
from ..priors import Drive, Mode, Reference, ScorePrior, Video, VideoPrior
from ..progress import Progress
from ..splats import Gaussians, rasterize, rasterize_clip, to_world
from ..splats.cpu.threads import threads_for_kernels_alone
from ..splats.statistics import RasterStatistics
from .adam import GaussianAdam
from .checkpoint import Workspace
from .curriculum import active_stages, opening
from .dataset import Clip, Dataset, Sample
from .density import controlled
from .distill import METHODS, Distillation
from .drives import ClipPlan
from .limits import Limits
from .losses import gradient_distance, weighted_distance
from .settle import Weighed, settled_colors
from .shade import shade_field

Preview = Callable[[Gaussians, int], None]
"""Called with the Gaussians and the number of iterations done; it decides itself how often it draws."""

_SMALL_GRADIENT = 1.0  # of what one pixel's full error gives a colour: below it a Gaussian is hardly moved


@dataclass(eq=False)
class SymGen:
    """One run: everything that changes while an avatar is trained.

    Args:
        reference: the person.
        prior: the video model.
        config: all numbers.
        plans: what the clips show.
        photo: the photo itself, always a sample.
        full_photo: the same at the size at which it is kept, for the last step.
        splats: the first Gaussians.
        limits: of the same.
        generator: of all random numbers of the loop.
        workspace: where the state is kept for a later `--resume`; None keeps nothing.
        device: where the Gaussians are trained. Clips, the head and the prior's videos stay on the CPU.
    """

    reference: Reference
    prior: VideoPrior
    config: CreateConfig
    plans: list[ClipPlan]
    photo: Sample
    full_photo: Sample
    splats: Gaussians
    limits: Limits
    generator: torch.Generator
    workspace: Workspace | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        config = self.config
        self.iteration = 0
        self.faces = torch.as_tensor(self.reference.head.topology.faces).to(self.device)
        self.limits = self.limits.to(self.device)
        self.dataset = Dataset(self.plans, self.workspace.folder if self.workspace else None)
        eps = _SMALL_GRADIENT * config.losses.color / (3 * config.size**2)
        first = Gaussians(*(tensor.to(self.device) for tensor in self.splats))
        self.adam = GaussianAdam(first, self.limits.shares(), eps)
        self.statistics = RasterStatistics(len(self.splats.means), self.device)
        self.most = round(config.density.most * len(self.splats.means))
        self.prior_state: Any = self.prior.prepare(self.reference, self.generator)
        self.distillation: Distillation | None = None
        if config.guidance in METHODS and isinstance(self.prior, ScorePrior):
            self.distillation = Distillation(
                config.guidance, self.prior, self.prior_state, config.distill, self.generator
            )
        if self.workspace is not None and self.workspace.has_state:
            self._restore(self.workspace)

    def run(self, progress: Progress, preview: Preview | None = None) -> Gaussians:
        """Trains to the end and returns the Gaussians."""
        total = self.config.iterations
        with progress.stage("training", total) as stage, threads_for_kernels_alone():
            stage.advance(self.iteration)
            while self.iteration < total:
                updated = self.update_dataset()
                loss = self.train_step()
                self.iteration += 1
                self.control_density()
                stage.advance(1, loss=loss, clips=float(len(self.dataset)))
                if updated and self.workspace is not None:
                    self._save(self.workspace)
                if preview is not None:
                    preview(self.current(), self.iteration)
        with progress.stage("settling colours"):
            self.settle()
        return self.current()

    def current(self) -> Gaussians:
        """The Gaussians as they are, on the CPU, without gradients, colours within [0, 1]."""
        return Gaussians(*(tensor.cpu() for tensor in self._plain()))

    def _plain(self) -> Gaussians:
        values = self.adam.splats
        plain = (tensor.detach() for tensor in values)
        return Gaussians(*plain)._replace(colors=values.colors.detach().clamp(0, 1))

    def update_dataset(self) -> bool:
        """Avatar-driven dataset enhancement, when it is due. Returns whether a clip was made."""
        config, k = self.config, self.iteration
        if config.guidance in METHODS:
            return False
        stages = active_stages(config.curriculum, k, config.iterations)
        active = [number for number, plan in enumerate(self.plans) if plan.stage in stages]
        fresh = [number for number in active if number not in self.dataset.numbers]
        for number in fresh:
            drive = self._drive(number)
            video = self.prior.generate(self.prior_state, drive)
            self.dataset.replace(number, Clip.of(self.plans[number], self._opened(number), video, k))
        if fresh or not active or config.guidance == "once" or k % config.update_interval:
            return bool(fresh)
        number = self.dataset.oldest(active)
        drive = self._drive(number)
        video = self.prior.regenerate(
            self.prior_state, drive, self.render(drive), config.strength, cast(Mode, config.mode)
        )
        again = self.dataset[number].updates + 1
        self.dataset.replace(number, Clip.of(self.plans[number], self._opened(number), video, k, again))
        return True

    def train_step(self) -> float:
        """Dataset-refined avatar reconstruction: one step on one picture. Returns the loss."""
        config = self.config
        if config.guidance in METHODS and not self._wants_photo():
            loss = self._answer_loss() if self.distillation is None else self._score_loss(self.distillation)
        else:
            loss = self._reconstruction_loss(self._sample())
        splats = self.adam.splats
        loss = loss + config.losses.position * self.limits.position_loss(splats)
        loss = loss + config.losses.scale * self.limits.scale_loss(splats)
        loss.backward()
        decay = config.rates.final ** (self.iteration / config.iterations)
        self.adam.step({name: decay * getattr(config.rates, name) for name in self.adam.values})
        return loss.item()

    @torch.no_grad()
    def control_density(self) -> bool:
        """Clones, splits and prunes, when it is due. Returns whether it was."""
        density, k, total = self.config.density, self.iteration, self.config.iterations
        if not density.interval or k % density.interval or not density.begin * total <= k <= density.end * total:
            return False
        change = controlled(
            self.adam.splats, self.statistics, self.limits.geometry > 0, density, self.most, self.generator
        )
        self.adam.rebuild(change.parents, change.fresh, change.splats)
        self.limits = self.limits.of(change.parents)
        self.statistics = RasterStatistics(len(change.parents), self.device)
        return True

    def settle(self) -> None:
        """Gives the Gaussians the colours that fit the photo and some frames of the dataset best."""
        config, numbers = self.config.settle, self.dataset.numbers
        pictures = [Weighed(self.full_photo, 1.0)] if self.config.photo_share else []
        for _ in range(config.frames if numbers else 0):
            pictures.append(Weighed(self._frame_of(numbers), config.clips / config.frames))
        head = self.reference.head
        posed = [head.pose(p.sample.expression, p.sample.pose).detach().to(self.device) for p in pictures]
        pictures = [p._replace(sample=p.sample.to(self.device)) for p in pictures]
        splats = self._plain()
        field = shade_field(splats, head.vertices.to(self.device), self.faces, self.limits.shade, config.field_spacing)
        colors = settled_colors(
            splats, list(zip(pictures, posed)), self.faces, self.limits.settle, field, self.limits.give, config
        )
        self.adam.values["colors"] = colors.requires_grad_()

    @torch.no_grad()
    def render(self, drive: Drive) -> Video:
        """The avatar along a drive; its confidence is 1."""
        splats = self._plain()
        posed = self.reference.head.pose(drive.expressions, drive.poses).to(self.device)
        worlds = [to_world(splats, vertices, self.faces) for vertices in posed]
        means, quats, scales = (torch.stack(tensors) for tensors in zip(*(world[:3] for world in worlds)))
        out = rasterize_clip(means, quats, scales, worlds[0].opacities, worlds[0].colors, drive.cameras)
        alpha = out.alpha[:, None].cpu()
        return Video(out.image.permute(0, 3, 1, 2).cpu(), alpha, torch.ones_like(alpha))

    def _opened(self, number: int) -> int:
        config, plan = self.config, self.plans[number]
        if config.guidance == "once":
            return len(plan.path)
        return opening(config.curriculum, self.iteration, config.iterations, len(plan.path))

    def _drive(self, number: int) -> Drive:
        return self.plans[number].drive(self._opened(number))

    def _wants_photo(self) -> bool:
        return bool(torch.rand(1, generator=self.generator).item() < self.config.photo_share)

    def _sample(self) -> Sample:
        """The photo, or a frame of any clip of the dataset."""
        numbers = self.dataset.numbers
        if not numbers or (self.config.guidance not in METHODS and self._wants_photo()):
            return self.photo
        return self._frame_of(numbers)

    def _frame_of(self, numbers: list[int]) -> Sample:
        number = numbers[self._random(len(numbers))]
        return self.dataset[number].sample(self._random(len(self.plans[number].path)))

    def _random(self, count: int) -> int:
        return int(torch.randint(count, (1,), generator=self.generator).item())

    def _draw(self, camera: Camera, expression: Tensor, pose: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            vertices = self.reference.head.pose(expression, pose).to(self.device)
        world = to_world(self.adam.splats, vertices, self.faces)
        out = rasterize(*world, camera, background, statistics=self.statistics)
        return out.image, out.alpha

    def _reconstruction_loss(self, sample: Sample) -> Tensor:
        weights = self.config.losses
        sample = sample.to(self.device)
        background = torch.rand(3, generator=self.generator).to(self.device)
        image, alpha = self._draw(sample.camera, sample.expression, sample.pose, background)
        target = sample.image + background * (1 - sample.alpha[..., None])
        matte_weight = sample.confidence if sample.matte_weight is None else sample.matte_weight
        return (
            weights.color * weighted_distance(image, target, sample.confidence)
            + weights.matte * weighted_distance(alpha, sample.alpha, matte_weight)
            + weights.structure * gradient_distance(image, target, sample.confidence)
        )

    def _active_drive(self) -> Drive:
        """Of any clip of the stages that have begun."""
        stages = active_stages(self.config.curriculum, self.iteration, self.config.iterations)
        active = [number for number, plan in enumerate(self.plans) if plan.stage in stages]
        return self._drive(active[self._random(len(active))])

    def _score_loss(self, distillation: Distillation) -> Tensor:
        """Score distillation on a whole clip."""
        drive = self._active_drive()
        background = torch.full((3,), self.config.diffusion.background)
        drawn = [
            self._draw(camera, expression, pose, background.to(self.device))
            for camera, expression, pose in zip(drive.cameras, drive.expressions, drive.poses)
        ]
        frames = torch.stack([image for image, _ in drawn]).permute(0, 3, 1, 2)
        alpha = torch.stack([alpha for _, alpha in drawn])[:, None].detach().cpu()
        shown = (frames.detach().cpu() - (1 - alpha) * self.config.diffusion.background).clamp_min(0)
        return distillation.loss(frames, drive, Video(shown, alpha, torch.ones_like(alpha)))

    def _answer_loss(self) -> Tensor:
        """Towards the prior's answer to this very render: a target that moves with every step, as in SDS."""
        config = self.config
        drive = self._active_drive()
        frame = self._random(len(drive.cameras))
        one = Drive(drive.cameras[frame : frame + 1], drive.expressions[frame, None], drive.poses[frame, None])
        image, alpha = self._draw(one.cameras[0], one.expressions[0], one.poses[0], torch.zeros(3))
        shown, cover = image.detach().permute(2, 0, 1)[None].cpu(), alpha.detach()[None, None].cpu()
        video = Video(shown, cover, torch.ones_like(cover))
        answer = self.prior.regenerate(self.prior_state, one, video, config.strength, cast(Mode, config.mode))
        frames, alphas, weights = (tensor[0].to(self.device) for tensor in answer)
        color = ((image - frames.permute(1, 2, 0)) ** 2 * weights[0, ..., None]).mean() / 2
        matte = ((alpha - alphas[0]) ** 2 * weights[0]).mean() / 2
        return config.losses.color * color + config.losses.matte * matte

    def _save(self, workspace: Workspace) -> None:
        workspace.save(
            {
                "iteration": self.iteration,
                "adam": self.adam.state(),
                "limits": dict(self.limits._asdict()),
                "generator": self.generator.get_state(),
                "statistics": self.statistics.state(),
                "clips": self.dataset.index(),
            }
        )
        self.dataset.forget_older()

    def _restore(self, workspace: Workspace) -> None:
        state = workspace.load()
        self.iteration = state["iteration"]
        self.adam.restore(state["adam"], self.device)
        self.limits = Limits(**state["limits"]).to(self.device)
        self.generator.set_state(state["generator"])
        self.statistics = RasterStatistics.of(
            {name: tensor.to(self.device) for name, tensor in state["statistics"].items()}
        )
        self.dataset.restore(state["clips"])
