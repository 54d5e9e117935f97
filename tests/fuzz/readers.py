"""Every reader of files that come from elsewhere, each with valid files to begin with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from . import seeds
from .packed import Files

Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """One door through which files come in."""

    file_name: str  # under which it gets a single file
    seeds: Callable[[], list[Files]]
    read: Read
    check: Callable[[Any], None] = lambda result: None  # what was read keeps its own promises


def _read_picture(path: Path) -> Any:
    from zero1toa.portrait.load import load_photo

    return load_photo(path)


def _photo_is_whole(photo: Any) -> None:
    assert photo.image.dtype == np.float32 and photo.image.ndim == 3 and photo.image.shape[2] == 3
    assert photo.image.min() >= 0 and photo.image.max() <= 1


def _read_avatar(path: Path) -> Any:
    from zero1toa.avatar_io import load_any

    return load_any(path)


def _read_gaussian_avatars(path: Path) -> Any:
    from zero1toa.avatar_io import gaussian_avatars_read, load_any

    with mock.patch.object(gaussian_avatars_read, "open_head", return_value=_like_flame()):
        return load_any(path, "flame:not-read")


@cache
def _like_flame() -> Any:
    """FLAME is not ours to bring, and reading it is another reader: here any head of enough vertices does."""
    from zero1toa.heads import load_head

    head = load_head()
    return SimpleNamespace(name="flame", personalize=lambda shape: head.personalize(shape[:80]))


def _avatar_is_whole(avatar: Any) -> None:
    for name in (
        "vertices",
        "expression_deltas",
        "skin_weights",
        "means",
        "quats",
        "log_scales",
        "opacity_logits",
        "colors",
    ):
        assert np.isfinite(getattr(avatar, name)).all(), name
    assert avatar.topology.faces.max() < len(avatar.vertices) and avatar.triangle.max() < len(avatar.topology.faces)


def _read_splats(path: Path) -> Any:
    from zero1toa.avatar_io.gltf_reader import DamagedFile
    from zero1toa.avatar_io.splat_ply import read_splats
    from zero1toa.errors import InputError

    try:
        return read_splats(path.read_bytes())
    except DamagedFile as error:  # its callers make this sentence of it
        raise InputError(f"Cannot read {path}: {error}.") from error


def _read_motion(path: Path) -> Any:
    from zero1toa.motion import read_motion

    return read_motion(path, track=_no_tracker).motion


def _no_tracker(path: Path) -> Any:
    from zero1toa.errors import InputError

    raise InputError("Videos are another reader.")


def _motion_is_whole(motion: Any) -> None:
    assert np.isfinite(motion.weights).all() and motion.weights.min() >= 0 and motion.weights.max() <= 1
    assert motion.fps > 0 and len(motion) > 0 and np.isfinite(motion.head).all()


def _read_mapping(path: Path) -> Any:
    from zero1toa.motion.flame import read_flame

    arrays = {n: np.ones((2, w)) for n, w in
              (("expr", 100), ("rotation", 3), ("neck_pose", 3), ("jaw_pose", 3), ("eyes_pose", 6))}  # fmt: skip
    return read_flame(arrays, "x.npz", mapping=path).motion


def _read_flame(path: Path) -> Any:
    from zero1toa.errors import AssetError
    from zero1toa.heads.flame.file import read_flame

    try:
        return read_flame(path)
    except AssetError as error:
        if not str(error).endswith("vertices instead of 5023."):
            raise
        return None  # as far as the seeds get: a whole model has 60 MB


def _read_gnm(path: Path) -> Any:
    from zero1toa.errors import AssetError
    from zero1toa.heads.gnm.file import read_gnm

    try:
        return read_gnm(path)
    except AssetError as error:
        if "only the head of version 3 is known" not in str(error):
            raise
        return None  # as far as the seed gets


def _read_tensors(path: Path) -> Any:
    from zero1toa.priors.animate_anyone.checkpoint import read_tensors

    return read_tensors(path)


def _tensors_are_whole(tensors: Any) -> None:
    assert all(tensor.numel() >= 0 and tensor.sum() is not None for tensor in tensors.values())


def _read_state(path: Path) -> Any:
    from zero1toa.symgen.checkpoint import Workspace

    return Workspace(path, "x", resume=True).load()


def _read_fit(path: Path) -> Any:
    from zero1toa.portrait.portrait import Portrait

    return Portrait.load(path)


def _read_clips(path: Path) -> Any:
    from zero1toa.priors.clip_files import read_clips

    return read_clips(path)


def _read_list(path: Path) -> Any:
    from zero1toa.batch.options import Options
    from zero1toa.batch.plan import find_portraits

    entries = [
        entry for file in (sorted(path.iterdir()) if path.is_dir() else [path]) for entry in find_portraits([str(file)])
    ]
    for entry in entries:
        Options(preset="debug").changed(entry.columns).config()
    return entries


def _names_stay_inside(entries: Any) -> None:
    for entry in entries:
        assert ".." not in entry.name.split("/") and not entry.name.startswith("/"), entry
        entry.name.encode()  # no half characters


def _read_manifest(path: Path) -> Any:
    from zero1toa.batch.manifest import read_manifest
    from zero1toa.batch.work import read_row

    return read_manifest(path), read_row(path / "avatars" / "a")


def _read_video(path: Path) -> Any:
    from zero1toa.tracking.frames import FrameSource
    from zero1toa.video import frames_at, sound_blocks, video_facts

    facts = video_facts(path)
    list(itertools.islice(frames_at(path, 5.0), 4))
    list(itertools.islice(sound_blocks(path, 0.0, 0.5, 4800), 8))
    list(itertools.islice(FrameSource(path), 6))
    return facts


READERS: dict[str, Reader] = {
    "picture": Reader("x.png", seeds.pictures, _read_picture, _photo_is_whole),
    "glb": Reader("x.glb", seeds.glbs, _read_avatar, _avatar_is_whole),
    "lam": Reader("x.zip", seeds.lams, _read_avatar, _avatar_is_whole),
    "gaussian_avatars": Reader("x", seeds.gaussian_avatars, _read_gaussian_avatars, _avatar_is_whole),
    "splat_ply": Reader("x.ply", seeds.splat_tables, _read_splats),
    "live_link_csv": Reader("x.csv", seeds.tables, _read_motion, _motion_is_whole),
    "motion_json": Reader("x.json", seeds.jsons, _read_motion, _motion_is_whole),
    "motion_npz": Reader("x.npz", seeds.motion_arrays, _read_motion, _motion_is_whole),
    "flame_mapping": Reader("x.npz", seeds.mappings, _read_mapping, _motion_is_whole),
    "flame_model": Reader("x.pkl", seeds.pickles, _read_flame),
    "gnm_model": Reader("x.npz", seeds.gnm_models, _read_gnm),
    "safetensors": Reader("x.safetensors", seeds.safetensors, _read_tensors, _tensors_are_whole),
    "torch_weights": Reader("x.pth", seeds.torch_files, _read_tensors, _tensors_are_whole),
    "saved_state": Reader("x", seeds.states, _read_state),
    "fit_folder": Reader("x", seeds.fits, _read_fit),
    "clip": Reader("x.npz", seeds.clips, _read_clips),
    "batch_list": Reader("x", seeds.lists, _read_list, _names_stay_inside),
    "batch_manifest": Reader("x", seeds.manifests, _read_manifest),
    "video": Reader("x.mp4", seeds.videos, _read_video),
}
