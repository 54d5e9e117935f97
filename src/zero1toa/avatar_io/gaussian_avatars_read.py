"""Reads a folder of GaussianAvatars (Qian et al., CVPR 2024): point_cloud.ply and flame_param.npz, on the user's FLAME.

Its splats live in the frames of FLAME's triangles that are ours too (`splats.rig`), so they are taken over unchanged.
Three things are not: colours that change with the view (the mean colour stays), splats on the teeth that
GaussianAvatars adds to FLAME (their mesh is not in the folder), and the head's own path through the room.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa._version import made_by
from zero1toa.arrays import DamagedArrays, read_arrays
from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.heads import JOINTS, arkit
from zero1toa.portrait.open_head import open_head

from .data import AvatarData
from .gltf_reader import DamagedFile
from .splat_ply import read_splats

CLOUD, PARAMETERS = "point_cloud.ply", "flame_param.npz"

_FLAME_VERTICES, _FLAME_FACES = 5023, 9976
_MOST_SHAPE = 300
_MOST_CLOUD = 2 << 30  # bytes; a PLY of 100,000 splats has 25 MB
_MOST_PERSON = 16 << 20  # bytes of shape and offsets, which have 65 kB
_LARGEST_SHAPE, _LARGEST_OFFSET = 20.0, 0.2  # standard deviations; metres
_FOV, _DISTANCE = 25.0, 0.95  # degrees and metres of the view that stands for the photo's


def read_gaussian_avatars(folder: Path, head: str) -> AvatarData:
    """The avatar, neutral and at rest.

    Args:
        folder: with `point_cloud.ply` and `flame_param.npz`.
        head: `flame:FILE`, the FLAME that the avatar was made on.

    Raises:
        DamagedFile: a file is broken.
        InputError: the files do not belong together.
        AssetError: the FLAME file cannot be used.
    """
    model = open_head(head)
    if not model.name.startswith("flame"):
        raise InputError(f"{folder} was made on FLAME; load it with head='flame:FILE'.")
    shape, offset = _person(folder / PARAMETERS)
    rigged = model.personalize(torch.from_numpy(shape))
    vertices = rigged.vertices.clone()
    vertices[:_FLAME_VERTICES] += torch.from_numpy(offset)
    path = folder / CLOUD
    if path.stat().st_size > _MOST_CLOUD:
        raise DamagedFile(f"{CLOUD} is too large")
    splats = read_splats(path.read_bytes())
    if splats.binding is None:
        raise DamagedFile(f"the splats of {CLOUD} are bound to no triangle (binding_0 is missing)")
    on_flame = splats.binding < _FLAME_FACES
    if not on_flame.any():
        raise DamagedFile(f"no splat of {CLOUD} is bound to a triangle of FLAME")
    eyes = rigged.joints[JOINTS.index("eyeLeft") :].mean(0).numpy().astype(np.float64)
    camera = Camera.orbit(distance=_DISTANCE, target=(0.0, float(eyes[1]) - 0.04, float(eyes[2]) - 0.06), fov=_FOV)
    return AvatarData(
        vertices=vertices.numpy(),
        expression_deltas=rigged.expression_deltas.numpy(),
        joints=rigged.joints.numpy(),
        skin_weights=rigged.skin_weights.numpy(),
        topology=rigged.topology,
        means=splats.means[on_flame],
        quats=splats.quats[on_flame],
        log_scales=splats.log_scales[on_flame],
        opacity_logits=splats.opacity_logits[on_flame],
        colors=splats.colors[on_flame],
        triangle=splats.binding[on_flame],
        identity=shape,
        photo_expression=np.zeros(len(arkit.NAMES), np.float32),
        photo_pose=np.zeros((len(JOINTS), 3), np.float32),
        photo_camera=camera,
        head_model=model.name,
        provenance={
            "synthetic": True,
            "source": "GaussianAvatars",
            "teeth splats left out": int((~on_flame).sum()),
            "view-dependent colour left out": splats.view_dependent,
            **made_by(),
        },
    )


def _person(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shape coefficients (S,) and offsets (5023, 3) of the vertices, metres."""
    try:
        arrays = read_arrays(path, _MOST_PERSON, lambda name: name in ("shape", "static_offset"))
    except DamagedArrays as error:
        raise DamagedFile(f"{PARAMETERS} cannot be read ({error}); get a fresh copy") from error
    if "shape" not in arrays:
        raise DamagedFile(f"{PARAMETERS} has no 'shape'")
    if any(array.dtype.kind not in "fiu" for array in arrays.values()):
        raise DamagedFile(f"{PARAMETERS} holds something else than numbers")
    with np.errstate(over="ignore"):  # infinite numbers are refused below
        shape = arrays["shape"].astype(np.float32).reshape(-1)
        offset = arrays.get("static_offset", np.zeros((1, 0, 3))).astype(np.float32)
    if not 0 < len(shape) <= _MOST_SHAPE or not (abs(shape) < _LARGEST_SHAPE).all():
        raise DamagedFile(f"'shape' in {PARAMETERS} holds no person")
    offset = offset.reshape(-1, 3) if offset.size % 3 == 0 else np.full((1, 3), np.nan, np.float32)
    if len(offset) == 0:
        offset = np.zeros((_FLAME_VERTICES, 3), np.float32)
    if len(offset) < _FLAME_VERTICES or not (abs(offset) < _LARGEST_OFFSET).all():
        raise DamagedFile(f"'static_offset' in {PARAMETERS} does not fit FLAME's {_FLAME_VERTICES} vertices")
    return shape, np.ascontiguousarray(offset[:_FLAME_VERTICES])
