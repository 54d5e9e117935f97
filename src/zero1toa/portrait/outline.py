"""The head's outline against the matte: hair; and jaw, cheeks, ears, neck and shoulders where they are bare.

Landmarks say little about ears, the width of the jaw and the shoulders; the matte's edge does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..heads import RiggedHead
from ..heads.mesh_render import rasterize_mesh, vertex_normals
from .hair import hair_offsets, scalp_freedom, smooth_normals
from .portrait import Portrait
from .spread import mesh_laplacian

_HAIR_ROUNDS = 2  # the second round mends what smoothing left of the first
_SKIN_ROUNDS = 2
_DEEPEST, _TUCK_STEP = 0.04, 0.001  # metres by which scalp is tucked in at most, and the step of the search
_MOUTH_REACH = 0.02  # metres under the skin at which the mouth's inside follows it by half
_MOUTH_SKIN = 0.002  # metres of skin that must lie over the mouth's inside
_TUCKED = ("scalp", "neck", "shoulders")
_TUCK_SMOOTHING = 6  # rounds
_RIM = 0.5  # a vertex whose normal makes a smaller cosine with the view may lie on the outline
_NEAR_EDGE = 2.5  # px from the mesh's outline within which a vertex lies on it
_MOST = {"face": 0.006, "ears": 0.018, "neck": 0.035, "shoulders": 0.05}  # metres that the outline may move
_ALIKE = 0.14  # distance of two sRGB colours below which the strip up to the matte's edge is more of the same surface
_COLOR_BLUR, _INSET = 1.5, 4.0  # px: colours are compared blurred, with that as far inside the mesh's outline
_PINNED = ("nose", "lips", "lidsLeft", "lidsRight", "browLeft", "browRight", "lidEdges", "innerMouth")
_PIN, _SCALP_PIN, _DAMPING = 100.0, 1.0, 0.003  # weights of "does not move", against 1 for each outline point
_MIRRORED = 0.25  # weight of a mirrored outline point
_MEMBRANE, _PLATE = 0.3, 3.0  # weights of first and second differences of the displacement


def refine_geometry(head: RiggedHead, portrait: Portrait) -> RiggedHead:
    """The head with the photo's outline: hair's volume on the scalp, and bare skin and clothes up to the matte's edge.

    Eyes, nose and mouth stay where the landmarks put them.
    """
    before = head
    for _ in range(_HAIR_ROUNDS):
        head = _moved(head, hair_offsets(head, portrait))
    for _ in range(_SKIN_ROUNDS):
        head = _moved(head, skin_offsets(head, portrait))
    head = _moved(head, tuck_in(head, portrait))
    return _moved(head, mouth_offsets(before, head))


def mouth_offsets(before: RiggedHead, after: RiggedHead) -> NDArray[np.float32]:
    """(V, 3) displacements of the mouth's inside, so that it stays behind jaw and cheeks that have moved inwards."""
    topology = before.topology
    inside = topology.regions["innerMouth"] > 0.5
    if "mouth" in topology.part_names:
        inside |= topology.part_vertices("mouth")
    outer = np.flatnonzero(topology.part_vertices("skin") & ~inside)
    inner = np.flatnonzero(inside)
    rest = before.vertices.numpy().astype(np.float64)
    distance, nearest = cKDTree(rest[outer]).query(rest[inner])
    share = np.clip(1.5 - distance / _MOUTH_REACH, 0, 1)[:, None]
    new = after.vertices.numpy().astype(np.float64)
    step = share * (new - rest)[outer[nearest]]
    nearest = outer[cKDTree(new[outer]).query(new[inner] + step)[1]]
    normals = vertex_normals(new, topology.faces)[nearest]
    above = ((new[inner] + step - new[nearest]) * normals).sum(-1) + _MOUTH_SKIN
    hidden = topology.regions["lips"][nearest] < 0.1  # at the lips the mouth's inside comes to the surface
    step -= (np.maximum(above, 0) * hidden)[:, None] * normals
    offsets = np.zeros((topology.num_vertices, 3), np.float32)
    offsets[inner] = step
    return offsets


def tuck_in(head: RiggedHead, portrait: Portrait) -> NDArray[np.float32]:
    """(V, 3) displacements at rest, metres, inwards, of what would stand before the photo's background.

    Scalp, neck and shoulders only: ears are too thin to be moved along their normals.
    """
    topology, camera = head.topology, portrait.camera
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    posed = head.pose(expression, pose).numpy().astype(np.float64)
    free = np.maximum.reduce([topology.regions[name] for name in _TUCKED]) * topology.part_vertices("skin")
    free = np.minimum(1, 1.5 * free.astype(np.float64))
    moving = free > 0.05
    laplacian = mesh_laplacian(topology.faces[topology.part_faces("skin")], topology.num_vertices)
    normals = smooth_normals(posed, topology.faces, laplacian)
    depths = np.arange(0, _DEEPEST, _TUCK_STEP)
    ray = posed[moving, None] - depths[:, None] * normals[moving, None]
    pixels = camera.project(ray)[..., 1::-1] - 0.5
    background = portrait.valid * (1 - portrait.alpha)  # beyond the photo nothing is known to be background
    outside = map_coordinates(background, np.moveaxis(pixels, -1, 0), order=1, mode="constant") > 0.5
    amount = np.zeros(topology.num_vertices)
    amount[moving] = depths[np.where(outside.all(1), -1, np.argmin(outside, 1))]
    amount *= free
    degree = np.maximum(laplacian.diagonal(), 1)
    for _ in range(_TUCK_SMOOTHING):  # smooth, but never less than is needed
        amount = np.maximum(amount, amount - 0.9 * (laplacian @ amount) / degree)
    amount *= free
    rest = smooth_normals(head.vertices.numpy().astype(np.float64), topology.faces, laplacian)
    return (-amount[:, None] * rest).astype(np.float32)


