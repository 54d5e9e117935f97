"""The small prior of our own as a video prior and as a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ...config import DiffusionConfig
from ..protocol import Drive, Mode, Reference, ScoreBranch, Video
from ..reprojection import head_texture_video
from .condition import ReadPhoto, Told, from_own, read_photo, to_own, told
from .diffusion import Around, denoise, invert, levels, spread
from .network import Network
from .weights import load_network, weights_path

STEPS = 4
"""DDIM steps of the whole way, where the options say nothing: tuned on validation persons (docs/experiments.md)."""

GUIDANCE = 1.0
"""Scale of classifier-free guidance where the options say nothing: one branch alone, twice as fast. The condition is
close to the truth, so there is little to guide."""

TEMPERATURE = 1.0
"""Factor, on the way down, on the deviation from its mean that the network answers, where the options say nothing."""

_OVERLAP = 2  # frames that two windows of a long clip share
_BLURRED = 4.0  # px at 512 of the photo's crop: what "neg" looks like, as for the other priors

Branch = Literal["cond", "null"]


@dataclass(eq=False)
class MiniState:
    """What is computed once for a person."""

    reference: Reference
    photo: ReadPhoto
    generator: torch.Generator
    negative: ReadPhoto | None = field(default=None, repr=False)
    """The degraded photo, read; made when NFSD first asks."""


@dataclass(frozen=True, eq=False)
class MiniScore:
    """What `x0` needs of one clip."""

    told: Told
    state: MiniState
    drive: Drive


class MiniPrior:
    """`VideoPrior` and `ScorePrior` of a small pixel diffusion model.

    It sees and answers the own view of `condition.own_camera`. Its pictures change the low frequencies of a clip: what
    is finer than its own pixels stays the avatar's, or the photo's texture where a clip is made from nothing.

    Args:
        network: trained, or random for tests.
        config: how it is run; of its numbers `steps`, `guidance_scale`, `temperature`, `inversion_guidance`,
            `inversion_condition` and `background` count.
        device: where the network runs.
        temporal: whether frames see each other; off for comparison.
        random: whether the network never learned anything.
    """

    invents = True

    def __init__(
        self,
        network: Network,
        config: DiffusionConfig | None = None,
        device: torch.device | None = None,
        *,
        temporal: bool = True,
        random: bool = False,
    ) -> None:
        self.config = config or DiffusionConfig()
        self.device = device or torch.device("cpu")
        self.network = network.to(self.device).eval()
        self.temporal = temporal
        self.random = random
        self.steps = self.config.steps or STEPS
        self.temperature = TEMPERATURE if self.config.temperature is None else self.config.temperature
        self.guidance = GUIDANCE if self.config.guidance_scale is None else self.config.guidance_scale

    @property
    def name(self) -> str:
        """The prior's name; with random weights it says so."""
        return "mini (random weights)" if self.random else "mini"

    @property
    def size(self) -> int:
        """Side of the own view, px."""
        return self.network.config.size

    def prepare(self, reference: Reference, generator: torch.Generator) -> MiniState:
        """The photo, read."""
        return MiniState(reference, read_photo(reference, self.config.background, self.size), generator)

    def generate(self, state: MiniState, drive: Drive) -> Video:
        """A clip from noise. Its coverage, and what is finer than the network's pixels, is that of the photo's texture
        on the head."""
        reference = state.reference
        shown = head_texture_video(reference.head, reference.texture, drive.checked())
        return self._merged(self.sample(state, told(state.photo, drive)), shown, drive)

    def regenerate(self, state: MiniState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """The render, taken up to noise and down again; `strength` is the time to which it goes, 1 is pure noise.

        "ddim_inversion" goes up by DDIM's own steps, under `config.inversion_condition` and `.inversion_guidance`;
        "sdedit" adds noise.
        """
        if mode == "generate":
            return self.generate(state, drive)
        count = round(strength * self.steps)
        if count == 0:
            return video
        low = to_own(video.over(self.config.background), list(drive.checked().cameras), self.size)
        condition = told(state.photo, drive)
        clean = self.edit(state, condition, low * 2 - 1, count / self.steps, mode)
        return self._merged(clean, video, drive)

    def sample(self, state: MiniState, condition: Told, noise: Tensor | None = None) -> Tensor:
        """(F, 3, S, S) pictures in [-1, 1] made from noise."""
        noise = self._noise(state, condition.center.shape) if noise is None else noise
        down = self._velocity(state.photo, condition, self.guidance, temperature=self.temperature)
        return denoise(down, noise, self.steps)

    def edit(self, state: MiniState, condition: Told, clean: Tensor, end: float, mode: Mode) -> Tensor:
        """(F, 3, S, S) pictures in [-1, 1], taken to time `end` and back."""
        count = max(1, round(end * self.steps))
        if mode == "sdedit":
            alpha, sigma = levels(torch.tensor(end))
            noisy = alpha * clean + sigma * self._noise(state, clean.shape)
        else:
            branch: Branch = "null" if self.config.inversion_condition == "null" else "cond"
            up = self._velocity(state.photo, condition, self.config.inversion_guidance, branch)
            noisy = invert(up, clean, count, end)
        down = self._velocity(state.photo, condition, self.guidance, temperature=self.temperature)
        return denoise(down, noisy, count, end)

    def encode(self, frames: Tensor) -> Tensor:
        """(1, 3, F, S, S) frames (F, 3, H, W) in [0, 1], in [-1, 1] at the network's size; differentiable. The frames
        are taken to be of the photo's own crop."""
        scaled = functional_resize(frames, self.size)
        return (scaled * 2 - 1).transpose(0, 1)[None]

    def decode(self, latents: Tensor) -> Tensor:
        """(F, 3, S, S) frames in [0, 1] of (1, 3, F, S, S)."""
        return (latents[0].transpose(0, 1) / 2 + 0.5).clamp(0, 1)

    def level(self, time: float) -> tuple[float, float]:
        """(alpha, sigma) at a time in [0, 1]."""
        alpha, sigma = levels(torch.tensor(time))
        return float(alpha), float(sigma)

    def score(self, state: MiniState, drive: Drive, video: Video) -> MiniScore:
        """What `x0` needs for a clip."""
        return MiniScore(told(state.photo, drive), state, drive)

    @torch.no_grad()
    def x0(self, score: MiniScore, noisy: Tensor, time: float, branch: ScoreBranch = "cond") -> Tensor:
        """(1, 3, F, S, S) the clean frames that the network sees in noisy ones.

        Args:
            score: from `score`.
            noisy: (1, 3, F, S, S).
            time: in [0, 1].
            branch: "cond" has the photo, "null" has not, "neg" has a blurred one; all have the landmarks.
        """
        photo, condition = score.state.photo, score.told
        if branch == "neg":
            photo = self._negative(score.state)
            condition = told(photo, score.drive)
        frames = noisy[0].transpose(0, 1)
        velocity = self._velocity(photo, condition, 1.0, "null" if branch == "null" else "cond")(frames, time)
        alpha, sigma = self.level(time)
        return (alpha * frames - sigma * velocity).transpose(0, 1)[None]

    def _velocity(
        self,
        photo: ReadPhoto,
        condition: Told,
        guidance: float,
        branch: Branch = "cond",
        temperature: float = 1.0,
    ) -> Callable[[Tensor, float], Tensor]:
        """v of noisy frames at a time: windows, guidance, and the mean where windows overlap."""
        windows = frame_windows(len(condition.center), self.network.config.frames)
        with torch.no_grad():
            pictures = photo.pictures.to(self.device)
            known = self.network.read(pictures, torch.ones(1, device=self.device))
            nobody = tuple(torch.zeros_like(t) for t in known)

        @torch.no_grad()
        def one(noisy: Tensor, time: float, frames: slice, side: Branch) -> Tensor:
            part = condition.part(frames)
            part = part.without_photo() if side == "null" else part
            alpha, sigma = levels(torch.tensor(time))
            around = Around(part.center, spread(part.known[:, :1]), alpha, sigma, temperature)
            times = torch.full((1, len(part.center)), time, device=self.device)
            reference = (known[0], known[1]) if side == "cond" else (nobody[0], nobody[1])
            answer = self.network(
                around.scaled(noisy)[None].to(self.device),
                part.channels[None].to(self.device),
                times,
                reference,
                self.temporal,
            )
            return around.velocity(noisy, answer[0].float().cpu())

        def velocity(noisy: Tensor, time: float) -> Tensor:
            total, count = torch.zeros_like(noisy), noisy.new_zeros(len(noisy), 1, 1, 1)
            for frames in windows:
                part = noisy[frames]
                if guidance == 1:
                    answer = one(part, time, frames, branch)
                else:
                    null = one(part, time, frames, "null")
                    answer = null + guidance * (one(part, time, frames, "cond") - null)
                total[frames] += answer
                count[frames] += 1
            return total / count

        return velocity

    def _noise(self, state: MiniState, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=state.generator)

    def _negative(self, state: MiniState) -> ReadPhoto:
        if state.negative is None:
            portrait = state.reference.portrait
            sigma = _BLURRED * portrait.camera.height / 512
            blurred = gaussian_filter(portrait.foreground, (sigma, sigma, 0), mode="nearest")
            changed = replace(state.reference, portrait=replace(portrait, foreground=blurred))
            state.negative = read_photo(changed, self.config.background, self.size)
        return state.negative

    def _merged(self, clean: Tensor, shown: Video, drive: Drive) -> Video:
        """The network's pictures (F, 3, S, S) as a clip with the size, coverage and finer details of `shown`."""
        background, cameras = self.config.background, list(drive.cameras)
        whole = shown.over(background)
        change = (clean / 2 + 0.5).clamp(0, 1) - to_own(whole, cameras, self.size)
        frames = (whole + from_own(change, cameras)).clamp(0, 1)
        colors = (frames - (1 - shown.alpha) * background).clamp_min(0)
        return Video(torch.minimum(colors, shown.alpha), shown.alpha, torch.ones_like(shown.alpha))


def functional_resize(frames: Tensor, size: int) -> Tensor:
    """(F, 3, size, size) frames scaled with a low pass; differentiable."""
    return torch.nn.functional.interpolate(frames, (size, size), mode="bilinear", align_corners=False, antialias=True)


def frame_windows(frames: int, most: int) -> list[slice]:
    """Windows of at most `most` frames that cover all, each sharing `_OVERLAP` frames with the next."""
    if frames <= most:
        return [slice(0, frames)]
    step = most - _OVERLAP
    starts = list(range(0, frames - most, step)) + [frames - most]
    return [slice(start, start + most) for start in starts]


def check_mini(config: DiffusionConfig) -> None:
    """Looks whether there are weights.

    Raises:
        MissingWeights: there are none.
        InputError: they are no file of such weights.
    """
    if not config.random_weights:
        weights_path(config.weights)


def load_mini(config: DiffusionConfig, device: torch.device, seed: int) -> MiniPrior:
    """The prior with the weights that the options name, the packaged ones, or random ones.

    Raises:
        MissingWeights: there are none.
        AssetError: the file holds no such weights.
    """
    if config.random_weights:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return MiniPrior(Network(), config, device, random=True)
    network, _ = load_network(weights_path(config.weights))
    return MiniPrior(network, config, device)
