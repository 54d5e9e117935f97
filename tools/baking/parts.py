"""Which parts the head has, where their vertices come from, and how much texture they get."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from . import correct, rig
from .atlas import Detail
from .dentition import LOWER_GROUP, UPPER_GROUP, dentition
from .eyes import eye_piece
from .mesh import Piece, mirror_by_place, piece_of_groups
from .motion import sphere_of
from .skin import skin_piece
from .source import Source

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PARTS = (
    "skin",
    "mouth",
    "tongue",
    "lashesLeft",
    "lashesRight",
    "eyeLeft",
    "eyeRight",
    "teethUpper",
    "gumsUpper",
    "teethLower",
    "gumsLower",
)
DETAILS = {
    "skin": Detail(1.0, turn=3),  # the head's island lies on its side in the source
    "mouth": Detail(0.4),
    "tongue": Detail(0.6),
    "lashesLeft": Detail(0.5),
    "lashesRight": Detail(0.5),
    "eyeLeft": Detail(1.0),
    "eyeRight": Detail(1.0),
    "teethUpper": Detail(1.0),
    "teethLower": Detail(1.0),
    "gumsUpper": Detail(0.6),
    "gumsLower": Detail(0.6),
}
EYE_GROUPS = ("helper-l-eye", "helper-r-eye")
# What hangs wholly on one joint, whatever the source's weights say.
HANGS_ON = {"tongue": "jaw", "lashesLeft": "head", "lashesRight": "head"}


def other_side(name: str) -> str:
    """The same part, region or joint on the other side."""
    return name.replace("Left", "Right") if "Left" in name else name.replace("Right", "Left")


def source_pieces(source: Source) -> list[Piece]:
    """The pieces that are taken from the source mesh: skin with mouth, tongue, lashes."""
    tongue = piece_of_groups(source, ["helper-tongue"], "tongue")
    tongue = replace(tongue, mirror=mirror_by_place(tongue.linear @ source.vertices))
    sides = []
    for side, name in (("l", "lashesLeft"), ("r", "lashesRight")):
        lashes = piece_of_groups(source, [f"helper-{side}-eyelashes-{k}" for k in (1, 2)], name)
        sides.append(correct.trim_lashes(lashes, source.vertices, source.group_vertices("body")))
    left, right = (piece.linear @ source.vertices for piece in sides)
    return [
        skin_piece(source),
        tongue,
        replace(sides[0], mirror=mirror_by_place(right, left)),
        replace(sides[1], mirror=mirror_by_place(left, right)),
    ]


@dataclass(frozen=True)
class Cut:
    """The source vertices that the head depends on, and the way from the source to arrays that hold only them."""

    source: Source
    used: Index  # (M,) ascending

    @classmethod
    def of(cls, source: Source, pieces: list[Piece]) -> Cut:
        groups = (*EYE_GROUPS, UPPER_GROUP, LOWER_GROUP, *rig.JOINT_CUBES.values())
        followed = [source.group_vertices(name) for name in groups]
        return cls(source, np.unique(np.concatenate([p.linear.indices for p in pieces] + followed)))

    def rows(self, vertices: Index) -> Index:
        """Where source vertices are in the cut arrays."""
        rows = np.searchsorted(self.used, vertices)
        assert (self.used[rows] == vertices).all()
        return rows

    def group(self, name: str) -> Index:
        """Where the vertices of a group of the source are in the cut arrays."""
        return self.rows(self.source.group_vertices(name))

    def linear(self, piece: Piece) -> sparse.csr_matrix:
        """The map of a piece from the used vertices alone."""
        return piece.linear[:, self.used]


def own_pieces(cut: Cut, mean: Array) -> list[Piece]:
    """Eyeballs, teeth and gums, built on the mean head (M, 3)."""
    left, right = (eye_piece(*sphere_of(mean[cut.group(name)]), name == EYE_GROUPS[0]) for name in EYE_GROUPS)
    right = replace(right, rest=left.placed[right.mirror] * [-1, 1, 1])
    return [left, right, *dentition(mean[cut.group(UPPER_GROUP)])]
