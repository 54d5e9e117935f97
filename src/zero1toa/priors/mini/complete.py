"""Colours for what a photo does not show, from like places of the same head: hair from hair, skin from skin."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ...heads import HeadTopology, load_head
from ...heads.appearance import default_colors
from ...heads.register import farthest_points

Array32 = NDArray[np.float32]

_ANCHORS = 420  # places of the skin whose colours are carried on
_REACH = 0.02  # metres, over which a colour's say falls to a third
_FAR = 1e-6  # say of colours from anywhere, so that none is undefined
_MIRRORED = 0.012  # metres that the other side counts as farther away
_TALL = 2.0  # how much farther apart places above each other count below the chin, where collars are
_CHIN = -0.11  # y, metres
_NO_SKIN = ("mouth", "tongue", "teethUpper", "teethLower", "gumsUpper", "gumsLower", "lashesLeft", "lashesRight")
_HOLLOW = 0.75  # brightness of the inside of the mouth before the skin's


class _Neighbours(NamedTuple):
    anchors: NDArray[np.int64]  # (A,) vertices
    say: Array32  # (V, A) of each anchor in each vertex
    plain: NDArray[np.bool_]  # (V,) parts with colours of their own
    colors: Array32  # (V, 3) the default head's


def completed(topology: HeadTopology, colors: Array32, seen: Array32) -> Array32:
    """(V, 3) colours where the photo shows nothing, and smooth ones elsewhere.

    Args:
        topology: of the head; the neighbours are those on the default head.
        colors: (V, 3) of the photo under each vertex.
        seen: (V,) how well it shows each vertex, in [0, 1].
    """
    near = _neighbours()
    weight = seen[near.anchors]
    known = np.concatenate([colors[near.anchors] * weight[:, None], weight[:, None]], 1)
    mixed = near.say @ known
    out = mixed[:, :3] / np.maximum(mixed[:, 3:], 1e-9)
    face = topology.regions["face"] * seen
    brightness = float((colors.mean(1) * face).sum() / max(float(face.sum()), 1e-6))
    skin = near.colors[topology.part_vertices("skin")].mean()
    out[near.plain] = near.colors[near.plain] * _HOLLOW * min(brightness / float(skin), 1.3)
    return np.ascontiguousarray(out, np.float32)


@lru_cache(maxsize=1)
def _neighbours() -> _Neighbours:
    model = load_head()
    topology = model.topology
    place = model.template.numpy().astype(np.float64)
    skin = np.flatnonzero(topology.part_vertices("skin", "eyeLeft", "eyeRight"))
    anchors = skin[farthest_points(place[skin], _ANCHORS)]
    hair = topology.regions["scalp"].astype(np.float64)
    eyes = topology.part_vertices("eyeLeft", "eyeRight").astype(np.float64)
    stretched = place.copy()
    low = np.minimum(place[:, 1] - _CHIN, 0)
    stretched[:, 1] += (_TALL - 1) * low
    flipped = stretched * [-1, 1, 1]
    distance = np.minimum(cdist(stretched, stretched[anchors]), cdist(flipped, stretched[anchors]) + _MIRRORED)
    say = np.exp(-distance / _REACH) + _FAR
    like = 1 - np.abs(hair[:, None] - hair[anchors]) - np.abs(eyes[:, None] - eyes[anchors])
    say *= np.clip(like, 1e-4, 1) ** 4
    return _Neighbours(
        anchors, say.astype(np.float32), topology.part_vertices(*_NO_SKIN), default_colors(topology).astype(np.float32)
    )
