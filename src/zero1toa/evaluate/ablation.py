"""What each part of the method is worth: its variants on made-up persons whose true look is known (paper, Fig. 8).

Every variant gets the same photo, the same prior with the same errors and the same number of training steps, and is
asked for views and expressions that it was not trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..avatar import Expression, Pose
from ..camera import Camera
from ..config import CreateConfig, CurriculumConfig, DensityConfig, RatesConfig, SettleConfig
from ..heads import JOINTS, arkit
from ..heads.mesh_render import rasterize_mesh
from ..heads.sampling import sample_expressions
from ..priors import Drive, Video
from ..priors.oracle import TRUTHFUL, Inconsistency, OraclePrior
from ..priors.subjects import Subject, photo_camera, random_subject
from ..progress import Progress
from .consistency import clip_consistency
from .metrics import landmark_distance, psnr, silhouette_iou, ssim
from .readings import Command, find_landmarks

CEILING = "truthful prior"
"""The variant that bounds the others from above."""

VARIANTS: dict[str, str] = {
    "full": "the whole method",
    "no progressive": "all clips with all cameras from the start",
    "no spatial": "no clips from the side",
    "no temporal": "no sequences of expressions",
    "one-time dataset": "clips are made once and never again",
    "SDS": "no dataset: each step goes towards the prior's answer to that very render",
    "photo alone": "no prior at all",
    CEILING: "the whole method with a prior that makes no errors: what the training itself can reach",
}
"""The variants of the method, with what they leave out."""

VIDEO = "video model alone"
"""Name under which the prior's own first answer is measured: what a user would see without any avatar."""

TRUTH = "truth"
"""Name of the true pictures."""

ABLATION_CONFIG = CreateConfig(
    "ablation",
    prior="oracle",
    splats=20_000,
    size=128,
    texture_size=512,
    iterations=600,
    update_interval=10,
    curriculum=CurriculumConfig(frames=8, spatial_clips=6, synthetic_clips=3, real_clips=3),
    rates=RatesConfig(final=0.1),
    density=DensityConfig(interval=0),
    settle=SettleConfig(rounds=0),  # it would lay a share of one photo's details over what the variants differ in
)
"""Small enough that the table can be made on two CPU cores."""

_MEASURES = (
    "psnr", "psnr_front", "psnr_side", "ssim", "iou", "found", "landmarks", "landmarks_truth", "spread", "flicker",
)  # fmt: skip
_BODY = 0.3  # membership of the shoulders from which a triangle is no part of the head
_FRONT = 25.0  # degrees of yaw up to which a view counts as frontal
_VIEWS = ((-60, -8), (-42, 12), (-20, -10), (0, 0), (14, 12), (33, -12), (52, 5), (65, 0))  # yaw, pitch, degrees
_PAPER = 0.5  # grey behind the pictures
_SWEEP = 50.0  # degrees to either side in the clip whose consistency is measured
_SWEEP_FRAMES = 9
_TEST_SEED = 77  # of held-out expressions


class Renders(Protocol):
    """What is measured: an `Avatar`, or anything that renders like one."""

    def render(
        self,
        camera: Camera | None = None,
        expression: Expression | None = None,
        pose: Pose | None = None,
        background: tuple[float, float, float] | None = (1.0, 1.0, 1.0),
    ) -> NDArray[np.float32]: ...


RunVariant = Callable[[Subject, str, int], Renders]
"""Makes the avatar of a subject by a variant's name, with a seed."""


@dataclass(frozen=True)
class AblationPlan:
    """How large the experiment is."""

    subjects: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of the made-up persons."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the method and of the prior's errors."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Names from `VARIANTS`."""
    size: int = 256
    """Pixels on a side of the renders, a multiple of `config.size`: the detector needs them. Colours are compared at
    `config.size`, since nothing finer was ever shown to the avatar."""
    texture_size: int = 512
    """Pixels on a side of the persons' textures."""
    landmarks: bool = True
    """Read faces with the landmark detector; this needs MediaPipe."""
    inconsistency: Inconsistency = field(default_factory=Inconsistency)
    """The prior's errors."""
    config: CreateConfig = ABLATION_CONFIG
    """All numbers of the method; variants change its switches."""


