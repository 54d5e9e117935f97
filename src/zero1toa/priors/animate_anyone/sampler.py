"""From noise to a clip, from a clip to noise and back: everything between latents and latents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from ..extras import diffusers
from .compiled import Compiled
from .spec import BetaSchedule, ModelSpec, NoiseSpec
from .unet import Bank, DenoisingUNet

Branch = Literal["cond", "null"]
Solver = Literal["ddim", "dpmpp"]


@dataclass(frozen=True, eq=False)
class Condition:
    """What a clip shall show."""

    tokens: Tensor  # (1, M, C) CLIP's, of the reference picture
    bank: Bank  # of the reference picture
    windows: list[list[int]]  # frames of each
    poses: list[list[Tensor]]  # the pose guider's maps (f, c, ., .) of each window


def schedulers(noise: NoiseSpec) -> tuple[Any, Any]:
    """diffusers' `DDIMScheduler` and `DDIMInverseScheduler`, which walk the same levels in both directions."""
    numbers = _numbers(noise) | {"clip_sample": False}
    return diffusers().DDIMScheduler(**numbers), diffusers().DDIMInverseScheduler(**numbers)


def fast_scheduler(noise: NoiseSpec) -> Any:
    """diffusers' DPM-Solver++ of second order on the same noise schedule.

    Its steps are equal in the logarithm of signal to noise ("lu"): on DDIM's own timesteps it is hardly better than
    DDIM, since the first of them leaves pure noise in one leap. 8 of its steps come closer to the exact answer than 25
    of DDIM's on Gaussians and their mixtures. It takes the last level not for pure noise, but for a signal of 2^-12, so
    that the logarithm is finite.
    """
    return diffusers().DPMSolverMultistepScheduler(
        **_numbers(noise), algorithm_type="dpmsolver++", solver_order=2, use_lu_lambdas=True
    )


def score_levels(noise: NoiseSpec, schedule: Literal["inference", "train"]) -> Tensor:
    """(T,) alpha^2 of each timestep as clips are sampled, or as the network was trained."""
    betas: BetaSchedule = noise.beta_schedule if schedule == "inference" else noise.trained_schedule
    return schedulers(replace(noise, beta_schedule=betas))[0].alphas_cumprod


def _numbers(noise: NoiseSpec) -> dict[str, Any]:
    return {
        "num_train_timesteps": noise.train_timesteps,
        "beta_start": noise.beta_start,
        "beta_end": noise.beta_end,
        "beta_schedule": noise.beta_schedule,
        "steps_offset": 1,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }


