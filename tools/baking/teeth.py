"""Teeth of our own: fourteen crowns per jaw on a smooth arch. All lengths in millimetres until the very end.

Widths, depths and heights are the usual averages of dental anatomy (Ash and Nelson, "Wheeler's Dental Anatomy"),
rounded; `Arch.scale` fits them to the jaw of the head model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Crown:
    """One tooth above the gum."""

    kind: str  # incisor, canine, premolar, molar
    width: float  # along the arch
    depth: float  # from lip to tongue, at the gum
    height: float  # from gum to biting edge
    short: float = 0.0  # how far the edge stays behind the biting plane


UPPER = (
    Crown("incisor", 8.5, 7.0, 10.5),
    Crown("incisor", 6.6, 6.0, 9.3, 0.7),
    Crown("canine", 7.6, 8.0, 10.2, 0.0),
    Crown("premolar", 7.1, 9.0, 8.6, 0.4),
    Crown("premolar", 6.9, 9.0, 8.2, 0.5),
    Crown("molar", 10.2, 11.0, 7.6, 0.6),
    Crown("molar", 9.3, 11.0, 7.2, 0.8),
)
LOWER = (
    Crown("incisor", 5.3, 6.0, 8.8),
    Crown("incisor", 5.8, 6.3, 9.0),
    Crown("canine", 6.9, 7.6, 10.4, 0.0),
    Crown("premolar", 7.0, 7.6, 8.6, 0.4),
    Crown("premolar", 7.1, 8.0, 8.1, 0.5),
    Crown("molar", 11.0, 10.3, 7.6, 0.6),
    Crown("molar", 10.4, 10.1, 7.2, 0.7),
)
GAP = 0.12  # between neighbours at their widest
ROOT = 2.0  # how far a crown goes on below the gum's edge


@dataclass(frozen=True)
class Profile:
    """Outline of a kind of crown at heights from gum (0) to edge (1)."""

    at: tuple[float, ...]  # heights of the rings
    width: tuple[float, ...]  # of the full width
    front: tuple[float, ...]  # lip side, millimetres behind the arch line
    depth: tuple[float, ...]  # of the full depth
    square: float  # exponent of the rings' outline; 2 is an ellipse


PROFILES = {
    "incisor": Profile(
        at=(0.0, 0.22, 0.55, 0.84, 0.96, 1.0),
        width=(0.74, 0.84, 0.96, 1.0, 0.96, 0.86),
        front=(0.75, 0.2, 0.0, 0.3, 0.55, 0.8),
        depth=(0.95, 0.96, 0.58, 0.29, 0.21, 0.12),
        square=2.5,
    ),
    "canine": Profile(
        at=(0.0, 0.22, 0.55, 0.82, 0.95, 1.0),
        width=(0.74, 0.85, 0.99, 0.94, 0.80, 0.62),
        front=(0.7, 0.15, 0.0, 0.5, 0.95, 1.35),
        depth=(0.95, 0.99, 0.73, 0.42, 0.27, 0.15),
        square=2.3,
    ),
    "premolar": Profile(
        at=(0.0, 0.3, 0.64, 0.86, 1.0),
        width=(0.72, 0.88, 1.0, 0.95, 0.80),
        front=(0.5, 0.0, 0.3, 0.9, 1.6),
        depth=(0.90, 1.0, 0.94, 0.82, 0.64),
        square=2.5,
    ),
    "molar": Profile(
        at=(0.0, 0.3, 0.64, 0.86, 1.0),
        width=(0.80, 0.93, 1.0, 0.97, 0.85),
        front=(0.4, 0.0, 0.3, 0.9, 1.6),
        depth=(0.90, 1.0, 0.94, 0.83, 0.68),
        square=3.0,
    ),
}
_SIDES = {"incisor": 10, "canine": 10, "premolar": 10, "molar": 12}  # vertices per ring
_CANINE_POINT = 1.5  # how far the canine's edge falls from its tip to its sides
_FOSSA = 1.1  # depth of the furrow between the cusps of back teeth


@dataclass(frozen=True)
class Arch:
    """Where a row of teeth stands: the lip-side line of the crowns, and the plane of their biting edges."""

    line: tuple[tuple[float, float], ...]  # (x, z) from the middle to the subject's left, millimetres
    edge: float  # y of the biting edges at the front, millimetres
    tilt: float  # slope dy/dz of the biting plane; the back is higher where it is negative
    up: float  # +1: crowns point up (lower jaw); -1: down
    teeth: tuple[Crown, ...]
    lean: float = 0.0  # degrees by which the front crowns lean outwards at their edge

    def curve(self) -> CubicSpline:
        """(x, z) and derivatives by arc length, mirrored about the middle."""
        half = np.array(self.line)
        points = np.concatenate([half[:0:-1] * [-1, 1], half])
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
        middle = length[len(half) - 1]
        rough = CubicSpline(length - middle, points)
        dense = np.linspace(-middle, length[-1] - middle, 801)
        along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(rough(dense), axis=0), axis=1))]
        return CubicSpline(along - along[400], rough(dense))

    @property
    def scale(self) -> float:
        """Factor on all widths that makes the row as long as the line."""
        half = np.array(self.line)
        points = CubicSpline(np.r_[0, np.cumsum(np.linalg.norm(np.diff(half, axis=0), axis=1))], half)
        dense = points(np.linspace(0, points.x[-1], 400))
        return float(np.linalg.norm(np.diff(dense, axis=0), axis=1).sum() / sum(t.width for t in self.teeth))

    def centres(self) -> Array:
        """Arc length of the middle of each tooth on the left side."""
        widths = np.array([t.width for t in self.teeth]) * self.scale
        return np.cumsum(widths) - widths / 2

    def place(self, along: Array, out: Array, rise: Array, lean: Array | float = 0.0) -> Array:
        """Arch coordinates to metres: arc length, distance outwards from the line, height above the biting plane
        (negative towards the gum); `lean` shifts outwards per unit of height."""
        curve = self.curve()
        point, tangent = curve(along), curve(along, 1)
        tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
        normal = np.stack([-tangent[..., 1], tangent[..., 0]], -1)  # outwards: +z at the middle
        place = point + (out + lean * rise)[..., None] * normal
        y = self.edge + self.tilt * (place[..., 1] - self.line[0][1]) + self.up * rise
        return np.stack([place[..., 0], y, place[..., 1]], -1) * 1e-3


@dataclass(frozen=True)
class Surface:
    """A triangle mesh with texture coordinates of its own."""

    points: Array  # (V, 3) metres
    faces: Index  # (T, 3)
    uvs: Array  # (U, 2) metres, flattened
    uv_faces: Index  # (T, 3)


def crowns(arch: Arch) -> list[Surface]:
    """All crowns of a jaw: left side from the middle to the back, then their mirror images in the same order."""
    left = [_crown(arch, tooth, centre) for tooth, centre in zip(arch.teeth, arch.centres(), strict=True)]
    right = [Surface(s.points * [-1, 1, 1], s.faces[:, ::-1], s.uvs * [-1, 1], s.uv_faces[:, ::-1]) for s in left]
    return left + right


def _crown(arch: Arch, tooth: Crown, centre: float) -> Surface:
    profile, sides = PROFILES[tooth.kind], _SIDES[tooth.kind]
    width, depth = tooth.width * arch.scale - GAP, tooth.depth * arch.scale
    turn = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / profile.square)
    outward = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / profile.square)
    at = np.r_[-ROOT / tooth.height, profile.at]
    ring_width = width * np.r_[profile.width[0] * 0.95, profile.width]
    front = np.r_[profile.front[0] + 0.4, profile.front]
    ring_depth = depth * np.r_[profile.depth[0] * 0.95, profile.depth]

    along = ring_width[:, None] / 2 * across
    out = -front[:, None] - ring_depth[:, None] / 2 * (1 - outward)
    rise = np.repeat((at[:, None] - 1) * tooth.height, sides, 1)
    rise = rise + _edge_shape(tooth, at, across, outward)
    # The middle of the biting surface, as one vertex for front teeth and a sunken one for back teeth.
    sunk = _FOSSA if tooth.kind in ("premolar", "molar") else -0.1 if tooth.kind == "canine" else 0.0
    along = np.r_[along.ravel(), 0.0]
    out = np.r_[out.ravel(), out[-1].mean()]
    rise = np.r_[rise.ravel(), rise[-1].max() - sunk] - tooth.short

    # Width is measured along the arch line; deep parts of a crown keep their width although the arch narrows there.
    points = arch.place(np.full_like(along, centre), out, rise, np.tan(np.radians(arch.lean)) * front_share(tooth))
    tangent = arch.curve()(centre, 1)
    tangent = np.array([tangent[0], arch.tilt * tangent[1], tangent[1]]) / np.linalg.norm(tangent)
    points = points + along[:, None] * tangent * 1e-3

    faces, uvs, uv_faces = _lathe(len(at), sides, points)
    if arch.up > 0:
        faces, uv_faces = faces[:, ::-1], uv_faces[:, ::-1]
    return Surface(points, faces, uvs, uv_faces)


def front_share(tooth: Crown) -> float:
    """How much of the lean of the arch a tooth takes: all in front, none at the back."""
    return {"incisor": 1.0, "canine": 0.6}.get(tooth.kind, 0.0)


def _edge_shape(tooth: Crown, at: Array, across: Array, outward: Array) -> Array:
    """(rings, sides) what cusps and rounded corners add to the height."""
    ramp = np.clip((at - 0.6) / 0.4, 0, 1)[:, None] ** 1.5
    if tooth.kind == "incisor":
        return ramp * -0.25 * np.abs(across) ** 3
    if tooth.kind == "canine":
        return ramp * -_CANINE_POINT * np.abs(across)
    if tooth.kind == "premolar":
        return ramp * (-0.9 * across**2 - 0.5 * (outward < 0))
    return ramp * -0.8 * (1 - 1.7 * np.abs(across * outward)).clip(0, 1)  # four cusps at the corners


def _lathe(rings: int, sides: int, points: Array) -> tuple[Index, Array, Index]:
    """Triangles and texture of stacked rings closed by one vertex; the texture is unrolled, the cap is a fan."""
    k, step = np.arange(sides), np.arange(sides + 1)
    faces, uv_faces = [], []
    for r in range(rings - 1):
        a, b = r * sides + k, r * sides + (k + 1) % sides
        c, d = a + sides, b + sides
        faces += [np.stack([a, b, d], 1), np.stack([a, d, c], 1)]
        ta, tc = r * (sides + 1) + k, (r + 1) * (sides + 1) + k
        uv_faces += [np.stack([ta, ta + 1, tc + 1], 1), np.stack([ta, tc + 1, tc], 1)]
    top = (rings - 1) * sides
    faces.append(np.stack([top + k, top + (k + 1) % sides, np.full(sides, rings * sides)], 1))
    fan = rings * (sides + 1)
    uv_faces.append(np.stack([fan + k, fan + (k + 1) % sides, np.full(sides, fan + sides)], 1))

    grid = points[:-1].reshape(rings, sides, 3)
    girth = np.linalg.norm(np.roll(grid, -1, 1) - grid, axis=-1).sum(1).max()
    height = np.r_[0, np.cumsum(np.linalg.norm(np.diff(grid, axis=0), axis=-1).mean(1))]
    wall = np.stack(
        [np.broadcast_to(step / sides * girth, (rings, sides + 1)), height[:, None].repeat(sides + 1, 1)], -1
    )
    turn = 2 * np.pi * (k + 0.5) / sides
    cap = girth / 8 * np.stack([np.cos(turn), np.sin(turn)], 1)
    middle = np.array([girth / 2, height[-1] + girth / 6])
    uvs = np.concatenate([wall.reshape(-1, 2), cap + middle, [middle]])
    return np.concatenate(faces), uvs, np.concatenate(uv_faces)
