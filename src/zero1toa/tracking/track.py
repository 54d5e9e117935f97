"""A video to a motion: follow the face, find out who it is, read what it does, make it smooth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..camera import FRONTAL, Camera
from ..config import FitConfig
from ..errors import InputError
from ..heads import JOINTS, HeadModel, arkit, load_head
from ..motion import Motion
from ..portrait.detector_bias import load_bias
from ..portrait.expression_prior import FEATURE_UNIT, frontal_features, load_regressor
from ..portrait.fit import split_rotation
from ..portrait.landmark_model import landmark_model
from ..portrait.landmarks import mirrored
from ..portrait.solver import Array, Pinhole
from ..progress import Progress
from . import calibrate, smooth
from .alignment import Poses, align, frontal
from .fill import Curves, fill
from .follow import FaceFollower
from .frames import FrameSource
from .person import Person, sliding_landmarks, solve_person
from .reader import load_reader
from .result import TRACKED, Tracking

CROP_PER_FACE: Final = 2.3  # side of the square that is seen with `FitConfig.fov`, in heights of the face
_NOMINAL_WIDTH: Final = 225.0  # px of a face; errors are given at this size
_CANDIDATES: Final = 120  # frames spread over the video among which those that show the person are chosen
_KEYFRAMES: Final = 24
_ROUNDS: Final = 2  # who it is and what the face does, in turn
_BATCH: Final = 256  # frames aligned at once
_UNEXPLAINED: Final = 2.5  # times the video's median error: something covers the face
_LEAST_CONFIDENCE: Final = 0.15  # below, a frame counts as lost
_TURNED: Final = 0.5  # sine of the angle from the front at which a frame counts half for the identity


class Followed(NamedTuple):
    """Landmarks of all frames; those without a face hold NaN."""

    landmarks: Array  # (F, 478, 2) px
    confidence: Array  # (F,)
    width: Array  # (F,) px
    segments: NDArray[np.int64]  # (F,)
    times: Array  # (F,) seconds
    most_faces: int


def track_video(
    path: str | Path,
    *,
    fps: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    head: str = "default",
    progress: Progress | None = None,
) -> Tracking:
    """The motion of the person in a video: one identity, expression and head pose of every frame.

    Args:
        path: a video file or a folder of pictures in the order of their names.
        fps: frames a second to read at; by default the file's own (25 for a folder).
        start: seconds to leave out at the beginning.
        end: where to stop, seconds from the beginning of the file.
        head: name of the head model.
        progress: where to show how far it is; by default nowhere.

    Raises:
        InputError: the video cannot be read or shows no face. One sentence.
    """
    began = time.perf_counter()
    progress = progress or Progress(quiet=True)
    source = FrameSource(path, fps, start, end)
    with progress.stage("following the face", source.info.frames) as stage:
        followed = _follow(source, stage.advance)
    found = np.flatnonzero(followed.segments >= 0)
    if len(found) == 0:
        raise InputError(f"No face was found in {path}; use a video in which a face is seen from the front.")
    model = load_head(head)
    config = FitConfig()
    pinhole = video_pinhole(followed.width[found], source.info.size, config.fov)
    with progress.stage("finding out who it is"):
        landmarks, confidence = followed.landmarks[found], followed.confidence[found]
        person, weights = _identify(model, landmarks, confidence, pinhole, config)
    with progress.stage("making it smooth"):
        tracking = _finish(model, head, source, followed, found, person, weights, pinhole)
    return _timed(tracking, time.perf_counter() - began)


def video_pinhole(widths: Array, size: tuple[int, int], fov: float) -> Pinhole:
    """A lens with which the face is as far away as in the crop of a photo: a metre, about."""
    side = CROP_PER_FACE * float(np.median(widths))
    return Pinhole(side / 2 / float(np.tan(np.radians(fov) / 2)), size[0] / 2, size[1] / 2)


def _follow(source: FrameSource, advance) -> Followed:  # type: ignore[no-untyped-def]
    follower = FaceFollower()
    landmarks, confidence, width, segments, times = [], [], [], [], []
    last = None
    for frame in source:
        if frame is not last:  # a hole in the video repeats the frame before
            reading = follower.read(frame.image)
        last = frame
        landmarks.append(np.full((478, 2), np.nan, np.float32) if reading is None else reading.landmarks)
        confidence.append(0.0 if reading is None else reading.confidence)
        width.append(np.nan if reading is None else reading.width)
        segments.append(-1 if reading is None else follower.segment)
        times.append(frame.time)
        advance(1)
    return Followed(
        np.array(landmarks, np.float64), np.array(confidence), np.array(width), np.array(segments), np.array(times),
        follower.most_faces,
    )  # fmt: skip


def _identify(
    head: HeadModel, landmarks: Array, confidence: Array, pinhole: Pinhole, config: FitConfig
) -> tuple[Person, Array]:
    """Who it is, and the ARKit weights (F, 52) of every frame, neither smooth nor clipped."""
    candidates = np.unique(np.linspace(0, len(landmarks) - 1, min(_CANDIDATES, len(landmarks))).round().astype(int))
    guess = _first_guess(head, landmarks[candidates], pinhole, config)
    weights = np.zeros((len(landmarks), len(arkit.NAMES)))
    weights[candidates] = guess
    chosen, expressions = candidates, guess
    mean = landmark_model(head, 0)
    front = np.ones(len(candidates))
    person = None
    for _ in range(_ROUNDS):
        quality = confidence[chosen] * front
        keys = calibrate.calm_frames(expressions, quality)
        keys = keys[np.unique(np.linspace(0, len(keys) - 1, min(_KEYFRAMES, len(keys))).round().astype(int))]
        # The rest is what the calm frames have in common: what they all show belongs to the person.
        moved = expressions[keys] - np.average(expressions[keys], 0, weights=quality[keys])
        person = solve_person(head, landmarks[chosen[keys]], moved, pinhole, config, quality[keys])
        offsets, poses = movements(person, landmarks, pinhole)
        weights = load_reader()(offsets, poses.rotation[:, 2, :2])
        chosen, expressions = np.arange(len(landmarks)), weights
        front = 1 / (1 + (poses.rotation[:, 2, :2] ** 2).sum(1) / _TURNED**2)
    assert person is not None
    del mean
    return person, weights


def _first_guess(head: HeadModel, landmarks: Array, pinhole: Pinhole, config: FitConfig) -> Array:
    """(K, 52) what single pictures tell, less what they all show."""
    rest, regressor = landmark_model(head, config.identity_components), load_regressor()
    width = 2 * pinhole.cx
    straight = np.stack([frontal_features(rest, points, pinhole) for points in landmarks])
    other = np.stack([frontal_features(rest, mirrored(points, width), pinhole) for points in landmarks])
    both = (regressor.expected(straight) + regressor.expected(other)[:, list(arkit.MIRROR)]) / 2
    weights = regressor.calibrated(both)
    return (weights - calibrate.rest_level(weights)).clip(0, 1)


def movements(person: Person, landmarks: Array, pinhole: Pinhole) -> tuple[Array, Poses]:
    """Offsets (F, 478, 2) from the person's rest in cm, seen from the front, and the poses they were seen in."""
    bias, sliding = load_bias(), sliding_landmarks(person.model)
    poses, offsets = [], []
    for first in range(0, len(landmarks), _BATCH):
        part = landmarks[first : first + _BATCH]
        poses.append(align(person.rest, part, pinhole, person.rigid))
        offsets.append(frontal(person.rest, part, pinhole, poses[-1], bias, sliding))
    return np.concatenate(offsets), Poses(*(np.concatenate(p) for p in zip(*poses, strict=True)))


