"""AvatarData to the bytes of a GLB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from zero1toa._version import __version__
from zero1toa.avatar_io import gltf_head, schema
from zero1toa.avatar_io.binding import to_rest
from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.gaze import EYE_JOINTS, gaze_table
from zero1toa.avatar_io.gltf_writer import GltfWriter
from zero1toa.avatar_io.seams import SplitMesh
from zero1toa.avatar_io.surface import linear_colors, surface_colors
from zero1toa.heads import arkit
from zero1toa.heads.topology import JOINTS


def encode(data: AvatarData) -> bytes:
    """The whole file. Raises ValueError for values that are not finite or out of range."""
    gltf_head.check(data)
    writer = GltfWriter(f"zero1toa {__version__}")
    document = writer.document
    document.extensionsUsed = [schema.SPLATS]
    split, uvs = gltf_head.split_head(data)
    document.meshes = [_head_mesh(writer, data, split, uvs), _splat_mesh(writer, data)]
    document.materials = [
        gltf.Material(
            name="head",
            pbrMetallicRoughness=gltf.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=0.8),
            doubleSided=True,
        )
    ]
    gltf_head.add_nodes(writer, data, "avatar")
    document.nodes.append(gltf.Node(name="splats", mesh=1))
    document.scenes[0].nodes.append(len(document.nodes) - 1)
    document.extras = {schema.EXTRAS: _extras(data)}
    return writer.to_bytes()


def _head_mesh(writer: GltfWriter, data: AvatarData, split: SplitMesh, uvs: NDArray[np.float32]) -> gltf.Mesh:
    row = split.vertex
    topology = data.topology
    colors = linear_colors(surface_colors(data))
    places = gltf_head.places(writer, data, split, uvs)
    places["COLOR_0"] = writer.attribute((colors[row] * 0xFFFF).round().astype(np.uint16), normalized=True)
    attributes = {**places, **gltf_head.skinning(writer, data, split)}
    attributes[schema.VERTEX] = writer.numbers(split.vertex)
    attributes[schema.UV] = writer.numbers(split.uv)
    attributes[schema.PART] = writer.numbers(topology.vertex_part[row])
    attributes[schema.MIRROR] = writer.numbers(topology.mirror[row])
    for name, membership in topology.regions.items():
        attributes[schema.region_attribute(name)] = writer.sparse(membership.astype(np.float32)[row])
    return gltf_head.mesh(writer, data, split, attributes)


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
        "provenance": {**gltf_head.storable(data), "synthetic": True},
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


def _short(values: NDArray[np.float32]) -> list[Any]:
    """Nested lists with as few digits as give back the same float32."""
    return values.astype(np.float32).astype(str).astype(np.float64).tolist()
