"""Gums of our own: a scalloped band around each row of teeth, and the palate. Millimetres until the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .teeth import PROFILES, Arch, Surface, front_share

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_PER_TOOTH = 3  # columns of the band per tooth
_BEHIND = 5.0  # the band goes on behind the last tooth
_PAPILLA = 0.36  # between two teeth the gum reaches this share of the crown's height
_OVER = 0.6  # the gum covers this much of the crown's lower end
_THICK = 0.55  # how far it stands out from the tooth
_SOFT_DEPTH = 3.0  # the rounded edge becomes the flat gum at this distance
_ROOT_DEPTH = {1.0: 7.0, -1.0: 11.0}  # how far the band goes towards the roots, lower and upper
_TAPER = {1.0: 5.0, -1.0: 1.2}  # how far the outer side leans in there; the lower jaw is narrow where it opens wide
_PALATE = 15.0  # height of the vault above the biting plane at its middle
_PALATE_ROWS = 5


def gum(arch: Arch) -> Surface:
    """The band of one jaw, mirror-symmetric column by column; the upper one carries the palate."""
    along, fraction = _columns(arch)
    lean_of = np.tan(np.radians(arch.lean)) * np.array([front_share(tooth) for tooth in arch.teeth])

    def blend(per_tooth: list[float] | Array) -> Array:
        return np.interp(np.abs(along), arch.centres(), per_tooth)

    height = blend([t.height + t.short for t in arch.teeth])
    depth = blend([t.depth * arch.scale for t in arch.teeth])
    neck = blend([PROFILES[t.kind].front[0] for t in arch.teeth])
    lean = blend(lean_of)
    between = np.abs(2 * fraction - 1) ** 2.5  # 0 at the middle of a tooth, 1 between two
    between = np.where(np.abs(along) > arch.centres()[-1], 0.6 * between, between)
    rim = -height + _OVER + (_PAPILLA * height - _OVER) * between  # height of the gum's edge over the biting plane
    front = -neck + _THICK - 1.3 * between
    back = -neck - depth * 0.93 - _THICK + 1.3 * between
    base = -height - _ROOT_DEPTH[arch.up]

    def mix(a: Array, b: Array, t: float) -> Array:
        return (1 - t) * a + t * b

    bulge = np.maximum(front, -neck + _THICK) + 0.35
    inner = np.minimum(back, -neck - depth * 0.93 - _THICK) - 0.35
    middle = (front + back) / 2
    rows = [
        (bulge - _TAPER[arch.up], base),
        (bulge + 0.2 - _TAPER[arch.up] / 3, mix(base, -height, 0.55)),
        (bulge, -height - 1.2),
        (mix(front, bulge, 0.55), mix(rim, -height - 1.2, 0.35)),
        (front, rim),
        (middle, rim - 0.8),
        (back, rim),
        (mix(back, inner, 0.55), mix(rim, -height - 1.2, 0.35)),
        (inner, -height - 1.2),
        (inner - 0.6, mix(base, -height, 0.55)),
    ]
    if arch.up > 0:
        rows.append((inner - 0.6, base))
    points = np.stack([arch.place(along, out, rise, lean) for out, rise in rows])
    if arch.up < 0:
        points = np.concatenate([points, _palate(arch, points[-1])])
    faces, uvs, uv_faces = _grid(points)
    if arch.up < 0:
        faces, uv_faces = faces[:, ::-1], uv_faces[:, ::-1]
    return _without_flat_faces(Surface(points.reshape(-1, 3), faces, uvs, uv_faces))


def mirror_of_gum(arch: Arch, num_vertices: int) -> Index:
    """(V,) the mirrored vertex of each vertex of `gum(arch)`."""
    columns = len(_columns(arch)[0])
    grid = np.arange(num_vertices).reshape(-1, columns)
    return grid[:, ::-1].ravel()


def _columns(arch: Arch) -> tuple[Array, Array]:
    """Arc length of each column from the right to the left end, and its place within its tooth, 0 to 1."""
    edges = np.r_[0, np.cumsum([t.width for t in arch.teeth]) * arch.scale]
    part = np.arange(1, _PER_TOOTH + 1) / _PER_TOOTH
    end = np.array([0.4, 0.8, 1.0])
    half = np.r_[(edges[:-1, None] + part * np.diff(edges)[:, None]).ravel(), edges[-1] + end * _BEHIND]
    place = np.r_[np.tile(part, len(arch.teeth)), end / 2]
    return np.r_[-half[::-1], 0, half], np.r_[place[::-1], 0, place]


def _palate(arch: Arch, inner: Array) -> Array:
    """(rows, columns, 3) from the inner side of the band to the middle line, as a vault."""
    columns = inner.shape[1] if inner.ndim == 3 else len(inner)
    half = columns // 2
    back, front = inner[0, 2], inner[half, 2]
    share = np.linspace(0, 1, half + 1) ** 0.8
    ridge_z = back + (front - 0.008 - back) * share  # metres; from the back to just behind the incisors
    ridge_z = np.r_[ridge_z, ridge_z[-2::-1]]
    rise = np.interp(np.abs(ridge_z - front), [0, 0.008, 0.025], [0.5, 0.62, 1.0])
    top = arch.edge * 1e-3 + arch.tilt * (ridge_z - arch.line[0][1] * 1e-3) + _PALATE * 1e-3 * rise
    middle = np.stack([np.zeros(columns), np.maximum(top, inner[:, 1] + 0.001), ridge_z], 1)
    rows = []
    for k in range(1, _PALATE_ROWS + 1):
        t = k / _PALATE_ROWS
        flat = (1 - t) * inner + t * middle
        flat[:, 1] = inner[:, 1] + (middle[:, 1] - inner[:, 1]) * np.sin(t * np.pi / 2)
        rows.append(flat)
    return np.stack(rows)


def _grid(points: Array) -> tuple[Index, Array, Index]:
    """Triangles over (rows, columns, 3), split so that the left half mirrors the right; texture by mean lengths."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    left = (np.arange(columns - 1) >= columns // 2)[None].repeat(rows - 1, 0)
    first = np.where(left[..., None], np.stack([a, b, d], -1), np.stack([a, b, c], -1))
    second = np.where(left[..., None], np.stack([a, d, c], -1), np.stack([b, d, c], -1))
    faces = np.stack([first, second], 2).reshape(-1, 3)
    across = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1))]
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=1), axis=-1).mean(0))]
    uvs = np.stack(np.meshgrid(along, across), -1).reshape(-1, 2)
    return faces, uvs, faces.copy()


def _without_flat_faces(surface: Surface) -> Surface:
    """Drop triangles of no area, which the palate has where columns meet on the middle line."""
    corner = surface.points[surface.faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    keep = area > 1e-10  # square metres; a real triangle here has 1e-7
    return Surface(surface.points, surface.faces[keep], surface.uvs, surface.uv_faces[keep])
