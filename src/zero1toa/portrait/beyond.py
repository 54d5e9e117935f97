"""Hair, scarves and clothes beyond the fitted mesh: what the matte shows there becomes a closed, rounded volume.

The front of the mesh goes on into a front sheet and its back into a back sheet; the two meet at the matte's edge. Half
their distance is the square root of a solution of Poisson's equation, so that a strip gets a circular cross-section.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, distance_transform_edt, gaussian_filter, label, median_filter
from scipy.spatial import cKDTree

from ..camera import Camera
from ..heads import JOINTS, RiggedHead
from ..heads.mesh_render import MeshBuffers, farthest_depth, rasterize_mesh
from .curtain import hang_behind
from .frame import WideMatte, metres_per_pixel
from .grain import Grain
from .grid import disk, gradient, poisson
from .surface import PhotoSurface

_CELL = 2  # px of a cell of the working grid
_LEAST_ALPHA = 0.08  # matte below which a cell shows nothing of the person
_OUTSIDE = 0.5  # matte below which a cell lies outside the volume's outline
_COVERED = 0.999  # share of a cell behind the mesh from which on it needs no relief
_SLIVERS = {
    "face": 4,
    "scalp": 2,
    "ears": 1,
    "bust": 1,
}  # cells; half the width below which a strip along a region is the fit's error
_BULGE = 1.2  # minus the Laplacian of the squared half thickness: 2 makes a strip a round tube, less a flat one
_MOST_HALF = 0.035  # metres, half of the greatest thickness; tuned on Mona's hair
_LEAST_HALF = 0.002  # metres, so that the two sheets do not fight
_STEEPEST, _MOST_COPIES = 1.5, 5  # slope of a sheet that one splat a cell can cover; splats in the steepest cells
_LARGEST = 0.004  # metres, standard deviation of a splat along the sheet
_FLAT = 0.0008  # metres, standard deviation across it
_LAYERS = 4.0  # splats of a sheet and its back that one looks through, where a cell has one on each
_COVER = 0.75  # standard deviation along the sheet over the distance between splats
_SIDE = 0.3  # share of the head's motion above which a cell goes with the head, below which with the shoulders
_SIDE_WINDOW = 9  # cells of a median, so that the two part along a clean line
_SOLID = 0.6  # matte from which on a colour is the person's own
_BACK_SHARE = 0.4  # of the splats on the front sheet that the back one gets, which no photo shows
_BACK_SHADE, _BACK_BLUR = 0.82, 2.0  # the unseen back: darker, and blurred by cells
_CALM = 0.0005  # metres; a triangle that no expression moves farther carries what hangs on the head
_CLOSE = 0.006  # metres; closer than this a point belongs to the nearest triangle, whatever moves it
_NECK_SHARE = 0.5  # of the head's motion that the neck does not make
_HOLD_LENGTH = 0.5  # metres that weigh as much as the whole difference between head and shoulders
_THIN = 5  # cells; half the width of a strip along the scalp that takes the colours beside it
_CURTAIN_BLUR, _CURTAIN_COARSEST = 14.0, 4.0  # cells: of the colour behind the neck, and of the detail upon it
_CURTAIN_DETAIL = 0.6  # of the contrast of the hair in the light
_LEAST_CELLS = 12  # smaller specks of the matte are left out


class Relief(NamedTuple):
    """N points of the volume's surface in the photo's pose, world metres."""

    points: NDArray[np.float64]  # (N, 3)
    axes: NDArray[np.float64]  # (N, 3, 3) columns: two along the sheet, then its normal; a rotation
    scales: NDArray[np.float64]  # (N, 3) standard deviations along the axes
    colors: NDArray[np.float32]  # (N, 3)
    opacity: NDArray[np.float32]  # (N,) in [0, 1]; of all together the matte's
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
    colors, doubtful = _picture(surface, matte, alpha, region, front)
    held = poisson(region, rim, np.where(rim, holds[front.face], 0.0), None, 0.0, colors)
    known = np.where(rim, holds[front.face], held) > _SIDE
    row, column = distance_transform_edt(~(region | rim), return_distances=False, return_indices=True)
    held = median_filter(known[row, column] * 1.0, _SIDE_WINDOW)
    drawn = region | (rim & ~(topology.regions["face"][topology.faces].mean(1) > 0.5)[front.face])
    slope = np.hypot(*gradient(np.sqrt(squared), region | rim)) / size
    copies = np.clip(np.ceil(slope / _STEEPEST), 1, _MOST_COPIES)[drawn].astype(int)
    cells = np.argwhere(drawn)
    thinning = min(1.0, most / ((1 + _BACK_SHARE) * copies.sum()))
    blurred = _BACK_SHADE * np.stack([_blur_inside(colors[..., c], region) for c in range(3)], -1)
    blurred = blurred.astype(np.float32)
    sheets = []
    for side, picture, share in ((-1, colors, 1.0), (1, blurred, _BACK_SHARE)):
        number = rng.binomial(copies, share * thinning)
        rows, columns = np.repeat(cells, number, axis=0).T
        crowd = np.repeat(copies, number) * share * thinning
        jitter = rng.random((2, len(rows))) - 0.5
        points, step_x, step_y = _lift(camera, middle, squared, region | rim, side, rows, columns, jitter)
        axes, scales = _footprints(step_x, step_y, side * camera.viewmat[2, :3], crowd)
        shown = alpha[rows, columns].astype(np.float32)
        opacity = single_opacity(shown, _LAYERS * np.maximum(crowd, 1)).astype(np.float32)
        trust = shown * (side < 0) * ~doubtful[rows, columns]
        carrier = _carriers(head, surface, points, held[rows, columns])
        sheets.append(Relief(points, axes, scales, picture[rows, columns].clip(0, 1), opacity, trust, carrier))
    hair = region & (held > 0.5)
    sheets.append(
        _curtain(head, surface, camera, hair, covered & (alpha > _OUTSIDE), back_depth, colors, size, thinning, rng)
    )
    return Relief(*(np.concatenate(parts) for parts in zip(*sheets, strict=True)))


def _curtain(
    head: RiggedHead,
    surface: PhotoSurface,
    camera: Camera,
    hair: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    back: NDArray[np.float64],
    colors: NDArray[np.float32],
    size: float,
    thinning: float,
    rng: np.random.Generator,
) -> Relief:
    """Hair that hangs behind the neck."""
    inside, depth = hang_behind(hair, covered, back, size)
    cells = np.argwhere(inside)
    cells = cells[rng.random(len(cells)) < thinning]
    if len(cells) == 0:
        return _nothing()
    rows, columns = cells.T
    jitter = rng.random((2, len(rows))) - 0.5
    points, step_x, step_y = _lift(camera, depth, np.zeros_like(depth), inside, 1, rows, columns, jitter)
    axes, scales = _footprints(step_x, step_y, camera.viewmat[2, :3], np.full(len(rows), thinning))
    far = np.maximum(gaussian_filter(hair * 1.0, _CURTAIN_BLUR), 1e-9)
    base = np.stack([gaussian_filter(colors[..., c] * hair, _CURTAIN_BLUR) / far for c in range(3)], -1)
    strands = Grain(colors, hair, metres_per_pixel=size, coarsest=_CURTAIN_COARSEST, strands=True)
    detail = strands(np.stack([columns + jitter[1], -rows - jitter[0]], -1) * size)
    picture = _BACK_SHADE * base[rows, columns] + _CURTAIN_DETAIL * detail
    number = len(rows)
    return Relief(
        points, axes, scales, picture.clip(0, 1).astype(np.float32),
        np.ones(number, np.float32), np.zeros(number, np.float32), _carriers(head, surface, points, np.ones(number)),
    )  # fmt: skip


def _picture(
    surface: PhotoSurface, matte: WideMatte, alpha: NDArray[np.float32], region: NDArray[np.bool_], front: MeshBuffers
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Colours (H, W, 3) of the cells, and where (H, W) they are the person's near by and not those of the cell itself:
    where it looks like the background, and on thin strips along the scalp, which seen from the side are broad."""
    topology = surface.topology
    colors = _clean_fringe(np.stack([_cells(matte.colors[..., c]) for c in range(3)], -1), alpha)
    frame = (matte.margin, matte.margin)
    doubtful = np.pad(surface.doubt[0].astype(np.float32), frame)
    person = np.pad(surface.doubt[1], (frame, frame, (0, 0)))
    row, column = distance_transform_edt(front.face < 0, return_distances=False, return_indices=True)
    scalp = (topology.regions["scalp"][topology.faces].mean(1) > 0.5)[front.face[row, column]]
    other = (_cells(doubtful) > 0.5) | (region & scalp & ~binary_opening(region, disk(_THIN)))
    near = np.stack([_cells(person[..., c]) for c in range(3)], -1)
    other &= near.max(-1) > 0
    return np.where(other[..., None], near, colors), other


