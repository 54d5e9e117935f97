"""The eyes look by turning about their joints; a morph target can only shift vertices in a straight line.

So in the file each eyeLook target moves the eyeball along the chord: at weight 1 it stands exactly where the rotation
puts it, in between it is a little small. Loading takes the chord out again, so that our own players, which turn the
eyeballs, do not move them twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from zero1toa.heads import arkit
from zero1toa.heads.skinning import gaze_rotation
from zero1toa.heads.topology import JOINTS

EYE_JOINTS: tuple[int, int] = (JOINTS.index("eyeLeft"), JOINTS.index("eyeRight"))

# A movement below this on a vertex that follows an eye joint is what float32 leaves of the chord, metres.
_CHORD_NOISE = 2e-9


def gaze_table() -> NDArray[np.float64]:
    """(52, 2, 3) rotation vector of the left and right eyeball, radians per unit of each ARKit weight."""
    return gaze_rotation(torch.eye(len(arkit.NAMES), dtype=torch.float64)).numpy()


def with_chords(
    deltas: NDArray[np.float32],  # (52, V, 3)
    vertices: NDArray[np.float32],  # (V, 3)
    joints: NDArray[np.float32],  # (6, 3)
    skin_weights: NDArray[np.float32],  # (V, 6)
    gaze: NDArray[np.float64],  # (52, 2, 3)
) -> NDArray[np.float32]:
    """The deltas plus what the rotation of the eyeballs adds at weight 1."""
    result = deltas.copy()
    for k, rows, turn, centre in _turns(joints, skin_weights, gaze):
        moved = vertices[rows].astype(np.float64) + deltas[k, rows]
        result[k, rows] = deltas[k, rows] + np.einsum("vij,vj->vi", turn, moved - centre)
    return result


def without_chords(
    deltas: NDArray[np.float32],
    vertices: NDArray[np.float32],
    joints: NDArray[np.float32],
    skin_weights: NDArray[np.float32],
    gaze: NDArray[np.float64],
) -> NDArray[np.float32]:
    """The inverse of `with_chords`, to about a nanometre; shapes as there."""
    result = deltas.copy()
    for k, rows, turn, centre in _turns(joints, skin_weights, gaze):
        chord = np.einsum("vij,vj->vi", turn, vertices[rows].astype(np.float64) - centre)
        own = np.linalg.solve(turn + np.eye(3), (deltas[k, rows] - chord)[..., None])[..., 0]
        own[np.abs(own).max(-1) < _CHORD_NOISE] = 0
        result[k, rows] = own
    return result


def _turns(
    joints: NDArray[np.float32], skin_weights: NDArray[np.float32], gaze: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Per shape and eye that turns: shape, the vertices that follow the eye, their w (R - I) (M, 3, 3), the centre."""
    for eye, joint in enumerate(EYE_JOINTS):
        rows = np.flatnonzero(skin_weights[:, joint])
        for k in np.flatnonzero(np.abs(gaze[:, eye]).max(-1)):
            turn = Rotation.from_rotvec(gaze[k, eye]).as_matrix() - np.eye(3)
            yield k, rows, skin_weights[rows, joint, None, None].astype(np.float64) * turn, joints[joint].astype(float)
