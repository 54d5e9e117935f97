"""What every video prior is asked and answers: a reference, a drive, a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..camera import Camera
from ..heads import RiggedHead
from ..portrait.portrait import Portrait
from ..portrait.texture import HeadTexture

Mode = Literal["ddim_inversion", "sdedit", "generate"]
"""How a video is regenerated (reference/paper: DDIM inversion); "generate" leaves the given video aside. Priors that do
not diffuse know only the difference between "generate" and the others."""

ScoreBranch = Literal["cond", "null", "neg"]
"""Under which condition a score is asked: the person, nobody, or what the person shall not look like."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The person whom the videos shall show."""

    portrait: Portrait  # the photo and the fit
    head: RiggedHead  # the person's head, with hair
    texture: HeadTexture  # the photo lifted on that head


class Drive(NamedTuple):
    """What F frames shall show: from where, with which face."""

    cameras: Sequence[Camera]  # F, all of one size
    expressions: Tensor  # (F, 52) ARKit weights
    poses: Tensor  # (F, 6, 3) joint rotation vectors, radians

    def checked(self) -> Drive:
        """Itself; AssertionError where lengths or sizes differ."""
        frames = len(self.cameras)
        assert frames > 0 and self.expressions.shape == (frames, 52), self.expressions.shape
        assert self.poses.shape == (frames, 6, 3), self.poses.shape
        assert len({(camera.width, camera.height) for camera in self.cameras}) == 1, "cameras differ in size"
        return self


class Video(NamedTuple):
    """F frames of H x W pixels, sRGB display values. Colours are premultiplied: as seen over black."""

    frames: Tensor  # (F, 3, H, W) float32 in [0, 1], colour times alpha
    alpha: Tensor  # (F, 1, H, W) float32 in [0, 1]
    confidence: Tensor  # (F, 1, H, W) float32 in [0, 1]: how far to believe a pixel's colour

    def over(self, background: float | Tensor) -> Tensor:
        """(F, 3, H, W) the frames before a background: one grey, or an RGB tensor (3,)."""
        color = torch.as_tensor(background, dtype=self.frames.dtype).reshape(-1, 1, 1)
        return self.frames + color * (1 - self.alpha)


class VideoPrior(Protocol):
    """A model of how a person's videos look."""

    @property
    def name(self) -> str:
        """As the command line and an avatar's provenance call it."""
        ...

    @property
    def invents(self) -> bool:
        """Whether it shows what the photo does not. If not, the avatar's first guess is as good as the prior's."""
        ...

    def prepare(self, reference: Reference, generator: torch.Generator) -> Any:
        """What can be computed once per person; given back to the other two as `state`."""
        ...

    def generate(self, state: Any, drive: Drive) -> Video:
        """A video from nothing but the reference and the drive."""
        ...

    def regenerate(self, state: Any, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """A better version of `video`, which shows the drive as the avatar renders it.

        Args:
            state: from `prepare`.
            drive: what the video shows.
            video: the avatar's own render.
            strength: in [0, 1]; 0 returns the video, 1 gives the prior the most say.
            mode: see `Mode`.
        """
        ...


@runtime_checkable
class ScorePrior(Protocol):
    """A `VideoPrior` that diffuses, and so can say what it sees in noise: what score distillation needs.

    Its answers are clean latents (x0), whatever its network predicts. With z = alpha x0 + sigma noise the noise that it
    sees is (z - alpha x0) / sigma.
    """

    def encode(self, frames: Tensor) -> Tensor:
        """(1, C, F', h, w) latents of opaque frames (F, 3, H, W) in [0, 1]; differentiable."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """(F, 3, S, S) frames of latents (1, C, F', h, w)."""
        ...

    def level(self, time: float) -> tuple[float, float]:
        """(alpha, sigma) at a time in [0, 1]; alpha falls and sigma rises with it."""
        ...

    def score(self, state: Any, drive: Drive, video: Video) -> Any:
        """What `x0` needs for a clip that shows a drive as the avatar renders it; `state` is from `prepare`."""
        ...

    def x0(self, score: Any, noisy: Tensor, time: float, branch: ScoreBranch = "cond") -> Tensor:
        """(1, C, F', h, w) the clean latents seen in noisy ones; no gradient flows through it."""
        ...
