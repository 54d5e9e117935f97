"""Reads LAM's zip (He et al., SIGGRAPH 2025): skin.glb, offset.ply and vertex_order.json.

`skin.glb` is a mesh with ARKit morph targets and a skeleton; `offset.ply` has one splat per vertex, whose place is an
offset from it. Each splat is bound to a triangle at its vertex, so that it turns and stretches with the face.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa._version import made_by
from zero1toa.camera import Camera
from zero1toa.heads import JOINTS, arkit
from zero1toa.heads.topology import NUM_LANDMARKS, HeadTopology
from zero1toa.splats import rig
from zero1toa.splats.gaussians import WorldGaussians

from .data import AvatarData
from .glb_decode import MAX_VERTICES
from .gltf_reader import DamagedFile, GltfFile, damaged, entries, member
from .splat_ply import SplatTable, read_splats

_MOST_BYTES = 128 << 20  # of one file in the zip; LAM's have about 5 MB
_MOST_ORDER = 4 << 20  # bytes of vertex_order.json; LAM's has 0.1 MB
_MOST_ENTRIES = 1000
_MOST_JOINTS = 4096
_HEIGHT = (0.1, 1.0)  # metres
_LARGEST_OFFSET = 0.2  # metres of a splat from its vertex
_FOV, _DISTANCE = 25.0, 0.95  # degrees and metres of the view that stands for the photo's
_EYES_BELOW_CROWN = 0.12  # metres, where the camera looks

# A joint's name contains the first that fits; all other joints follow their parents. Eyes turn by the morph targets.
_NAMES = (("jaw", "jaw"), ("neck", "neck"), ("head", "head"))


_BY_PLAIN_NAME = {name.lower(): index for index, name in enumerate(arkit.NAMES)}


def read_lam(path: Path) -> AvatarData:
    """The avatar, neutral and at rest.

    Raises:
        DamagedFile: it is no zip of LAM, is broken, or tries to reach outside.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = _members(archive)
            skin = _read(archive, names, "skin.glb")
            cloud = _read(archive, names, "offset.ply")
            order = _read(archive, names, "vertex_order.json", _MOST_ORDER) if "vertex_order.json" in names else None
    except (zipfile.BadZipFile, zlib.error, struct.error, ArithmeticError, NotImplementedError, RuntimeError, EOFError,
            ValueError, OSError) as error:  # fmt: skip
        if isinstance(error, DamagedFile):
            raise
        raise DamagedFile("it cannot be unpacked; get a fresh copy") from error
    return _avatar(GltfFile.parse(skin), read_splats(cloud), order)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files that LAM writes, by their bare names. Nothing is ever unpacked to the disk."""
    listed = archive.infolist()
    if len(listed) > _MOST_ENTRIES:
        raise DamagedFile("it has too many entries for an avatar of LAM")
    found: dict[str, zipfile.ZipInfo] = {}
    for item in listed:
        place = PurePosixPath(item.filename)
        if place.is_absolute() or ".." in place.parts or "\\" in item.filename or ":" in item.filename:
            raise DamagedFile("an entry of the zip points outside of it, which no avatar needs")
        if not item.is_dir():
            if place.name in found and place.name in ("skin.glb", "offset.ply", "vertex_order.json"):
                raise DamagedFile(f"it holds {place.name} twice; give a zip of one avatar")
            found[place.name] = item
    missing = [name for name in ("skin.glb", "offset.ply") if name not in found]
    if missing:
        raise DamagedFile(f"it is a zip without {missing[0]}, so no avatar of LAM")
    return found


def _read(archive: zipfile.ZipFile, names: dict[str, zipfile.ZipInfo], name: str, most: int | None = None) -> bytes:
    item, most = names[name], most or _MOST_BYTES
    if item.flag_bits & 1:
        raise DamagedFile("it is encrypted")
    if item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamagedFile("it is packed in an unusual way")
    if item.file_size > most:
        raise DamagedFile(f"{name} unpacks to more than an avatar of LAM holds")
    with archive.open(item) as stream:
        raw = stream.read(most + 1)  # what the entry claims need not be true
    if len(raw) > most:
        raise DamagedFile(f"{name} unpacks to more than an avatar of LAM holds")
    return raw


def _avatar(file: GltfFile, splats: SplatTable, order: bytes | None) -> AvatarData:
    primitive, target_names = _primitive(file)
    attributes = member(primitive, "attributes")
    vertices = np.array(file.accessor(attributes.get("POSITION"), 3), np.float32)
    if len(vertices) > MAX_VERTICES:
        raise DamagedFile(f"its mesh has more than {MAX_VERTICES} vertices")
    height = float(np.ptp(vertices[:, 1])) if len(vertices) else 0.0
    if not _HEIGHT[0] < height < _HEIGHT[1]:
        raise DamagedFile("its mesh is no upright head in metres")
    indices = np.array(file.accessor(primitive.get("indices"), 1), np.int64)
    if len(indices) == 0 or len(indices) % 3 or indices.max() >= len(vertices):
        damaged("its mesh has no whole triangles")
    faces = indices.reshape(-1, 3).astype(np.int32)
    targets = entries(primitive, "targets", 1000)
    if len(targets) != len(target_names):
        damaged("its morph targets and their names do not match")
    deltas = np.zeros((len(arkit.NAMES), len(vertices), 3), np.float32)
    known = 0
    for name, target in zip(target_names, targets, strict=True):
        index = _arkit_index(name)
        if index is not None and isinstance(target, dict) and "POSITION" in target:
            deltas[index] = file.accessor(target["POSITION"], 3, rows=len(vertices))
            known += 1
    if known == 0:
        raise DamagedFile("its mesh has no morph targets with ARKit names")
    if len(splats.means) != len(vertices):
        raise DamagedFile(f"it has {len(splats.means)} splats for {len(vertices)} vertices")
    if abs(splats.means).max() > _LARGEST_OFFSET:
        raise DamagedFile("its splats lie too far from their vertices to be offsets")
    joints, weights = _skeleton(file, attributes, vertices)
    vertex_of = _vertex_of_splat(order, splats, faces, len(vertices))
    triangle_of = _triangle_at(vertices, faces)
    bound = triangle_of[vertex_of] >= 0
    rows = vertex_of[bound]
    local = rig.to_local(
        WorldGaussians(
            torch.from_numpy(vertices[rows] + splats.means[bound]).double(),
            torch.from_numpy(splats.quats[bound]).double(),
            torch.from_numpy(splats.log_scales[bound]).double().exp(),
            torch.from_numpy(splats.opacity_logits[bound]).double().sigmoid().clamp(1e-6, 1 - 1e-6),
            torch.from_numpy(splats.colors[bound]).double(),
        ),
        torch.from_numpy(triangle_of[rows]),
        torch.from_numpy(vertices).double(),
        torch.from_numpy(faces),
    )
    crown = float(vertices[:, 1].max())
    camera = Camera.orbit(distance=_DISTANCE, target=(0.0, crown - _EYES_BELOW_CROWN, 0.0), fov=_FOV)
    return AvatarData(
        vertices=vertices,
        expression_deltas=deltas,
        joints=joints,
        skin_weights=weights,
        topology=_topology(faces, len(vertices)),
        means=local.means.float().numpy(),
        quats=local.quats.float().numpy(),
        log_scales=local.log_scales.float().numpy(),
        opacity_logits=local.opacity_logits.float().numpy(),
        colors=local.colors.float().numpy(),
        triangle=triangle_of[rows],
        identity=np.zeros(0, np.float32),
        photo_expression=np.zeros(len(arkit.NAMES), np.float32),
        photo_pose=np.zeros((len(JOINTS), 3), np.float32),
        photo_camera=camera,
        head_model="lam",
        provenance={"synthetic": True, "source": "LAM", "movements": known, **made_by()},
    )


def _primitive(file: GltfFile) -> tuple[dict[str, Any], list[str]]:
    """The mesh with morph targets, and their names."""
    for mesh in entries(file.document, "meshes", 1000):
        for primitive in entries(mesh, "primitives", 1000) if isinstance(mesh, dict) else []:
            if isinstance(primitive, dict) and primitive.get("targets"):
                holder = mesh.get("extras") if isinstance(mesh.get("extras"), dict) else primitive.get("extras")
                names = entries(holder, "targetNames", 1000) if isinstance(holder, dict) else []
                return primitive, [name if isinstance(name, str) else "" for name in names]
    raise DamagedFile("skin.glb has no mesh with morph targets")


def _arkit_index(name: str) -> int | None:
    """The movement of a morph target; names are compared without case and underscores."""
    plain = name.rsplit(".", 1)[-1].replace("_", "").lower()
    return _BY_PLAIN_NAME.get(plain)


def _skeleton(
    file: GltfFile, attributes: dict[str, Any], vertices: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Our six joints (6, 3) and skin weights (V, 6) from a skeleton of any size; without one all turns at the neck."""
    low, high = vertices.min(0), vertices.max(0)
    middle = (low + high) / 2
    neck = np.array([0, low[1] + 0.25 * (high[1] - low[1]), middle[2]], np.float32)
    joints = np.stack([np.array([0, low[1], middle[2]], np.float32), *[neck] * 5])
    weights = np.zeros((len(vertices), len(JOINTS)), np.float32)
    if "JOINTS_0" not in attributes or not entries(file.document, "skins", 1000):
        weights[:, JOINTS.index("head")] = 1
        return joints, weights
    skin = file.item("skins", 0)
    nodes = entries(skin, "joints", _MOST_JOINTS)
    index = np.array(file.accessor(attributes["JOINTS_0"], 4, rows=len(vertices)), np.int64)
    share = file.accessor(attributes.get("WEIGHTS_0"), 4, rows=len(vertices))
    scale = np.iinfo(share.dtype).max if share.dtype.kind == "u" else 1.0
    share = share.astype(np.float32) / scale
    if len(nodes) == 0 or index.min() < 0 or index.max() >= len(nodes) or share.min() < 0:
        damaged("its skeleton does not fit its mesh")
    own = np.array([JOINTS.index(name) for name in _our_joints(file, nodes)])
    for k in range(4):
        np.add.at(weights, (np.arange(len(vertices)), own[index[:, k]]), share[:, k])
    total = weights.sum(1, keepdims=True)
    weights = np.where(total > 0, weights / np.maximum(total, 1e-9), np.eye(len(JOINTS))[JOINTS.index("head")])
    if "inverseBindMatrices" in skin:
        inverse = file.accessor(skin["inverseBindMatrices"], 16, rows=len(nodes)).reshape(-1, 4, 4).transpose(0, 2, 1)
        for joint in np.unique(own):
            first = int(np.flatnonzero(own == joint)[0])
            try:
                place = np.linalg.inv(inverse[first].astype(np.float64))[:3, 3]
            except np.linalg.LinAlgError:
                continue
            if np.isfinite(place).all() and (abs(place - middle) < 2.0).all():
                joints[joint] = place
                if joint == JOINTS.index("head"):
                    joints[-3:] = place  # jaw and eyes, where they have no joint of their own
    return joints, weights.astype(np.float32)


