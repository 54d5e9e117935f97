"""A picture of the avatar while it is trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..avatar import Avatar
from ..media import write_png
from ..splats import Gaussians

_SECONDS = 4.0  # between two pictures
_SIZE = 256  # px of each view
_VIEWS: tuple[tuple[float, dict[str, float]], ...] = (
    (-45, {}), (0, {}), (45, {}), (0, {"jawOpen": 0.6}), (0, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
)  # fmt: skip


class Previewer:
    """Draws some views into one PNG every few seconds.

    Args:
        path: the picture's file, replaced each time.
        avatar_of: makes an avatar of the Gaussians.
        clock: seconds, rising.
    """

    def __init__(
        self, path: Path, avatar_of: Callable[[Gaussians], Avatar], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._avatar_of = avatar_of
        self._clock = clock
        self._next = clock()

    def __call__(self, splats: Gaussians, iteration: int) -> None:
        """Draws, if the last picture is old enough."""
        if self._clock() < self._next:
            return
        avatar = self._avatar_of(splats)
        views = [avatar.render(avatar.front_camera(yaw, size=_SIZE), expression) for yaw, expression in _VIEWS]
        write_png(self._path, np.concatenate(views, 1))
        self._next = self._clock() + _SECONDS
