"""AvatarData to the bytes of a GLB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from zero1toa._version import __version__
from zero1toa.avatar_io import schema
from zero1toa.avatar_io.binding import to_rest
from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.gaze import EYE_JOINTS, gaze_table, with_chords
from zero1toa.avatar_io.gltf_writer import GltfWriter
from zero1toa.avatar_io.seams import SplitMesh, split_seams
from zero1toa.avatar_io.surface import linear_colors, surface_colors, vertex_normals
from zero1toa.heads import arkit
from zero1toa.heads.topology import JOINTS, PARENTS

_INFLUENCES = 4  # joints per glTF set JOINTS_n, WEIGHTS_n
_WEIGHT_ROUNDING = 2e-7  # what the Khronos validator allows per weight; such rows are stored as they are
_WEIGHT_TOLERANCE = 1e-3  # rows that miss the sum of 1 by more are a mistake, not rounding


def encode(data: AvatarData) -> bytes:
    """The whole file. Raises ValueError for values that are not finite or out of range."""
    _check(data)
    writer = GltfWriter(f"zero1toa {__version__}")
    document = writer.document
    document.extensionsUsed = [schema.SPLATS]
    used, uv_faces = np.unique(data.topology.uv_faces, return_inverse=True)
    uv_faces = uv_faces.reshape(data.topology.uv_faces.shape)
    split = split_seams(len(data.vertices), data.topology.faces, uv_faces)
    document.meshes = [_head_mesh(writer, data, split, data.topology.uvs[used]), _splat_mesh(writer, data)]
    document.materials = [
        gltf.Material(
            name="head",
            pbrMetallicRoughness=gltf.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=0.8),
            doubleSided=True,
        )
    ]
    _add_nodes(writer, data)
    document.extras = {schema.EXTRAS: _extras(data)}
    return writer.to_bytes()


def _head_mesh(writer: GltfWriter, data: AvatarData, split: SplitMesh, uvs: NDArray[np.float32]) -> gltf.Mesh:
    row = split.vertex
    topology = data.topology
    colors = linear_colors(surface_colors(data))
    attributes: dict[str, int] = {
        "POSITION": writer.attribute(data.vertices[row], bounds=True),
        "NORMAL": writer.attribute(vertex_normals(data.vertices, topology.faces)[row]),
        "TEXCOORD_0": writer.attribute(_top_left(uvs)[split.uv]),
        "COLOR_0": writer.attribute((colors[row] * 0xFFFF).round().astype(np.uint16), normalized=True),
    }
    for n, (joints, weights) in enumerate(_influences(data.skin_weights)):
        attributes[f"JOINTS_{n}"] = writer.attribute(joints[row])
        attributes[f"WEIGHTS_{n}"] = writer.attribute(weights[row])
    attributes[schema.VERTEX] = writer.numbers(split.vertex)
    attributes[schema.UV] = writer.numbers(split.uv)
    attributes[schema.PART] = writer.numbers(topology.vertex_part[row])
    attributes[schema.MIRROR] = writer.numbers(topology.mirror[row])
    for name, membership in topology.regions.items():
        attributes[schema.region_attribute(name)] = writer.sparse(membership.astype(np.float32)[row])
    deltas = with_chords(data.expression_deltas, data.vertices, data.joints, data.skin_weights, gaze_table())
    primitive = gltf.Primitive(
        attributes=gltf.Attributes(**attributes),
        indices=writer.indices(split.faces),
        material=0,
        targets=[gltf.Attributes(POSITION=writer.sparse(delta[row], bounds=True)) for delta in deltas],
    )
    names = list(arkit.NAMES)
    return gltf.Mesh(name="head", primitives=[primitive], weights=[0.0] * len(names), extras={"targetNames": names})


def _splat_mesh(writer: GltfWriter, data: AvatarData) -> gltf.Mesh:
    splats = to_rest(data.gaussians(), data.vertices, data.topology.faces)
    opacities = splats.opacities.clip(schema.OPACITY_MARGIN, 1 - schema.OPACITY_MARGIN)
    plain = np.concatenate([linear_colors(data.colors.clip(0, 1)), opacities[:, None]], 1)
    attributes = {
        "POSITION": writer.attribute(splats.means.astype(np.float32), bounds=True),
        "COLOR_0": writer.attribute((plain * 0xFF).round().astype(np.uint8), normalized=True),
        schema.ROTATION: writer.attribute(np.roll(splats.quats, -1, 1).astype(np.float32)),  # glTF: xyzw
        schema.SCALE: writer.attribute(splats.scales.clip(schema.SMALLEST_SCALE, None).astype(np.float32)),
        schema.OPACITY: writer.attribute(opacities.astype(np.float32)),
        schema.COLOR: writer.attribute(((data.colors.astype(np.float64) - 0.5) / schema.SH_C0).astype(np.float32)),
        schema.FACE: writer.numbers(data.triangle),
    }
    kind = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display", "projection": "perspective"}
    kind["sortingMethod"] = "cameraDistance"  # the only one of the extension; our own players sort by depth
    primitive = gltf.Primitive(mode=gltf.POINTS, extensions={schema.SPLATS: kind})
    primitive.attributes = gltf.Attributes(**attributes)
    return gltf.Mesh(name="splats", primitives=[primitive])


def _add_nodes(writer: GltfWriter, data: AvatarData) -> None:
    """The joints as nodes 0 to 5, then the skinned mesh, then the splats."""
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
    document.nodes = [*nodes, gltf.Node(name="avatar", mesh=0, skin=0), gltf.Node(name="splats", mesh=1)]
    document.scenes = [gltf.Scene(nodes=[0, len(JOINTS), len(JOINTS) + 1])]
    document.scene = 0


def _extras(data: AvatarData) -> dict[str, Any]:
    topology, camera = data.topology, data.photo_camera
    gaze = gaze_table()
    turned = {
        arkit.NAMES[k]: {"joint": JOINTS[EYE_JOINTS[eye]], "rotation": gaze[k, eye].tolist()}
        for k, eye in np.argwhere(np.abs(gaze).max(-1) > 0)
    }
    changes = np.flatnonzero(np.diff(topology.face_part, prepend=-1))
    runs = np.diff(changes, append=len(topology.faces))
    return {
        "version": schema.VERSION,
        "kernel": data.kernel,
        "headModel": data.head_model,
        "provenance": {**_storable(data), "synthetic": True},
        "parts": list(topology.part_names),
        "facePartRuns": [[int(topology.face_part[at]), int(run)] for at, run in zip(changes, runs, strict=True)],
        "regions": list(topology.regions),
        "gaze": turned,
        "landmarks": {
            "faces": topology.landmark_faces.tolist(),
            "barycentrics": _short(topology.landmark_barycentrics),
            "spread": _short(topology.landmark_spread),
        },
        "photo": {
            "identity": _short(data.identity),
            "expression": _short(data.photo_expression),
            "pose": _short(data.photo_pose),
            "camera": {
                "viewmat": camera.viewmat.tolist(),
                "intrinsics": [float(camera.fx), float(camera.fy), float(camera.cx), float(camera.cy)],
                "size": [int(camera.width), int(camera.height)],
            },
        },
    }


def _storable(data: AvatarData) -> dict[str, str | int | float | bool]:
    result: dict[str, str | int | float | bool] = {}
    for key, value in data.provenance.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or plain == "":
            continue
        if not isinstance(plain, (str, int, float, bool)):
            raise ValueError(f"the provenance entry {key!r} is no plain value")
        result[key] = plain
    return result


def _short(values: NDArray[np.float32]) -> list[Any]:
    """Nested lists with as few digits as give back the same float32."""
    return values.astype(np.float32).astype(str).astype(np.float64).tolist()


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


def _check(data: AvatarData) -> None:
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
