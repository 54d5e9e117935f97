"""What the formats without a rig hold: an avatar's splats and mesh as one expression and pose show them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa.avatar_io.data import AvatarData
from zero1toa.splats import rig


class PosedSplats(NamedTuple):
    """Splats in the world: metres, y up, the face to +z."""

    means: NDArray[np.float32]  # (N, 3)
    quats: NDArray[np.float32]  # (N, 4) wxyz, unit length
    scales: NDArray[np.float32]  # (N, 3) standard deviations
    opacities: NDArray[np.float32]  # (N,) in [0, 1]
    colors: NDArray[np.float32]  # (N, 3) sRGB display values, nominally in [0, 1]

    def turned_down(self) -> PosedSplats:
        """The same in the axes of photogrammetry, y down and z into the picture: half a turn about x.

        An ellipsoid is its own mirror image, so each may turn about its own x axis as well: then only signs change.
        """
        means, quats = (np.array(signs, np.float32) for signs in ([1, -1, -1], [1, 1, -1, -1]))
        return self._replace(means=self.means * means, quats=self.quats * quats)


class Poser:
    """Poses one avatar again and again."""

    def __init__(self, data: AvatarData) -> None:
        self._head, self._gaussians = data.head(), data.gaussians()
        self._faces = torch.as_tensor(data.topology.faces)

    def vertices(
        self, expression: NDArray[np.floating] | None = None, pose: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """(V, 3) metres.

        Args:
            expression: (52,) ARKit weights, order arkit.NAMES; None is neutral.
            pose: (6, 3) rotation vectors in radians, order JOINTS; None is at rest.
        """
        return self._pose(expression, pose).numpy()

    def splats(
        self, expression: NDArray[np.floating] | None = None, pose: NDArray[np.floating] | None = None
    ) -> PosedSplats:
        """The splats on the mesh of `vertices`; same arguments."""
        world = rig.to_world(self._gaussians, self._pose(expression, pose), self._faces)
        means, quats, scales, opacities, colors = (value.numpy() for value in world)
        return PosedSplats(means, quats / np.linalg.norm(quats, axis=1, keepdims=True), scales, opacities, colors)

    def _pose(self, expression: NDArray[np.floating] | None, pose: NDArray[np.floating] | None) -> torch.Tensor:
        weights = torch.zeros(52) if expression is None else torch.tensor(expression, dtype=torch.float32)
        turns = None if pose is None else torch.tensor(pose, dtype=torch.float32)
        with torch.no_grad():
            return self._head.pose(weights, turns)
