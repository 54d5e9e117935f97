"""The default head, read from the files `tools/bake_head.py` and `tools/embed_landmarks.py` make."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from importlib.resources import files

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zero1toa.errors import AssetError

from . import arkit
from .model import IdentityCorrective, LinearHead
from .topology import JOINTS, NUM_LANDMARKS, HeadTopology

FORMAT_VERSION = 1
"""Of `default_head.npz`; raised when the arrays change their meaning."""

HEAD_FILE = "default_head.npz"
LANDMARK_FILE = "default_landmarks.npz"


def load_default(*, landmarks: bool = True) -> LinearHead:
    """The baked head as torch float32 tensors on the CPU.

    Args:
        landmarks: False leaves the landmark embedding out (all points then lie on the first triangle); for the tool
            that makes it.

    Raises:
        AssetError: a file of the package is missing, was made by another version, or the two do not belong together.
    """
    data = _read(HEAD_FILE)
    embedding = _read(LANDMARK_FILE) if landmarks else None
    if int(data["format_version"]) != FORMAT_VERSION or tuple(data["joints"]) != JOINTS:
        raise AssetError(f"{HEAD_FILE} was made by another version of zero1toa; reinstall the package.")
    if embedding is not None and int(embedding["head"]) != fingerprint(data):
        raise AssetError(f"{LANDMARK_FILE} belongs to another {HEAD_FILE}; make it again: tools/embed_landmarks.py.")
    assert tuple(data["expressions"]) == arkit.NAMES
    topology = _topology(data, embedding)
    template, identity, expressions = _tensor(data["template"]), _expand(data, "identity"), _expand(data, "expression")
    return LinearHead(
        name="default",
        topology=topology,
        template=template,
        identity_basis=identity,
        expression_deltas=expressions,
        joint_template=_tensor(data["joint_template"]),
        joint_identity_basis=_tensor(data["joint_identity_basis"]),
        skin_weights=_tensor(data["skin_weights"]),
        corrective=_blink(data, topology, template, identity, expressions),
        identity_mirror=_tensor(data["identity_mirror"]),
    )


def fingerprint(data: Mapping[str, NDArray]) -> int:
    """A number that tells one bake of the mean head from another."""
    return zlib.crc32(data["template"].tobytes() + data["faces"].tobytes())


def read_head_file() -> dict[str, NDArray]:
    """The arrays of the head's file as they are stored."""
    return _read(HEAD_FILE)


def _read(name: str) -> dict[str, NDArray]:
    resource = files(__package__) / "assets" / name
    try:
        with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise AssetError(f"The package's file {name} cannot be read ({error}); reinstall zero1toa.") from error


def _tensor(array: NDArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _expand(data: Mapping[str, NDArray], kind: str) -> Tensor:
    """(K, V, 3) deltas from what is stored: free vertices as they are, rigid groups as one affine map each.

    Teeth, gums and eyeballs follow `delta = A x + b` of the template, one (3, 4) matrix per group and basis vector.
    """
    free, affine, group = data[f"{kind}_deltas"], data[f"{kind}_affine"], data["affine_group"]
    template = np.asarray(data["template"], np.float64)
    out = np.zeros((len(free), *template.shape), np.float32)
    out[:, group < 0] = free
    for g in range(affine.shape[1]):
        points = template[group == g]
        out[:, group == g] = np.einsum("kij,vj->kvi", affine[:, g], np.c_[points, np.ones(len(points))])
    return torch.from_numpy(out)


def _blink(
    data: Mapping[str, NDArray], topology: HeadTopology, template: Tensor, identity: Tensor, expressions: Tensor
) -> IdentityCorrective:
    """Closes the lids of everybody: at eyeBlink 1 the edges of the lids lie to the eyeball as on the mean head.

    Without it the face unit, made for the mean head, leaves wide eyes ajar and lets big eyeballs through.
    """
    edges = torch.from_numpy(topology.regions["lidEdges"])
    vertices, which, basis = [], [], []
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        rows = torch.nonzero((edges > 0) & (template[:, 0] * sign > 0))[:, 0]
        eye = int(data["affine_group"][topology.part_vertices(f"eye{side}")][0])
        weight = arkit.INDEX[f"eyeBlink{side}"]
        closed = template[rows] + expressions[weight, rows]
        affine = _tensor(data["identity_affine"][:, eye])
        with_eyeball = torch.einsum("kij,vj->kvi", affine[..., :3], closed) + affine[:, None, :, 3]
        vertices.append(rows)
        which.append(torch.full_like(rows, weight))
        basis.append(edges[rows, None] * (with_eyeball - identity[:, rows]))
    return IdentityCorrective(torch.cat(vertices), torch.cat(which), torch.cat(basis, 1))


def _topology(data: Mapping[str, NDArray], embedding: Mapping[str, NDArray] | None) -> HeadTopology:
    embedding = embedding or {}
    names = [str(n) for n in data["region_names"]]
    regions = {n: data["regions"][i].astype(np.float32) / 255 for i, n in enumerate(names)}
    return HeadTopology(
        faces=data["faces"].astype(np.int32),
        uvs=data["uvs"].astype(np.float32),
        uv_faces=data["uv_faces"].astype(np.int32),
        part_names=tuple(str(n) for n in data["part_names"]),
        vertex_part=data["vertex_part"].astype(np.int8),
        face_part=data["face_part"].astype(np.int8),
        regions=regions,
        mirror=data["mirror"].astype(np.int32),
        landmark_faces=embedding.get("faces", np.zeros(NUM_LANDMARKS)).astype(np.int32),
        landmark_barycentrics=embedding.get("barycentrics", np.full((NUM_LANDMARKS, 3), 1 / 3)).astype(np.float32),
        landmark_spread=embedding.get("spread", np.ones(NUM_LANDMARKS)).astype(np.float32),
    )
