"""What the clips of the dataset show: cameras and expressions of both stages of progressive learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..avatar import expression_weights, head_camera
from ..camera import Camera
from ..config import CurriculumConfig
from ..heads import JOINTS, RiggedHead
from ..motion import Motion
from ..motion.sequences import Style, training_clips
from ..priors import Drive
from .curriculum import Stage, open_path

# One fixed expression a clip; the first clips get the first ones. Each shape at the weight at which it shows clearly.
BASE_EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.6},
    {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"mouthPucker": 0.8},
    {"browInnerUp": 0.8, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8},
    {},
    {"mouthFunnel": 0.8, "jawOpen": 0.25},
    {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8},
    {"browDownLeft": 0.9, "browDownRight": 0.9},
    {"mouthStretchLeft": 0.8, "mouthStretchRight": 0.8},
    {"eyeSquintLeft": 0.9, "eyeSquintRight": 0.9, "cheekSquintLeft": 0.8, "cheekSquintRight": 0.8},
    {},
    {"mouthLowerDownLeft": 0.8, "mouthLowerDownRight": 0.8, "mouthUpperUpLeft": 0.7, "mouthUpperUpRight": 0.7},
    {"eyeWideLeft": 0.9, "eyeWideRight": 0.9, "jawOpen": 0.4},
    {"noseSneerLeft": 0.9, "noseSneerRight": 0.9},
    {"mouthRollUpper": 0.7, "mouthRollLower": 0.7},
    {"cheekPuff": 0.9},
    {"mouthLeft": 0.8},
    {"mouthRight": 0.8},
)

_CameraAt = Callable[[float, float], Camera]
"""From yaw and pitch in degrees."""


@dataclass(frozen=True, eq=False)
class ClipPlan:
    """One clip of the dataset, before anything is drawn."""

    stage: Stage
    path: tuple[Camera, ...]  # F cameras; spatial clips open them one by one
    expressions: Tensor  # (F, 52)
    poses: Tensor  # (F, 6, 3)

    def drive(self, opened: int) -> Drive:
        """What the clip shows when `opened` cameras of its path are open; temporal clips have one camera anyway."""
        return Drive(open_path(self.path, opened), self.expressions, self.poses)


def plan_clips(
    config: CurriculumConfig, head: RiggedHead, photo_camera: Camera, size: int, rng: np.random.Generator
) -> list[ClipPlan]:
    """All clips of a run: n_s spatial, n_syn synthetic and n_real real ones."""
    front = partial(head_camera, head, photo_camera, size=size)
    plans = [_spatial(number, config, front, rng) for number in range(config.spatial_clips)]
    sequences: list[tuple[Stage, Style, int]] = [
        ("synthetic", "near_neutral", config.synthetic_clips),
        ("real", "exaggerated", config.real_clips),
    ]
    for stage, style, count in sequences:
        if count:
            motions = training_clips(style, count, rng, count=config.frames)
            plans += [_temporal(stage, motion, config, front, rng) for motion in motions]
    return plans


def _spatial(number: int, config: CurriculumConfig, front: _CameraAt, rng: np.random.Generator) -> ClipPlan:
    """From the front to a random side view; sides alternate, so that few clips see both."""
    yaw = (1 if number % 2 == 0 else -1) * rng.uniform(config.least_yaw, config.most_yaw)
    pitch = rng.uniform(-config.most_pitch, config.most_pitch)
    steps = np.linspace(0, 1, config.frames) if config.frames > 1 else np.ones(1)
    path = tuple(front(float(yaw * step), float(pitch * step)) for step in steps)
    expression = expression_weights(BASE_EXPRESSIONS[number % len(BASE_EXPRESSIONS)])
    expressions = expression.expand(config.frames, -1).clone()
    return ClipPlan("spatial", path, expressions, torch.zeros(config.frames, len(JOINTS), 3))


def _temporal(
    stage: Stage, motion: Motion, config: CurriculumConfig, front: _CameraAt, rng: np.random.Generator
) -> ClipPlan:
    """A sequence of expressions before one nearly frontal camera."""
    yaw, pitch = rng.uniform(-1, 1, 2) * [config.temporal_yaw, config.temporal_pitch]
    poses = np.stack([motion.pose(frame) for frame in range(len(motion))])
    return ClipPlan(
        stage,
        (front(float(yaw), float(pitch)),) * config.frames,
        torch.tensor(motion.weights, dtype=torch.float32),
        torch.as_tensor(poses, dtype=torch.float32),
    )
