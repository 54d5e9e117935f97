"""Put the pieces together: one mesh, one basis, one rig, one texture square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from zero1toa.heads import arkit
from zero1toa.heads.topology import JOINTS

from . import correct, labels, rig
from .atlas import pack
from .basis import Basis
from .dentition import LOWER_GROUP
from .mesh import Piece, components
from .motion import affine_motion, similar_motion, sphere_of
from .parts import DETAILS, EYE_GROUPS, HANGS_ON, PARTS, Cut, other_side, own_pieces

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_LESSER_ISLANDS = 0.35  # texture of the skin outside the head's main island


@dataclass(frozen=True)
class Joined:
    """All pieces as one mesh on the mean head."""

    pieces: list[Piece]  # the skin first; those with a linear map before the rigid ones
    starts: Index  # (pieces + 1,) first vertex of each piece
    template: Array  # (V, 3)
    faces: Index  # (T, 3)
    face_part: NDArray[np.str_]  # (T,)
    vertex_part: NDArray[np.int8]  # (V,) index into PARTS
    uvs: Array  # (U, 2)
    uv_faces: Index  # (T, 3)
    mirror: Index  # (V,)

    @property
    def skin(self) -> slice:
        """The vertices of skin and mouth."""
        return slice(0, int(self.starts[1]))

    @property
    def num_free(self) -> int:
        """How many vertices, the first ones, follow the source by a linear map."""
        return sum(p.num_vertices for p in self.pieces if p.map is not None)

    def in_parts(self, *names: str) -> NDArray[np.bool_]:
        return np.isin(self.vertex_part, [PARTS.index(n) for n in names])


def assemble(cut: Cut, pieces: list[Piece], basis: Basis, expressions: Array) -> dict[str, NDArray]:
    """All arrays of the asset.

    Args:
        cut: which source vertices the arrays below hold.
        pieces: from `source_pieces`.
        basis: identity, on the used source vertices, in the head's frame.
        expressions: (52, M, 3) displacements of the used source vertices, ARKit order.
    """
    mesh = _join(cut, pieces + own_pieces(cut, basis.mean), basis.mean)
    lids = correct.lid_edges(
        mesh.pieces[0].faces, mesh.template, mesh.in_parts("lashesLeft", "lashesRight"), mesh.skin.stop
    )
    joints, joint_basis = _joints(cut, basis, expressions)
    weights = _skin_weights(cut, mesh)
    regions = labels.label(cut.source, mesh.pieces[0], mesh.template, joints, weights, mesh.vertex_part)
    for name in ("eyeLeft", "eyeRight"):
        regions |= labels.iris(mesh.template, joints[JOINTS.index(name)], mesh.in_parts(name), regions)
    regions["lidEdges"] = lids
    regions = {name: (value + regions[other_side(name)][mesh.mirror]) / 2 for name, value in regions.items()}
    matrix = sparse.vstack([cut.linear(p) for p in mesh.pieces if p.map is not None]).tocsr()
    return {
        "joints": np.array(JOINTS),
        "expressions": np.array(arkit.NAMES),
        "template": mesh.template.astype(np.float32),
        "identity_deltas": _identity(cut, mesh, basis, matrix, lids).astype(np.float16),
        "identity_mirror": basis.mirror_sign,
        "expression_deltas": np.stack([matrix @ e for e in expressions]).astype(np.float16),
        **_affine(cut, mesh, basis, expressions),
        "joint_template": joints.astype(np.float32),
        "joint_identity_basis": joint_basis.astype(np.float32),
        "skin_weights": weights.astype(np.float32),
        "faces": mesh.faces.astype(np.int16),
        "uvs": mesh.uvs.astype(np.float32),
        "uv_faces": mesh.uv_faces.astype(np.int16),
        "part_names": np.array(PARTS),
        "vertex_part": mesh.vertex_part,
        "face_part": np.array([PARTS.index(n) for n in mesh.face_part], np.int8),
        "mirror": mesh.mirror.astype(np.int16),
        "region_names": np.array(list(regions)),
        "regions": (np.stack(list(regions.values())) * 255).round().astype(np.uint8),
    }


def _join(cut: Cut, pieces: list[Piece], mean: Array) -> Joined:
    blocks = [cut.linear(p) @ mean if p.map is not None else p.placed for p in pieces]
    blocks[0] = _seal(pieces[0], blocks[0]).template(blocks[0])
    starts = np.r_[0, np.cumsum([len(b) for b in blocks])]
    uv_starts = np.r_[0, np.cumsum([len(p.uvs) for p in pieces])]
    template = np.concatenate(blocks)
    faces = np.concatenate([p.faces + s for p, s in zip(pieces, starts)])
    uv_faces = np.concatenate([p.uv_faces + s for p, s in zip(pieces, uv_starts)])
    face_part = np.concatenate([p.face_part for p in pieces])
    importance = _importance(faces, uv_faces, face_part, len(template))
    loose = np.concatenate([p.uvs for p in pieces])
    return Joined(
        pieces=pieces,
        starts=starts,
        template=template,
        faces=faces,
        face_part=face_part,
        vertex_part=_vertex_parts(faces, face_part, len(template)),
        uvs=pack(template, faces, loose, uv_faces, face_part, DETAILS, importance),
        uv_faces=uv_faces,
        mirror=_mirror(pieces, starts),
    )


def _seal(skin: Piece, points: Array) -> correct.LipSeal:
    return correct.LipSeal(skin.faces, skin.face_part == "mouth", points)


def _mirror(pieces: list[Piece], starts: Index) -> Index:
    """(V,) mirrored vertices; those of a piece with a side are in the other side's piece."""
    by_name = {str(p.face_part[0]): k for k, p in enumerate(pieces)}
    partners = [by_name.get(other_side(str(p.face_part[0])), k) for k, p in enumerate(pieces)]
    joined = np.concatenate([p.mirror + starts[k] for p, k in zip(pieces, partners)])
    assert (joined[joined] == np.arange(len(joined))).all()
    return joined


