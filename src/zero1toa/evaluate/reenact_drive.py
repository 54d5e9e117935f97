"""What the avatar of one frame is told to do in the other frames: the tracked motion, seen from that frame."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..camera import Camera
from ..heads import JOINTS, arkit, load_head
from ..portrait.landmark_model import landmark_model
from ..portrait.portrait import Portrait
from ..portrait.solver import OPPOSITES, Array, LandmarkModel, Pinhole
from ..priors import Drive
from ..tracking import LOST, Tracking
from ..tracking.smooth import POSE_SECONDS, smooth, smooth_face
from .reenact_solve import Belief, Bust, lay_on_landmarks

_NECK, _HEAD = JOINTS.index("neck"), JOINTS.index("head")
_TURN_OF_NECK: Final = 0.5  # share of the head's turn that the neck takes


def drive_from_tracking(
    tracking: Tracking, portrait: Portrait, matrix: Array, source: int, torso: NDArray[np.floating] | None = None
) -> Drive:
    """Expressions, poses and cameras with which an avatar of frame `source` lies on every frame of the video.

    The tracker knows the person from the whole video, the portrait from one frame, so the two differ a little in who
    the person is and what the resting face is. Therefore only changes from the source frame are taken: at the source
    frame the drive is the portrait's own expression, pose and camera. In the others the portrait's head is laid on the
    measured landmarks (`reenact_solve`), and what that changes of the tracked motion is made smooth over time.

    Args:
        tracking: of the video.
        portrait: fitted to its frame `source`.
        matrix: (2, 3) px of the video -> px of the portrait's crop.
        source: which frame.
        torso: (F, 2) px of the crop by which the torso has moved since the source frame, NaN where that is not known:
            there it follows the head. By default it is known nowhere.

    Returns:
        F frames, cameras in px of the crop.
    """
    frames = len(tracking)
    weights = tracking.motion.weights.astype(np.float64)
    expressions = relative_expression(weights, weights[source], portrait.expression)
    landmarks = tracking.landmarks.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    camera = portrait.camera
    pinhole = Pinhole(camera.fx, camera.cx, camera.cy)
    person = load_head(portrait.head).personalize(torch.as_tensor(portrait.identity, dtype=torch.float32))
    joints = person.joints.numpy().astype(np.float64)
    bust = Bust(camera.viewmat[:3, :3], camera.viewmat[:3, 3], joints[_NECK], joints[_HEAD])
    own = np.concatenate([portrait.pose[_NECK], portrait.pose[_HEAD], np.zeros(3)]).astype(np.float64)
    rotation, translation = bust.head_pose(own)
    model = landmark_model(load_head(portrait.head), len(portrait.identity), portrait.identity)
    rest = model.points(portrait.identity, np.zeros(len(arkit.NAMES)))
    shown = rest + np.tensordot(portrait.expression, model.expression, 1)
    rest = rest + _offset(shown, landmarks[source], rotation, translation, pinhole)
    model = LandmarkModel(rest, model.identity[:0], model.expression, model.spread)

    believed = _believed_angles(tracking, source, bust, own, matrix, pinhole)
    seen = np.zeros(frames, bool)
    if torso is not None:
        seen = np.isfinite(torso).all(1)
        metres = torso[seen] * camera.viewmat[2, 3] / pinhole.focal
        believed[seen, 6:] = np.concatenate([metres, np.zeros((len(metres), 1))], 1) @ bust.rotation
    angles, solved = believed.copy(), expressions.copy()
    for i in np.flatnonzero(tracking.state != LOST):
        if i != source:
            belief = Belief(believed[i], bool(seen[i]), expressions[i])
            angles[i], solved[i] = lay_on_landmarks(bust, model, landmarks[i], pinhole, belief)
    trust = tracking.confidence.astype(np.float64)
    angles = believed + smooth(angles - believed, tracking.segments, tracking.fps, POSE_SECONDS, trust)
    solved = expressions + smooth_face(solved - expressions, tracking.segments, tracking.fps, trust)
    angles[source], solved[source] = own, portrait.expression
    poses = np.zeros((frames, len(JOINTS), 3))
    poses[:, _NECK], poses[:, _HEAD] = angles[:, :3], angles[:, 3:6]
    cameras = []
    for shift in angles[:, 6:]:
        viewmat = np.eye(4)
        viewmat[:3, :3], viewmat[:3, 3] = bust.rotation, bust.place + bust.rotation @ shift
        cameras.append(Camera(viewmat, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height))
    floats = (torch.as_tensor(values, dtype=torch.float32) for values in (solved.clip(0, 1), poses))
    return Drive(cameras, *floats).checked()


def _believed_angles(tracking: Tracking, source: int, bust: Bust, own: Array, matrix: Array, pinhole: Pinhole) -> Array:
    """(F, 9) where to begin: the neck takes its share of the tracked turn, and the torso follows the head."""
    neck, head = Rotation.from_rotvec(own[:3]), Rotation.from_rotvec(own[3:6])
    rotation, translation = bust.head_pose(own)
    turned, moved = _carried(tracking, source, rotation, translation, matrix, pinhole)
    whole = Rotation.from_matrix(bust.rotation.T @ turned)
    share = Rotation.from_rotvec(_TURN_OF_NECK * (whole * (neck * head).inv()).as_rotvec())
    necks = share * neck
    angles = np.zeros((len(moved), 9))
    angles[:, :3], angles[:, 3:6] = necks.as_rotvec(), (necks.inv() * whole).as_rotvec()
    still = np.stack([bust.head_pose(a)[1] for a in angles])
    angles[:, 6:] = (moved - still) @ bust.rotation
    return angles


def relative_expression(weights: Array, source: Array, photo: Array) -> Array:
    """Weights (F, 52) changed so that those of the source frame become the photo's.

    Shapes that exclude each other (lids up and down, eyes in and out) are one axis with two directions.

    Args:
        weights: (F, 52) as tracked.
        source: (52,) tracked in the source frame.
        photo: (52,) fitted to the source frame alone.
    """
    out = weights - source + photo
    for first, second in OPPOSITES:
        a, b = arkit.INDEX[first], arkit.INDEX[second]
        if min(photo[a], photo[b]) > 0:
            continue  # the photo's fit says both; then they are two axes
        difference = out[:, a] - out[:, b]
        out[:, a], out[:, b] = np.maximum(difference, 0), np.maximum(-difference, 0)
    out = out.clip(0, 1)
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    out[:, close] = np.minimum(out[:, close], out[:, jaw])
    return np.asarray(out, np.float64)


def _offset(points: Array, target: Array, rotation: Array, translation: Array, pinhole: Pinhole) -> Array:
    """(478, 3) what to add to points (478, 3) of the head so that they lie on `target` (478, 2) px at this pose."""
    depth = (points @ rotation.T + translation)[:, 2:]
    rays = np.concatenate([(target - [pinhole.cx, pinhole.cy]) / pinhole.focal, np.ones((len(points), 1))], 1)
    return np.asarray((rays * depth - translation) @ rotation - points)


def _carried(
    tracking: Tracking, source: int, rotation: Array, translation: Array, matrix: Array, pinhole: Pinhole
) -> tuple[Array, Array]:
    """The head turned, moved and brought nearer as the tracked one is: rotations (F, 3, 3), translations (F, 3)."""
    turned = tracking.rotation @ tracking.rotation[source].T @ rotation
    lens = tracking.cameras[0]
    at = lens.fx * tracking.translation[:, :2] / tracking.translation[:, 2:] + [lens.cx, lens.cy]
    shift = (at - at[source]) @ matrix[:, :2].T
    depth = translation[2] * tracking.translation[:, 2] / tracking.translation[source, 2]
    origin = pinhole.focal * translation[:2] / translation[2] + shift
    return turned, np.concatenate([origin / pinhole.focal * depth[:, None], depth[:, None]], 1)
