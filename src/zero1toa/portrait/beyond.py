"""Hair, scarves and clothes beyond the fitted mesh: what the matte shows there becomes a closed, rounded volume.

The front of the mesh goes on into a front sheet and its back into a back sheet; the two meet at the matte's edge. Half
their distance is the square root of a solution of Poisson's equation, so that a strip gets a circular cross-section.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import binary_dilation, binary_opening, distance_transform_edt, gaussian_filter, label
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..camera import Camera
from ..heads import JOINTS, RiggedHead
from ..heads.mesh_render import MeshBuffers, farthest_depth, rasterize_mesh
from .frame import WideMatte, metres_per_pixel
from .spread import smooth_step
from .surface import PhotoSurface

_CELL = 2  # px of a cell of the working grid
_LEAST_ALPHA = 0.08  # matte below which a cell shows nothing of the person
_OUTSIDE = 0.5  # matte below which a cell lies outside the volume's outline
_COVERED = 0.999  # share of a cell behind the mesh from which on it needs no relief
_SLIVERS = {
    "face": 4,
    "scalp": 2,
    "bust": 1,
}  # cells; half the width below which a strip along a region is the fit's error
_BULGE = 1.2  # minus the Laplacian of the squared half thickness: 2 makes a strip a round tube, less a flat one
_MOST_HALF = 0.035  # metres, half of the greatest thickness; tuned on Mona's hair
_LEAST_HALF = 0.002  # metres, so that the two sheets do not fight
_STEEPEST, _MOST_COPIES = 1.5, 5  # slope of a sheet that one splat a cell can cover; splats in the steepest cells
_LARGEST = 0.004  # metres, standard deviation of a splat along the sheet
_FLAT = 0.0008  # metres, standard deviation across it
_COVER = 0.75  # standard deviation along the sheet over the distance between splats
_COLOR_EDGE = 60.0  # how much a step in sRGB parts what hangs on the head from what lies on the shoulders
_SIDES = (0.05, 0.25)  # share of the head's motion below which a cell belongs to the shoulders, above which to the head
_SOLID = 0.6  # matte from which on a colour is the person's own
_BACK_SHADE, _BACK_BLUR = 0.82, 2.0  # the unseen back: darker, and blurred by cells
_CALM = 0.0005  # metres; a triangle that no expression moves farther carries what hangs on the head
_CLOSE = 0.006  # metres; closer than this a point belongs to the nearest triangle, whatever moves it
_NECK_SHARE = 0.5  # of the head's motion that the neck does not make
_HOLD_LENGTH = 0.5  # metres that weigh as much as the whole difference between head and shoulders
_LEAST_CELLS = 12  # smaller specks of the matte are left out


class Relief(NamedTuple):
    """N points of the volume's surface in the photo's pose, world metres."""

    points: NDArray[np.float64]  # (N, 3)
    axes: NDArray[np.float64]  # (N, 3, 3) columns: two along the sheet, then its normal; a rotation
    scales: NDArray[np.float64]  # (N, 3) standard deviations along the axes
    colors: NDArray[np.float32]  # (N, 3)
    alpha: NDArray[np.float32]  # (N,) of the matte, faded beyond the photo
    confidence: NDArray[np.float32]  # (N,) that the photo shows it: 0 on the back
    triangle: NDArray[np.int64]  # (N,) of the head, that carries it


def relief(head: RiggedHead, surface: PhotoSurface, matte: WideMatte, most: int, rng: np.random.Generator) -> Relief:
    """The part of the person that the mesh does not reach, up to the photo's border.

    Args:
        head: of the surface.
        surface: the fitted head in its photo.
        matte: of the same photo.
        most: about how many points at most; large areas get sparser ones.
        rng: jitters the points.
    """
    topology, camera = surface.topology, _grid_camera(surface.portrait.camera, matte)
    front = rasterize_mesh(surface.vertices, topology.faces, camera)
    covered = front.face >= 0
    alpha = _cells(matte.alpha * (matte.beyond == 0))
    region = (alpha > _LEAST_ALPHA) & ~covered
    region = _connected(_without_slivers(region, front, surface), covered)
    if not region.any():
        return _nothing()
    rim = binary_dilation(region) & covered
    size = metres_per_pixel(surface.portrait.camera, surface.vertices) * _CELL
    back_depth = farthest_depth(surface.vertices, topology.faces, camera)
    middle, squared = _sheets(region, rim, alpha, front.depth, back_depth, size)
    holds = _hold(head, topology.faces)
    colors = _clean_fringe(np.stack([_cells(matte.colors[..., c]) for c in range(3)], -1), alpha)
    held = _poisson(region, rim, np.where(rim, holds[front.face], 0.0), None, 0.0, colors)
    held = smooth_step(held, *_SIDES) + rim * holds[front.face]
    drawn = region | (rim & ~(topology.regions["face"][topology.faces].mean(1) > 0.5)[front.face])
    slope = np.hypot(*_gradient(np.sqrt(squared), region | rim)) / size
    copies = np.clip(np.ceil(slope / _STEEPEST), 1, _MOST_COPIES)[drawn].astype(int)
    cells = np.argwhere(drawn)
    thinning = min(1.0, most / (2 * copies.sum()))
    number = rng.binomial(copies, thinning)
    rows, columns = np.repeat(cells, number, axis=0).T
    crowd = np.repeat(copies, number) * thinning
    jitter = rng.random((2, len(rows))) - 0.5
    blurred = _BACK_SHADE * np.stack([_blur_inside(colors[..., c], region) for c in range(3)], -1)
    sheets = []
    for side, picture in ((-1, colors), (1, blurred)):
        points, step_x, step_y = _lift(camera, middle, squared, region | rim, side, rows, columns, jitter)
        axes, scales = _footprints(step_x, step_y, -side * camera.viewmat[2, :3], crowd)
        opacity = alpha[rows, columns].astype(np.float32)
        trust = opacity * (side < 0)
        carrier = _carriers(head, surface, points, held[rows, columns])
        sheets.append(Relief(points, axes, scales, picture[rows, columns].astype(np.float32), opacity, trust, carrier))
    return Relief(*(np.concatenate(parts) for parts in zip(*sheets, strict=True)))


def _grid_camera(camera: Camera, matte: WideMatte) -> Camera:
    side = len(matte.alpha) // _CELL
    return replace(
        camera, fx=camera.fx / _CELL, fy=camera.fy / _CELL, cx=(camera.cx + matte.margin) / _CELL,
        cy=(camera.cy + matte.margin) / _CELL, width=side, height=side,
    )  # fmt: skip


def _hold(head: RiggedHead, faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """(T,) how far a triangle goes with the head: 1 on the head, 0 on the shoulders, between on the neck."""
    weights = head.skin_weights.numpy().astype(np.float64)
    of_vertex = 1 - weights[:, JOINTS.index("root")] - _NECK_SHARE * weights[:, JOINTS.index("neck")]
    return of_vertex[faces].mean(1)


def _cells(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(M, M) averaged over cells."""
    side = len(values) // _CELL * _CELL
    blocks = values[:side, :side].reshape(side // _CELL, _CELL, side // _CELL, _CELL)
    return blocks.mean((1, 3)).astype(np.float32)


def _connected(region: NDArray[np.bool_], covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of a region that touch the mesh and are more than specks."""
    parts, number = label(region, np.ones((3, 3)))
    touching = np.unique(parts[binary_dilation(covered) & region])
    count = np.bincount(parts.ravel(), minlength=number + 1)
    return np.isin(parts, [t for t in touching if t and count[t] >= _LEAST_CELLS])


def _without_slivers(region: NDArray[np.bool_], front: MeshBuffers, surface: PhotoSurface) -> NDArray[np.bool_]:
    """The region without narrow strips along face and scalp, which show where fit or matte are wrong by some pixels."""
    topology = surface.topology
    hangs = np.maximum(topology.regions["neck"], topology.regions["shoulders"])
    scalp = topology.regions["scalp"][topology.faces].mean(1)
    beside = hangs[topology.faces].mean(1) > 0.2
    other = (front.face >= 0) & beside[front.face]
    row, column = distance_transform_edt(front.face < 0, return_distances=False, return_indices=True)
    neighbour = front.face[row, column]
    kept = np.zeros_like(region)
    bust = beside[neighbour]
    for name, near in (
        ("bust", bust), ("scalp", ~bust & (scalp[neighbour] > 0.5)), ("face", ~bust & (scalp[neighbour] <= 0.5)),
    ):  # fmt: skip
        kept |= region & near & binary_opening(region | other, disk(_SLIVERS[name]))
    return kept


def disk(radius: int) -> NDArray[np.bool_]:
    """A filled circle as a structuring element."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2 + 0.5


def _sheets(
    region: NDArray[np.bool_],
    rim: NDArray[np.bool_],
    alpha: NDArray[np.float32],
    front: NDArray[np.floating],
    back: NDArray[np.floating],
    size: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(H, W) depth of the middle and the square of half the thickness, metres; 0 where nothing is."""
    known = np.where(rim, (front + back) / 2, 0.0)
    with np.errstate(invalid="ignore"):  # infinity less infinity where nothing is
        half = np.where(rim, np.clip((back - front) / 2, _LEAST_HALF, _MOST_HALF), 0.0)
    middle = known + _poisson(region, rim, known, None, 0.0)
    inner = region & (alpha > _OUTSIDE)
    squared = half**2 + _poisson(inner, rim, half**2, ~inner & ~rim, _BULGE * size**2)
    return middle, np.minimum(squared, _MOST_HALF**2)


def _poisson(
    region: NDArray[np.bool_],
    fixed: NDArray[np.bool_],
    values: NDArray[np.float64],
    zero: NDArray[np.bool_] | None,
    source: float,
    colors: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Solves minus Laplacian = source on a region of cells; 0 elsewhere.

    Next to it, `fixed` cells have `values` and `zero` cells 0; across any other border nothing flows. With `zero` None
    only the fixed cells hold it. Where `colors` (H, W, 3) change, little flows.
    """
    index = np.full(region.shape, -1)
    index[region] = np.arange(region.sum())
    number = int(region.sum())
    here = index[region]
    diagonal, right = np.full(number, 1e-6), np.full(number, source)
    links = []
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        there = _shift(index, axis, step, -1)[region]
        flow = np.ones(number)
        if colors is not None:
            change = np.stack([_shift(colors[..., c], axis, step, 0.0) - colors[..., c] for c in range(3)], -1)[region]
            flow = np.exp(-_COLOR_EDGE * (change**2).sum(-1)) + 1e-4
        free = there >= 0
        held = _shift(fixed, axis, step, False)[region] & ~free
        links.append((here[free], there[free], -flow[free]))
        diagonal += flow * (free | held)
        right[held] += (flow * _shift(values, axis, step, 0.0)[region])[held]
        if zero is not None:
            diagonal += _shift(zero, axis, step, False)[region] & ~free & ~held
    rows, columns, entries = (np.concatenate(parts) for parts in zip(*links, strict=True))
    system = sparse.coo_matrix((entries, (rows, columns)), shape=(number, number)).tocsc() + sparse.diags(diagonal)
    out = np.zeros(region.shape)
    out[region] = splu(system.tocsc()).solve(right)
    return out


def _shift(values: NDArray, axis: int, step: int, fill: float) -> NDArray:
    moved = np.roll(values, -step, axis)
    edge = [slice(None)] * 2
    edge[axis] = slice(-1, None) if step > 0 else slice(0, 1)
    moved[tuple(edge)] = fill
    return moved


def _gradient(values: NDArray[np.float64], known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences along rows and columns, (H, W) each, of known neighbours only."""
    out = []
    for axis in (0, 1):
        ahead = _shift(known, axis, 1, False) * (_shift(values, axis, 1, 0.0) - values)
        behind = _shift(known, axis, -1, False) * (values - _shift(values, axis, -1, 0.0))
        count = _shift(known, axis, 1, False).astype(int) + _shift(known, axis, -1, False)
        out.append(np.where(known, (ahead + behind) / np.maximum(count, 1), 0.0))
    return out[0], out[1]


def _lift(
    camera: Camera,
    middle: NDArray[np.float64],
    squared: NDArray[np.float64],
    known: NDArray[np.bool_],
    side: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    jitter: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """World points of one sheet and their steps (N, 3) to the next column and row."""
    middle_y, middle_x = (g[rows, columns] for g in _gradient(middle, known))
    square_y, square_x = (g[rows, columns] for g in _gradient(squared, np.ones_like(known)))
    square = squared[rows, columns] + square_y * jitter[0] + square_x * jitter[1]
    half = np.sqrt(np.maximum(square, _LEAST_HALF**2))  # the square is smooth where the half itself is steep
    z = middle[rows, columns] + middle_y * jitter[0] + middle_x * jitter[1] + side * half
    slope_y, slope_x = middle_y + side * square_y / (2 * half), middle_x + side * square_x / (2 * half)
    x, y = columns + 0.5 + jitter[1], rows + 0.5 + jitter[0]
    ray = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(len(x))], -1)
    step_x = ray * slope_x[:, None] + np.outer(z / camera.fx, [1, 0, 0])
    step_y = ray * slope_y[:, None] + np.outer(z / camera.fy, [0, 1, 0])
    rotation = camera.viewmat[:3, :3]
    return (ray * z[:, None] - camera.viewmat[:3, 3]) @ rotation, step_x @ rotation, step_y @ rotation


def _footprints(
    step_x: NDArray[np.float64], step_y: NDArray[np.float64], outward: NDArray[np.float64], crowd: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes and standard deviations of splats that cover their cell of a sheet, `crowd` (N,) of them together."""
    covariance = step_x[:, :, None] * step_x[:, None] + step_y[:, :, None] * step_y[:, None]
    values, vectors = np.linalg.eigh(covariance)
    normal, first = vectors[:, :, 0], vectors[:, :, 2]
    normal = np.where((normal @ outward)[:, None] < 0, -normal, normal)
    axes = np.stack([first, np.cross(normal, first), normal], -1)
    sparse_cells = 1 / np.sqrt(np.minimum(crowd, 1))[:, None]  # fewer than one to a cell: each covers more
    along = _COVER * np.sqrt(np.maximum(values[:, [2, 1]], 1e-12)) * sparse_cells
    along[:, 0] /= np.maximum(crowd, 1)
    return axes, np.concatenate([np.minimum(along, _LARGEST), np.full((len(along), 1), _FLAT)], 1)


def _clean_fringe(colors: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours whose thin fringe has those of the nearest solid cells: what shines through it is not the person."""
    solid = alpha > _SOLID
    if not solid.any():
        return colors
    row, column = distance_transform_edt(~solid, return_distances=False, return_indices=True)
    return colors[row, column]


def _blur_inside(values: NDArray[np.float32], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    share = gaussian_filter(region.astype(np.float64), _BACK_BLUR)
    return gaussian_filter(values * region, _BACK_BLUR) / np.maximum(share, 1e-3)


def _carriers(
    head: RiggedHead, surface: PhotoSurface, points: NDArray[np.float64], held: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(N,) the triangle of skin that each point follows.

    The nearest where the point all but touches it. Else, so that what hangs down does not tear where head and shoulders
    part, the nearest that no expression moves and that goes with the head as far as `held` (N,) says.
    """
    topology = surface.topology
    skin = np.flatnonzero(topology.part_faces("skin"))
    middles = surface.vertices[topology.faces[skin]].mean(1)
    motion = head.expression_deltas.norm(dim=-1).amax(0).numpy()[topology.faces[skin]].max(1)
    calm = motion < _CALM
    distance, nearest = cKDTree(middles).query(points)
    metric = np.concatenate([middles, _HOLD_LENGTH * _hold(head, topology.faces[skin])[:, None]], 1)[calm]
    quiet = np.flatnonzero(calm)[cKDTree(metric).query(np.concatenate([points, _HOLD_LENGTH * held[:, None]], 1))[1]]
    return skin[np.where(distance < _CLOSE, nearest, quiet)]


def _nothing() -> Relief:
    return Relief(
        np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros((0, 3)), np.zeros((0, 3), np.float32),
        np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64),
    )  # fmt: skip
