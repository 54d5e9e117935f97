"""Which place of our own head each place of another head corresponds to, from the landmarks of both.

The landmarks give a smooth map of space; a few rounds of nearest points then bring the surfaces together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from .closest import weights_of_nearest
from .mesh_render import vertex_normals

Array = NDArray[np.float64]

_CANDIDATES = 16  # triangles with the nearest middles among which the nearest point is sought
_TURNED = 0.012  # metres by which a surface that faces the other way counts as farther away
_ROUNDS = 3
_ANCHORS = 500  # points of the surface that a round adds to the landmarks
_REACH = (0.03, 0.015, 0.008)  # metres within which a round takes a nearest point for the right one
_SURE = 0.0015  # metres of landmark spread that are followed exactly enough
_ANCHOR_SLACK = 0.003  # metres: how exactly a nearest point is followed, against `_SURE`
_SLACK_SCALE = 2e-4  # smoothing of the interpolation per squared ratio of spreads; tuned on the synthetic FLAME head
_NEIGHBOURS = 40  # vertices over which the map's local stretch is taken


@dataclass(frozen=True)
class Surface:
    """A triangle mesh, all of it skin."""

    vertices: Array  # (V, 3) of the whole head
    faces: NDArray[np.int32]  # (S, 3) the skin's

    @property
    def used(self) -> NDArray[np.int64]:
        """The vertices that its triangles use."""
        return np.unique(self.faces).astype(np.int64)


class SpaceMap:
    """A smooth map of space that carries points of one head to another."""

    def __init__(self, source: Array, target: Array, slack: Array) -> None:
        self._move = RBFInterpolator(
            source, target - source, kernel="linear", degree=1, smoothing=_SLACK_SCALE * (slack / _SURE) ** 2
        )

    def __call__(self, points: Array) -> Array:
        return points + self._move(points)


def register(
    source: Surface, target: Surface, source_landmarks: Array, target_landmarks: Array, spread: Array
) -> SpaceMap:
    """The map from the source head to the target head.

    Args:
        source, target: skins in the same expression, best with an open mouth.
        source_landmarks, target_landmarks: (L, 3) the same landmarks on both.
        spread: (L,) metres: how sure they are.
    """
    slack = np.maximum(spread, _SURE)
    space = SpaceMap(source_landmarks, target_landmarks, slack)
    used = source.used
    anchors = used[farthest_points(source.vertices[used], _ANCHORS)]
    place = source.vertices[anchors]
    for reach in _REACH[:_ROUNDS]:
        moved = space(source.vertices)
        normals = vertex_normals(moved, source.faces)[anchors]
        face, weights = nearest_on(moved[anchors], normals, target)
        nearest = np.einsum("nk,nkc->nc", weights, target.vertices[target.faces[face]])
        inner = (weights > 0).sum(1) > 1  # at an edge of the mesh, such as the neck's, nothing ends where it should
        good = (np.linalg.norm(nearest - moved[anchors], axis=1) < reach) & inner
        space = SpaceMap(
            np.concatenate([source_landmarks, place[good]]),
            np.concatenate([target_landmarks, nearest[good]]),
            np.concatenate([slack, np.full(int(good.sum()), _ANCHOR_SLACK)]),
        )
    return space


def nearest_on(points: Array, normals: Array | None, surface: Surface) -> tuple[NDArray[np.int64], Array]:
    """For each point the triangle (N,) of a surface and the barycentric weights (N, 3) of the nearest place in it.

    Where normals (N, 3) are given, triangles that face another way count as farther away, so that thin parts (lips,
    ears, lids) keep their two sides.
    """
    corners = surface.vertices[surface.faces]
    tree = cKDTree(corners.mean(1))
    candidates = tree.query(points, _CANDIDATES)[1]  # (N, K)
    pairs = corners[candidates.ravel()]
    repeated = np.repeat(points, _CANDIDATES, 0)
    weights = weights_of_nearest(repeated, pairs)
    distance = np.linalg.norm(np.einsum("tk,tkc->tc", weights, pairs) - repeated, axis=1).reshape(-1, _CANDIDATES)
    if normals is not None:
        own = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        distance = distance + _TURNED * (1 - np.einsum("nkc,nc->nk", own[candidates], unit))
    best = distance.argmin(1)
    rows = np.arange(len(points))
    return candidates[rows, best].astype(np.int64), weights.reshape(-1, _CANDIDATES, 3)[rows, best]


def farthest_points(points: Array, count: int) -> NDArray[np.int64]:
    """Indices of `count` points (or all) that lie far from each other, the same ones every time."""
    chosen = [0]
    distance = np.full(len(points), np.inf)
    while len(chosen) < min(count, len(points)):
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def local_stretch(before: Array, after: Array) -> Array:
    """(N, 3, 3) the linear map nearest to what a space map does around each point: displacements follow it."""
    neighbours = cKDTree(before).query(before, _NEIGHBOURS)[1]
    a = before[neighbours] - before[neighbours].mean(1, keepdims=True)
    b = after[neighbours] - after[neighbours].mean(1, keepdims=True)
    # A flat neighbourhood says nothing about its normal direction: there the map is taken to be the identity.
    ridge = 0.05 * np.einsum("nkc,nkc->n", a, a)[:, None, None] * np.eye(3)
    covariance = np.einsum("nka,nkb->nab", a, a)
    across = np.einsum("nka,nkb->nab", b, a)
    return (across + ridge) @ np.linalg.inv(covariance + ridge)
