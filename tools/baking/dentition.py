"""Teeth and gums as pieces, placed where the source has its tooth bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from . import gums, teeth
from .mesh import Piece, mirror_by_place

Array = NDArray[np.float64]

UPPER_GROUP, LOWER_GROUP = "helper-upper-teeth", "helper-lower-teeth"

# Millimetres in the frame of `_REFERENCE`. Drawn after the source's bands, but the upper edge is 3.6 mm lower and the
# front teeth stand 3.5 mm further out, since the source's teeth end at the lip line and hide in every smile. The lower
# front teeth bite behind the upper ones.
UPPER_ARCH = teeth.Arch(
    line=((0, 50.2), (8.6, 48.9), (15.4, 44.9), (21.7, 37.7), (25.4, 30.2), (28.0, 22.9), (30.2, 13.0), (31.4, 5.0)),
    edge=-59.0,
    tilt=-0.115,
    up=-1.0,
    teeth=teeth.UPPER,
    lean=8.0,
)
LOWER_ARCH = teeth.Arch(
    line=((0, 47.3), (5.4, 46.7), (10.9, 44.5), (16.7, 39.6), (21.2, 32.1), (24.6, 24.6), (28.0, 13.2), (29.6, 2.8)),
    edge=-56.6,
    tilt=-0.115,
    up=1.0,
    teeth=teeth.LOWER,
    lean=8.0,
)
# The source's upper band on the mean head when the arches were drawn: front edge (y, z), half width, depth; mm.
_REFERENCE = (-55.4, 46.7, 34.6, 48.0)


def dentition(upper_band: Array) -> list[Piece]:
    """Teeth and gums of both jaws, fitted to the source's upper tooth band (V, 3) on the mean head."""
    front = upper_band[np.abs(upper_band[:, 0]) < 1e-4]
    edge = front[front[:, 1].argmin()] * 1e3
    width, depth = np.abs(upper_band[:, 0]).max() * 1e3, np.ptp(upper_band[:, 2]) * 1e3
    pieces = []
    for name, arch, follows, joint in (
        ("Upper", UPPER_ARCH, UPPER_GROUP, "head"),
        ("Lower", LOWER_ARCH, LOWER_GROUP, "jaw"),
    ):
        line = tuple(
            (x * width / _REFERENCE[2], (z - _REFERENCE[1]) * depth / _REFERENCE[3] + edge[2]) for x, z in arch.line
        )
        fitted = replace(arch, line=line, edge=arch.edge - _REFERENCE[0] + edge[1])
        crowns = teeth.crowns(fitted)
        gum = gums.gum(fitted)
        starts = np.cumsum([0] + [len(c.points) for c in crowns])
        uv_starts = np.cumsum([0] + [len(c.uvs) for c in crowns])
        points = np.concatenate([c.points for c in crowns])
        faces = np.concatenate([c.faces + s for c, s in zip(crowns, starts)])
        pieces.append(
            Piece(
                faces=faces,
                face_part=np.full(len(faces), f"teeth{name}"),
                uvs=np.concatenate([c.uvs for c in crowns]),
                uv_faces=np.concatenate([c.uv_faces + s for c, s in zip(crowns, uv_starts)]),
                mirror=mirror_by_place(points),
                rest=points,
                follows=follows,
                joint=joint,
            )
        )
        pieces.append(
            Piece(
                faces=gum.faces,
                face_part=np.full(len(gum.faces), f"gums{name}"),
                uvs=gum.uvs,
                uv_faces=gum.uv_faces,
                mirror=gums.mirror_of_gum(fitted, len(gum.points)),
                rest=gum.points,
                follows=follows,
                joint=joint,
            )
        )
    return pieces