def single_opacity(together: NDArray[np.floating], layers: float | NDArray[np.floating]) -> NDArray[np.float64]:
    """Opacity of each of so many splats in front of each other that `together` have that opacity, in [0, 1]."""
    through = 1 - np.clip(together, 0, 1)
    return np.asarray(1 - through ** (1 / np.asarray(layers)), np.float64)


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
    """The region without narrow strips along face and scalp, which show where fit or matte are wrong by some pixels.

    Ears are of all sizes, and the fit knows little of theirs: what the matte shows beside one is the rest of it.
    """
    topology = surface.topology
    hangs = np.maximum(topology.regions["neck"], topology.regions["shoulders"])
    scalp, ears = (topology.regions[name][topology.faces].mean(1) for name in ("scalp", "ears"))
    beside = hangs[topology.faces].mean(1) > 0.2
    other = (front.face >= 0) & beside[front.face]
    row, column = distance_transform_edt(front.face < 0, return_distances=False, return_indices=True)
    neighbour = front.face[row, column]
    kept = np.zeros_like(region)
    bust = beside[neighbour]
    ear = ~bust & (ears[neighbour] > 0.5)
    hair = ~bust & ~ear & (scalp[neighbour] > 0.5)
    for name, near in (("bust", bust), ("ears", ear), ("scalp", hair), ("face", ~bust & ~ear & ~hair)):
        kept |= region & near & binary_opening(region | other, disk(_SLIVERS[name]))
    return kept


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
    middle = known + poisson(region, rim, known, None, 0.0)
    inner = region & (alpha > _OUTSIDE)
    squared = half**2 + poisson(inner, rim, np.square(half), ~inner & ~rim, _BULGE * size**2)
    return middle, np.minimum(squared, _MOST_HALF**2)


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
    middle_y, middle_x = (g[rows, columns] for g in gradient(middle, known))
    square_y, square_x = (g[rows, columns] for g in gradient(squared, np.ones_like(known)))
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
