"""A GLB that nobody vouches for to AvatarData. Whatever is wrong with it raises DamagedFile, nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zero1toa.avatar_io import schema
from zero1toa.avatar_io.binding import RestSplats, from_rest
from zero1toa.avatar_io.data import KERNELS, AvatarData, Provenance
from zero1toa.avatar_io.gaze import EYE_JOINTS, without_chords
from zero1toa.avatar_io.gltf_reader import DamagedFile, GltfFile, damaged, entries, floats, member, text, whole
from zero1toa.avatar_io.seams import SplitMesh, join_seams
from zero1toa.camera import Camera
from zero1toa.heads import arkit
from zero1toa.heads.topology import JOINTS, NUM_LANDMARKS, HeadTopology

MAX_VERTICES = 200_000
"""Rows of the mesh; 52 dense movements of so many take 125 MB."""
MAX_SPLATS = 2_000_000
MAX_PARTS = 100
MAX_REGIONS = 100
MAX_PIXELS = 1 << 15
FARTHEST = 100.0
"""Metres from the origin; a coordinate beyond it is nonsense."""

_WEIGHT_TOLERANCE = 1e-3
_QUATERNION_TOLERANCE = 1e-2


def decode(file: GltfFile) -> AvatarData:
    """Raises DamagedFile."""
    extras = _our_extras(file)
    head, targets = _primitive(file, 0), _targets(file)
    split, attributes = _split_mesh(file, head), member(head, "attributes")
    rows, num_vertices = len(split.vertex), _num_vertices(split.vertex)
    vertices = _bounded(file.accessor(attributes.get("POSITION"), 3, rows=rows))[:num_vertices]
    deltas = np.stack([_bounded(file.accessor(t, 3, rows=rows))[:num_vertices] for t in targets])
    joints, weights = _joints(file), _skin_weights(file, attributes, rows)[:num_vertices]
    topology = _topology(file, extras, attributes, split, num_vertices)
    splats, colors, triangle = _splats(file, len(topology.faces))
    gaussians = from_rest(splats, colors, triangle, vertices, topology.faces)
    if not all(np.isfinite(value.numpy()).all() for value in gaussians):
        damaged("a splat has no place on its triangle")
    photo = member(extras, "photo")
    return AvatarData(
        vertices=vertices,
        expression_deltas=without_chords(deltas, vertices, joints, weights, _gaze(extras)),
        joints=joints,
        skin_weights=weights,
        topology=topology,
        means=gaussians.means.numpy(),
        quats=gaussians.quats.numpy(),
        log_scales=gaussians.log_scales.numpy(),
        opacity_logits=gaussians.opacity_logits.numpy(),
        colors=gaussians.colors.numpy(),
        triangle=triangle,
        identity=floats(photo, "identity", (-1,)).astype(np.float32),
        photo_expression=floats(photo, "expression", (len(arkit.NAMES),)).astype(np.float32),
        photo_pose=floats(photo, "pose", (len(JOINTS), 3)).astype(np.float32),
        photo_camera=_camera(member(photo, "camera")),
        head_model=text(extras, "headModel"),
        kernel=_kernel(extras),
        provenance=_provenance(extras),
    )


def _our_extras(file: GltfFile) -> dict[str, Any]:
    holder = file.document.get("extras")
    ours = holder.get(schema.EXTRAS) if isinstance(holder, dict) else None
    if not isinstance(ours, dict):
        raise DamagedFile("it is a GLB, but no avatar of zero1toa; give an avatar file that `create` wrote")
    version = whole(ours, "version", 0, 1 << 31)
    if version > schema.VERSION:
        raise DamagedFile(f"it has format {version}, this zero1toa reads up to {schema.VERSION}; update zero1toa")
    if version < 1:
        damaged("its format number is not valid")
    return ours


def _primitive(file: GltfFile, mesh: int) -> dict[str, Any]:
    primitives = entries(file.item("meshes", mesh), "primitives", 1)
    if len(primitives) != 1 or not isinstance(primitives[0], dict):
        damaged("a mesh has no primitive")
    return primitives[0]


def _targets(file: GltfFile) -> list[Any]:
    """The accessor of each ARKit movement, in the order of arkit.NAMES."""
    mesh = file.item("meshes", 0)
    names = entries(member(mesh, "extras"), "targetNames", len(arkit.NAMES))
    targets = entries(_primitive(file, 0), "targets", len(arkit.NAMES))
    if len(names) != len(targets) or not all(isinstance(t, dict) for t in targets):
        damaged("its morph targets and their names do not match")
    by_name = {n: t.get("POSITION") for n, t in zip(names, targets, strict=True) if isinstance(n, str)}
    missing = [n for n in arkit.NAMES if n not in by_name]
    if missing:
        damaged(f"the movement {missing[0]} is missing")
    return [by_name[n] for n in arkit.NAMES]


def _split_mesh(file: GltfFile, primitive: dict[str, Any]) -> SplitMesh:
    attributes = member(primitive, "attributes")
    vertex = _numbers(file.accessor(attributes.get(schema.VERTEX), 1), MAX_VERTICES)
    if not 0 < len(vertex) <= MAX_VERTICES:
        damaged("its mesh has too many or no vertices")
    uv = _numbers(file.accessor(attributes.get(schema.UV), 1, rows=len(vertex)), len(vertex))
    corners = _numbers(file.accessor(primitive.get("indices"), 1), len(vertex))
    if len(corners) == 0 or len(corners) % 3:
        damaged("its mesh has no whole triangles")
    return SplitMesh(vertex, uv, corners.reshape(-1, 3))


def _num_vertices(vertex: NDArray[np.int64]) -> int:
    """How many rows come first that are the original vertices."""
    count = int(vertex.max()) + 1
    if count > len(vertex) or not np.array_equal(vertex[:count], np.arange(count)):
        damaged("its vertices are not in order")
    return count


def _topology(
    file: GltfFile, extras: dict[str, Any], attributes: dict[str, Any], split: SplitMesh, num_vertices: int
) -> HeadTopology:
    rows = len(split.vertex)
    parts, regions = _names(extras, "parts", MAX_PARTS), _names(extras, "regions", MAX_REGIONS)
    faces, uv_faces = join_seams(split)
    uvs = np.full((int(split.uv.max()) + 1, 2), np.nan, np.float32)
    coordinates = _bounded(file.accessor(attributes.get("TEXCOORD_0"), 2, rows=rows)).astype(np.float64)
    uvs[split.uv] = np.stack([coordinates[:, 0], 1 - coordinates[:, 1]], 1)
    if np.isnan(uvs).any():
        damaged("a texture coordinate is missing")
    memberships = {}
    for name in regions:
        values = file.accessor(attributes.get(schema.region_attribute(name)), 1, rows=rows)[:num_vertices]
        if values.dtype.kind != "f" or (values < 0).any() or (values > 1).any():
            damaged(f"the region {name} is not in [0, 1]")
        memberships[name] = values.astype(np.float32)
    landmarks = member(extras, "landmarks")
    landmark_faces = _numbers(floats(landmarks, "faces", (NUM_LANDMARKS,)), len(faces))
    vertex_part = _numbers(file.accessor(attributes.get(schema.PART), 1, rows=rows), len(parts))
    mirror = _numbers(file.accessor(attributes.get(schema.MIRROR), 1, rows=rows), num_vertices)
    return HeadTopology(
        faces=faces,
        uvs=uvs,
        uv_faces=uv_faces,
        part_names=parts,
        vertex_part=vertex_part[:num_vertices].astype(np.int8),
        face_part=_face_part(extras, len(faces), len(parts)),
        regions=memberships,
        mirror=mirror[:num_vertices].astype(np.int32),
        landmark_faces=landmark_faces.astype(np.int32),
        landmark_barycentrics=_bounded(floats(landmarks, "barycentrics", (NUM_LANDMARKS, 3))).astype(np.float32),
        landmark_spread=_bounded(floats(landmarks, "spread", (NUM_LANDMARKS,))).astype(np.float32),
    )


def _face_part(extras: dict[str, Any], num_faces: int, num_parts: int) -> NDArray[np.int8]:
    runs = entries(extras, "facePartRuns", num_faces)
    part, length = np.zeros(len(runs), np.int8), np.zeros(len(runs), np.int64)
    for i, run in enumerate(runs):
        if not isinstance(run, list) or len(run) != 2:
            damaged("its parts are not listed in full")
        pair = {"part": run[0], "length": run[1]}
        part[i], length[i] = whole(pair, "part", 0, num_parts - 1), whole(pair, "length", 1, num_faces)
    if length.sum() != num_faces:
        damaged("its parts are not listed in full")
    return np.repeat(part, length)


def _joints(file: GltfFile) -> NDArray[np.float32]:
    matrices = file.accessor(file.item("skins", 0).get("inverseBindMatrices"), 16, rows=len(JOINTS))
    joints = -_bounded(matrices)[:, 12:15]
    return joints + np.float32(0)  # no negative zero


def _skin_weights(file: GltfFile, attributes: dict[str, Any], rows: int) -> NDArray[np.float32]:
    weights = np.zeros((rows, len(JOINTS)), np.float32)
    for n in range(2):
        if n and f"JOINTS_{n}" not in attributes:
            break
        joints = _numbers(file.accessor(attributes.get(f"JOINTS_{n}"), 4, rows=rows), len(JOINTS))
        values = file.accessor(attributes.get(f"WEIGHTS_{n}"), 4, rows=rows)
        np.add.at(weights, (np.arange(rows)[:, None], joints), _bounded(values))
    if (weights < 0).any() or (np.abs(weights.sum(1) - 1) > _WEIGHT_TOLERANCE).any():
        damaged("its skin weights do not sum to 1")
    return weights


def _gaze(extras: dict[str, Any]) -> NDArray[np.float64]:
    gaze = np.zeros((len(arkit.NAMES), len(EYE_JOINTS), 3))
    for name, turn in member(extras, "gaze").items():
        if name not in arkit.INDEX or not isinstance(turn, dict):
            damaged("its gaze has a name that is not ARKit's")
        joint = text(turn, "joint")
        if joint not in JOINTS or JOINTS.index(joint) not in EYE_JOINTS:
            damaged("its gaze turns something that is no eye")
        rotation = floats(turn, "rotation", (3,))
        if np.linalg.norm(rotation) > np.pi / 2:
            damaged("its gaze turns too far")
        gaze[arkit.INDEX[name], EYE_JOINTS.index(JOINTS.index(joint))] = rotation
    return gaze


def _splats(file: GltfFile, num_faces: int) -> tuple[RestSplats, NDArray[np.float64], NDArray[np.int64]]:
    attributes = member(_primitive(file, 1), "attributes")
    triangle = _numbers(file.accessor(attributes.get(schema.FACE), 1), num_faces)
    count = len(triangle)
    if not 0 < count <= MAX_SPLATS:
        damaged("it has too many or no splats")
    quats = np.roll(_bounded(file.accessor(attributes.get(schema.ROTATION), 4, rows=count)), 1, 1)  # xyzw to wxyz
    if (np.abs(np.linalg.norm(quats, axis=1) - 1) > _QUATERNION_TOLERANCE).any():
        damaged("a splat's rotation is no unit quaternion")
    scales = _bounded(file.accessor(attributes.get(schema.SCALE), 3, rows=count)).astype(np.float64)
    opacities = _floating(file.accessor(attributes.get(schema.OPACITY), 1, rows=count)).astype(np.float64)
    if (scales < 0).any() or (opacities < 0).any() or (opacities > 1).any():
        damaged("a splat's size or opacity is out of range")
    margin = schema.OPACITY_MARGIN
    means = _bounded(file.accessor(attributes.get("POSITION"), 3, rows=count)).astype(np.float64)
    rest = RestSplats(
        means, quats.astype(np.float64), scales.clip(schema.SMALLEST_SCALE, None), opacities.clip(margin, 1 - margin)
    )
    coefficients = _bounded(file.accessor(attributes.get(schema.COLOR), 3, rows=count))
    return rest, 0.5 + schema.SH_C0 * coefficients.astype(np.float64), triangle


def _camera(entry: dict[str, Any]) -> Camera:
    viewmat = floats(entry, "viewmat", (4, 4))
    fx, fy, cx, cy = floats(entry, "intrinsics", (4,))
    width, height = _numbers(floats(entry, "size", (2,)), MAX_PIXELS + 1)
    rotation = viewmat[:3, :3]
    rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) and np.array_equal(viewmat[3], [0, 0, 0, 1])
    if not rigid or fx <= 0 or fy <= 0 or width < 1 or height < 1:
        damaged("its camera is not valid")
    return Camera(viewmat, float(fx), float(fy), float(cx), float(cy), int(width), int(height))


def _kernel(extras: dict[str, Any]) -> str:
    kernel = text(extras, "kernel")
    if kernel not in KERNELS:
        damaged("its splat kernel is not known")
    return kernel


def _provenance(extras: dict[str, Any]) -> Provenance:
    provenance = member(extras, "provenance")
    if not all(isinstance(v, (str, int, float, bool)) for v in provenance.values()):
        damaged("its provenance is not plain")
    return provenance


def _names(extras: dict[str, Any], key: str, limit: int) -> tuple[str, ...]:
    names = entries(extras, key, limit)
    if not all(isinstance(n, str) and n for n in names) or len(set(names)) != len(names):
        damaged(f"its {key} have no proper names")
    return tuple(names)


def _numbers(values: NDArray, below: int) -> NDArray[np.int64]:
    """Whole numbers in [0, below)."""
    if values.size and not (values.min() >= 0 and values.max() < below and (values == np.floor(values)).all()):
        damaged("an index points outside its range")
    return values.astype(np.int64)


def _floating(values: NDArray) -> NDArray:
    if values.dtype.kind != "f":
        damaged("an accessor has the wrong type")
    return values


def _bounded(values: NDArray) -> NDArray:
    """Floats that are lengths, coordinates or weights; a copy."""
    if np.abs(_floating(values)).max(initial=0) > FARTHEST:
        damaged("a coordinate is out of range")
    return values.copy()
