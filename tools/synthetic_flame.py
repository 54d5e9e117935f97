"""Make a head in FLAME's file layout out of our own, for tests and for the pictures in docs/heads.md.

It has FLAME's numbers (5,023 vertices, 9,976 triangles, 300 + 100 shapes, 5 joints) and nothing of FLAME: the default
head without its shoulders, warped so that it is another person's, in another vertex order, with eyeballs of its own.

    python tools/synthetic_flame.py flame_synthetic.pkl
"""

from __future__ import annotations

import pickle
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from zero1toa.heads import JOINTS, arkit, facemesh, load_head
from zero1toa.heads.bare import EYE_LEFT, EYE_RIGHT, SKIN, BareHead
from zero1toa.heads.embedding import LandmarkEmbedding
from zero1toa.heads.register import Surface, nearest_on
from zero1toa.heads.topology import NUM_LANDMARKS

Array = NDArray[np.float64]

NUM_VERTICES, NUM_FACES = 5023, 9976
_EYE_RINGS, _EYE_SEGMENTS = 17, 32  # 546 vertices each, as many as FLAME's
_CUT = -0.138  # metres: the skin above it is kept
_SKIN = NUM_VERTICES - 2 * (2 + _EYE_RINGS * _EYE_SEGMENTS)
_POSE_SIZE = 0.002  # metres per unit of rotation matrix: size of the pose correctives
_REGRESSED_FROM = 60  # vertices around a joint
_SHIFT = np.array([0.0, -0.012, 0.02])  # metres; another origin than ours


