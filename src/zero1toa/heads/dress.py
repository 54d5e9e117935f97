"""Another head, dressed: our 52 movements carried over, our mouth, teeth and lashes put in, regions, texture places.

What the head has of its own (movements, mouth, teeth) stays; ours fills the gaps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from . import arkit, atlas
from .bare import EYE_LEFT, EYE_RIGHT, PARTS, SKIN, BareHead, mirrored_vertices
from .counterpart import Counterpart, counterpart
from .embedding import LandmarkEmbedding
from .lids import LID_PAIRS, close_lids, lid_corrective, push_outside
from .mesh_render import vertex_normals
from .model import IdentityCorrective, LinearHead
from .register import SpaceMap, Surface, farthest_points, local_stretch, nearest_on, register
from .skinning import PoseCorrectives
from .topology import JOINTS, HeadTopology

Array = NDArray[np.float64]

_OWN_PARTS = ("mouth", "tongue", "lashesLeft", "lashesRight", "teethUpper", "gumsUpper", "teethLower", "gumsLower")
_OPEN = 0.4  # weight of jawOpen in which the surfaces are compared, as in `embedding`
_ANCHORS, _REACH = 700, 0.01  # points of the skin that fix the map at rest, and metres to their nearest point
_SLACK = 0.002  # metres: how exactly they do
_HELD_BY = 40  # skin vertices that carry a vertex of the mouth's inside from person to person
_LASH_BY = 3  # and a vertex of a lash


class _Carried(NamedTuple):
    """How what belongs to our head gets to the other one."""

    face: NDArray[np.int64]  # (S,) our triangle under each skin vertex of the other head
    weights: Array  # (S, 3) barycentric
    place: Array  # (V, 3) our vertices on the other head, at rest
    stretch: Array  # (V, 3, 3) what becomes of their displacements


def dress(bare: BareHead, embedding: LandmarkEmbedding, own: LinearHead) -> LinearHead:
    """A head model that our pipeline, and 52 ARKit weights, can use like the default head.

    The vertices of the bare head come first, in their order; what is ours follows.

    Args:
        bare: the other head.
        embedding: where it carries the landmarks.
        own: the default head.
    """
    carried = _carry(bare, embedding, own)
    skin = np.flatnonzero(bare.vertex_part == SKIN)
    deltas = _skin_deltas(bare, embedding, own, carried, skin)
    full = np.zeros((len(arkit.NAMES), len(bare.template), 3))
    full[:, skin] = deltas
    theirs = counterpart(bare, own, carried.place)
    stretched = np.einsum("vab,kvb->kva", carried.stretch, own.expression_deltas.double().numpy())
    full[:, theirs.rows] = theirs.of(stretched)
    for name, movement in bare.movements.items():
        full[arkit.INDEX[name]] = movement
    corrective = _blinks(bare, full[:, skin], skin)
    weights = bare.skin_weights if bare.skin_weights is not None else _weights(bare, own, carried, theirs, skin)
    parts = _own_parts(bare, own, carried, full, skin, jaw=bool(weights[:, JOINTS.index("jaw")].any()))
    topology = _topology(bare, embedding, own, carried, parts, theirs, skin)
    correctives = None
    if bare.pose_correctives is not None:
        basis = bare.pose_correctives.basis
        still = torch.zeros(len(basis), len(parts.template), 3)
        correctives = PoseCorrectives(bare.pose_correctives.joints, torch.cat([basis, still], 1))
    return LinearHead(
        name=bare.name,
        topology=topology,
        template=_float(np.concatenate([bare.template, parts.template])),
        identity_basis=_float(np.concatenate([bare.identity_basis, parts.identity], 1)),
        expression_deltas=_float(np.concatenate([full, parts.deltas], 1)),
        joint_template=_float(bare.joints),
        joint_identity_basis=_float(bare.joint_identity_basis),
        skin_weights=_float(np.concatenate([weights, parts.weights])),
        corrective=corrective,
        pose_correctives=correctives,
    )


def _carry(bare: BareHead, embedding: LandmarkEmbedding, own: LinearHead) -> _Carried:
    ours, faces = own.template.double().numpy(), own.topology.faces
    skin_faces = faces[own.topology.part_faces("skin")]
    opened = ours + _OPEN * own.expression_deltas[arkit.INDEX["jawOpen"]].double().numpy()
    theirs = bare.template + bare.open_mouth
    their_faces = bare.faces[bare.face_part == SKIN]
    on_ours = own.topology.landmark_faces, own.topology.landmark_barycentrics.astype(np.float64)
    on_theirs = embedding.faces, embedding.barycentrics.astype(np.float64)
    spread = np.maximum(embedding.spread, own.topology.landmark_spread).astype(np.float64)
    source, target = Surface(opened, skin_faces), Surface(theirs, their_faces)
    space = register(source, target, _points(opened, faces, on_ours), _points(theirs, bare.faces, on_theirs), spread)
    moved = space(opened)
    skin = np.flatnonzero(bare.vertex_part == SKIN)
    normals = vertex_normals(theirs, their_faces)[skin]
    face, weights = nearest_on(theirs[skin], normals, Surface(moved, skin_faces))
    at_rest = _map_at_rest(ours, moved, skin_faces, bare.template, target)
    place = at_rest(ours)
    rows = np.flatnonzero(own.topology.part_faces("skin"))
    return _Carried(rows[face], weights, place, local_stretch(ours, place))


def _map_at_rest(ours: Array, moved: Array, skin_faces: NDArray[np.int32], rest: Array, target: Surface) -> SpaceMap:
    used = np.unique(skin_faces)
    anchors = used[farthest_points(ours[used], _ANCHORS)]
    face, weights = nearest_on(moved[anchors], vertex_normals(moved, skin_faces)[anchors], target)
    corners = target.faces[face]
    apart = np.linalg.norm(np.einsum("nk,nkc->nc", weights, target.vertices[corners]) - moved[anchors], axis=1)
    good = (apart < _REACH) & ((weights > 0).sum(1) > 1)
    place = np.einsum("nk,nkc->nc", weights, rest[corners])
    return SpaceMap(ours[anchors[good]], place[good], np.full(int(good.sum()), _SLACK))


def _skin_deltas(
    bare: BareHead, embedding: LandmarkEmbedding, own: LinearHead, carried: _Carried, skin: NDArray[np.int64]
) -> Array:
    """(52, S, 3) our movements on the other head's skin, its lids closing in a blink."""
    ours = own.expression_deltas.double().numpy()
    stretched = np.einsum("vab,kvb->kva", carried.stretch, ours)
    corners = own.topology.faces[carried.face]
    deltas = np.einsum("sc,ksca->ksa", carried.weights, stretched[:, corners])
    rest = bare.template[skin]
    row_of = np.full(len(bare.template), -1)
    row_of[skin] = np.arange(len(skin))
    for side, (center, eyeball) in zip(("Left", "Right"), bare.eyeballs, strict=True):
        index = arkit.INDEX[f"eyeBlink{side}"]
        pairs = np.array(LID_PAIRS[side])
        on_ours, on_theirs = own.topology.landmark_faces[pairs], embedding.faces[pairs]
        weights = own.topology.landmark_barycentrics[pairs].astype(np.float64)
        closed = np.einsum("lpc,lpca->lpa", weights, (carried.place + stretched[index])[own.topology.faces[on_ours]])
        gaps = closed[:, 0] - closed[:, 1]
        weights, places = embedding.barycentrics[pairs].astype(np.float64), bare.faces[on_theirs]
        at = np.einsum("lpc,lpca->lpa", weights, bare.template[places])
        for _ in range(2):  # what is mended moves the landmarks again
            moved = np.einsum("lpc,lpca->lpa", weights, deltas[index][row_of[places]])
            deltas[index] = close_lids(rest, deltas[index], gaps, at[:, 0], at[:, 1], (moved[:, 0], moved[:, 1]))
        for name in ("eyeBlink", "eyeLookDown", "eyeLookUp", "eyeSquint", "eyeWide"):
            index = arkit.INDEX[name + side]
            deltas[index] = push_outside(rest, deltas[index], center, eyeball)
    return deltas


