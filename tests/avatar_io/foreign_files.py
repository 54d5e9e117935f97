"""Avatars of other makers, made here after the layouts that they document. Nothing in them is theirs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from zero1toa.avatar_io.gltf_writer import GltfWriter
from zero1toa.heads import JOINTS, arkit, load_head

GA_PROPERTIES = (
    "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{k}" for k in range(45)),
    "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3", "binding_0",
)  # fmt: skip
LAM_PROPERTIES = tuple(n for n in GA_PROPERTIES if not n.startswith(("f_rest", "binding")))


def ply(columns: Mapping[str, NDArray[Any]], properties: tuple[str, ...]) -> bytes:
    count = len(next(iter(columns.values())))
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property float {name}" for name in properties]
    table = np.stack([columns.get(name, np.zeros(count)) for name in properties], 1).astype("<f4")
    return ("\n".join([*lines, "end_header"]) + "\n").encode() + table.tobytes()


def splat_columns(count: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    quats = rng.normal(size=(count, 4))
    return {
        "opacity": rng.normal(1, 1, count),
        **{f"f_dc_{k}": rng.normal(0, 0.8, count) for k in range(3)},
        **{f"rot_{k}": quats[:, k] for k in range(4)},
    }


def gaussian_avatars(folder: Path, rng: np.random.Generator, count: int = 400) -> dict[str, NDArray[Any]]:
    """Writes a folder and returns what went into it."""
    columns = splat_columns(count, rng)
    columns |= {name: rng.normal(0, 0.4, count) for name in ("x", "y", "z")}
    columns |= {f"scale_{k}": rng.normal(-1, 0.3, count) for k in range(3)}
    columns["binding_0"] = rng.integers(0, 9976, count)
    columns["binding_0"][:10] = rng.integers(9976, 10144, 10)  # on the teeth that GaussianAvatars adds
    columns["f_rest_0"] = rng.normal(size=count)
    frames = 3
    parameters = {
        "shape": rng.normal(0, 0.7, 300),
        "expr": rng.normal(0, 1, (frames, 100)),
        "rotation": np.zeros((frames, 3)),
        "neck_pose": np.zeros((frames, 3)),
        "jaw_pose": np.abs(rng.normal(0, 0.1, (frames, 3))),
        "eyes_pose": np.zeros((frames, 6)),
        "translation": np.zeros((frames, 3)),
        "static_offset": rng.normal(0, 0.001, (1, 5143, 3)),
        "dynamic_offset": np.zeros((frames, 5143, 3)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "point_cloud.ply").write_bytes(ply(columns, GA_PROPERTIES))
    np.savez(folder / "flame_param.npz", **{k: v.astype(np.float32) for k, v in parameters.items()})
    return columns | parameters


def lam_parts(rng: np.random.Generator) -> dict[str, Any]:
    """A head like LAM's: its own order of vertices, a skeleton with many joints, 51 movements, one splat a vertex."""
    head = load_head()
    keep = np.flatnonzero(head.topology.part_vertices("skin"))
    number = np.full(head.topology.num_vertices, -1)
    number[keep] = np.arange(len(keep))
    faces = number[head.topology.faces[(number[head.topology.faces] >= 0).all(1)]]
    names = [n for n in arkit.NAMES if n != "tongueOut"]
    vertices = head.template.numpy()[keep]
    return {
        "vertices": vertices,
        "faces": faces,
        "names": names,
        "deltas": head.expression_deltas.numpy()[[arkit.INDEX[n] for n in names]][:, keep],
        "weights": head.skin_weights.numpy()[keep],
        "joints": head.joint_template.numpy(),
        "offsets": rng.normal(0, 0.001, vertices.shape).astype(np.float32),
        "colors": (0.5 + 0.4 * np.sin(vertices * 40)).astype(np.float32),
        "order": rng.permutation(len(keep)),
    }


def lam_skin(parts: dict[str, Any]) -> bytes:
    """skin.glb: root > hip > neck > head > (jaw, face bones), and nodes that are no joints."""
    writer = GltfWriter("test")
    document = writer.document
    nodes = ["hip", "neck_01", "head", "jaw_root", "eye_l", "cheek"]
    places = parts["joints"][[0, 1, 2, 3, 4, 2]]
    document.nodes = [gltf.Node(name=n) for n in nodes] + [gltf.Node(name="mesh", mesh=0, skin=0)]
    for parent, children in ((0, [1]), (1, [2]), (2, [3, 4, 5])):
        document.nodes[parent].children = children
    own = parts["weights"]
    index = np.zeros((len(own), 4), np.uint16)
    share = np.zeros((len(own), 4), np.float32)
    for slot, (joint, column) in enumerate(((0, "root"), (1, "neck"), (5, "head"), (3, "jaw"))):
        index[:, slot], share[:, slot] = joint, own[:, JOINTS.index(column)]
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(nodes), 1, 1))
    inverse[:, :3, 3] = -places
    primitive = gltf.Primitive(
        attributes=gltf.Attributes(
            POSITION=writer.attribute(parts["vertices"], bounds=True),
            JOINTS_0=writer.attribute(index),
            WEIGHTS_0=writer.attribute(share),
        ),
        indices=writer.indices(parts["faces"]),
        targets=[gltf.Attributes(POSITION=writer.sparse(d, bounds=True)) for d in parts["deltas"]],
    )
    document.meshes = [gltf.Mesh(primitives=[primitive], extras={"targetNames": parts["names"]})]
    document.skins = [gltf.Skin(joints=list(range(len(nodes))), inverseBindMatrices=writer.matrices(inverse))]
    document.scenes, document.scene = [gltf.Scene(nodes=[0, len(nodes)])], 0
    return writer.to_bytes()


def lam_cloud(parts: dict[str, Any], rng: np.random.Generator) -> bytes:
    """offset.ply, splat i at vertex order[i]."""
    order = parts["order"]
    columns = splat_columns(len(order), rng)
    columns |= dict(zip("xyz", parts["offsets"][order].T, strict=True))
    columns |= {f"scale_{k}": np.full(len(order), np.log(0.003)) for k in range(3)}
    columns |= {f"f_dc_{k}": parts["colors"][order, k] for k in range(3)}
    return ply(columns, LAM_PROPERTIES)


def zipped(files: Mapping[str, bytes], folder: str = "p2-1/") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(folder + name, raw)
    return stream.getvalue()


def lam_files(parts: dict[str, Any], rng: np.random.Generator) -> dict[str, bytes]:
    return {
        "skin.glb": lam_skin(parts),
        "offset.ply": lam_cloud(parts, rng),
        "vertex_order.json": json.dumps(parts["order"].tolist()).encode(),
        "animation.glb": b"not read",
    }