def synthetic_flame(seed: int = 0) -> dict[str, Any]:
    """The arrays of a FLAME file by their names: `v_template`, `f`, `shapedirs`, `posedirs`, `J_regressor`,
    `weights`, `kintree_table`, as numpy arrays in FLAME's shapes."""
    rng = np.random.default_rng(seed)
    points, faces, source = _skin(rng)
    eyes = [_eye(side) for side in ("Left", "Right")]
    for center, radius in eyes:
        sphere, triangles = _sphere(center, radius)
        faces = np.concatenate([faces, triangles + len(points)])
        points = np.concatenate([points, sphere])
    assert points.shape == (NUM_VERTICES, 3) and faces.shape == (NUM_FACES, 3), (points.shape, faces.shape)
    template = warp(points)
    shapes = np.concatenate([_identity(points, source, eyes), _expression(source, rng)])
    weights = _weights(source)
    place = template / 0.05
    waves = rng.normal(size=(36, 3, 3))
    posedirs = _POSE_SIZE * np.sin(np.einsum("kab,vb->kva", waves, place)) * (weights[:, :3].sum(1) > 0)[:, None]
    return {
        "v_template": template,
        "f": faces.astype(np.uint32),
        "shapedirs": shapes.transpose(1, 2, 0),
        "posedirs": posedirs.transpose(1, 2, 0),
        "J_regressor": _regressor(template, weights),
        "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def warp(points: Array) -> Array:
    """Points (..., 3) of the default head on the other person: longer, narrower, with a fuller forehead."""
    x, y, z = np.moveaxis(points, -1, 0)
    up = (y + 0.05) / 0.12
    return np.stack([x * (0.94 + 0.03 * up), 1.05 * y, z * (1.03 + 0.03 * np.tanh(up))], -1) + _SHIFT


def true_embedding(bare: BareHead, place: Callable[[Array], Array] = warp) -> LandmarkEmbedding:
    """Where a head that was made of the default one carries the landmarks: as that does, placed as its surface is."""
    own = load_head()
    points = place(own.landmarks(own.template[None])[0].double().numpy())
    face, weights = np.zeros(NUM_LANDMARKS, np.int32), np.zeros((NUM_LANDMARKS, 3), np.float32)
    iris = np.isin(np.arange(NUM_LANDMARKS), facemesh.IRISES)
    for rows, part in ((~iris, [SKIN]), (iris, [EYE_LEFT, EYE_RIGHT])):
        candidates = np.flatnonzero(np.isin(bare.face_part, part))
        nearest, at = nearest_on(points[rows], None, Surface(bare.template, bare.faces[candidates]))
        face[rows], weights[rows] = candidates[nearest], at
    votes = np.ones(NUM_LANDMARKS, np.int32)
    spread = own.topology.landmark_spread.copy()
    return LandmarkEmbedding(face, weights, spread, votes * np.float32(0), votes, 1, 1)


def _skin(rng: np.random.Generator) -> tuple[Array, NDArray[np.int64], Any]:
    """Points, triangles and, for each point, its weights on the default head's vertices."""
    head = load_head()
    topology = head.topology
    faces = topology.faces[topology.part_faces("skin")].astype(np.int64)
    template = head.template.double().numpy()
    faces = faces[(template[faces][..., 1] > _CUT).all(1)]
    kept = np.unique(faces)
    order = rng.permutation(len(kept))
    number = np.full(len(template), -1)
    number[kept[order]] = np.arange(len(kept))
    faces = number[faces]
    source = csr_matrix((np.ones(len(kept)), (np.arange(len(kept)), kept[order])), (len(kept), len(template)))
    points = source @ template
    faces = _fill_neck(points, faces, 2 * _SKIN - (NUM_FACES - 4 * _EYE_RINGS * _EYE_SEGMENTS))
    missing = _SKIN - len(points)
    assert missing >= 0, missing
    area = np.linalg.norm(np.cross(*(points[faces[:, k]] - points[faces[:, 0]] for k in (1, 2))), axis=1)
    split = np.argsort(-area)[:missing]
    middle = (source[faces[split, 0]] + source[faces[split, 1]] + source[faces[split, 2]]) / 3
    new = len(points) + np.arange(missing)
    a, b, c = faces[split].T
    rest = np.delete(faces, split, 0)
    faces = np.concatenate([rest, *(np.stack(t, 1) for t in ((a, b, new), (b, c, new), (c, a, new)))])
    source = vstack([source, middle]).tocsr()
    return source @ template, faces, source


def _fill_neck(points: Array, faces: NDArray[np.int64], balance: int) -> NDArray[np.int64]:
    """Closes the lower opening, triangle by triangle, until twice the vertices less the triangles is `balance`."""
    following = {}
    directed = {(int(a), int(b)) for t in faces for a, b in zip(t, np.roll(t, -1))}
    for a, b in directed:
        if (b, a) not in directed:
            following[b] = a
    loops = []
    while following:
        start, at = next(iter(following)), None
        loop = []
        at = start
        while at in following:
            loop.append(at)
            at = following.pop(at)
        loops.append(loop)
    neck = max(loops, key=lambda loop: -points[loop, 1].mean())
    added: list[tuple[int, int, int]] = []
    surplus = 2 * len(points) - len(faces) - balance
    assert 0 <= surplus < len(neck) - 2, (surplus, len(neck))
    k = 0
    while len(added) < surplus:
        k %= len(neck) - 2
        added.append((neck[k], neck[k + 1], neck[k + 2]))
        del neck[k + 1]
        k += 1
    return np.concatenate([faces, np.array(added, np.int64).reshape(-1, 3)])


def _eye(side: str) -> tuple[Array, float]:
    head = load_head()
    points = head.template.double().numpy()[head.topology.part_vertices(f"eye{side}")]
    center = head.joint_template[JOINTS.index(f"eye{side}")].double().numpy()
    return center, float(np.median(np.linalg.norm(points - center, axis=1)))


def _sphere(center: Array, radius: float) -> tuple[Array, NDArray[np.int64]]:
    """A ball with its pole to the front."""
    polar = np.linspace(0, np.pi, _EYE_RINGS + 2)[1:-1, None]
    around = np.linspace(0, 2 * np.pi, _EYE_SEGMENTS, endpoint=False)
    ring = np.stack(
        np.broadcast_arrays(np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)), -1
    )
    points = np.concatenate([[[0, 0, 1.0]], ring.reshape(-1, 3), [[0, 0, -1.0]]]) * radius + center
    step = np.arange(_EYE_SEGMENTS)
    nxt = (step + 1) % _EYE_SEGMENTS
    faces = [np.stack([0 * step, 1 + step, 1 + nxt], 1)]
    for r in range(_EYE_RINGS - 1):
        a, b = 1 + r * _EYE_SEGMENTS, 1 + (r + 1) * _EYE_SEGMENTS
        faces += [np.stack([a + step, b + step, b + nxt], 1), np.stack([a + step, b + nxt, a + nxt], 1)]
    last = 1 + (_EYE_RINGS - 1) * _EYE_SEGMENTS
    faces.append(np.stack([last + step, 0 * step + len(points) - 1, last + nxt], 1))
    return points, np.concatenate(faces).astype(np.int64)


def _identity(points: Array, source: Any, eyes: list[tuple[Array, float]]) -> Array:
    """(300, V, 3): the default head's shapes, turned into one another so that none is one of ours, then fine waves."""
    head = load_head()
    basis = head.identity_basis.double().numpy()
    skin = _carried(source, basis)
    parts = [skin]
    for joint, _ in zip(("eyeLeft", "eyeRight"), eyes):
        moved = head.joint_identity_basis[:, JOINTS.index(joint)].double().numpy()
        parts.append(np.repeat(moved[:, None], 2 + _EYE_RINGS * _EYE_SEGMENTS, 1))
    shapes = np.concatenate(parts, 1)
    waves = np.random.default_rng(7).normal(size=(300 - len(shapes), 3, 3)) * 30
    fine = 1e-5 * np.sin(np.einsum("kab,vb->kva", waves, points))
    return np.concatenate([shapes, fine])


