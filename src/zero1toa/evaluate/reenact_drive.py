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
from ..portrait.solver import OPPOSITES, Array, Pinhole
from ..priors import Drive
from ..tracking import Tracking
from ..tracking.alignment import Poses, align, rigid_weights

_STEPS: Final = 8  # Gauss-Newton steps; they begin at the tracker's pose, a few degrees away
_MOST_SWING: Final = float(np.radians(20))  # of a neck that carries the head forward, back or aside; ours
_HEAD: Final = JOINTS.index("head")


def drive_from_tracking(tracking: Tracking, portrait: Portrait, matrix: Array, source: int) -> Drive:
    """Expressions, poses and cameras with which an avatar of frame `source` lies on every frame of the video.

    The tracker knows the person from the whole video, the portrait from one frame, so the two differ a little in who
    the person is and what the resting face is. Therefore only changes from the source frame are taken: at the source
    frame the drive is the portrait's own expression, pose and camera. In the others the head is laid on the landmarks
    of the tracked head, not on those of the detector.

    Args:
        tracking: of the video.
        portrait: fitted to its frame `source`.
        matrix: (2, 3) px of the video -> px of the portrait's crop.
        source: which frame.

    Returns:
        F frames, cameras in px of the crop.
    """
    weights = tracking.motion.weights.astype(np.float64)
    expressions = relative_expression(weights, weights[source], portrait.expression)
    tracked = _tracked_landmarks(tracking) @ matrix[:, :2].T + matrix[:, 2]  # (F, 478, 2) px of the crop
    camera = portrait.camera
    pinhole = Pinhole(camera.fx, camera.cx, camera.cy)
    model = landmark_model(load_head(portrait.head), len(portrait.identity), portrait.identity)
    points = model.points(portrait.identity, np.zeros(len(arkit.NAMES)))
    points = points + np.tensordot(expressions, model.expression, 1)

    person = load_head(portrait.head).personalize(torch.as_tensor(portrait.identity, dtype=torch.float32))
    torso = camera.viewmat[:3, :3]
    own = _head_joint(person, portrait.pose[None])[0]
    rotation, translation = torso @ own[:3, :3], torso @ own[:3, 3] + camera.viewmat[:3, 3]
    points += _offset(points[source], tracked[source], rotation, translation, pinhole)
    start = _carried(tracking, source, rotation, translation, matrix, pinhole)
    poses = align(points, tracked, pinhole, rigid_weights(model), start, steps=_STEPS)

    joints = neck_and_head(torso, camera.viewmat[:3, 3], poses, person.joints.numpy().astype(np.float64))
    moved = _head_joint(person, joints)[:, :3, 3]
    cameras = []
    for place, shift in zip(poses.translation, moved, strict=True):
        viewmat = np.eye(4)
        viewmat[:3, :3], viewmat[:3, 3] = torso, place - torso @ shift
        cameras.append(Camera(viewmat, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height))
    floats = (torch.as_tensor(values, dtype=torch.float32) for values in (expressions, joints))
    return Drive(cameras, *floats).checked()


def neck_and_head(torso: Array, place: Array, poses: Poses, rest: Array) -> Array:
    """(F, 6, 3) joint rotations by which the head stands as it was seen while the torso stays where it is.

    The neck takes half of the head's turn and then swings to where the base of the head is, up to `_MOST_SWING`; the
    head joint makes up for it. What a neck cannot reach (nearer, farther, a step to the side) is left to the camera.

    Args:
        torso: (3, 3) its rotation to camera axes.
        place: (3,) metres, where its origin is before the camera.
        poses: of the head, F.
        rest: (6, 3) joints at rest, metres.
    """
    neck, base = rest[JOINTS.index("neck")], rest[_HEAD]
    turn = Rotation.from_matrix(torso.T @ poses.rotation)
    half = Rotation.from_rotvec(turn.as_rotvec() / 2)
    lever = half.apply(base - neck)
    wanted = _reachable((poses.translation - place) @ torso - neck + turn.apply(base), base - neck, poses, torso)
    axis = np.cross(lever, wanted)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, (lever * wanted).sum(1, keepdims=True)).clip(0, _MOST_SWING)
    bent = Rotation.from_rotvec(axis / np.maximum(sine, 1e-12) * angle) * half
    joints = np.zeros((len(wanted), len(JOINTS), 3))
    joints[:, JOINTS.index("neck")] = bent.as_rotvec()
    joints[:, _HEAD] = (bent.inv() * turn).as_rotvec()
    return joints


def _reachable(wanted: Array, lever: Array, poses: Poses, torso: Array) -> Array:
    """(F, 3) places of the base of the head before the neck that lie behind `wanted` on the same line of sight, and
    whose distance is the lever's (3,) if there are any: depth is measured far less well than what a picture shows."""
    sight = poses.translation / np.linalg.norm(poses.translation, axis=1, keepdims=True) @ torso
    along = (wanted * sight).sum(1)
    inside = np.maximum(along**2 - (wanted**2).sum(1) + lever @ lever, 0)
    near, far = -along + np.sqrt(inside), -along - np.sqrt(inside)
    step = np.where(np.abs(near) < np.abs(far), near, far)
    return np.asarray(wanted + step[:, None] * sight)


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


def _tracked_landmarks(tracking: Tracking) -> Array:
    """(F, 478, 2) px of the video: landmarks of the tracked head."""
    model = landmark_model(load_head(tracking.head), len(tracking.identity), tracking.identity)
    points = model.points(tracking.identity, np.zeros(len(arkit.NAMES)))
    points = points + np.tensordot(tracking.motion.weights.astype(np.float64), model.expression, 1)
    local = np.einsum("fab,fvb->fva", tracking.rotation, points) + tracking.translation[:, None]
    lens = tracking.cameras[0]
    return np.asarray(lens.fx * local[..., :2] / local[..., 2:] + [lens.cx, lens.cy])


def _head_joint(person, poses: NDArray[np.floating]) -> Array:  # type: ignore[no-untyped-def]
    """(F, 4, 4) transforms of the head joint from rest, for joint rotations (F, 6, 3)."""
    with torch.no_grad():
        transforms = person.joint_transforms(
            torch.zeros(len(poses), len(arkit.NAMES)), torch.as_tensor(np.array(poses), dtype=torch.float32)
        )
    return np.asarray(transforms[:, _HEAD].numpy(), np.float64)


def _offset(points: Array, target: Array, rotation: Array, translation: Array, pinhole: Pinhole) -> Array:
    """(478, 3) what to add to points (478, 3) of the head so that they lie on `target` (478, 2) px at this pose."""
    depth = (points @ rotation.T + translation)[:, 2:]
    rays = np.concatenate([(target - [pinhole.cx, pinhole.cy]) / pinhole.focal, np.ones((len(points), 1))], 1)
    return np.asarray((rays * depth - translation) @ rotation - points)


def _carried(
    tracking: Tracking, source: int, rotation: Array, translation: Array, matrix: Array, pinhole: Pinhole
) -> Poses:
    """Where to begin: the head turned, moved and brought nearer as the tracked one is."""
    turned = tracking.rotation @ tracking.rotation[source].T @ rotation
    lens = tracking.cameras[0]
    at = lens.fx * tracking.translation[:, :2] / tracking.translation[:, 2:] + [lens.cx, lens.cy]
    shift = (at - at[source]) @ matrix[:, :2].T
    depth = translation[2] * tracking.translation[:, 2] / tracking.translation[source, 2]
    origin = pinhole.focal * translation[:2] / translation[2] + shift
    return Poses(turned, np.concatenate([origin / pinhole.focal * depth[:, None], depth[:, None]], 1))
