"""Soft labels of vertices: from the source's masks where it has them, else from the shape of the mean head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from zero1toa.heads.topology import JOINTS

from .eyes import IRIS, PUPIL
from .mesh import Piece, edge_graph
from .source import Source

Array = NDArray[np.float64]

# Brows relative to the eye's centre, metres: a band that rises from the nose, arches and falls towards the temple.
_BROW_ABOVE, _BROW_ARCH, _BROW_THICK = 0.0205, 0.0035, 0.0034
_BROW_MIDDLE, _BROW_HALF = 0.004, 0.023
# The lips mask leaves out the inner side of the lips, which an open mouth shows: they are lips up to here from the seam
# of skin and mouth, metres along the skin, full and none.
_INNER_LIP = (0.0025, 0.0045)
# The hairline of the scalp label: height over the eyes at the forehead, and how it falls towards the nape, metres.
_HAIRLINE, _HAIRLINE_FALL = 0.062, 1.05


def smooth_step(value: Array, low: Array | float, high: Array | float) -> Array:
    """0 at `low`, 1 at `high`, smooth between, level outside; `low` may be the larger."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def label(
    source: Source, skin: Piece, template: Array, joints: Array, weights: Array, vertex_part: NDArray[np.int8]
) -> dict[str, Array]:
    """Region name -> (V,) membership in [0, 1]. Skin vertices come first in the arrays."""
    is_skin, is_mouth = vertex_part == 0, vertex_part == 1
    left, right = template[:, 0] > 0, template[:, 0] < 0

    def joint(name: str) -> Array:
        return joints[JOINTS.index(name)]

    def mask(name: str) -> Array:
        values = np.zeros(len(source.vertices))
        corners = np.concatenate([q.reshape(-1, 2) for q in source.groups.values()])
        values[corners[:, 0]] = source.mask(name)[corners[:, 1]]
        out = np.zeros(len(template))
        out[: skin.num_vertices] = skin.linear @ values
        return np.where(is_skin, out.clip(0, 1), 0.0)

    lids, ears = mask("eyelids"), mask("ears")
    face = mask("face")
    x, y, z = template.T
    eyes_y, eyes_z = joint("eyeLeft")[1], joint("eyeLeft")[2]
    neck = is_skin * weights[:, [JOINTS.index("neck")]].sum(1)
    shoulders = is_skin * weights[:, JOINTS.index("root")]
    hairline = eyes_y + _HAIRLINE - _HAIRLINE_FALL * np.maximum(eyes_z + 0.01 - z, 0)
    scalp = is_skin * smooth_step(y, hairline - 0.006, hairline + 0.006) * (1 - ears)
    scalp *= smooth_step(weights[:, JOINTS.index("neck")] + weights[:, JOINTS.index("root")], 0.5, 0.2)
    return {
        "face": face,
        "lips": np.maximum(mask("lips"), is_skin * _inner_lips(skin, template[: skin.num_vertices], len(template))),
        "lidsLeft": lids * left,
        "lidsRight": lids * right,
        "browLeft": is_skin * _brow(template, joint("eyeLeft"), 1.0),
        "browRight": is_skin * _brow(template, joint("eyeRight"), -1.0),
        "nose": is_skin * _nose(x, y, z, eyes_y, eyes_z),
        "ears": ears,
        "scalp": scalp,
        "neck": neck,
        "shoulders": shoulders,
        "innerMouth": is_mouth.astype(float),
    }


def iris(template: Array, centre: Array, is_eye: NDArray[np.bool_], regions: dict[str, Array]) -> dict[str, Array]:
    """Pupil and iris of one eye, by distance from the visual axis, added to those of the other eye."""
    place = template - centre
    radius = np.where(is_eye & (place[:, 2] > 0), np.hypot(place[:, 0], place[:, 1]), np.inf)
    none = np.zeros(len(template))
    return {
        "iris": np.maximum(regions.get("iris", none), radius < IRIS),
        "pupil": np.maximum(regions.get("pupil", none), radius < PUPIL),
    }


def _inner_lips(skin: Piece, points: Array, count: int) -> Array:
    """(count,) the border of the lips next to the mouth."""
    mouth = skin.face_part == "mouth"
    seam = np.intersect1d(skin.faces[mouth].ravel(), skin.faces[~mouth].ravel())
    distance = dijkstra(edge_graph(skin.faces, points), indices=seam, min_only=True, limit=2 * _INNER_LIP[1])
    out = np.zeros(count)
    out[: len(points)] = smooth_step(np.minimum(distance, 1.0), _INNER_LIP[1], _INNER_LIP[0])
    return out


def _brow(points: Array, eye: Array, side: float) -> Array:
    """(V,) membership of the brow over the eye at `eye`; `side` is +1 for the left."""
    u, v = side * (points[:, 0] - eye[0]), points[:, 1] - eye[1]
    along = (u - _BROW_MIDDLE) / _BROW_HALF
    line = _BROW_ABOVE + _BROW_ARCH * np.clip(1 - along**2, -2, 1)
    thick = _BROW_THICK * np.clip(1.15 - np.abs(along) ** 3, 0, 1)
    front = points[:, 2] > eye[2] - 0.02
    return np.where(front & (thick > 0), smooth_step(np.abs(v - line), thick + 0.0008, thick - 0.0012), 0.0)


def _nose(x: Array, y: Array, z: Array, eyes_y: float, eyes_z: float) -> Array:
    """(V,) from between the eyes to under the tip, wider below. Metres, on the mean head."""
    down = eyes_y + 0.004 - y
    half = 0.009 + 0.28 * np.clip(down, 0, 0.045)
    across = smooth_step(np.abs(x), half + 0.004, half - 0.001)
    along = smooth_step(down, -0.004, 0.002) * smooth_step(down, 0.049, 0.043)
    return across * along * smooth_step(z, eyes_z + 0.003, eyes_z + 0.008)
