"""The eyes' openings as the photo shows them: landmarks see more of an eye's shape than the head's identity can follow.

Around each eye the head is moved by one affine map across the line of sight, found from the sixteen points of the lids'
edges: few numbers, so that the detector's noise averages out. Being affine the map carries movements along with it, and
lids that met in a blink still meet.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..heads import JOINTS, RiggedHead, facemesh
from .portrait import Portrait
from .spread import smooth_step

_MOST_YAW = 35.0  # degrees from which an eye is seen too much from the side to be measured
_STRETCH = (0.85, 1.25)  # least and most by which an eye is made wider or higher
_MOST_STEP = 0.15  # of the eye's width by which its middle is moved at most
_WHOLE, _NONE = (
    0.75,
    1.6,
)  # distance from the eye's middle, in its widths, up to which the map holds, and from which not
_TRUST = 0.9  # of what the landmarks say; the rest is their noise
_LEAST_WIDTH = 12.0  # px of an eye; the corners of a smaller one are uncertain by a tenth of it
_SIDES = {"Left": facemesh.EYE_LEFT, "Right": facemesh.EYE_RIGHT}


def fit_eyes(head: RiggedHead, portrait: Portrait) -> RiggedHead:
    """The head with eyes as wide and as high as the photo's, where they stand there; movements and joints follow."""
    if abs(portrait.head_angles["yaw"]) > _MOST_YAW:
        return head
    for side, ring in _SIDES.items():
        head = _fit_eye(head, portrait, side, ring)
    return head


def _fit_eye(head: RiggedHead, portrait: Portrait, side: str, ring: tuple[int, ...]) -> RiggedHead:
    topology, camera = head.topology, portrait.camera
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    posed = head.pose(expression, pose).numpy().astype(np.float64)
    corners = topology.faces[topology.landmark_faces[list(ring)]]
    points = np.einsum("nk,nkc->nc", topology.landmark_barycentrics[list(ring)], posed[corners])
    drawn = camera.project(points)
    wanted = np.asarray(portrait.landmarks, np.float64)[list(ring), :2]
    if np.ptp(drawn[:, 0]) < _LEAST_WIDTH * camera.width / 512:
        return head
    turn = head.joint_transforms(expression, pose)[JOINTS.index("head"), :3, :3].numpy().astype(np.float64)
    to_rest = camera.viewmat[:3, :3] @ turn  # from the head at rest to the camera
    metres = drawn[:, 2].mean() / camera.fx  # of a pixel
    seen, target = (drawn[:, :2] * metres, wanted * metres)
    middle, width = seen.mean(0), np.ptp(seen[:, 0])
    matrix, step = _affine(seen - middle, target - middle, width)
    across = np.eye(3)
    across[:2, :2] = matrix
    linear = to_rest.T @ across @ to_rest
    shift = to_rest.T @ np.array([*step, 0.0])

    rest = head.vertices.numpy().astype(np.float64)
    at_rest = np.einsum("nk,nkc->nc", topology.landmark_barycentrics[list(ring)], rest[corners])
    center = at_rest.mean(0)
    share = 1 - smooth_step(np.linalg.norm(rest - center, axis=-1) / width, _WHOLE, _NONE)
    ball = topology.part_vertices(f"eye{side}")
    share = np.where(ball | topology.part_vertices(f"lashes{side}"), 1.0, share)
    share = np.where(topology.part_vertices(f"eye{'Right' if side == 'Left' else 'Left'}"), 0.0, share)
    moved = rest + share[:, None] * ((rest - center) @ (linear - np.eye(3)).T + shift)
    joints = head.joints.numpy().astype(np.float64)
    joint = JOINTS.index(f"eye{side}")
    size = np.sqrt(max(np.linalg.det(matrix), 1e-6))  # a ball stays a ball, or it could not turn
    pivot = center + linear @ (joints[joint] - center) + shift
    moved[ball] = pivot + size * (rest[ball] - joints[joint])
    joints[joint] = pivot
    deltas = head.expression_deltas.numpy().astype(np.float64)
    near = np.flatnonzero((share > 0) & ~ball)
    carried = deltas[:, near] @ (linear - np.eye(3)).T * share[near, None]
    deltas[:, near] += carried
    return replace(
        head,
        vertices=torch.tensor(moved, dtype=torch.float32),
        joints=torch.tensor(joints, dtype=torch.float32),
        expression_deltas=torch.tensor(deltas, dtype=torch.float32),
    )


def _affine(
    seen: NDArray[np.float64], wanted: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix (2, 2) and the step (2,) that bring points (N, 2) around 0 nearest to others, within what an eye may
    change."""
    design = np.concatenate([seen, np.ones((len(seen), 1))], 1)
    solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
    matrix = np.eye(2) + _TRUST * (solution[:2].T - np.eye(2))
    turn, stretch, back = np.linalg.svd(matrix)
    matrix = turn @ np.diag(stretch.clip(*_STRETCH)) @ back
    step = _TRUST * solution[2]
    length = float(np.linalg.norm(step))
    return matrix, step * min(1.0, _MOST_STEP * width / max(length, 1e-12))