@dataclass(frozen=True)
class Row:
    """One avatar, measured. A measure that was not taken, or has no value, is NaN."""

    subject: int
    variant: str
    seed: int
    measures: dict[str, float]


@dataclass(eq=False)
class AblationResult:
    """What has been measured so far."""

    rows: list[Row] = field(default_factory=list)
    pictures: dict[int, dict[str, list[NDArray[np.float32]]]] = field(default_factory=dict)
    """By subject and variant: the held-out views of the first seed. `TRUTH` is among the variants."""

    def add(self, row: Row, pictures: list[NDArray[np.float32]]) -> None:
        """A row, and its pictures unless an earlier seed has given some."""
        self.rows.append(row)
        self.pictures.setdefault(row.subject, {}).setdefault(row.variant, pictures)


def variant_config(config: CreateConfig, variant: str) -> CreateConfig:
    """The switches of a variant.

    "SDS" and "one-time dataset" keep the progressive curriculum where it applies, so that only the guidance differs.
    """
    curriculum = config.curriculum
    changes: dict[str, CreateConfig] = {
        "full": config,
        "no progressive": replace(config, curriculum=replace(curriculum, progressive=False)),
        "no spatial": replace(config, curriculum=replace(curriculum, spatial=False)),
        "no temporal": replace(config, curriculum=replace(curriculum, temporal=False)),
        "one-time dataset": replace(config, guidance="once"),
        "SDS": replace(config, guidance="sds"),
        CEILING: config,
        "photo alone": replace(config, photo_share=1.0, curriculum=replace(curriculum, spatial=False, temporal=False)),
    }
    return changes[variant]


def symgen_variant(plan: AblationPlan) -> RunVariant:
    """The method itself as a `RunVariant`, with the oracle as its prior."""
    from ..symgen.create import create_avatar

    def run(subject: Subject, variant: str, seed: int) -> Renders:
        config = replace(variant_config(plan.config, variant), seed=seed)
        knobs = TRUTHFUL if variant == CEILING else plan.inconsistency
        return create_avatar(subject.portrait(), config, prior=OraclePrior(subject, knobs))

    return run


def run_ablation(
    plan: AblationPlan,
    run_variant: RunVariant | None = None,
    progress: Progress | None = None,
    result: AblationResult | None = None,
) -> AblationResult:
    """Measures every variant on every subject, and the video model alone.

    Args:
        plan: how large.
        run_variant: makes the avatars; by default SymGEN.
        progress: where to show how far it is; by default nowhere.
        result: is filled as the work goes on, so that an interrupted run has something to show; by default a new one.
    """
    run_variant = run_variant or symgen_variant(plan)
    progress = progress or Progress(quiet=True)
    result = AblationResult() if result is None else result
    total = len(plan.subjects) * len(plan.seeds) * (1 + len(plan.variants))
    with progress.stage("ablation", total) as stage:
        for number in plan.subjects:
            subject = random_subject(number, plan.texture_size)
            trial = Trial(subject, plan)
            result.pictures[number] = {TRUTH: pictures_of(trial.truths[0])}
            for seed in plan.seeds:
                prior = OraclePrior(subject, plan.inconsistency)
                state = prior.prepare(None, torch.Generator().manual_seed(seed))
                answers = [prior.generate(state, drive) for drive in trial.drives]
                result.add(Row(number, VIDEO, seed, trial.measure(answers)), pictures_of(answers[0]))
                stage.advance(1)
                for variant in plan.variants:
                    avatar = run_variant(subject, variant, seed)
                    videos = [render_drive(avatar, drive) for drive in trial.drives]
                    result.add(Row(number, variant, seed, trial.measure(videos)), pictures_of(videos[0]))
                    stage.advance(1)
    return result


