"""Avatars of other makers, told apart by what they are made of and read as ours."""

from __future__ import annotations

import os
from pathlib import Path

from zero1toa.errors import InputError
from zero1toa.heads.names import head_kind

from .data import AvatarData
from .glb import load_glb
from .glb_encode import encode
from .gltf_reader import DamagedFile

FLAME_VARIABLE = "ZERO1TOA_FLAME"
"""Environment variable that names the user's FLAME file, for avatars that are made on FLAME and do not carry it."""


def load_any(path: str | Path, head: str | None = None) -> AvatarData:
    """An avatar of ours (GLB), of GaussianAvatars (a folder) or of LAM (a zip).

    Args:
        path: the file or folder.
        head: the head model that an avatar without one was made on, such as `flame:FILE`; by default the FLAME file
            that `ZERO1TOA_FLAME` names. An avatar that carries its own must have been made on it.

    Raises:
        InputError: it is none of these, is broken, needs a head model that was not given, or carries another one.
        AssetError: the head model's file is missing or broken.
    """
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            return _folder(place, head)
        if place.is_file() and _begins(place, b"PK"):
            from .lam import read_lam

            return _made_on(read_lam(place), head, path)
    except DamagedFile as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {(error.strerror or 'reading failed').lower()}.") from error
    if place.suffix.lower() == ".ply":
        raise InputError(
            f"Cannot read {path}: a PLY alone does not say how its splats move; give the folder of GaussianAvatars "
            "with flame_param.npz, or an avatar file (.glb)."
        )
    return _made_on(load_glb(path), head, path)


def _made_on(data: AvatarData, head: str | None, path: str | Path) -> AvatarData:
    """The avatar, if a head that was asked for is its own."""
    if head is None:
        return data
    if data.head_model.partition(" ")[0] != head_kind(head):  # such as "flame (2023)"
        raise InputError(f"{path} carries its own head ('{data.head_model}'), which is not '{head}'; leave --head out.")
    return data


def is_neighbour(path: str | Path) -> bool:
    """Whether a path looks like an avatar of another maker: a folder with splats, or a zip."""
    place = Path(path).expanduser()
    return (place / "point_cloud.ply").is_file() or (place.is_file() and place.suffix.lower() == ".zip")


def glb_content(path: str | Path, head: str | None = None) -> bytes:
    """The bytes of an avatar's GLB: the file's own if it is one of ours, else as it would be saved.

    Raises:
        InputError, AssetError: as `load_any`.
    """
    data = load_any(path, head)
    place = Path(path).expanduser()
    return place.read_bytes() if place.is_file() and _begins(place, b"glTF") else encode(data)


def _folder(place: Path, head: str | None) -> AvatarData:
    from .gaussian_avatars_read import CLOUD, PARAMETERS, read_gaussian_avatars

    if (place / "head_mesh.npz").is_file():
        raise InputError(f"{place} was exported by zero1toa and is bound to another head than FLAME; give its .glb.")
    if not (place / CLOUD).is_file() or not (place / PARAMETERS).is_file():
        raise InputError(f"{place} is no avatar: a folder of GaussianAvatars has {CLOUD} and {PARAMETERS}.")
    model = os.environ.get(FLAME_VARIABLE)
    name = head or (f"flame:{model}" if model else None)
    if name is None:
        raise InputError(
            f"{place} was made on FLAME, which it does not carry: say --head flame:FILE, or set {FLAME_VARIABLE} to "
            "your FLAME file."
        )
    if head_kind(name) != "flame":
        raise InputError(f"{place} was made on FLAME and not on '{name}': say --head flame:FILE.")
    return read_gaussian_avatars(place, name)


def _begins(place: Path, magic: bytes) -> bool:
    with place.open("rb") as stream:
        return stream.read(len(magic)) == magic
