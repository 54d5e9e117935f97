"""A prior that knows the truth and answers with errors of a chosen size: a video model whose faults are known.

Real video models show a person from the side with other features, another face and less detail than from the front,
overdo or underdo expressions and flicker; each clip has errors of its own. The oracle does the same to a `Subject`, so
that what a method makes of such videos can be compared with the truth. For evaluation only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from ..heads import JOINTS, RiggedHead
from .protocol import Drive, Mode, Reference, Video
from .subjects import Subject, draw, random_subject

_ERRORS = ("drift", "identity", "blur", "expression_gain", "expression_jitter", "flicker")
_OTHERS = 4  # persons toward whom the identity drifts
_OTHER_SEED = 1_000_000  # their seeds begin here, so that no subject of an evaluation is among them
_WARP_GRID = 6  # knots of the smooth warp along each side of the picture
_WARP_FRAMES = 4  # frames between knots of the part of the warp that changes within a clip
_WARP_MOVING = 0.5  # share of the warp's variance that changes within a clip
_CLIP_SPREAD = 0.5  # how far the size of a clip's spatial errors lies from the mean, uniform: 0.5 to 1.5 times
_IDLE_JITTER = 0.08  # of the expression jitter, for a weight that is not in use
_NEIGHBOURS = 0.5  # share of the whole clip in how close a frame counts: a video model sees all frames at once


@dataclass(frozen=True)
class Inconsistency:
    """How large the oracle's errors are. Spatial errors grow with the yaw from which the head is seen:

        front + (1 - front) * (|yaw| / full_yaw) ** yaw_power

    and all errors shrink as the given video comes closer to the truth:

        floor + (1 - floor) * min(1, distance / reach)

    where `distance` is the root mean square colour difference between the given video and the truth, over the pixels
    that either covers, half of it the frame's own and half the clip's. When a video is generated from nothing the
    second factor is 1.
    """

    drift: float = 0.012
    """Spatial: standard deviation of a smooth random warp, in heights of the picture."""
    identity: float = 0.4
    """Spatial: share of another person's shape and texture, in [0, 1]."""
    blur: float = 0.004
    """Spatial: standard deviation of the blur, in heights of the picture."""
    expression_gain: float = 0.3
    """Temporal: standard deviation of the factor on a clip's expressions, less 1."""
    expression_jitter: float = 0.2
    """Temporal: standard deviation of each weight's error in each frame, as a share of the weight."""
    flicker: float = 0.03
    """Temporal: standard deviation of each frame's factor on red, green and blue, less 1."""
    keep: float = 0.3
    """Share of the given video in a regenerated one, in [0, 1]: what inversion remembers."""
    front: float = 0.05
    """Share of the spatial errors at yaw 0, in [0, 1]."""
    full_yaw: float = 60.0
    """Yaw at which the spatial errors have their full size, degrees."""
    yaw_power: float = 1.5
    """How late the spatial errors grow."""
    floor: float = 0.25
    """Share of the errors that even the true video gets, in [0, 1]."""
    reach: float = 0.12
    """Distance of the given video (sRGB, root mean square) from which on it does not help at all."""

    def scaled(self, factor: float) -> Inconsistency:
        """All errors `factor` times as large; the laws and what is kept stay."""
        return replace(self, **{name: factor * getattr(self, name) for name in _ERRORS})

    def only(self, *names: str) -> Inconsistency:
        """The errors of these names alone; the others are zero."""
        assert set(names) <= {f.name for f in fields(self)}, names
        return replace(self, **{name: 0.0 for name in _ERRORS if name not in names})

    def yaw_factor(self, yaw: Tensor) -> Tensor:
        """Factor on spatial errors at yaw angles in degrees."""
        return self.front + (1 - self.front) * (yaw.abs() / self.full_yaw) ** self.yaw_power

    def distance_factor(self, distance: Tensor) -> Tensor:
        """Factor on all errors at distances of the given video's frames (F,) from the truth."""
        shared = _NEIGHBOURS * distance.mean() + (1 - _NEIGHBOURS) * distance
        return self.floor + (1 - self.floor) * (shared / self.reach).clamp(max=1)


TRUTHFUL = Inconsistency(keep=0.0).scaled(0.0)
"""No errors at all: every answer is the truth."""


@dataclass(frozen=True, eq=False)
class OracleState:
    """What a run draws its errors from."""

    generator: torch.Generator  # moves on with every call: a clip's errors are never the same twice
    others: tuple[Subject, ...]


