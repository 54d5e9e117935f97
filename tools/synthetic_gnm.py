"""Make a head in the layout of GNM Head 3.0 out of our own, for tests.

It has the arrays of `gnm_head.npz` by their names, axes and units, but not their sizes, and nothing of GNM: the
FLAME-shaped head of `synthetic_flame.py`, with teeth and an inner mouth, in another order.

    python tools/synthetic_gnm.py gnm_head.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic_flame import NUM_VERTICES, synthetic_flame, warp
from zero1toa.heads import arkit, load_head

Array = NDArray[np.float64]

_ORIGIN = np.array([0.0, 0.25, 0.01])  # metres by which its origin is another
_PEOPLE, _TEETH = 40, 5  # identities, and how many of them are called those of teeth
_INNER = 0.8  # of the outer radius: an eyeball has two shells


def synthetic_gnm() -> dict[str, Any]:
    """The arrays of a GNM file by their names."""
    flame = synthetic_flame()
    head = load_head()
    teeth = np.flatnonzero(head.topology.part_vertices("teethLower"))
    number = np.full(head.topology.num_vertices, -1)
    number[teeth] = np.arange(len(teeth))
    teeth_faces = number[head.topology.faces[head.topology.part_faces("teethLower")].astype(np.int64)]
    skin = flame["weights"][:, :3].sum(1) > 0
    eyes = [flame["weights"][:, 3] == 1, flame["weights"][:, 4] == 1]
    centers = [flame["v_template"][eye].mean(0) for eye in eyes]
    template, faces = flame["v_template"], flame["f"].astype(np.int64)
    inner = [center + (template[eye] - center) * _INNER for eye, center in zip(eyes, centers)]
    rows = [np.flatnonzero(eye) for eye in eyes]
    inner_faces = []
    at = NUM_VERTICES
    for row in rows:
        shell = np.full(NUM_VERTICES, -1)
        shell[row] = at + np.arange(len(row))
        inner_faces.append(shell[faces[np.isin(faces[:, 0], row)]])
        at += len(row)
    first_tooth = at
    ours = head.template.double().numpy()[teeth]
    vertices = np.concatenate([template, *inner, warp(ours)])
    count = len(vertices)
    extra = count - first_tooth
    shapes = flame["shapedirs"].transpose(2, 0, 1)

    def padded(values: Array, of_teeth: Array | None = None) -> Array:
        """(K, V, 3) with the inner eyes as the outer ones, and the teeth."""
        last = np.zeros((len(values), extra, 3)) if of_teeth is None else of_teeth
        return np.concatenate([values, values[:, rows[0]], values[:, rows[1]], last], 1)

    expressions = []
    for name in ("jawOpen", "jawLeft", "mouthSmileLeft", "mouthPucker"):
        delta = head.expression_deltas[arkit.INDEX[name]].double().numpy()
        moved = _of_skin(flame, delta)
        expressions.append((padded(moved[None], delta[None, teeth])[0], "lower_face_region"))
    lids = _of_skin(flame, head.expression_deltas[arkit.INDEX["eyeBlinkLeft"]].double().numpy())
    expressions.append((padded(lids[None])[0], "left_eye_region"))
    order = np.random.default_rng(5).permutation(count)
    place = np.argsort(order)
    weights = np.concatenate(
        [flame["weights"], flame["weights"][rows[0]], flame["weights"][rows[1]], np.zeros((extra, 5))]
    )
    weights[first_tooth:, 1] = 1
    weights = np.stack([weights[:, 0], weights[:, 1] + weights[:, 2], weights[:, 3], weights[:, 4]])
    groups = np.zeros((6, count), np.float32)
    groups[0, :NUM_VERTICES] = skin  # skin_exterior
    for k in range(2):
        groups[1 + k, rows[k]] = 1
        start = NUM_VERTICES + k * len(rows[0])
        groups[1 + k, start : start + len(rows[k])] = 1
        groups[3, rows[k]] = 1  # eye_exteriors
    groups[4, first_tooth:] = 1  # lower_teeth_and_gums
    groups[5] = groups[0]  # skin
    basis = padded(shapes[:_PEOPLE])
    joints = (flame["J_regressor"] @ template)[[0, 1, 3, 4]]
    joint_basis = np.einsum("jv,kvc->kjc", flame["J_regressor"][[0, 1, 3, 4]], shapes[:_PEOPLE])
    posedirs = np.zeros((36, count, 3))
    posedirs[9:18, :NUM_VERTICES] = flame["posedirs"].transpose(2, 0, 1)[:9]
    people = [f"head_{k:03d}" for k in range(_PEOPLE - _TEETH)] + [f"teeth_{k:03d}" for k in range(_TEETH)]
    return {
        "version": np.array("3.0"),
        "variant": np.array("head"),
        "template_vertex_positions": (vertices + _ORIGIN)[order].astype(np.float32),
        "triangles": place[np.concatenate([faces, *inner_faces, teeth_faces + first_tooth])].astype(np.int32),
        "vertex_identity_basis": basis[:, order].astype(np.float32),
        "identity_names": np.array(people),
        "expression_basis": np.stack([e[order] for e, _ in expressions]).astype(np.float32),
        "expression_names": np.array([f"{region}_{k:03d}" for k, (_, region) in enumerate(expressions)]),
        "template_joint_positions": (joints + _ORIGIN).astype(np.float32),
        "joint_identity_basis": joint_basis.astype(np.float32),
        "joint_names": np.array(["neck", "head", "left_eye", "right_eye"]),
        "joint_parent_indices": np.array([0, 0, 1, 1]),
        "skinning_weights": weights[:, order].astype(np.float32),
        "pose_correctives_regressor": posedirs[:, order].reshape(36, -1).astype(np.float32),
        "vertex_groups": groups[:, order],
        "vertex_group_names": np.array(
            ["skin_exterior", "left_eye", "right_eye", "eye_exteriors", "lower_teeth_and_gums", "skin"]
        ),
    }  # fmt: skip


def _of_skin(flame: dict[str, Any], delta: Array) -> Array:
    """(V, 3) a movement of the default head on the FLAME-shaped one, by the nearest of its skin."""
    from scipy.spatial import cKDTree

    head = load_head()
    skin = np.flatnonzero(head.topology.part_vertices("skin"))
    near = skin[cKDTree(warp(head.template.double().numpy()[skin])).query(flame["v_template"])[1]]
    return delta[near] * (flame["weights"][:, :3].sum(1) > 0)[:, None]


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "gnm_head.npz")
    np.savez(target, **synthetic_gnm())
    print(f"Wrote {target}")