class Sampler:
    """DDIM with the denoising UNet, over windows, with classifier-free guidance.

    Latents are kept in single precision between the steps; the published code keeps them in the networks' own.

    Args:
        denoiser: the network.
        spec: how it is sampled.
        batched_guidance: both halves of guidance in one call of the network, or one after the other.
        compiled: calls it through torch.compile.
    """

    def __init__(
        self, denoiser: DenoisingUNet, spec: ModelSpec, *, batched_guidance: bool = True, compiled: bool = False
    ) -> None:
        self.denoiser = denoiser
        self.spec = spec
        self.batched_guidance = batched_guidance
        self.compiled = Compiled(denoiser) if compiled else None
        self.alphas_cumprod: Tensor = schedulers(spec.noise)[0].alphas_cumprod

    @torch.no_grad()
    def velocity(
        self, condition: Condition, latents: Tensor, timestep: int, guidance: float, branch: Branch = "cond"
    ) -> Tensor:
        """(1, 4, F, h, w) the velocity of a noisy clip, averaged where windows overlap.

        Args:
            condition: what it shows.
            latents: (1, 4, F, h, w).
            timestep: of all frames.
            guidance: v_null + guidance (v_cond - v_null). 1 runs one branch alone.
            branch: which, if one runs alone. "null" has no reference, neither bank nor tokens, but keeps the pose: the
                published code's unconditional half does. `ModelSpec.null_condition` has the alternatives.
        """
        total = torch.zeros_like(latents)
        count = latents.new_zeros(1, 1, latents.shape[2], 1, 1)
        dtype = self.denoiser.conv_in.weight.dtype
        for number, frames in enumerate(condition.windows):
            noisy = latents[:, :, frames].to(dtype)
            if guidance == 1:
                answer = self._one(condition, number, noisy, timestep, branch)
            else:
                null, cond = self._both(condition, number, noisy, timestep)
                answer = null + guidance * (cond - null)
            total[:, :, frames] += answer
            count[:, :, frames] += 1
        return total / count

    def _one(self, condition: Condition, window: int, noisy: Tensor, timestep: int, branch: Branch) -> Tensor:
        """The velocity of a window under one branch."""
        tokens, pose, bank = condition.tokens, condition.poses[window], condition.bank
        if branch == "cond":
            return self._network(noisy, timestep, tokens, pose, bank).float()
        shown = self.spec.null_condition
        pose_seen = None if shown == "nothing" else pose
        return self._network(noisy, timestep, 0 * tokens, pose_seen, bank if shown == "pose_and_bank" else None).float()

    def _both(self, condition: Condition, window: int, noisy: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
        """The velocities of a window, without and with the condition."""
        if not self.batched_guidance:
            null, cond = (self._one(condition, window, noisy, timestep, branch) for branch in ("null", "cond"))
            return null, cond
        shown = self.spec.null_condition
        both = self._network(
            noisy.expand(2, -1, -1, -1, -1),
            timestep,
            torch.cat([0 * condition.tokens, condition.tokens]),
            condition.poses[window],
            condition.bank,
            plain=int(shown != "pose_and_bank"),
            without_pose=int(shown == "nothing"),
        )
        null, cond = both.float().chunk(2)
        return null, cond

    def _network(self, *inputs: Any, **options: Any) -> Tensor:
        return (self.compiled or self.denoiser)(*inputs, **options)

    def denoise(
        self,
        condition: Condition,
        latents: Tensor,
        steps: int,
        guidance: float,
        count: int | None = None,
        solver: Solver = "ddim",
    ) -> Tensor:
        """Clean latents from noisy ones.

        Args:
            condition: what the clip shows.
            latents: (1, 4, F, h, w) at the level from which `count` of `steps` lead down.
            steps: of the whole way.
            guidance: see `velocity`.
            count: how many of them are still to go; by default all.
            solver: "dpmpp" goes the whole way by DPM-Solver++, which is for clips from noise: what DDIM's way up has
                made, DDIM's way down understands.
        """
        if solver == "dpmpp":
            assert count is None, "DPM-Solver++ starts at pure noise"
            return self._denoise_fast(condition, latents, steps, guidance)
        forward, _ = schedulers(self.spec.noise)
        forward.set_timesteps(steps)
        for timestep in forward.timesteps[steps - (steps if count is None else count) :]:
            velocity = self.velocity(condition, latents, int(timestep), guidance)
            latents = forward.step(velocity, timestep, latents, eta=0.0).prev_sample
        return latents

    def _denoise_fast(self, condition: Condition, latents: Tensor, steps: int, guidance: float) -> Tensor:
        solver = fast_scheduler(self.spec.noise)
        solver.set_timesteps(steps)
        for timestep in solver.timesteps:
            velocity = self.velocity(condition, latents, int(timestep), guidance)
            latents = solver.step(velocity, timestep, latents).prev_sample
        return latents

    def invert(
        self,
        condition: Condition,
        latents: Tensor,
        steps: int,
        count: int | None = None,
        guidance: float = 1.0,
        branch: Branch = "cond",
        refinements: int = 0,
    ) -> Tensor:
        """Noisy latents from which DDIM would come back to these: its steps taken upwards.

        With the same condition and guidance the way back leads to the latents again, and corrects nothing. What
        regeneration corrects comes from the difference between the two ways.

        Args:
            condition: what the clip shows.
            latents: (1, 4, F, h, w) clean.
            steps: of the whole way.
            count: how many are taken; by default all, to pure noise.
            guidance: see `velocity`.
            branch: "null" inverts without the reference.
            refinements: 0 asks the network once a step, for the latents below it (`DDIMInverseScheduler`). More solve
                for the latents whose step downwards lands exactly here, by so many fixed-point iterations.
        """
        _, backward = schedulers(self.spec.noise)
        backward.set_timesteps(steps)
        for timestep in backward.timesteps[: steps if count is None else count]:
            if refinements:
                latents = self._exact_step(condition, latents, int(timestep), steps, guidance, branch, refinements)
            else:
                velocity = self.velocity(condition, latents, int(timestep), guidance, branch)
                latents = backward.step(velocity, int(timestep), latents).prev_sample
        return latents

    def noised(self, latents: Tensor, noise: Tensor, steps: int, count: int) -> Tensor:
        """SDEdit's start: clean latents with noise of the level from which `count` of `steps` lead down."""
        _, backward = schedulers(self.spec.noise)
        backward.set_timesteps(steps)
        level = self.alphas_cumprod[int(backward.timesteps[count - 1])].to(latents)
        return level.sqrt() * latents + (1 - level).sqrt() * noise

    def _exact_step(
        self,
        condition: Condition,
        below: Tensor,
        timestep: int,
        steps: int,
        guidance: float,
        branch: Branch,
        refinements: int,
    ) -> Tensor:
        """z with DDIM(z) = below: z = (below - c_v v(z)) / c_z, iterated."""
        lower = timestep - self.spec.noise.train_timesteps // steps
        high = self.alphas_cumprod[timestep].to(below)
        low = self.alphas_cumprod[lower].to(below) if lower >= 0 else torch.ones_like(high)
        c_z = (low * high).sqrt() + ((1 - low) * (1 - high)).sqrt()
        c_v = ((1 - low) * high).sqrt() - (low * (1 - high)).sqrt()
        above = below
        for _ in range(refinements):
            above = (below - c_v * self.velocity(condition, above, timestep, guidance, branch)) / c_z
        return above