@dataclass(frozen=True, eq=False)
class OraclePrior:
    """`VideoPrior` that shows a known subject with errors. The confidence of its answers is 1 everywhere: a video model
    does not know where it is wrong."""

    subject: Subject
    inconsistency: Inconsistency = Inconsistency()
    name: str = "oracle"
    invents: bool = True

    def prepare(self, reference: Reference | None, generator: torch.Generator) -> OracleState:
        """The reference is not looked at and may be None: the oracle knows the subject."""
        size = len(self.subject.textures[0])
        first = _OTHER_SEED + _OTHERS * self.subject.seed
        count = _OTHERS if self.inconsistency.identity > 0 else 0
        return OracleState(generator, tuple(random_subject(first + i, size) for i in range(count)))

    def generate(self, state: OracleState, drive: Drive) -> Video:
        """The truth with errors of full size."""
        return self._answer(state, drive.checked(), torch.ones(len(drive.cameras)))

    def regenerate(self, state: OracleState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """The truth with errors that are smaller the closer `video` is to it; `Inconsistency.keep` of `video` stays."""
        if mode == "generate":
            return self.generate(state, drive)
        distance = video_distance(video, self.subject.video(drive))
        answer = self._answer(state, drive, self.inconsistency.distance_factor(distance))
        share = strength * (1 - self.inconsistency.keep)
        frames = video.frames + share * (answer.frames - video.frames)
        alpha = video.alpha + share * (answer.alpha - video.alpha)
        return Video(frames, alpha, answer.confidence)

    def _answer(self, state: OracleState, drive: Drive, size: Tensor) -> Video:
        """The truth with errors; `size` (F,) is the factor on all of them."""
        knobs = self.inconsistency
        seed = int(torch.randint(2**62, (1,), generator=state.generator))
        noise = torch.Generator().manual_seed(seed)
        clip = 1 + _CLIP_SPREAD * (2 * torch.rand(1, generator=noise) - 1)
        spatial = clip * size * knobs.yaw_factor(head_yaw(self.subject.head, drive))
        expressions = self._wrong_expressions(drive.expressions, size, noise)
        share = (knobs.identity * spatial).clamp(0, 1)
        frames, alpha = self._draw(state, drive._replace(expressions=expressions), share, noise)
        pixels = torch.cat([frames * alpha, alpha], 1)
        if knobs.drift > 0:
            pixels = _warped(pixels, knobs.drift * spatial, noise)
        if knobs.blur > 0:
            pixels = _blurred(pixels, knobs.blur * spatial * pixels.shape[-2])
        gain = 1 + knobs.flicker * size[:, None] * torch.randn(len(size), 3, generator=noise)
        colors, alpha = pixels[:, :3] * gain[:, :, None, None], pixels[:, 3:].clamp(0, 1)
        return Video(torch.minimum(colors.clamp_min(0), alpha), alpha, torch.ones_like(alpha))

    def _wrong_expressions(self, expressions: Tensor, size: Tensor, noise: torch.Generator) -> Tensor:
        knobs = self.inconsistency
        gain = knobs.expression_gain * torch.randn(1, generator=noise)
        factor = gain + knobs.expression_jitter * torch.randn(expressions.shape, generator=noise)
        idle = _IDLE_JITTER * knobs.expression_jitter * torch.randn(expressions.shape, generator=noise)
        wrong = expressions + size[:, None] * (factor * expressions + idle)
        return torch.where(size[:, None] > 0, wrong.clamp(min=0).minimum(expressions.clamp(min=1)), expressions)

    def _draw(self, state: OracleState, drive: Drive, share: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """Straight colours and coverage of the subject, mixed with another person by `share` (F,)."""
        subject, height = self.subject, drive.cameras[0].height
        with torch.no_grad():
            posed = subject.head.pose(drive.expressions, drive.poses)
        if not state.others:
            return draw(posed.numpy(), subject.head, subject.texture_for(height), drive.cameras)
        other = state.others[int(torch.randint(len(state.others), (1,), generator=noise))]
        with torch.no_grad():
            posed = posed + share[:, None, None] * (other.head.pose(drive.expressions, drive.poses) - posed)
        both = np.concatenate([subject.texture_for(height), other.texture_for(height)], -1)
        values, alpha = draw(posed.numpy(), subject.head, both, drive.cameras)
        return values[:, :3] + share[:, None, None, None] * (values[:, 3:] - values[:, :3]), alpha


def video_distance(video: Video, truth: Video) -> Tensor:
    """(F,) root mean square difference of premultiplied colours over the pixels that either video covers."""
    cover = torch.maximum(video.alpha, truth.alpha)
    error = ((video.frames - truth.frames) ** 2).mean(1, keepdim=True)
    return ((cover * error).sum((1, 2, 3)) / cover.sum((1, 2, 3)).clamp_min(1e-6)).sqrt()


def head_yaw(head: RiggedHead, drive: Drive) -> Tensor:
    """(F,) degrees from which each camera sees the posed head: positive from the subject's left."""
    index = JOINTS.index("head")
    with torch.no_grad():
        matrices = head.joint_transforms(drive.expressions, drive.poses)[:, index].double()
    rotation, shift = matrices[:, :3, :3], matrices[:, :3, 3]
    middle = torch.einsum("fab,b->fa", rotation, head.joints[index].double()) + shift
    position = torch.as_tensor(np.stack([camera.position for camera in drive.cameras]))
    arm = torch.einsum("fab,fa->fb", rotation, position - middle)
    return torch.rad2deg(torch.atan2(arm[:, 0], arm[:, 2])).float()


def _warped(pixels: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:
    """Pictures (F, C, H, W) moved by smooth random fields of standard deviation `amount` (F,), in picture heights."""
    frames, _, height, width = pixels.shape
    still = torch.randn(1, 2, 1, _WARP_GRID, _WARP_GRID, generator=noise)
    knots = 2 + frames // _WARP_FRAMES
    moving = torch.randn(1, 2, knots, _WARP_GRID, _WARP_GRID, generator=noise)
    size = (frames, height, width)
    field = (1 - _WARP_MOVING) ** 0.5 * functional.interpolate(still, size, mode="trilinear", align_corners=True)
    field = field + _WARP_MOVING**0.5 * functional.interpolate(moving, size, mode="trilinear", align_corners=True)
    shift = 2 * amount[:, None, None, None] * field[0].permute(1, 2, 3, 0)
    identity = torch.eye(2, 3).expand(frames, 2, 3)
    grid = functional.affine_grid(identity, [frames, 1, height, width], align_corners=False)
    return functional.grid_sample(pixels, grid + shift, padding_mode="border", align_corners=False)


def _blurred(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Pictures (F, C, H, W) with Gaussian blurs of `sigma` (F,) px."""
    blurred = [gaussian_filter(p.numpy(), (0, float(s), float(s)), mode="nearest") for p, s in zip(pixels, sigma)]
    return torch.from_numpy(np.stack(blurred))