def _finish(
    head: HeadModel, name: str, source: FrameSource, followed: Followed, found: NDArray[np.int64], person: Person,
    weights: Array, pinhole: Pinhole,
) -> Tracking:  # fmt: skip
    fps, segments = source.info.fps, followed.segments[found]
    trust = followed.confidence[found]
    rest = calibrate.rest_level(weights)
    weights = smooth.smooth_face(weights - rest, segments, fps, trust)
    lids = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
    weights[:, lids] *= calibrate.lid_gains(weights, fps)
    weights = calibrate.valid(weights)
    poses, errors = _place(person, followed, found, weights, pinhole)
    usable = errors < _UNEXPLAINED * np.median(errors)
    confidence = trust / (1 + np.maximum(errors / np.median(errors) - 1, 0) ** 2)
    usable &= confidence > _LEAST_CONFIDENCE
    rotation = smooth.smooth(Rotation.from_matrix(poses.rotation @ _mean_rotation(poses.rotation).T).as_rotvec(),
                             segments, fps, smooth.POSE_SECONDS, confidence)  # fmt: skip
    turn = Rotation.from_rotvec(rotation).as_matrix() @ _mean_rotation(poses.rotation)
    translation = smooth.smooth(poses.translation, segments, fps, smooth.POSE_SECONDS, confidence)
    known = Curves(weights[usable], turn[usable], translation[usable])
    curves, state = fill(len(followed.times), found[usable], known, fps)
    return _assemble(head, name, source, followed, found, person, rest, curves, state, confidence, errors, pinhole)


