"""The gates of the mini prior: what its weights must do on held-out persons before they are shipped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..config import CreateConfig
from ..priors.mini.condition import Told, told
from ..priors.mini.prior import MiniPrior, MiniState
from ..priors.protocol import Mode, Video
from ..priors.reprojection import ReprojectionPrior
from ..progress import Progress
from .prior_cases import PriorCase, PriorClip, prior_case

YAW_BINS = ((0, 15), (15, 30), (30, 45), (45, 60), (60, 76))
"""Degrees."""

FRONT, SIDE = 30.0, 30.0
"""Degrees up to which, and from which, the gates count a frame."""

OVER_COPY, LEAST_FRONT, OVER_REPROJECTION, WRONG_COST, DEFECTS = 4.0, 22.0, 1.0, 0.5, 2
"""The gates: dB over copying the photo, dB at the front, dB over the reprojection at the side, dB that wrong landmarks
cost on the face, defect tests of three in which regeneration helps."""

_NOISE_SEED = 5
_BLUR = 1.6  # px, at 64
_GHOST_SHIFT, _GHOST_SHARE, _JITTER, _SATURATION = 4, 0.4, 2, 1.6  # px, share, px, factor
_LEAST_FACE = 20  # pixels of the face from which a frame's face counts


@dataclass(frozen=True)
class GatePlan:
    """How large the measurement is."""

    persons: int = 12
    """Held-out persons."""
    seed: int = 0
    """Of the noise."""
    strength: float = CreateConfig.strength
    """Of regeneration: what `create` takes by default."""
    mode: Mode = "ddim_inversion"
    """The same."""


@dataclass(frozen=True)
class Frame:
    """One frame, measured; dB."""

    person: int
    clip: str
    held_out_look: bool
    yaw: float
    full: dict[str, float]  # by what is compared with the truth
    face: dict[str, float]  # the same on the face alone; NaN where too little of it is seen


@dataclass(frozen=True)
class Gate:
    """One requirement."""

    name: str
    value: float
    least: float

    @property
    def passed(self) -> bool:
        """Whether it is met; a value that could not be taken does not."""
        return bool(self.value >= self.least)


@dataclass(eq=False)
class GateResult:
    """All measures."""

    frames: list[Frame] = field(default_factory=list)
    defects: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # name -> measure -> a value for each clip
    temporal: dict[str, list[float]] = field(default_factory=dict)  # "on", "off" -> error of frame differences, grey
    residual: dict[str, list[float]] = field(default_factory=dict)  # "sure", "unsure" -> mean square, [-1, 1]
    sheet: list[list[NDArray[np.float32]]] = field(default_factory=list)  # rows of pictures (S, S, 3)

    def mean(self, name: str, low: float = 0, high: float = 90, *, face: bool = False) -> float:
        """Mean dB of frames with low <= |yaw| < high; NaN where there is none."""
        values = [
            (f.face if face else f.full)[name]
            for f in self.frames
            if low <= abs(f.yaw) < high and np.isfinite((f.face if face else f.full)[name])
        ]
        return float(np.mean(values)) if values else float("nan")

    def gates(self) -> list[Gate]:
        """The table."""
        front = self.mean("sample", high=FRONT + 1e-6)
        helped = 0
        for measures in self.defects.values():
            helped += float(np.mean(measures["after"])) > float(np.mean(measures["before"]))
        on, off = (float(np.mean(self.temporal[k])) if self.temporal else float("nan") for k in ("on", "off"))
        return [
            Gate(
                "sample over copying the photo, yaw up to 30, dB",
                front - self.mean("copy", high=FRONT + 1e-6),
                OVER_COPY,
            ),
            Gate("sample, yaw up to 30, dB", front, LEAST_FRONT),
            Gate(
                "sample over the reprojection prior, yaw from 30, dB",
                self.mean("sample", SIDE) - self.mean("reprojection", SIDE),
                OVER_REPROJECTION,
            ),
            Gate(
                "cost of wrong-expression landmarks on the face, dB",
                self.mean("sample", face=True) - self.mean("wrong landmarks", face=True),
                WRONG_COST,
            ),
            Gate("temporal attention on over off, error of frame differences, grey levels", off - on, 1e-9),
            Gate("temporal attention on over off, dB", self.mean("sample") - self.mean("temporal off"), 1e-9),
            Gate("defect tests of three in which regeneration helps", float(helped), DEFECTS),
        ]

    @property
    def passed(self) -> bool:
        """Whether all are met."""
        return all(gate.passed for gate in self.gates())


def measure_gates(prior: MiniPrior, plan: GatePlan, progress: Progress | None = None) -> GateResult:
    """Measures a prior on held-out persons.

    Args:
        prior: with the weights that are measured.
        plan: how large.
        progress: where to show how far it is; by default nowhere.
    """
    progress = progress or Progress(quiet=True)
    result = GateResult()
    with progress.stage("held-out persons", plan.persons) as stage:
        for number in range(plan.persons):
            case = prior_case(number, prior.size, prior.config.background)
            _measure_case(prior, case, plan, result)
            stage.advance(1)
    return result


def _measure_case(prior: MiniPrior, case: PriorCase, plan: GatePlan, result: GateResult) -> None:
    background = prior.config.background
    baseline = ReprojectionPrior()
    fixed = torch.Generator().manual_seed(plan.seed)
    state = prior.prepare(case.reference, fixed)
    base_state = baseline.prepare(case.reference, fixed)
    apart = MiniPrior(prior.network, prior.config, prior.device, temporal=False)
    photo = state.photo.pictures[:, :3] / 2 + 0.5
    for index, clip in enumerate(case.clips):
        truth = clip.truth.over(background)
        condition = told(state.photo, clip.drive)
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(_NOISE_SEED + 100 * plan.seed + index))
        other = case.clips[2 if clip.name == "front" else 1]
        wrong = told(state.photo, clip.drive._replace(expressions=other.drive.expressions.flip(0)))
        pictures = {
            "sample": _sampled(prior, state, condition, noise),
            "copy": photo.expand_as(truth),
            "condition": condition.center / 2 + 0.5,
            "reprojection": baseline.generate(base_state, clip.drive).over(background).clamp(0, 1),
            "wrong landmarks": _sampled(prior, state, replace(condition, landmarks=wrong.landmarks), noise),
            "wrong drive": _sampled(prior, state, wrong, noise),
            "temporal off": _sampled(apart, state, condition, noise),
        }
        _add_frames(result, case, clip, pictures, truth)
        for name, key in (("on", "sample"), ("off", "temporal off")):
            change = (pictures[key].diff(dim=0) - truth.diff(dim=0)).abs().mean()
            result.temporal.setdefault(name, []).append(255 * float(change))
        error = ((condition.center - (truth * 2 - 1)) ** 2).mean(1, keepdim=True)
        for name, where in (("sure", condition.known[:, :1] > 0.95), ("unsure", condition.known[:, :1] < 0.02)):
            if bool(where.any()):
                result.residual.setdefault(name, []).append(float(error[where].mean()))
        _measure_defects(prior, state, case, clip, plan, result)
        for frame in (1, 6) if clip.name == "sweep" else (4,):
            row = [photo[0], *(pictures[k][frame] for k in ("reprojection", "condition", "sample")), truth[frame]]
            result.sheet.append([p.permute(1, 2, 0).clamp(0, 1).numpy() for p in row])


def _sampled(prior: MiniPrior, state: MiniState, condition: Told, noise: Tensor) -> Tensor:
    return (prior.sample(state, condition, noise) / 2 + 0.5).clamp(0, 1)


def _add_frames(
    result: GateResult, case: PriorCase, clip: PriorClip, pictures: dict[str, Tensor], truth: Tensor
) -> None:
    for frame in range(len(truth)):
        mask = clip.face[frame]
        full, face = {}, {}
        for name, shown in pictures.items():
            error = ((shown[frame] - truth[frame]) ** 2).mean(0)
            full[name] = _decibels(float(error.mean()))
            face[name] = _decibels(float(error[mask].mean())) if int(mask.sum()) >= _LEAST_FACE else float("nan")
        result.frames.append(Frame(case.number, clip.name, case.held_out_look, float(clip.yaw[frame]), full, face))


def _measure_defects(
    prior: MiniPrior, state: MiniState, case: PriorCase, clip: PriorClip, plan: GatePlan, result: GateResult
) -> None:
    background = prior.config.background
    truth = clip.truth.over(background)
    for name, video in defective(case, clip, background).items():
        if name == "wrong expression" and clip.name == "sweep":
            continue  # its face is calm already: there is no fault to mend
        better = prior.regenerate(state, clip.drive, video, plan.strength, plan.mode)
        measures = result.defects.setdefault(name, {"before": [], "after": [], "before_face": [], "after_face": []})
        for when, shown in (("before", video), ("after", better)):
            error = ((shown.over(background).clamp(0, 1) - truth) ** 2).mean(1)
            measures[when].append(float(np.mean([_decibels(float(e.mean())) for e in error])))
            faces = [_decibels(float(e[m].mean())) for e, m in zip(error, clip.face) if int(m.sum()) >= _LEAST_FACE]
            measures[f"{when}_face"].append(float(np.mean(faces)) if faces else float("nan"))


def defective(case: PriorCase, clip: PriorClip, background: float) -> dict[str, Video]:
    """The truth with three faults such as an avatar's renders have.

    blur: by 1.6 px. wrong expression: the face at rest under a drive that moves it. ghosting: a second, shifted picture
    over the first, frames that jump by up to 2 px, colours too strong.
    """
    truth = clip.truth
    blurred = torch.from_numpy(gaussian_filter(torch.cat([truth.frames, truth.alpha], 1).numpy(), (0, 0, _BLUR, _BLUR)))
    still = case.render(clip.drive._replace(expressions=torch.zeros_like(clip.drive.expressions)), background)
    rng = np.random.default_rng([case.number, 17])
    ghosts = []
    for frames, alpha in zip(truth.frames, truth.alpha):
        both = torch.cat([frames, alpha])
        both = (1 - _GHOST_SHARE) * both + _GHOST_SHARE * both.roll(_GHOST_SHIFT, -1)
        ghosts.append(both.roll(tuple(int(j) for j in rng.integers(-_JITTER, _JITTER + 1, 2)), (-2, -1)))
    ghost = torch.stack(ghosts)
    grey = ghost[:, :3].mean(1, keepdim=True)
    strong = (grey + _SATURATION * (ghost[:, :3] - grey)).clamp_min(0).minimum(ghost[:, 3:])
    sure = torch.ones_like(truth.alpha)
    return {
        "blur": Video(blurred[:, :3], blurred[:, 3:], sure),
        "wrong expression": still,
        "ghosting": Video(strong, ghost[:, 3:], sure),
    }


def _decibels(error: float) -> float:
    return -10 * float(np.log10(max(error, 1e-9)))