def _carried(source: Any, basis: Array) -> Array:
    """Displacements (K, N, 3) of the default head's vertices as those of ours (K, V, 3)."""
    flat = source @ basis.transpose(1, 0, 2).reshape(basis.shape[1], -1)
    return flat.reshape(-1, len(basis), 3).transpose(1, 0, 2)


def _expression(source: Any, rng: np.random.Generator) -> Array:
    """(100, V, 3): mixtures of the default head's movements, so that each of ours can be said in them."""
    head = load_head()
    moves = np.array([k for k, name in enumerate(arkit.NAMES) if name != "tongueOut"])
    deltas = _carried(source, head.expression_deltas.double().numpy()[moves])
    mix = np.linalg.qr(rng.normal(size=(100, len(moves))))[0]
    mixed = np.tensordot(mix, deltas, 1)
    return np.concatenate([mixed, np.zeros((100, NUM_VERTICES - mixed.shape[1], 3))], 1)


def _weights(source: Any) -> Array:
    """(V, 5) in FLAME's order of joints: root, neck, jaw, left eye, right eye."""
    skin = source @ load_head().skin_weights.double().numpy()
    root, neck, head, jaw = skin[:, :4].T
    weights = np.zeros((NUM_VERTICES, 5))
    weights[: len(skin), :3] = np.stack([root, neck + head, jaw], 1)
    size = 2 + _EYE_RINGS * _EYE_SEGMENTS
    weights[len(skin) : len(skin) + size, 3] = 1
    weights[len(skin) + size :, 4] = 1
    return weights / weights.sum(1, keepdims=True)


def _regressor(template: Array, weights: Array) -> Array:
    """(5, V) weights, summing to 1, that give the joints from the vertices."""
    head = load_head()
    joints = warp(head.joint_template.double().numpy())[[JOINTS.index(n) for n in ("root", "neck", "jaw")]]
    out = np.zeros((5, NUM_VERTICES))
    skin = np.flatnonzero(weights[:, 3:].sum(1) == 0)
    for row, joint in enumerate(joints):
        near = skin[np.argsort(np.linalg.norm(template[skin] - joint, axis=1))[:_REGRESSED_FROM]]
        system = np.concatenate([template[near].T - joint[:, None], np.ones((1, len(near)))])
        out[row, near] = np.linalg.lstsq(system, np.array([0, 0, 0, 1.0]), rcond=None)[0]
    for row in (3, 4):
        eye = weights[:, row] == 1
        out[row, eye] = 1 / eye.sum()
    return out


def as_old_pickle(arrays: dict[str, Any]) -> bytes:
    """The file as its publisher writes it: protocol 2, chumpy arrays, a sparse matrix under scipy's old name.

    Neither chumpy nor an old scipy is needed: classes of the same names stand in while it is written.
    """
    import types

    modules: dict[str, types.ModuleType] = defaultdict(lambda: types.ModuleType("stand-in"))
    classes = {}
    for module, name in (("chumpy.ch", "Ch"), ("scipy.sparse.csc", "csc_matrix")):
        classes[name] = type(name, (), {"__module__": module})
        setattr(modules[module], name, classes[name])
    modules["chumpy"].ch = modules["chumpy.ch"]  # type: ignore[attr-defined]
    held = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        content = dict(arrays)
        for name in ("v_template", "shapedirs", "posedirs"):
            content[name] = classes["Ch"]()
            content[name].__dict__.update(x=np.array(arrays[name]), _dirty_vars=set(), _itr=None)
        content["J_regressor"] = classes["csc_matrix"]()
        content["J_regressor"].__dict__.update(_sparse_by_column(arrays["J_regressor"]))
        return pickle.dumps(content, protocol=2)
    finally:
        for name, previous in held.items():
            if previous is None:
                del sys.modules[name]
            else:
                sys.modules[name] = previous


def _sparse_by_column(dense: Array) -> dict[str, Any]:
    columns, rows = np.nonzero(dense.T)
    return {
        "_shape": dense.shape,
        "data": dense[rows, columns],
        "indices": rows.astype(np.int32),
        "indptr": np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=dense.shape[1]))]).astype(np.int32),
        "maxprint": 50,
    }


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "flame_synthetic.pkl")
    target.write_bytes(as_old_pickle(synthetic_flame()))
    print(f"Wrote {target}")
