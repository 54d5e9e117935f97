"""Joints and skin weights of the head, from MakeHuman's rig."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from zero1toa.heads.topology import JOINTS

from .source import Source

Array = NDArray[np.float64]

# Where the joints are: the middle of a marker cube of the base mesh. The jaw's is found from jawOpen instead.
JOINT_CUBES = {
    "root": "joint-spine-1",
    "neck": "joint-neck",
    "head": "joint-head",
    "eyeLeft": "joint-l-eye",
    "eyeRight": "joint-r-eye",
}
# MakeHuman bends the neck with three bones, we with two joints: share of each bone that goes to our head joint, so that
# a turned head twists the whole neck. Tuned by eye on yaw of +-40 degrees.
_NECK_BONES = {"neck01": 0.0, "neck02": 0.2, "neck03": 0.6}
_SMOOTHING = 6  # rounds of averaging with the neighbours


def descends(source: Source, bone: str, ancestor: str) -> bool:
    """Whether a bone is `ancestor` or hangs on it."""
    while bone:
        if bone == ancestor:
            return True
        bone = source.bone_parents[bone]
    return False


def source_weights(source: Source) -> Array:
    """(N, 6) weights of the base mesh's vertices for `JOINTS`; helper vertices get none."""
    out = np.zeros((len(source.vertices), len(JOINTS)))
    root, neck, head, jaw = (JOINTS.index(n) for n in ("root", "neck", "head", "jaw"))
    for bone, weight in source.bone_weights.items():
        if bone in _NECK_BONES:
            out[:, head] += _NECK_BONES[bone] * weight
            out[:, neck] += (1 - _NECK_BONES[bone]) * weight
        elif descends(source, bone, "jaw"):
            out[:, jaw] += weight
        elif descends(source, bone, "head"):
            out[:, head] += weight
        else:
            out[:, root] += weight
    return out


def smooth(weights: Array, faces: NDArray[np.int64], rounds: int = _SMOOTHING) -> Array:
    """Average each vertex with its neighbours, `rounds` times; rows then sum to 1."""
    count = len(weights)
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()
    graph = ((graph + graph.T) > 0).astype(float)
    degree = np.asarray(graph.sum(1)).ravel().clip(1)
    for _ in range(rounds):
        weights = 0.5 * weights + 0.5 * (graph @ weights) / degree[:, None]
    return weights / weights.sum(1, keepdims=True).clip(1e-12)


def jaw_pivot(points: Array, opened: Array) -> Array:
    """(3,) the point on the middle plane about which the lower jaw turns: fixed by the best rigid motion.

    Args:
        points: (V, 3) of the lower jaw at rest.
        opened: (V, 3) the same with jawOpen at 1.
    """
    middle, moved = points.mean(0), opened.mean(0)
    u, _, vt = np.linalg.svd((points - middle).T @ (opened - moved))
    rotation = (u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt).T
    shift = moved - rotation @ middle
    yz = np.linalg.solve(np.eye(2) - rotation[1:, 1:], shift[1:])
    return np.array([0.0, yz[0], yz[1]])