def _our_joints(file: GltfFile, nodes: list[Any]) -> list[str]:
    """The joint of ours that each joint of the file is, or that its nearest named ancestor is."""
    listed = entries(file.document, "nodes", _MOST_JOINTS * 2)
    parent: dict[int, int] = {}
    for number, node in enumerate(listed):
        for child in entries(node, "children", _MOST_JOINTS) if isinstance(node, dict) else []:
            if isinstance(child, int):
                parent.setdefault(child, number)
    known: dict[int, str] = {}  # what was found once is not looked for again: chains can be long
    out = []
    for start in nodes:
        node, name = start, "root"
        passed: list[int] = []
        while isinstance(node, int) and 0 <= node < len(listed) and len(passed) <= len(listed):
            if node in known:
                name = known[node]
                break
            passed.append(node)
            label = str(listed[node].get("name", "")).lower() if isinstance(listed[node], dict) else ""
            fitting = [ours for part, ours in _NAMES if part in label]
            if fitting:
                name = fitting[0]
                break
            node = parent.get(node)
        known.update(dict.fromkeys(passed, name))
        out.append(name)
    return out


def _vertex_of_splat(
    order: bytes | None, splats: SplatTable, faces: NDArray[np.int32], count: int
) -> NDArray[np.int64]:
    """(N,) the vertex of skin.glb to which each splat belongs.

    `vertex_order.json` is a permutation, but not in which direction. The right one is the one under which neighbours
    have the most similar colours.
    """
    same = np.arange(count)
    if order is None:
        return same
    try:
        listed = json.loads(order.decode("utf-8"))
        given = np.asarray(listed, np.int64) if isinstance(listed, list) and len(listed) == count else same[:0]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedFile("vertex_order.json cannot be read; get a fresh copy") from error
    if given.shape != (count,) or not np.array_equal(np.sort(given), same):
        raise DamagedFile("vertex_order.json is no order of its vertices")
    inverse = np.empty_like(given)
    inverse[given] = same
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])

    def roughness(vertex_of: NDArray[np.int64]) -> float:
        colors = np.empty_like(splats.colors)
        colors[vertex_of] = splats.colors
        return float(abs(colors[edges[:, 0]] - colors[edges[:, 1]]).mean())

    return min((same, given, inverse), key=roughness)


