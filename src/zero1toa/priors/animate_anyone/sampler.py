"""From noise to a clip, from a clip to noise and back: everything between latents and latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..extras import diffusers
from .spec import ModelSpec, NoiseSpec
from .unet import Bank, DenoisingUNet

Branch = Literal["cond", "null"]


@dataclass(frozen=True, eq=False)
class Condition:
    """What a clip shall show."""

    tokens: Tensor  # (1, M, C) CLIP's, of the reference picture
    bank: Bank  # of the reference picture
    windows: list[list[int]]  # frames of each
    poses: list[list[Tensor]]  # the pose guider's maps (f, c, ., .) of each window


def schedulers(noise: NoiseSpec) -> tuple[Any, Any]:
    """diffusers' `DDIMScheduler` and `DDIMInverseScheduler`, which walk the same levels in both directions."""
    numbers = {
        "num_train_timesteps": noise.train_timesteps,
        "beta_start": noise.beta_start,
        "beta_end": noise.beta_end,
        "beta_schedule": noise.beta_schedule,
        "clip_sample": False,
        "steps_offset": 1,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
    return diffusers().DDIMScheduler(**numbers), diffusers().DDIMInverseScheduler(**numbers)


class Sampler:
    """DDIM with the denoising UNet, over windows, with classifier-free guidance.

    Latents are kept in single precision between the steps; the published code keeps them in the networks' own.
    """

    def __init__(self, denoiser: DenoisingUNet, spec: ModelSpec) -> None:
        self.denoiser = denoiser
        self.spec = spec
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
                published code's unconditional half does.
        """
        total = torch.zeros_like(latents)
        count = latents.new_zeros(1, 1, latents.shape[2], 1, 1)
        dtype = self.denoiser.conv_in.weight.dtype
        for frames, pose in zip(condition.windows, condition.poses):
            noisy = latents[:, :, frames].to(dtype)
            if guidance == 1:
                seen = (condition.tokens, condition.bank) if branch == "cond" else (0 * condition.tokens, None)
                answer = self.denoiser(noisy, timestep, seen[0], pose, seen[1]).float()
            else:
                tokens = torch.cat([0 * condition.tokens, condition.tokens])
                both = self.denoiser(noisy.expand(2, -1, -1, -1, -1), timestep, tokens, pose, condition.bank, plain=1)
                null, cond = both.float().chunk(2)
                answer = null + guidance * (cond - null)
            total[:, :, frames] += answer
            count[:, :, frames] += 1
        return total / count

    def denoise(
        self, condition: Condition, latents: Tensor, steps: int, guidance: float, count: int | None = None
    ) -> Tensor:
        """Clean latents from noisy ones.

        Args:
            condition: what the clip shows.
            latents: (1, 4, F, h, w) at the level from which `count` of `steps` lead down.
            steps: of the whole way.
            guidance: see `velocity`.
            count: how many of them are still to go; by default all.
        """
        forward, _ = schedulers(self.spec.noise)
        forward.set_timesteps(steps)
        for timestep in forward.timesteps[steps - (steps if count is None else count) :]:
            velocity = self.velocity(condition, latents, int(timestep), guidance)
            latents = forward.step(velocity, timestep, latents, eta=0.0).prev_sample
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