class Trial:
    """The held-out views and expressions of one subject, and the truth."""

    def __init__(self, subject: Subject, plan: AblationPlan) -> None:
        self.subject, self.plan = subject, plan
        rng = np.random.default_rng([subject.seed, _TEST_SEED])
        views = [photo_camera(yaw, pitch, plan.size) for yaw, pitch in _VIEWS]
        expressions = torch.as_tensor(sample_expressions(len(views), rng), dtype=torch.float32)
        sweep = [photo_camera(yaw, 0, plan.size) for yaw in np.linspace(-_SWEEP, _SWEEP, _SWEEP_FRAMES)]
        self.drives = (_drive(views, expressions), _drive(sweep, torch.zeros(len(sweep), len(arkit.NAMES))))
        self.truths = tuple(subject.video(drive) for drive in self.drives)
        self._found: dict[int, NDArray[np.float64] | None] = {}
        with torch.no_grad():
            posed = subject.head.pose(self.drives[0].expressions, self.drives[0].poses).numpy()
        self._heads = [self._head_mask(vertices, camera) for vertices, camera in zip(posed, views)]

    def _head_mask(self, vertices: NDArray[np.floating], camera: Camera) -> NDArray[np.bool_]:
        """Pixels of the compared pictures that show head or neck: clothes are the same in all variants."""
        topology, side = self.subject.head.topology, self.plan.config.size
        face = rasterize_mesh(vertices, topology.faces, camera.resized(side, side)).face
        head = topology.regions["shoulders"][topology.faces].mean(1) < _BODY
        return (face >= 0) & head[face]

    def _reduced(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """(S, S, 3) means of blocks of pixels, S = `config.size`."""
        side = self.plan.config.size
        step = self.plan.size // side
        assert step * side == self.plan.size, (self.plan.size, side)
        return picture.reshape(side, step, side, step, 3).mean((1, 3))

    def measure(self, videos: Sequence[Video]) -> dict[str, float]:
        """All measures of answers to `drives`."""
        views, sweep = videos
        values: dict[str, list[float]] = {name: [] for name in _MEASURES}
        for frame, (picture, truth) in enumerate(zip(pictures_of(views), pictures_of(self.truths[0]))):
            small, true = self._reduced(picture), self._reduced(truth)
            decibels = psnr(small, true, self._heads[frame])
            values["psnr"].append(decibels)
            values["psnr_front" if abs(_VIEWS[frame][0]) <= _FRONT else "psnr_side"].append(decibels)
            values["ssim"].append(ssim(small, true, self._heads[frame]))
            alphas = views.alpha[frame, 0].numpy(), self.truths[0].alpha[frame, 0].numpy()
            values["iou"].append(silhouette_iou(*alphas))
            if self.plan.landmarks:
                self._measure_landmarks(frame, picture, truth, values)
        consistency = clip_consistency(self.subject.head, self.drives[1], sweep)
        values["spread"].append(consistency.spread)
        values["flicker"].append(consistency.flicker)
        return {name: float(np.mean(column)) if column else float("nan") for name, column in values.items()}

    def _measure_landmarks(
        self, frame: int, picture: NDArray[np.float32], truth: NDArray[np.float32], values: dict[str, list[float]]
    ) -> None:
        """Distances from the commanded landmarks, and from those that the detector reads in the true picture: the
        second knows the detector's own bias."""
        if frame not in self._found:
            self._found[frame] = find_landmarks(truth)
        found, true = find_landmarks(picture), self._found[frame]
        if true is None:  # no view to ask for
            return
        values["found"].append(float(found is not None))
        if found is None:
            return
        drive = self.drives[0]
        command = Command.of(self.subject.head, drive.cameras[frame], drive.expressions[frame])
        values["landmarks"].append(command.compare(found).distance)
        values["landmarks_truth"].append(landmark_distance(found, true, self.plan.size))


def pictures_of(video: Video) -> list[NDArray[np.float32]]:
    """(H, W, 3) frames before the grey on which pictures are compared."""
    return list(video.over(_PAPER).clamp(0, 1).permute(0, 2, 3, 1).contiguous().numpy())


def render_drive(avatar: Renders, drive: Drive) -> Video:
    """An avatar along a drive."""
    frames = []
    for camera, expression, pose in zip(drive.cameras, drive.expressions, drive.poses):
        frames.append(avatar.render(camera, expression, pose, background=None))
    pixels = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
    alpha = pixels[:, 3:]
    return Video(pixels[:, :3] * alpha, alpha, torch.ones_like(alpha))


def _drive(cameras: Sequence[Camera], expressions: Tensor) -> Drive:
    return Drive(cameras, expressions, torch.zeros(len(cameras), len(JOINTS), 3)).checked()
