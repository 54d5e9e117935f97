"""The avatar as an ordinary textured mesh: what Blender, Unity and every glTF viewer can open, light and animate.

Skin, six joints, the 52 ARKit morph targets and a baked texture; no splats. The texture holds the light of the photo,
so the material asks to be shown as it is (KHR_materials_unlit), and falls back to a matt one.
"""

from __future__ import annotations

import io

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from zero1toa._version import __version__
from zero1toa.avatar_io import gltf_head
from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.gltf_writer import GltfWriter
from zero1toa.heads import arkit
from zero1toa.heads.topology import JOINTS
from zero1toa.motion import Motion

UNLIT = "KHR_materials_unlit"
EXTRAS = "zero1toaMesh"
"""Key of `extras`, where the provenance stands; not that of an avatar, which this file is not."""

_MESH_NODE = len(JOINTS)  # the node after the joints
_MOVING = 1e-6  # radians: a joint that never turns by more needs no channel


def encode_mesh(
    data: AvatarData,
    texture: NDArray[np.floating],
    expression: NDArray[np.floating] | None = None,
    motion: Motion | None = None,
) -> bytes:
    """The whole GLB.

    Args:
        data: the avatar.
        texture: (S, S, 3) sRGB in [0, 1], row 0 at v = 1; see `bake.bake_texture`.
        expression: (52,) weights that the file opens with; by default neutral.
        motion: an animation that the file carries.

    Raises:
        ValueError: a value is not finite or out of its range (a programming mistake, not a user's).
    """
    gltf_head.check(data)
    writer = GltfWriter(f"zero1toa {__version__}")
    document = writer.document
    split, uvs = gltf_head.split_head(data)
    attributes = {**gltf_head.places(writer, data, split, uvs), **gltf_head.skinning(writer, data, split)}
    mesh = gltf_head.mesh(writer, data, split, attributes)
    if expression is not None:
        mesh.weights = valid_weights(np.asarray(expression)[None])[0].tolist()
    document.meshes = [mesh]
    document.materials = [
        gltf.Material(
            name="head",
            pbrMetallicRoughness=gltf.PbrMetallicRoughness(
                baseColorTexture=gltf.TextureInfo(index=writer.picture(encode_png(texture), "image/png", "head")),
                metallicFactor=0.0,
                roughnessFactor=0.8,
            ),
            doubleSided=True,
            extensions={UNLIT: {}},
        )
    ]
    document.extensionsUsed = [UNLIT]
    gltf_head.add_nodes(writer, data, "head_mesh")
    if motion is not None:
        document.animations = [_animation(writer, motion)]
    document.extras = {EXTRAS: {"provenance": {**gltf_head.storable(data), "synthetic": True}}}
    return writer.to_bytes()


def encode_png(texture: NDArray[np.floating]) -> bytes:
    """A picture (H, W, 3) in [0, 1] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray((texture.clip(0, 1) * 255).round().astype(np.uint8)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def valid_weights(weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weights (F, 52) for a program that adds up morph targets: mouthClose never exceeds jawOpen."""
    valid = np.array(weights, np.float32)
    close, jaw = arkit.INDEX["mouthClose"], arkit.INDEX["jawOpen"]
    valid[:, close] = np.minimum(valid[:, close], valid[:, jaw].clip(0))
    return valid


def _animation(writer: GltfWriter, motion: Motion) -> gltf.Animation:
    """Weights and rotations, linear from frame to frame."""
    times = writer.samples((np.arange(len(motion)) / motion.fps).astype(np.float32), bounds=True)
    animation = gltf.Animation(name="motion")

    def channel(node: int, path: str, values: NDArray[np.float32]) -> None:
        animation.samplers.append(gltf.AnimationSampler(input=times, output=writer.samples(values)))
        target = gltf.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(gltf.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))

    channel(_MESH_NODE, "weights", valid_weights(motion.weights).reshape(-1))
    poses = motion.poses
    for joint in np.flatnonzero(np.abs(poses).max((0, 2)) > _MOVING):
        turns = Rotation.from_rotvec(poses[:, joint].astype(np.float64)).as_quat()
        turns[np.cumsum(np.r_[0, (turns[1:] * turns[:-1]).sum(1) < 0]) % 2 == 1] *= -1  # the short way round
        channel(int(joint), "rotation", turns.astype(np.float32))
    return animation
