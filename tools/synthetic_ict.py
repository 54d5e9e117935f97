"""Make a head in the layout of ICT-FaceKit's FaceXModel out of our own, for tests and for docs/heads.md.

It has ICT's ranges of vertices (26,719 in all), its file names and centimetres, and nothing of ICT: the default head
without its shoulders, warped so that it is another person's, its triangles split until the ranges are full.

    python tools/synthetic_ict.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
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
    return true_embedding(bare, ict_place(bare))


def ict_place(bare: BareHead) -> Callable[[Array], Array]:
    """Where points of the default head come to lie on that head, which is brought to our eyes."""
    head = load_head()
    ours = head.template.double().numpy()[head.topology.part_vertices("eyeLeft")][0]
    moved = bare.template[bare.vertex_part == EYE_LEFT][0] - warp(ours)
    return lambda points: warp(points) + moved


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
    """The part with `count` vertices: its longest edges are halved until it has them. Edges at its rim stay."""
    source = csr_matrix((np.ones(len(own)), (np.arange(len(own)), own)), (len(own), len(template)))
    assert len(own) <= count, (len(own), count)
    while source.shape[0] < count:
        ends, sides = _inner_edges(faces, start)
        points = source @ template
        longest = np.argsort(-np.linalg.norm(np.subtract(*(points[ends[:, k] - start] for k in (0, 1))), axis=1))
        longest = longest[: max(1, len(longest) // 8)]
        touched: set[int] = set()
        halved: list[int] = []
        for edge in longest:  # a triangle is cut once a round
            if len(halved) + source.shape[0] < count and not touched & set(sides[edge].tolist()):
                touched |= set(sides[edge].tolist())
                halved.append(edge)
        middle = start + source.shape[0] + np.arange(len(halved))
        added: list[NDArray[np.int64]] = []
        for edge, new in zip(halved, middle):
            for triangle in faces[sides[edge]]:
                a, b = ends[edge]
                added += [np.where(triangle == a, new, triangle), np.where(triangle == b, new, triangle)]
        faces = np.concatenate([np.delete(faces, list(touched), 0), np.array(added)])
        cut = ends[halved] - start
        source = vstack([source, (source[cut[:, 0]] + source[cut[:, 1]]) / 2]).tocsr()
    return Part(source, faces)


def _inner_edges(faces: NDArray[np.int64], start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ends (E, 2) and triangles (E, 2) of the edges that two triangles share, between vertices of the part."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort(edges.T)
    edges, owner = edges[order], owner[order]
    same = (edges[1:] == edges[:-1]).all(1)
    pair = np.flatnonzero(same & (edges[:-1] >= start).all(1))
    return edges[pair], np.stack([owner[pair], owner[pair + 1]], 1)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "FaceXModel")
    synthetic_ict(target)
    print(f"Wrote {target}")