def _blinks(bare: BareHead, deltas: Array, skin: NDArray[np.int64]) -> IdentityCorrective:
    vertices, which, basis = [], [], []
    for side in ("Left", "Right"):
        index = arkit.INDEX[f"eyeBlink{side}"]
        rows, offsets = lid_corrective(bare.template[skin], deltas[index], bare.identity_basis[:, skin])
        vertices.append(skin[rows])
        which.append(np.full(len(rows), index))
        basis.append(offsets)
    return IdentityCorrective(
        torch.as_tensor(np.concatenate(vertices)),
        torch.as_tensor(np.concatenate(which)),
        _float(np.concatenate(basis, 1)),
    )


def _weights(bare: BareHead, own: LinearHead, carried: _Carried, theirs: Counterpart, skin: NDArray[np.int64]) -> Array:
    """(V, 6) our skinning weights on a head that brings none; each eyeball follows its joint."""
    ours = own.skin_weights.double().numpy()
    weights = np.zeros((len(bare.template), len(JOINTS)))
    weights[skin] = np.einsum("sc,scj->sj", carried.weights, ours[own.topology.faces[carried.face]])
    weights[theirs.rows] = _inside(theirs.of(ours), jaw=True)
    for eye in (EYE_LEFT, EYE_RIGHT):
        weights[bare.vertex_part == eye, JOINTS.index(PARTS[eye])] = 1
    return weights