def _triangle_at(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """(V,) the largest triangle at each vertex, -1 where there is none."""
    corners = vertices[faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    out = np.full(len(vertices), -1, np.int64)
    rising = np.argsort(area)
    rising = rising[area[rising] > 0]
    for corner in range(3):
        best = out.copy()
        best[faces[rising, corner]] = rising
        keep = (out >= 0) & (best >= 0)
        larger = np.where(keep, area[np.maximum(best, 0)] > area[np.maximum(out, 0)], best >= 0)
        out = np.where(larger, best, out)
    return out


def _topology(faces: NDArray[np.int32], count: int) -> HeadTopology:
    """All skin: LAM says nothing of parts, regions or landmarks."""
    return HeadTopology(
        faces=faces,
        uvs=np.zeros((1, 2), np.float32),
        uv_faces=np.zeros_like(faces),
        part_names=("skin",),
        vertex_part=np.zeros(count, np.int8),
        face_part=np.zeros(len(faces), np.int8),
        regions={},
        mirror=np.arange(count, dtype=np.int32),
        landmark_faces=np.zeros(NUM_LANDMARKS, np.int32),
        landmark_barycentrics=np.full((NUM_LANDMARKS, 3), 1 / 3, np.float32),
        landmark_spread=np.ones(NUM_LANDMARKS, np.float32),
    )
