"""Eyeballs turned in their sockets until each iris lies on the photo's.

The gaze of the fit is good to some degrees, which is a third of an iris: what of the photo's iris lies beside the
head's would be painted on the white.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..camera import Camera
from ..heads import JOINTS, RiggedHead, arkit
from .iris import find_iris
from .portrait import Portrait

_MOST_YAW = 35.0  # degrees of the head from which an iris is seen too much from the side
_MOST_TURN = np.radians(15.0)  # of an eyeball; more is no error of the fit
_OPEN = 0.5  # weight of a blink from which on the iris is hidden


def aim_eyes(head: RiggedHead, portrait: Portrait) -> RiggedHead:
    """The head with eyeballs turned at rest, so that in the photo's pose and expression they look where the photo's do.

    Only vertices of the eyeballs change; each stays a ball about its joint.
    """
    if abs(portrait.head_angles["yaw"]) > _MOST_YAW:
        return head
    for side in ("Left", "Right"):
        head = _aim(head, portrait, side)
    return head


def _aim(head: RiggedHead, portrait: Portrait, side: str) -> RiggedHead:
    if portrait.expression[arkit.INDEX[f"eyeBlink{side}"]] > _OPEN:
        return head
    camera = portrait.camera
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    ball = head.topology.part_vertices(f"eye{side}")
    joint = JOINTS.index(f"eye{side}")
    transform = head.joint_transforms(expression, pose)[joint].numpy().astype(np.float64)
    pivot = head.joints.numpy().astype(np.float64)[joint]
    rest = head.vertices.numpy().astype(np.float64)
    arms = rest[ball] - pivot
    radius = float(np.linalg.norm(arms, axis=1).mean())
    iris = arms[head.topology.regions["iris"][ball] > 0.5]  # its middle is the eye's axis
    if not len(iris):
        return head
    axis = iris.mean(0) / np.linalg.norm(iris.mean(0))
    middle = transform[:3, :3] @ pivot + transform[:3, 3]
    wanted = _on_sphere(camera, find_iris(portrait.image, portrait.landmarks, side).middle, middle, radius)
    if wanted is None:
        return head
    target = transform[:3, :3].T @ (wanted - middle) / radius
    turn = np.cross(axis, target)
    sine = float(np.linalg.norm(turn))
    angle = float(np.arctan2(sine, axis @ target))
    if not 0 < angle < _MOST_TURN:
        return head
    rest[ball] = pivot + Rotation.from_rotvec(turn / sine * angle).apply(arms)
    return replace(head, vertices=torch.tensor(rest, dtype=torch.float32))


def _on_sphere(
    camera: Camera, pixel: NDArray[np.floating], middle: NDArray[np.float64], radius: float
) -> NDArray[np.float64] | None:
    """(3,) the nearer point of a sphere that a pixel (2,) shows, or None beside it."""
    ray = camera.viewmat[:3, :3].T @ np.array(
        [(pixel[0] - camera.cx) / camera.fx, (pixel[1] - camera.cy) / camera.fy, 1]
    )
    ray /= np.linalg.norm(ray)
    start = camera.position - middle
    along = ray @ start
    inside = along**2 - start @ start + radius**2
    return None if inside < 0 else np.asarray(middle + start - (along + np.sqrt(inside)) * ray)
