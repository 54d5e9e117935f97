"""From curves of the face and the head to a `Tracking`: joints, cameras, landmarks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..camera import Camera
from ..heads import JOINTS, HeadModel
from ..motion import Motion
from ..portrait.fit import split_rotation
from ..portrait.solver import Array, Pinhole
from .fill import Curves
from .follow import Followed
from .frames import VideoInfo
from .person import Person
from .result import TRACKED, Tracking
from .settle import Settled, mean_rotation


def assemble(
    head: HeadModel, info: VideoInfo, followed: Followed, found: NDArray[np.int64], person: Person, settled: Settled,
    curves: Curves, state: NDArray[np.int8], pinhole: Pinhole,
) -> Tracking:  # fmt: skip
    """The result of tracking.

    Args:
        head: the model.
        info: of the video.
        followed: what was measured in all F frames.
        found: (K,) indices of the frames with a face.
        person: who it is.
        settled: of the K frames.
        curves: of all F frames.
        state: (F,) of all frames.
        pinhole: of the video.
    """
    torso, _ = split_rotation(mean_rotation(curves.rotation[state == TRACKED]))
    turns = Rotation.from_matrix(torso.T @ curves.rotation).as_rotvec()
    half = (turns / 2).astype(np.float32)  # the neck's share and the head's
    motion = Motion(info.fps, curves.weights.astype(np.float32), half, half)
    points = person.rest + np.tensordot(curves.weights, person.model.expression, 1)
    local = np.einsum("fab,fvb->fva", curves.rotation, points) + curves.translation[:, None]
    landmarks = (pinhole.focal * local[..., :2] / local[..., 2:] + [pinhole.cx, pinhole.cy]).astype(np.float32)
    landmarks[found] = followed.landmarks[found]
    confidence, errors = np.zeros(len(state), np.float32), np.full(len(state), np.nan, np.float32)
    confidence[found], errors[found] = settled.confidence, settled.errors
    return Tracking(
        motion=motion, confidence=confidence, state=state, landmarks=landmarks, errors=errors,
        frame_times=followed.times, size=info.size, identity=person.identity, head=head.name,
        rest_expression=settled.rest, cameras=_cameras(head, person, motion, torso, curves, info, pinhole),
        rotation=curves.rotation, translation=curves.translation, segments=followed.segments,
    )  # fmt: skip


def _cameras(
    head: HeadModel, person: Person, motion: Motion, torso: Array, curves: Curves, info: VideoInfo, pinhole: Pinhole
) -> tuple[Camera, ...]:
    """One for each frame: the posed head's face lies where the tracked one does, the torso is held upright."""
    rigged = head.personalize(torch.as_tensor(person.identity, dtype=torch.float32))
    with torch.no_grad():
        transforms = rigged.joint_transforms(torch.zeros(len(motion), 52), torch.as_tensor(motion.poses.copy()))
    shift = transforms[:, JOINTS.index("head"), :3, 3].numpy().astype(np.float64)
    cameras = []
    for place, moved in zip(curves.translation, shift, strict=True):
        viewmat = np.eye(4)
        viewmat[:3, :3], viewmat[:3, 3] = torso, place - torso @ moved
        cameras.append(Camera(viewmat, pinhole.focal, pinhole.focal, pinhole.cx, pinhole.cy, *info.size))
    return tuple(cameras)