def _inside(weights: Array, *, jaw: bool) -> Array:
    """Skinning weights (N, 6) of what is inside the head: it follows head and jaw, or the head alone."""
    root, neck, head, jaws = (weights[:, JOINTS.index(name)] for name in ("root", "neck", "head", "jaw"))
    out = np.zeros_like(weights)
    out[:, JOINTS.index("head")] = root + neck + head + (0 if jaw else jaws)
    out[:, JOINTS.index("jaw")] = jaws if jaw else 0
    return out


class _OwnParts(NamedTuple):
    rows: NDArray[np.int64]  # (P,) vertices of our head
    faces: NDArray[np.int32]  # (F, 3) indices of the dressed head
    face_rows: NDArray[np.int64]  # (F,) triangles of our head
    template: Array  # (P, 3)
    identity: Array  # (I, P, 3)
    deltas: Array  # (52, P, 3)
    weights: Array  # (P, 6)


def _own_parts(
    bare: BareHead, own: LinearHead, carried: _Carried, deltas: Array, skin: NDArray[np.int64], *, jaw: bool
) -> _OwnParts:
    """Of our mouth, tongue, teeth, gums and lashes what the other head lacks, where it needs them.

    They follow its jaw joint only if its skin does (`jaw`).
    """
    topology = own.topology
    face_rows = np.flatnonzero(topology.part_faces(*(n for n in _OWN_PARTS if n not in bare.part_names)))
    rows = np.unique(topology.faces[face_rows])  # the mouth's rim is the lips' edge, which is skin: it is doubled
    number = np.full(topology.num_vertices, -1, np.int32)
    number[rows] = len(bare.template) + np.arange(len(rows))
    place = carried.place[rows]
    moves = np.einsum("vab,kvb->kva", carried.stretch[rows], own.expression_deltas.double().numpy()[:, rows])
    tree = cKDTree(bare.template[skin])
    distance, near = tree.query(place, _HELD_BY)
    hold = 1 / (distance + 0.003) ** 2
    hold /= hold.sum(1, keepdims=True)
    identity = np.stack([np.einsum("ph,phc->pc", hold, basis[skin[near]]) for basis in bare.identity_basis])
    lashes = np.flatnonzero(topology.part_vertices("lashesLeft", "lashesRight")[rows])
    close = 1 / (distance[lashes, :_LASH_BY] + 1e-4)
    close /= close.sum(1, keepdims=True)
    carriers = skin[near[lashes, :_LASH_BY]]
    moves[:, lashes] = np.einsum("ph,kphc->kpc", close, deltas[:, carriers])
    identity[:, lashes] = np.einsum("ph,iphc->ipc", close, bare.identity_basis[:, carriers])
    weights = _inside(own.skin_weights.double().numpy()[rows], jaw=jaw)
    return _OwnParts(rows, number[topology.faces[face_rows]], face_rows, place, identity, moves, weights)


