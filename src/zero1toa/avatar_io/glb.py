"""An avatar as one GLB file: a skinned mesh with the ARKit morph targets, and the splats at rest.

The mesh opens in every glTF program. The splats open where `KHR_gaussian_splatting` is known, and as coloured points
elsewhere. What is ours beyond that stands in the attributes that begin with an underscore and in `extras.zero1toa`;
`schema` describes it.
"""

from __future__ import annotations

import os

from zero1toa.avatar_io.data import AvatarData
from zero1toa.avatar_io.glb_decode import decode
from zero1toa.avatar_io.glb_encode import encode
from zero1toa.avatar_io.gltf_reader import DamagedFile, GltfFile
from zero1toa.errors import InputError
from zero1toa.files import atomic_write


def save_glb(path: str | os.PathLike[str], data: AvatarData) -> None:
    """Writes an avatar; the same data give the same bytes.

    Stored are float32 values of the rest pose, so what `load_glb` gives differs by rounding: splat centres by about
    1e-8 m, scales and rotations by 1e-6, opacities by 1e-7. The provenance always says `synthetic: true`; entries that
    are None or empty are left out. Texture coordinates that no triangle uses are dropped.

    Raises:
        OutputError: the place cannot be written.
        ValueError: a value is not finite or out of its range (a programming mistake, not a user's).
    """
    content = encode(data)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def load_glb(path: str | os.PathLike[str]) -> AvatarData:
    """Reads an avatar that `save_glb` wrote.

    Raises:
        InputError: there is no such file, it is no GLB or not one of ours, it is damaged, or a newer version wrote it.
    """
    try:
        return decode(GltfFile.read(path))
    except DamagedFile as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
