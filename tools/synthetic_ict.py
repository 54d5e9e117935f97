"""Make a head in the layout of ICT-FaceKit's FaceXModel out of our own, for tests and for docs/heads.md.

It has ICT's ranges of vertices (26,719 in all), its file names and centimetres, and nothing of ICT: the default head
without its shoulders, warped so that it is another person's, its triangles split until the ranges are full.

    python tools/synthetic_ict.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from synthetic_flame import true_embedding, warp
from zero1toa.heads import arkit, load_head
from zero1toa.heads.bare import EYE_LEFT, BareHead
from zero1toa.heads.embedding import LandmarkEmbedding
from zero1toa.heads.ict.file import EXPRESSIONS, NUM_VERTICES
from zero1toa.heads.ict.head import EYEBALLS, FACE_AND_HEAD, GUMS, MOUTH, TEETH_LOWER, TEETH_UPPER, TONGUE

Array = NDArray[np.float64]

_CUT = -0.138  # metres: the skin above it is kept
_CENTIMETRES = 100.0
_ORIGIN = np.array([0.0, 0.03, 0.06])  # metres by which its origin is another


class Part(NamedTuple):
    """Vertices as mixtures of the default head's, and triangles among them."""

    source: csr_matrix  # (P, V)
    faces: NDArray[np.int64]  # (T, 3)


def synthetic_ict(folder: Path, people: int = 12) -> None:
    """Writes `generic_neutral_mesh.obj`, `identity000.obj` and so on, and an OBJ for each of ICT's expressions."""
    head = load_head()
    source, faces = _mesh()
    template = head.template.double().numpy()
    neutral = _moved(source, template)
    folder.mkdir(parents=True, exist_ok=True)
    quads = "".join("f " + " ".join(f"{v + 1}/1" for v in triangle) + "\n" for triangle in faces)
    (folder / "generic_neutral_mesh.obj").write_text(_text(neutral) + "vt 0.5 0.5\nusemtl M_Face\n" + quads)
    basis = head.identity_basis.double().numpy()
    for k in range(people):
        _write(folder / f"identity{k:03d}.obj", _moved(source, template + basis[k]))
    deltas = head.expression_deltas.double().numpy()
    for name in EXPRESSIONS:
        whole, side = _whole(name)
        delta = deltas[arkit.INDEX[whole]]
        if side:  # one half of a movement that we have in one piece
            share = 0.5 + 0.5 * np.tanh(side * template[:, :1] / 0.01)
            delta = delta * share
        _write(folder / f"{name}.obj", _moved(source, template + delta))


def ict_embedding(bare: BareHead) -> LandmarkEmbedding:
    """Where what `read_ict` and `bare_ict` make of it carries the landmarks."""
    head = load_head()
    ours = head.template.double().numpy()[head.topology.part_vertices("eyeLeft")][0]
    moved = bare.template[bare.vertex_part == EYE_LEFT][0] - warp(ours)  # they bring it to our eyes
    return true_embedding(bare, lambda points: warp(points) + moved)


def _whole(name: str) -> tuple[str, int]:
    """Our movement of one of ICT's names, and the side of it, +1 left, -1 right, 0 for all of it."""
    ours = name.replace("_L", "Left").replace("_R", "Right")
    return (ours, 0) if ours in arkit.INDEX else (name[:-2], 1 if name.endswith("_L") else -1)


def _moved(source: csr_matrix, vertices: Array) -> Array:
    out: Array = (warp(source @ vertices) + _ORIGIN) * _CENTIMETRES
    return out


def _write(path: Path, vertices: Array) -> None:
    path.write_text(_text(vertices))


def _text(vertices: Array) -> str:
    return "# synthetic\n" + "".join(f"v {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in vertices.tolist())


def _mesh() -> tuple[csr_matrix, NDArray[np.int64]]:
    """All 26,719 vertices as mixtures of ours, and the triangles.

    What our head has not (skin behind the eyeballs, tear fluid, lashes in broad strips) no triangle uses.
    """
    head = load_head()
    topology, template = head.topology, head.template.double().numpy()

    def of(*names: str) -> NDArray[np.int64]:
        return topology.faces[topology.part_faces(*names)].astype(np.int64)

    skin = of("skin")
    parts = (
        (FACE_AND_HEAD, skin[(template[skin][..., 1] > _CUT).all(1)]), (MOUTH, of("mouth")),
        (GUMS, of("gumsUpper", "gumsLower")), (TONGUE, of("tongue")), (TEETH_UPPER, of("teethUpper")),
        (TEETH_LOWER, of("teethLower")), (EYEBALLS[0], of("eyeLeft")), (EYEBALLS[1], of("eyeRight")),
    )  # fmt: skip
    blocks: list[csr_matrix] = []
    triangles = []
    number = np.full(len(template), -1)
    for (start, stop), faces in parts:
        blocks.append(_unused(start - sum(block.shape[0] for block in blocks), len(template)))
        own = np.unique(faces[number[faces] < 0])  # the mouth's rim is the lips' edge, which the face has
        number[own] = start + np.arange(len(own))
        part = _filled(own, number[faces], start, stop - start, template)
        blocks.append(part.source)
        triangles.append(part.faces)
    blocks.append(_unused(NUM_VERTICES - sum(block.shape[0] for block in blocks), len(template)))
    return vstack(blocks).tocsr(), np.concatenate(triangles)


def _unused(count: int, width: int) -> csr_matrix:
    return csr_matrix((np.ones(count), (np.arange(count), np.zeros(count, int))), (count, width))


def _filled(own: NDArray[np.int64], faces: NDArray[np.int64], start: int, count: int, template: Array) -> Part:
    """The part with `count` vertices: its largest triangles are split until it has them."""
    source = csr_matrix((np.ones(len(own)), (np.arange(len(own)), own)), (len(own), len(template)))
    assert len(own) <= count, (len(own), count)
    while source.shape[0] < count:
        points = source @ template
        inner = np.flatnonzero(((faces >= start) & (faces < start + len(points))).all(1))
        corners = points[faces[inner] - start]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        split = inner[np.argsort(-area)[: min(count - len(points), len(inner) // 2)]]
        a, b, c = (faces[split] - start).T
        middle = (source[a] + source[b] + source[c]) / 3
        new = len(points) + np.arange(len(split))
        added = np.concatenate([np.stack(t, 1) for t in ((a, b, new), (b, c, new), (c, a, new))]) + start
        faces = np.concatenate([np.delete(faces, split, 0), added])
        source = vstack([source, middle]).tocsr()
    return Part(source, faces)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "FaceXModel")
    synthetic_ict(target)
    print(f"Wrote {target}")
