"""A folder in the layout of GaussianAvatars (Qian et al., CVPR 2024): point_cloud.ply and flame_param.npz.

Our splats follow their triangles in the very frames of GaussianAvatars (centroid; first edge, normal and their cross
product; mean of first edge and height), so point_cloud.ply holds them unchanged. But the triangles are those of our
head, not of FLAME: the mesh to bind them to, for every moment, is in head_mesh.npz.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.ply import harmonic, table
from zero1toa.avatar_io.posed import Poser
from zero1toa.heads import arkit
from zero1toa.heads.skinning import gaze_rotation, valid_expression
from zero1toa.heads.topology import JOINTS
from zero1toa.motion import Motion

_HARMONICS = 45  # f_rest of degree 3, all zero: the published loader's default counts them and stops at any other
_SHAPE, _EXPRESSION = 300, 100  # FLAME's coefficients in that layout
_JAW_PART = "teethLower"  # moves with the jaw alone

PROPERTIES: tuple[str, ...] = (
    "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2",
    *(f"f_rest_{k}" for k in range(_HARMONICS)),
    "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3", "binding_0",
)  # fmt: skip

README = """\
This folder has the layout of GaussianAvatars (github.com/ShenhanQian/GaussianAvatars). It was written by zero1toa; the
person in it is synthetic.

  point_cloud.ply   The splats in the frames of their triangles; binding_0 is the triangle.
  head_mesh.npz     faces (T, 3); vertices (F, V, 3), the mesh at every moment, metres, y up; arkit_names (52,) and
                    arkit_weights (F, 52); fps.
  flame_param.npz   The names and shapes of FLAME's parameters. rotation, neck_pose, jaw_pose and eyes_pose say how our
                    head moves and can drive a FLAME head; shape and expr are zero, for they have no meaning here.

The head is NOT FLAME: it has other vertices and triangles, and binding_0 counts those of head_mesh.npz. A program that
poses FLAME and takes its triangles stops at static_offset, whose size is that of our mesh, or shows nonsense. Instead
of posing FLAME (whose file that program still wants when it starts), give it the mesh: in
FlameGaussianModel.select_mesh_by_timestep, call

  mesh = np.load("head_mesh.npz")
  self.flame_model.faces = torch.from_numpy(mesh["faces"]).long().cuda()
  verts = torch.from_numpy(mesh["vertices"][[timestep]]).cuda()
  self.update_mesh_properties(verts, verts)
"""


def encode_folder(data: AvatarData, motion: Motion) -> dict[str, bytes]:
    """The files by name; see `README`."""
    vertices = np.stack(_all_vertices(data, motion))
    mesh: dict[str, NDArray] = {
        "faces": data.topology.faces.astype(np.int32),
        "vertices": vertices,
        "arkit_names": np.array(arkit.NAMES),
        "arkit_weights": motion.weights,
        "fps": np.array(motion.fps),
    }
    return {
        "point_cloud.ply": _point_cloud(data),
        "flame_param.npz": _npz(flame_parameters(data, motion)),
        "head_mesh.npz": _npz(mesh),
        "README.txt": README.encode(),
    }


def flame_parameters(data: AvatarData, motion: Motion) -> dict[str, NDArray[np.float32]]:
    """What FLAME's joints would do: rotation vectors in radians, in the names and shapes of GaussianAvatars.

    FLAME turns the whole head at the neck, so neck_pose is neck and head in one. The jaw's turn is the best rigid one
    of the lower teeth about the jaw joint.
    """
    frames, num_vertices = len(motion), len(data.vertices)
    poses = motion.poses.astype(np.float64)
    neck, head = (Rotation.from_rotvec(poses[:, JOINTS.index(name)]) for name in ("neck", "head"))
    asked = gaze_rotation(torch.tensor(motion.weights, dtype=torch.float64)).numpy()
    first = JOINTS.index("eyeLeft")
    eyes = [Rotation.from_rotvec(poses[:, first + e]) * Rotation.from_rotvec(asked[:, e]) for e in range(2)]
    parameters = {
        "shape": np.zeros(_SHAPE),
        "expr": np.zeros((frames, _EXPRESSION)),
        "rotation": np.zeros((frames, 3)),
        "neck_pose": (neck * head).as_rotvec(),
        "jaw_pose": _jaw(data, motion),
        "eyes_pose": np.concatenate([eye.as_rotvec() for eye in eyes], 1),
        "translation": np.zeros((frames, 3)),
        "static_offset": np.zeros((1, num_vertices, 3)),
        "dynamic_offset": np.zeros((frames, num_vertices, 3)),
    }
    return {name: values.astype(np.float32) for name, values in parameters.items()}


def _point_cloud(data: AvatarData) -> bytes:
    quats = data.quats / np.linalg.norm(data.quats, axis=1, keepdims=True)
    columns: list[NDArray] = [
        data.means,
        np.zeros_like(data.means),
        harmonic(data.colors),
        np.zeros((len(data.means), _HARMONICS)),
    ]
    columns += [data.opacity_logits[:, None], data.log_scales, quats, data.triangle[:, None]]
    return table(PROPERTIES, np.concatenate(columns, 1))


def _all_vertices(data: AvatarData, motion: Motion) -> list[NDArray[np.float32]]:
    poser = Poser(data)
    return [poser.vertices(motion.expression(frame), motion.pose(frame)) for frame in range(len(motion))]


def _jaw(data: AvatarData, motion: Motion) -> NDArray[np.float64]:
    if _JAW_PART not in data.topology.part_names:
        return np.zeros((len(motion), 3))
    rows = data.topology.part_vertices(_JAW_PART)
    rest = data.vertices[rows].astype(np.float64) - data.joints[JOINTS.index("jaw")]
    weights = valid_expression(torch.tensor(motion.weights)).numpy()
    moved = rest + np.einsum("fk,kvc->fvc", weights, data.expression_deltas[:, rows])
    return np.stack([Rotation.align_vectors(frame, rest)[0].as_rotvec() for frame in moved])


def _npz(arrays: Mapping[str, NDArray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