def _topology(
    bare: BareHead, embedding: LandmarkEmbedding, own: LinearHead, carried: _Carried, parts: _OwnParts,
    theirs: Counterpart, skin: NDArray[np.int64],
) -> HeadTopology:  # fmt: skip
    ours = own.topology
    names = (*bare.part_names, *(n for n in _OWN_PARTS if n not in bare.part_names))
    part_of = np.array([names.index(n) if n in names else -1 for n in ours.part_names])
    faces = np.concatenate([bare.faces, parts.faces]).astype(np.int32)
    face_part = np.concatenate([bare.face_part, part_of[ours.face_part[parts.face_rows]]]).astype(np.int8)
    own_part = part_of[ours.vertex_part[parts.rows]]
    own_part[own_part < len(PARTS)] = names.index("mouth")  # the doubled rim
    vertex_part = np.concatenate([bare.vertex_part, own_part]).astype(np.int8)
    regions = {name: np.zeros(len(vertex_part), np.float32) for name in ours.regions}
    corners = ours.faces[carried.face]
    count = len(bare.template)
    for name, region in ours.regions.items():
        regions[name][skin] = (carried.weights * region[corners]).sum(1)
        regions[name][theirs.rows] = theirs.of(region[:, None].astype(np.float64))[:, 0]
        regions[name][count:] = region[parts.rows]
    rim = np.flatnonzero(ours.vertex_part[parts.rows] == ours.part_index("skin"))
    regions["innerMouth"][count + rim] = 1
    for name, region in bare.iris_regions().items():
        regions[name][:count] = region
    template = np.concatenate([bare.template, parts.template])
    other = np.array([names.index(_mirrored(name)) for name in names])
    axis = bare.joints[[JOINTS.index("eyeLeft"), JOINTS.index("eyeRight")]].mean(0) - [0, 0, _axis_depth(bare)]
    map_ = atlas.unroll(template, faces, face_part == SKIN, face_part, axis)
    return HeadTopology(
        faces=faces,
        uvs=map_.uvs,
        uv_faces=map_.uv_faces,
        part_names=names,
        vertex_part=vertex_part,
        face_part=face_part,
        regions=regions,
        mirror=mirrored_vertices(template, vertex_part, other),
        landmark_faces=embedding.faces.astype(np.int32),
        landmark_barycentrics=embedding.barycentrics.astype(np.float32),
        landmark_spread=embedding.spread.astype(np.float32),
    )


def _axis_depth(bare: BareHead) -> float:
    """Metres from the eyes back to the middle of the head."""
    eyes = bare.joints[JOINTS.index("eyeLeft")]
    above = bare.template[(bare.vertex_part == SKIN) & (bare.template[:, 1] > eyes[1])]
    return float(eyes[2] - (above[:, 2].min() + above[:, 2].max()) / 2)


def _mirrored(name: str) -> str:
    return arkit.mirrored(name)


def _points(vertices: Array, faces: NDArray[np.int32], at: tuple[NDArray, Array]) -> Array:
    return (vertices[faces[at[0]]] * at[1][..., None]).sum(1)


def _float(values: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


assert (PARTS.index("eyeLeft"), PARTS.index("eyeRight")) == (EYE_LEFT, EYE_RIGHT)
