"""Hair beyond the skull: the scalp is moved outwards until the head's outline meets the photo's matte."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ..heads import HeadTopology, RiggedHead
from ..heads.mesh_render import vertex_normals
from .portrait import Portrait
from .spread import mesh_laplacian

_RIM = 0.35  # a vertex whose normal makes a smaller cosine with the view lies on the outline
_MOST_OUT, _MOST_IN = 0.08, 0.01  # metres
_NORMAL_SMOOTHING = 15  # rounds of averaging, so that neighbours move the same way
_ANCHOR = 100.0  # weight of "does not move" off the scalp, against 1 for each outline point
_MEMBRANE, _PLATE = 0.3, 2.0  # weights of first and second differences of the offset


def hair_offsets(head: RiggedHead, portrait: Portrait) -> NDArray[np.float32]:
    """(V, 3) displacements of the head at rest, metres, that bring the scalp's outline to the matte's edge.

    Only the region "scalp" moves, smoothly; where the outline is not seen it follows its neighbours and the mirrored
    side.
    """
    topology = head.topology
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    posed = head.pose(expression, pose).numpy().astype(np.float64)
    rest = head.vertices.numpy().astype(np.float64)
    free = scalp_freedom(topology)
    laplacian = mesh_laplacian(topology.faces[topology.part_faces("skin")], topology.num_vertices)
    normals = smooth_normals(posed, topology.faces, laplacian)
    index, distance = _outline_distances(posed, normals, free, portrait)
    if len(index) == 0:
        return np.zeros((topology.num_vertices, 3), np.float32)
    both = np.concatenate([index, topology.mirror[index]])  # heads of hair are nearly symmetric
    target = np.zeros(topology.num_vertices)
    weight = np.zeros(topology.num_vertices)
    np.add.at(weight, both, np.repeat([1.0, 0.25], len(index)))
    np.add.at(target, both, np.repeat([1.0, 0.25], len(index)) * np.tile(distance, 2))
    weight[free < 0.05] = _ANCHOR
    target[free < 0.05] = 0
    system = sparse.diags(weight + 1e-6) + _MEMBRANE * laplacian + _PLATE * (laplacian.T @ laplacian)
    amount = spsolve(system.tocsc(), target) * np.minimum(1, 1.5 * free)
    amount[~topology.part_vertices("skin")] = 0
    rest_normals = smooth_normals(rest, topology.faces, laplacian)
    return (amount[:, None] * rest_normals).astype(np.float32)


def scalp_freedom(topology: HeadTopology) -> NDArray[np.float64]:
    """(V,) how freely a vertex may follow the hair: 1 on the scalp, 0 on face, ears and neck, soft between."""
    return topology.regions["scalp"].astype(np.float64) * topology.part_vertices("skin")


def smooth_normals(
    vertices: NDArray[np.float64], faces: NDArray[np.integer], laplacian: sparse.csr_matrix
) -> NDArray[np.float64]:
    """(V, 3) unit normals averaged with their neighbours', so that what moves along them does not cross."""
    normals = vertex_normals(vertices, faces)
    degree = np.maximum(laplacian.diagonal(), 1)[:, None]
    for _ in range(_NORMAL_SMOOTHING):
        normals = normals - 0.7 * (laplacian @ normals) / degree
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)


def _outline_distances(
    posed: NDArray[np.float64], normals: NDArray[np.float64], free: NDArray[np.float64], portrait: Portrait
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Vertices on the head's outline and the metres along the normal from each to the matte's edge."""
    camera = portrait.camera
    pixels = camera.project(posed)
    view = camera.to_camera(posed)
    view /= np.linalg.norm(view, axis=-1, keepdims=True)
    turned = normals @ camera.viewmat[:3, :3].T
    candidates = np.flatnonzero((free > 0.6) & (np.abs((turned * view).sum(-1)) < _RIM))
    inside = portrait.alpha > 0.5
    height, width = inside.shape
    reach = np.arange(1, int(1.5 * _MOST_OUT * camera.fx / pixels[:, 2].mean()))
    index, distance = [], []
    for i in candidates:
        length = np.linalg.norm(turned[i, :2])
        step = turned[i, :2] / length
        x, y = pixels[i, :2].astype(int)
        if not (0 <= x < width and 0 <= y < height and portrait.valid[y, x]):
            continue
        outward = inside[y, x]
        ray = (pixels[i, :2] + (reach if outward else -reach)[:, None] * step).astype(int)
        valid = (ray >= 0).all(1) & (ray[:, 0] < width) & (ray[:, 1] < height)
        ray = ray[valid]
        crossed = np.flatnonzero(inside[ray[:, 1], ray[:, 0]] != outward)
        # where the photo ends the hair does not
        if len(crossed) and portrait.valid[ray[crossed[0], 1], ray[crossed[0], 0]]:
            metres = reach[crossed[0]] * pixels[i, 2] / camera.fx / length
            index.append(i)
            distance.append(np.clip(metres if outward else -metres, -_MOST_IN, _MOST_OUT))
    return np.array(index, np.int64), np.array(distance)
