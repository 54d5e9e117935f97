"""An avatar in the formats of other programs: one function a format. What each carries stands in docs/formats.md.

Every function writes beside its target and renames, so that there is never half a file or half a folder. All raise
OutputError where the place cannot be written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from zero1toa.avatar_io.bake import TEXTURE_SIZE, bake_texture
from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.gaussian_avatars import encode_folder
from zero1toa.avatar_io.mesh_glb import encode_mesh, encode_png
from zero1toa.avatar_io.obj import ObjWriter, encode_mtl
from zero1toa.avatar_io.ply import encode_ply
from zero1toa.avatar_io.posed import Poser
from zero1toa.avatar_io.spz import encode_spz
from zero1toa.files import atomic_write, output_directory
from zero1toa.motion import Motion

Place = str | os.PathLike[str]
Weights = NDArray[np.floating] | None
Step = Callable[[], object]
"""Called after every frame, for a progress bar."""


def export_ply(path: Place, data: AvatarData, expression: Weights = None) -> None:
    """The splats of one moment as a 3DGS PLY.

    Args:
        path: the file.
        data: the avatar.
        expression: (52,) ARKit weights; None is neutral.
    """
    _write(path, encode_ply(Poser(data).splats(expression)))


def export_spz(path: Place, data: AvatarData, expression: Weights = None) -> None:
    """The splats of one moment as SPZ; arguments as for `export_ply`."""
    _write(path, encode_spz(Poser(data).splats(expression), antialiased=data.kernel == "antialiased"))


def export_ply_sequence(path: Place, data: AvatarData, motion: Motion, step: Step = lambda: None) -> None:
    """A folder with one PLY for every frame of a motion: frame_0000.ply, ..."""
    poser = Poser(data)
    with output_directory(path) as folder:
        for frame in range(len(motion)):
            splats = poser.splats(motion.expression(frame), motion.pose(frame))
            (folder / f"frame_{frame:04d}.ply").write_bytes(encode_ply(splats))
            step()


def export_mesh(
    path: Place,
    data: AvatarData,
    expression: Weights = None,
    motion: Motion | None = None,
    texture_size: int = TEXTURE_SIZE,
) -> None:
    """A textured, skinned GLB with the 52 ARKit morph targets.

    Args:
        path: the file.
        data: the avatar.
        expression: (52,) weights that it opens with; None is neutral.
        motion: an animation that it carries.
        texture_size: pixels on a side of the baked texture.
    """
    _write(path, encode_mesh(data, bake_texture(data, texture_size), expression, motion))


def export_obj(
    path: Place,
    data: AvatarData,
    expression: Weights = None,
    motion: Motion | None = None,
    texture_size: int = TEXTURE_SIZE,
    step: Step = lambda: None,
) -> None:
    """A folder with head.obj, or head_0000.obj and on for the frames of a motion, head.mtl and head.png."""
    poser, writer = Poser(data), ObjWriter(data.topology, "head.mtl")
    with output_directory(path) as folder:
        (folder / "head.png").write_bytes(encode_png(bake_texture(data, texture_size)))
        (folder / "head.mtl").write_bytes(encode_mtl("head.png"))
        for name, vertices in _poses(poser, expression, motion):
            (folder / name).write_bytes(writer.encode(vertices))
            step()


def export_gaussian_avatars(path: Place, data: AvatarData, motion: Motion) -> None:
    """A folder in the layout of GaussianAvatars; see `gaussian_avatars.README` for what it can and cannot do."""
    files = encode_folder(data, motion)
    with output_directory(path) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)


def _poses(poser: Poser, expression: Weights, motion: Motion | None) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if motion is None:
        yield "head.obj", poser.vertices(expression)
        return
    for frame in range(len(motion)):
        yield f"head_{frame:04d}.obj", poser.vertices(motion.expression(frame), motion.pose(frame))


def _write(path: Place, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
