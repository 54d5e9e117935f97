"""A model of the AnimateAnyone family as a video prior and as a score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...config import DiffusionConfig
from ..pixels import composed, resized_frames
from ..protocol import Drive, Mode, Reference, ScoreBranch, Video
from ..reprojection import head_texture_video
from . import condition as conditions
from .networks import Networks
from .sampler import Branch, Condition, Sampler, score_levels
from .spec import ModelSpec, configured
from .unet import Bank


@dataclass(eq=False)
class PersonState:
    """What is computed once for a person."""

    reference: Reference
    generator: torch.Generator
    picture: Image.Image
    tokens: Tensor
    bank: Bank
    negative: tuple[Tensor, Bank] | None = field(default=None, repr=False)
    """Tokens and bank of the degraded picture; made when NFSD first asks."""


@dataclass(frozen=True, eq=False)
class Score:
    """What `x0` needs of one clip."""

    condition: Condition
    state: PersonState


class AnimateAnyone:
    """`VideoPrior` and `ScorePrior` of AniPortrait and Follow-Your-Emoji.

    Args:
        spec: which model.
        networks: its parts, ready on their device.
        config: how it is run.
    """

    invents = True

    def __init__(self, spec: ModelSpec, networks: Networks, config: DiffusionConfig | None = None) -> None:
        self.config = config or DiffusionConfig()
        self.spec = configured(spec, self.config)
        self.networks = networks
        self.sampler = Sampler(
            networks.denoiser,
            self.spec,
            batched_guidance=self.config.batched_guidance,
            compiled=self.config.compile,
        )
        self._score_levels = score_levels(self.spec.noise, self.config.score_schedule)

    @property
    def name(self) -> str:
        """The model's name; with random weights it says so."""
        return f"{self.spec.name} (random weights)" if self.networks.random else self.spec.name

    def prepare(self, reference: Reference, generator: torch.Generator) -> PersonState:
        """The photo's CLIP tokens and reference bank."""
        picture = conditions.reference_picture(reference, self.config.background)
        tokens, bank = self._read(picture, generator)
        return PersonState(reference, generator, picture, tokens, bank)

    def generate(self, state: PersonState, drive: Drive) -> Video:
        """A clip from noise, under the landmarks of the posed head. Its coverage is that of the photo's texture on that
        head: these models know no transparency."""
        reference = state.reference
        shown = head_texture_video(reference.head, reference.texture, drive.checked())
        condition = self._condition(state, drive, None)
        noise = self._noise(state, len(drive.cameras))
        latents = self.sampler.denoise(condition, noise, self.spec.steps, self.spec.guidance, solver=self.config.solver)
        return self._video(latents, shown)

    def regenerate(self, state: PersonState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """The render, taken up to noise and down again under the photo and the landmarks (paper, section 3.3).

        `strength` is the share of the steps that is taken up and down: with 0.6 the noise stops where three of five
        steps are left. "ddim_inversion" goes up by DDIM's own steps, under `config.inversion_guidance` and
        `.inversion_condition`; "sdedit" adds noise of that level.
        """
        if mode == "generate":
            return self.generate(state, drive)
        count = round(strength * self.spec.steps)
        if count == 0:
            return video
        condition = self._condition(state, drive.checked(), video)
        with torch.no_grad():
            clean = self.encode(video.over(self.config.background))
        steps = self.spec.steps
        if mode == "sdedit":
            noisy = self.sampler.noised(clean, self._noise(state, len(drive.cameras)), steps, count)
        else:
            noisy = self.sampler.invert(
                condition,
                clean,
                steps,
                count,
                self.config.inversion_guidance,
                "null" if self.config.inversion_condition == "null" else "cond",
                self.config.inversion_refinements,
            )
        latents = self.sampler.denoise(condition, noisy, steps, self.spec.guidance, count)
        return self._video(latents, video)

    def encode(self, frames: Tensor) -> Tensor:
        """(1, 4, F, h, w) latents of frames (F, 3, H, W) in [0, 1]; differentiable.

        The frames pass the VAE one by one, and where a gradient is wanted each is computed again on the way back, so
        that memory does not grow with their number.
        """
        scaled = resized_frames(frames, self.spec.size) * 2 - 1
        latents = [self._encode_one(frame[None].to(self.networks.device)) for frame in scaled]
        return (torch.cat(latents).float() * self.spec.latent_scale).transpose(0, 1)[None]

    def decode(self, latents: Tensor) -> Tensor:
        """(F, 3, S, S) frames in [0, 1] of latents (1, 4, F, h, w)."""
        return decode_latents(self.networks, self.spec, latents)

    def level(self, time: float) -> tuple[float, float]:
        """(alpha, sigma) of z = alpha x0 + sigma noise at a time in [0, 1], as clips are sampled or as the network was
        trained (`config.score_schedule`): the network is told the same time, and sees another level."""
        kept = float(self._score_levels[self._timestep(time)])
        return kept**0.5, (1 - kept) ** 0.5

    def score(self, state: PersonState, drive: Drive, video: Video) -> Score:
        """What `x0` needs for a clip."""
        return Score(self._condition(state, drive, video), state)

    @torch.no_grad()
    def x0(self, score: Score, noisy: Tensor, time: float, branch: ScoreBranch = "cond") -> Tensor:
        """(1, 4, F, h, w) the clean latents that the network sees in noisy ones.

        Args:
            score: from `score`.
            noisy: (1, 4, F, h, w).
            time: in [0, 1].
            branch: "cond" has the reference, "null" has not, "neg" has a degraded one; all have the landmarks.
        """
        condition = score.condition
        if branch == "neg":
            tokens, bank = self._negative(score.state)
            condition = replace(condition, tokens=tokens, bank=bank)
        side: Branch = "null" if branch == "null" else "cond"
        velocity = self.sampler.velocity(condition, noisy, self._timestep(time), 1.0, side)
        alpha, sigma = self.level(time)
        return alpha * noisy - sigma * velocity

    def _timestep(self, time: float) -> int:
        last = self.spec.noise.train_timesteps - 1
        return min(max(round(time * last), 0), last)

    def _read(self, picture: Image.Image, generator: torch.Generator) -> tuple[Tensor, Bank]:
        tokens = conditions.clip_tokens(self.networks, picture)
        return tokens, conditions.reference_bank(self.networks, self.spec, picture, tokens, generator)

    def _negative(self, state: PersonState) -> tuple[Tensor, Bank]:
        if state.negative is None:
            state.negative = self._read(conditions.degraded(state.picture), state.generator)
        return state.negative

    def _condition(self, state: PersonState, drive: Drive, video: Video | None) -> Condition:
        pictures = conditions.landmark_pictures(self.spec, state.reference, drive, video, self.config.landmarks)
        return conditions.clip_condition(self.networks, self.spec, state.tokens, state.bank, pictures)

    def _noise(self, state: PersonState, frames: int) -> Tensor:
        """Drawn on the CPU in the networks' precision, as the published script does: there the same seed gives the same
        noise. `ModelSpec.noise_dtype` has the alternative."""
        side = self.spec.size // 8
        shape = (1, 4, frames, side, side)
        dtype = torch.float32 if self.spec.noise_dtype == "float32" else self.networks.dtype
        noise = torch.randn(shape, generator=state.generator, dtype=dtype)
        return noise.float().to(self.networks.device)

    def _encode_one(self, pixels: Tensor) -> Tensor:
        def mean(pixels: Tensor) -> Tensor:
            return self.networks.vae.encode(pixels.to(self.networks.dtype)).latent_dist.mean

        return checkpoint(mean, pixels, use_reentrant=False) if pixels.requires_grad else mean(pixels)

    def _video(self, latents: Tensor, shown: Video) -> Video:
        return composed(self.decode(latents).cpu(), shown, self.config.background)


def decode_latents(networks: Networks, spec: ModelSpec, latents: Tensor) -> Tensor:
    """(F, 3, S, S) frames in [0, 1] of latents (1, 4, F, h, w), one by one."""
    return torch.cat([frame.float() for frame in _decoded(networks, latents[0] / spec.latent_scale)])


@torch.no_grad()
def _decoded(networks: Networks, latents: Tensor) -> Iterator[Tensor]:
    for frame in latents.unbind(1):
        pixels = networks.vae.decode(frame[None].to(networks.dtype)).sample
        yield (pixels / 2 + 0.5).clamp(0, 1)