def _mean_rotation(rotation: Array) -> Array:
    return Rotation.from_matrix(rotation).mean().as_matrix()


def _place(
    person: Person, followed: Followed, found: NDArray[np.int64], weights: Array, pinhole: Pinhole
) -> tuple[Poses, Array]:
    """Landmarks of the moving head (F, 478, 3), its poses and its distances (F,) from the measured landmarks."""
    moved = np.tensordot(weights, person.model.expression, 1)
    points = person.rest + moved
    landmarks = followed.landmarks[found]
    poses = [
        align(points[i : i + _BATCH], landmarks[i : i + _BATCH], pinhole, person.rigid)
        for i in range(0, len(found), _BATCH)
    ]
    joined = Poses(*(np.concatenate(p) for p in zip(*poses, strict=True)))
    local = np.einsum("fab,fvb->fva", joined.rotation, points) + joined.translation[:, None]
    projected = pinhole.focal * local[..., :2] / local[..., 2:] + [pinhole.cx, pinhole.cy]
    scale = _NOMINAL_WIDTH / followed.width[found]
    return joined, np.linalg.norm(projected - landmarks, axis=-1).mean(1) * scale


def _assemble(head, name, source, followed, found, person, rest, curves, state, confidence, errors, pinhole):  # type: ignore[no-untyped-def]
    weights, rotation, translation = curves
    frames = len(state)
    torso, _ = split_rotation(_mean_rotation(rotation[state == TRACKED]))
    turns = Rotation.from_matrix(torso.T @ rotation).as_rotvec()
    motion = Motion(source.info.fps, weights, turns / 2, turns / 2)
    rigged = head.personalize(torch.as_tensor(person.identity, dtype=torch.float32))
    with torch.no_grad():
        transforms = rigged.joint_transforms(torch.zeros(frames, 52), torch.as_tensor(motion.poses.copy()))
    shift = transforms[:, JOINTS.index("head"), :3, 3].numpy().astype(np.float64)
    width, height = source.info.size
    cameras = []
    for i in range(frames):
        viewmat = np.eye(4)
        viewmat[:3, :3], viewmat[:3, 3] = torso, translation[i] - torso @ shift[i]
        cameras.append(Camera(viewmat, pinhole.focal, pinhole.focal, pinhole.cx, pinhole.cy, width, height))
    points = person.rest + np.tensordot(weights, person.model.expression, 1)
    local = np.einsum("fab,fvb->fva", rotation, points) + translation[:, None]
    landmarks = (pinhole.focal * local[..., :2] / local[..., 2:] + [pinhole.cx, pinhole.cy]).astype(np.float32)
    landmarks[found] = followed.landmarks[found]
    sure, error = np.zeros(frames, np.float32), np.full(frames, np.nan, np.float32)
    sure[found], error[found] = confidence, errors
    return Tracking(
        motion=motion, confidence=sure, state=state, landmarks=landmarks, errors=error, frame_times=followed.times,
        size=(width, height), identity=person.identity, head=name, rest_expression=rest, cameras=tuple(cameras),
        rotation=rotation, translation=translation, segments=followed.segments,
    )  # fmt: skip


def _timed(tracking: Tracking, seconds: float) -> Tracking:
    from dataclasses import replace

    return replace(tracking, seconds=seconds)


_UNUSED = (FRONTAL, FEATURE_UNIT)