def skin_offsets(head: RiggedHead, portrait: Portrait) -> NDArray[np.float32]:
    """(V, 3) displacements at rest, metres, of everything but hair, eyes and mouth towards the matte's edge.

    A strip between the mesh and the edge counts only if its colour is that of the mesh's surface beside it: hair beside
    a cheek is not a fat cheek.
    """
    topology = head.topology
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    posed = head.pose(expression, pose).numpy().astype(np.float64)
    index, step = _outline_steps(head, posed, portrait)
    if len(index) == 0:
        return np.zeros((topology.num_vertices, 3), np.float32)
    rotations = head.joint_transforms(expression, pose).numpy().astype(np.float64)[:, :3, :3]
    turn = np.einsum("vj,jab->vab", head.skin_weights.numpy()[index], rotations)
    at_rest = np.einsum("vab,va->vb", turn, step)
    target = np.zeros((topology.num_vertices, 3))
    weight = np.zeros(topology.num_vertices)
    for where, value, share in (
        (index, at_rest, 1.0),
        (topology.mirror[index], at_rest * [-1, 1, 1], _MIRRORED),
    ):
        np.add.at(weight, where, share)
        np.add.at(target, where, share * value)
    skin = topology.part_vertices("skin")
    pinned = np.maximum.reduce([topology.regions[name] for name in _PINNED]) > 0.1
    scalp = scalp_freedom(topology)
    hold = _DAMPING + _PIN * (pinned | ~skin) + _SCALP_PIN * scalp
    target[pinned | ~skin] = 0
    laplacian = mesh_laplacian(topology.faces[topology.part_faces("skin")], topology.num_vertices)
    system = sparse.diags(weight + hold) + _MEMBRANE * laplacian + _PLATE * (laplacian.T @ laplacian)
    solver = splu(system.tocsc())
    moved = np.stack([solver.solve(target[:, axis]) for axis in range(3)], -1)
    moved[pinned | ~skin] = 0
    return moved.astype(np.float32)


def _moved(head: RiggedHead, offsets: NDArray[np.float32]) -> RiggedHead:
    return replace(head, vertices=head.vertices + torch.as_tensor(offsets))


def _outline_steps(
    head: RiggedHead, posed: NDArray[np.float64], portrait: Portrait
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Vertices on the outline and the step (N, 3), metres in the photo's world, from each to the matte's edge."""
    topology, camera = head.topology, portrait.camera
    covered = rasterize_mesh(posed, topology.faces, camera).face >= 0
    to_edge = distance_transform_edt(covered) + distance_transform_edt(~covered)
    pixels = camera.project(posed)
    x, y = pixels[:, 0], pixels[:, 1]
    inside = (x >= 1) & (x < camera.width - 1) & (y >= 1) & (y < camera.height - 1)
    row = np.clip(y, 0, camera.height - 1).astype(int)
    column = np.clip(x, 0, camera.width - 1).astype(int)
    normals = vertex_normals(posed, topology.faces) @ camera.viewmat[:3, :3].T
    view = camera.to_camera(posed)
    grazing = np.abs((normals * view).sum(-1)) / np.linalg.norm(view, axis=-1) < _RIM
    most = np.zeros(topology.num_vertices)
    for region, distance in _MOST.items():
        most = np.maximum(most, distance * topology.regions[region])
    most *= 1 - np.clip(scalp_freedom(topology), 0, 1)
    use = inside & grazing & (most > 1e-3) & topology.part_vertices("skin") & portrait.valid[row, column]
    index = np.flatnonzero(use & (to_edge[row, column] < _NEAR_EDGE + 1))
    if len(index) == 0:
        return index, np.zeros((0, 3))
    direction = normals[index, :2] / np.maximum(np.linalg.norm(normals[index, :2], axis=-1, keepdims=True), 1e-9)
    metres = pixels[index, 2] / camera.fx  # of a pixel
    reach = most[index] / metres
    steps = np.arange(-int(reach.max()) - 1, int(reach.max()) + 2)
    ray = pixels[index, None, :2] + steps[None, :, None] * direction[:, None]
    where = np.stack([ray[..., 1], ray[..., 0]]) - 0.5
    matte = map_coordinates(portrait.alpha, where, order=1, mode="nearest") > 0.5
    valid = map_coordinates(portrait.valid.astype(np.float32), where, order=0, mode="constant") > 0.5
    blurred = [gaussian_filter(portrait.foreground[..., c], _COLOR_BLUR) for c in range(3)]
    color = np.stack([map_coordinates(b, where, order=1, mode="nearest") for b in blurred], -1)
    inner = pixels[index, :2] - _INSET * direction
    own = np.stack([map_coordinates(b, inner.T[::-1] - 0.5, order=1, mode="nearest") for b in blurred], -1)
    alike = np.linalg.norm(color - own[:, None], axis=-1) < _ALIKE
    zero = int(np.flatnonzero(steps == 0)[0])
    out = np.full(len(index), np.nan)
    for i in range(len(index)):
        if matte[i, zero]:
            crossed = np.flatnonzero(~matte[i, zero:])
            if len(crossed) and valid[i, zero + crossed[0]] and alike[i, zero : zero + crossed[0]].all():
                out[i] = crossed[0] - 0.5
        else:
            crossed = np.flatnonzero(matte[i, :zero])
            if len(crossed):
                out[i] = steps[crossed[-1]] + 0.5
    good = np.isfinite(out) & (np.abs(out) <= reach)
    along = direction @ camera.viewmat[:2, :3]
    return index[good], (along * (out * metres)[:, None])[good]
