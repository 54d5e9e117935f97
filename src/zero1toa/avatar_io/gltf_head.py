"""The head as a skinned glTF mesh with the ARKit morph targets: for the avatar's own file and the textured mesh."""

from __future__ import annotations

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from zero1toa.avatar_io import schema
from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.gaze import gaze_table, with_chords
from zero1toa.avatar_io.gltf_writer import GltfWriter
from zero1toa.avatar_io.seams import SplitMesh, split_seams
from zero1toa.avatar_io.surface import vertex_normals
from zero1toa.heads import arkit
from zero1toa.heads.topology import JOINTS, PARENTS

_INFLUENCES = 4  # joints per glTF set JOINTS_n, WEIGHTS_n
_WEIGHT_ROUNDING = 2e-7  # what the Khronos validator allows per weight; such rows are stored as they are
_WEIGHT_TOLERANCE = 1e-3  # rows that miss the sum of 1 by more are a mistake, not rounding


def split_head(data: AvatarData) -> tuple[SplitMesh, NDArray[np.float32]]:
    """The mesh with one row per vertex and texture coordinate, and the coordinates (U, 2) that its `uv` names."""
    used, uv_faces = np.unique(data.topology.uv_faces, return_inverse=True)
    uv_faces = uv_faces.reshape(data.topology.uv_faces.shape)
    return split_seams(len(data.vertices), data.topology.faces, uv_faces), data.topology.uvs[used]


def places(writer: GltfWriter, data: AvatarData, split: SplitMesh, uvs: NDArray[np.float32]) -> dict[str, int]:
    """Accessors of positions, normals and texture coordinates."""
    row = split.vertex
    return {
        "POSITION": writer.attribute(data.vertices[row], bounds=True),
        "NORMAL": writer.attribute(vertex_normals(data.vertices, data.topology.faces)[row]),
        "TEXCOORD_0": writer.attribute(_top_left(uvs)[split.uv]),
    }


def skinning(writer: GltfWriter, data: AvatarData, split: SplitMesh) -> dict[str, int]:
    """Accessors of joints and weights."""
    attributes = {}
    for n, (joints, weights) in enumerate(_influences(data.skin_weights)):
        attributes[f"JOINTS_{n}"] = writer.attribute(joints[split.vertex])
        attributes[f"WEIGHTS_{n}"] = writer.attribute(weights[split.vertex])
    return attributes


def mesh(writer: GltfWriter, data: AvatarData, split: SplitMesh, attributes: dict[str, int]) -> gltf.Mesh:
    """The mesh `head` of material 0 with its 52 morph targets, all at 0."""
    deltas = with_chords(data.expression_deltas, data.vertices, data.joints, data.skin_weights, gaze_table())
    primitive = gltf.Primitive(
        attributes=gltf.Attributes(**attributes),
        indices=writer.indices(split.faces),
        material=0,
        targets=[gltf.Attributes(POSITION=writer.sparse(delta[split.vertex], bounds=True)) for delta in deltas],
    )
    names = list(arkit.NAMES)
    return gltf.Mesh(name="head", primitives=[primitive], weights=[0.0] * len(names), extras={"targetNames": names})


def add_nodes(writer: GltfWriter, data: AvatarData, name: str) -> None:
    """The joints as nodes 0 to 5, then mesh 0, skinned, as node `name`; all of them in one scene."""
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (len(JOINTS), 1, 1))
    inverse_bind[:, :3, 3] = -data.joints
    nodes = [gltf.Node(name=name) for name in JOINTS]
    for joint, parent in enumerate(PARENTS):
        origin = data.joints[parent].astype(np.float64) if parent >= 0 else np.zeros(3)
        nodes[joint].translation = (data.joints[joint].astype(np.float64) - origin).tolist()
        if parent >= 0:
            nodes[parent].children.append(joint)
    document = writer.document
    document.skins = [gltf.Skin(joints=list(range(len(JOINTS))), skeleton=0)]
    document.skins[0].inverseBindMatrices = writer.matrices(inverse_bind)
    document.nodes = [*nodes, gltf.Node(name=name, mesh=0, skin=0)]
    document.scenes = [gltf.Scene(nodes=[0, len(JOINTS)])]
    document.scene = 0


def check(data: AvatarData) -> None:
    """Raises ValueError for values that are not finite or out of range."""
    for name in ("vertices", "expression_deltas", "joints", "skin_weights", "means", "quats", "log_scales",
                 "opacity_logits", "colors", "identity", "photo_expression", "photo_pose"):  # fmt: skip
        if not np.isfinite(getattr(data, name)).all():
            raise ValueError(f"{name} holds a number that is not finite")
    if len(data.means) == 0:
        raise ValueError("an avatar needs at least one splat")
    if data.triangle.min() < 0 or data.triangle.max() >= len(data.topology.faces):
        raise ValueError("triangle points outside the faces")
    names = {schema.region_attribute(name) for name in data.topology.regions}
    if len(names) != len(data.topology.regions) or not all(name.isidentifier() for name in names):
        raise ValueError("regions need names of letters and digits that differ by more than their case")
    if (data.skin_weights < 0).any() or (np.abs(data.skin_weights.sum(1) - 1) > _WEIGHT_TOLERANCE).any():
        raise ValueError("skin_weights must be at least 0 and sum to 1 per vertex")


def storable(data: AvatarData) -> dict[str, str | int | float | bool]:
    """The provenance as JSON knows it, without what is None or empty. Raises ValueError for other objects."""
    result: dict[str, str | int | float | bool] = {}
    for key, value in data.provenance.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or plain == "":
            continue
        if not isinstance(plain, (str, int, float, bool)):
            raise ValueError(f"the provenance entry {key!r} is no plain value")
        result[key] = plain
    return result


def _top_left(uvs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Our v points up, glTF's down from the top left corner."""
    return np.stack([uvs[:, 0], (1.0 - uvs[:, 1].astype(np.float64)).astype(np.float32)], 1)


def _influences(weights: NDArray[np.float32]) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Skin weights (V, 6) as sets of four joints and weights (V, 4); places of weight 0 name joint 0, as glTF asks."""
    exact = weights.astype(np.float64)
    total = exact.sum(1, keepdims=True)
    exact = np.where(np.abs(total - 1) > _WEIGHT_ROUNDING, exact / total, exact)
    used = exact > 0
    slot = np.cumsum(used, 1) - 1
    sets = []
    for first in range(0, int(used.sum(1).max()), _INFLUENCES):
        vertex, joint = np.nonzero(used & (slot >= first) & (slot < first + _INFLUENCES))
        joints = np.zeros((len(weights), _INFLUENCES), np.uint8)
        packed = np.zeros((len(weights), _INFLUENCES), np.float32)
        joints[vertex, slot[vertex, joint] - first] = joint
        packed[vertex, slot[vertex, joint] - first] = exact[vertex, joint]
        sets.append((joints, packed))
    return sets
