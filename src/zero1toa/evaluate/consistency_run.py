"""Consistency of an avatar, or of the raw clips of a video prior, by the same measures (paper, Fig. 7 and 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..avatar import Avatar
from ..camera import Camera
from ..heads import JOINTS, RiggedHead, arkit
from ..motion import builtin
from ..priors import Drive, Video
from ..priors.subjects import photo_camera, random_subject
from ..progress import Progress
from .ablation import render_drive
from .consistency import frame_differences, frame_spread, lift, spread
from .warping import warping_errors

MEASURES: dict[str, str] = {
    "spread": "spatial: colour of a place against its mean over all frames",
    "flicker": "temporal: colour of a place from one frame to the next",
    "warping": "temporal, by pixel and with the mouth: a frame against the warped one before",
    "small_step": "colour of a place when the camera stands still and nothing moves by more than 1 mm",
}
"""Root mean square differences of sRGB values in [0, 1]; 0 is perfect. All are taken where the known mesh says that two
frames show the same place."""

SMALL_STEP = 1e-3
"""Metres that a vertex moves at most in a small step."""

_SWEEP, _SWEEP_FRAMES = 50.0, 21  # degrees to either side
_FLOOR_SUBJECT, _FLOOR_TEXTURE = 3, 512  # seed, px
_TALK_SECONDS, _TALK_FPS = 3.0, 25.0
_STEP = 0.04  # weight by which one shape after another is raised and lowered
_STEP_SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "eyeBlinkLeft", "eyeBlinkRight",
                "browInnerUp", "browDownLeft", "browDownRight", "cheekPuff")  # fmt: skip


@dataclass(frozen=True, eq=False)
class ClipResult:
    """One clip, measured."""

    name: str
    measures: dict[str, float]  # by `MEASURES`; NaN where a clip has nothing to measure
    spread: NDArray[np.float64]  # (F,) of each frame from the mean
    flicker: NDArray[np.float64]  # (F - 1,)
    warping: NDArray[np.float64]  # (F - 1,)


def measure_clip(name: str, head: RiggedHead, drive: Drive, video: Video) -> ClipResult:
    """All measures of a clip.

    Args:
        name: of the result.
        head: of the person whom the video should show.
        drive: what it should show.
        video: F frames.
    """
    lifted = lift(head, drive, video)
    flicker = frame_differences(lifted)
    warping = warping_errors(head, drive, video)
    small = small_steps(head, drive)
    measures = {
        "spread": spread(lifted),
        "flicker": _root_mean_square(flicker),
        "warping": _root_mean_square(warping),
        "small_step": _root_mean_square(flicker[small]),
    }
    return ClipResult(name, measures, frame_spread(lifted), flicker, warping)


def small_steps(head: RiggedHead, drive: Drive) -> NDArray[np.bool_]:
    """(F - 1,) whether, to the next frame, the camera stands still and no vertex moves farther than `SMALL_STEP`."""
    posed = head.pose(drive.expressions, drive.poses).detach().numpy()
    views = np.stack([camera.viewmat for camera in drive.cameras])
    still = np.abs(np.diff(views, axis=0)).max((1, 2)) < 1e-9
    moved = np.linalg.norm(np.diff(posed, axis=0), axis=-1).max(1)
    return still & (moved <= SMALL_STEP)


def avatar_drives(avatar: Avatar, size: int) -> dict[str, Drive]:
    """What an avatar is asked to show: a sweep of the camera, talking, and small steps of single shapes."""
    sweep = [avatar.front_camera(float(yaw), size=size) for yaw in np.linspace(-_SWEEP, _SWEEP, _SWEEP_FRAMES)]
    talk = builtin("talk", _TALK_SECONDS, _TALK_FPS)
    steps = torch.zeros(2 * len(_STEP_SHAPES) + 1, len(arkit.NAMES))
    for index, name in enumerate(_STEP_SHAPES):
        steps[2 * index + 1, arkit.INDEX[name]] = _STEP
    front = avatar.front_camera(size=size)
    return {
        "sweep": _drive(sweep, torch.zeros(len(sweep), len(arkit.NAMES))),
        "talk": Drive([front] * len(talk), torch.tensor(talk.weights), torch.tensor(talk.poses)).checked(),
        "small steps": _drive([front] * len(steps), steps),
    }


def measure_avatar(avatar: Avatar, size: int = 256, progress: Progress | None = None) -> list[ClipResult]:
    """An avatar's sweep, talk and small steps, measured."""
    progress = progress or Progress(quiet=True)
    drives = avatar_drives(avatar, size)
    results = []
    with progress.stage("measuring the avatar", len(drives)) as stage:
        for name, drive in drives.items():
            results.append(measure_clip(name, avatar.head, drive, render_drive(avatar, drive)))
            stage.advance(1)
    return results


def measure_floor(size: int = 256) -> ClipResult:
    """A made-up person, whose mesh and texture are exact, in the sweep: what measuring on pixels costs by itself."""
    subject = random_subject(_FLOOR_SUBJECT, _FLOOR_TEXTURE)
    sweep = [photo_camera(float(yaw), size=size) for yaw in np.linspace(-_SWEEP, _SWEEP, _SWEEP_FRAMES)]
    drive = _drive(sweep, torch.zeros(len(sweep), len(arkit.NAMES)))
    return measure_clip("floor: exact sweep", subject.head, drive, subject.video(drive))


def _drive(cameras: Sequence[Camera], expressions: torch.Tensor) -> Drive:
    return Drive(cameras, expressions, torch.zeros(len(cameras), len(JOINTS), 3)).checked()


def _root_mean_square(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.sqrt((finite**2).mean())) if finite.size else float("nan")