def _importance(faces: Index, uv_faces: Index, face_part: NDArray[np.str_], count: int) -> Array:
    """(V,) 1, but less for the skin's lesser islands: shoulders, eye sockets, what is inside nose and ears."""
    island = components(uv_faces, int(uv_faces.max()) + 1)[uv_faces[:, 0]]
    skin = face_part == "skin"
    head = np.bincount(island[skin]).argmax()
    out = np.ones(count)
    out[faces[skin & (island != head)].ravel()] = _LESSER_ISLANDS
    out[faces[skin & (island == head)].ravel()] = 1.0
    return out


def _vertex_parts(faces: Index, face_part: NDArray[np.str_], count: int) -> NDArray[np.int8]:
    """(V,) part of each vertex; where skin and mouth meet, the skin has it."""
    out = np.full(count, -1, np.int8)
    for name in reversed(PARTS):
        out[faces[face_part == name].ravel()] = PARTS.index(name)
    assert out.min() >= 0, "a vertex without triangles"
    return out


def _identity(cut: Cut, mesh: Joined, basis: Basis, matrix: sparse.csr_matrix, lids: Array) -> Array:
    """(I, F, 3) displacements of the free vertices, with closed lips, lining under skin and lids on eyeballs."""
    out = np.stack([matrix @ component for component in basis.components])
    skin, points = mesh.pieces[0], mesh.template[: mesh.num_free]
    lining = correct.lining_follows(skin.faces, skin.face_part == "mouth", points[mesh.skin])
    sealed = _seal(skin, points[mesh.skin]).deltas(out[:, mesh.skin])
    out[:, mesh.skin] = np.stack([lining @ delta for delta in sealed])
    for name in EYE_GROUPS:
        eye = basis.mean[cut.group(name)]
        centre = sphere_of(eye)[0]
        near = lids[: mesh.num_free] * (points[:, 0] * centre[0] > 0)
        motion = similar_motion(eye, basis.components[:, cut.group(name)])
        out = correct.lids_on_eyeball(out, points, near, centre, motion)
    return out


def _affine(cut: Cut, mesh: Joined, basis: Basis, expressions: Array) -> dict[str, NDArray]:
    """How the rigid parts follow their source groups. Expressions move the lower jaw alone: the upper teeth belong to
    the skull, and the eyeballs turn about their joints."""
    names = sorted({p.follows for p in mesh.pieces if p.follows})
    identity, expression = [], []
    for name in names:
        fit = similar_motion if name in EYE_GROUPS else affine_motion
        rows = cut.group(name)
        identity.append(fit(basis.mean[rows], basis.components[:, rows]))
        expression.append(fit(basis.mean[rows], expressions[:, rows]) * (name == LOWER_GROUP))
    group = [np.full(p.num_vertices, names.index(p.follows) if p.follows else -1) for p in mesh.pieces]
    return {
        "affine_group": np.concatenate(group).astype(np.int8),
        "identity_affine": np.stack(identity, 1).astype(np.float32),
        "expression_affine": np.stack(expression, 1).astype(np.float32),
    }


def _joints(cut: Cut, basis: Basis, expressions: Array) -> tuple[Array, Array]:
    """Places (6, 3) of the joints on the mean head and their displacements (I, 6, 3) by identity."""
    mean, change = basis.mean, basis.components
    place, motion = np.zeros((len(JOINTS), 3)), np.zeros((len(change), len(JOINTS), 3))
    for joint, cube in rig.JOINT_CUBES.items():
        rows, k = cut.group(cube), JOINTS.index(joint)
        place[k], motion[:, k] = mean[rows].mean(0), change[:, rows].mean(1)
    for joint, name in zip(("eyeLeft", "eyeRight"), EYE_GROUPS):
        rows, k = cut.group(name), JOINTS.index(joint)  # the ball's own middle: the marker may drift from it
        place[k] = sphere_of(mean[rows])[0]
        motion[:, k] = similar_motion(mean[rows], change[:, rows]) @ np.r_[place[k], 1]
    # The jaw turns about a point that jawOpen shows; it moves with identity halfway between skull and lower teeth.
    lower, jaw, head = cut.group(LOWER_GROUP), JOINTS.index("jaw"), JOINTS.index("head")
    place[jaw] = rig.jaw_pivot(mean[lower], mean[lower] + expressions[arkit.INDEX["jawOpen"], lower])
    motion[:, jaw] = (motion[:, head] + change[:, lower].mean(1)) / 2
    return place, motion


def _skin_weights(cut: Cut, mesh: Joined) -> Array:
    """(V, 6) weights, the same on both sides."""
    raw = rig.source_weights(cut.source)
    out = np.zeros((len(mesh.template), len(JOINTS)))
    for piece, start in zip(mesh.pieces, mesh.starts):
        joint = piece.joint or HANGS_ON.get(str(piece.face_part[0]))
        mine = slice(start, start + piece.num_vertices)
        if joint:
            out[mine, JOINTS.index(joint)] = 1
        else:
            out[mine] = rig.smooth(piece.linear @ raw, piece.faces)
    swapped = [JOINTS.index(other_side(j)) for j in JOINTS]
    return (out + out[mesh.mirror][:, swapped]) / 2
