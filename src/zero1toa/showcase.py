"""The views in which an avatar shows what it can do: a contact sheet and a turntable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .avatar import Avatar

Picture = NDArray[np.float32]

YAWS = (-60, -45, -30, 0, 30, 45, 60)

EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "jaw open": {"jawOpen": 0.7},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "pucker": {"mouthPucker": 0.9},
    "brows up": {"browInnerUp": 0.9, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9},
    "gaze left": {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8},
}
"""What every contact sheet shows, as ARKit weights by name."""


def contact_views(avatar: Avatar, size: int = 384) -> list[tuple[str, Picture]]:
    """Labelled pictures: neutral from all sides, each expression from the front, and the photo's own view."""
    views = [(f"yaw {yaw:+d}" if yaw else "front", avatar.render(avatar.front_camera(yaw, size=size))) for yaw in YAWS]
    front = avatar.front_camera(size=size)
    views += [(name, avatar.render(front, weights)) for name, weights in EXPRESSIONS.items() if weights]
    photo = avatar.photo_camera.resized(size, size)
    views.append(("as in the photo", avatar.render(photo, avatar.photo_expression, avatar.photo_pose)))
    return views


def turntable(avatar: Avatar, size: int = 512, frames: int = 120, swing: float = 50.0) -> Iterator[Picture]:
    """Frames of the head seen from side to side while it runs once through its expressions.

    Args:
        avatar: whom to show.
        size: pixels on a side.
        frames: length of the loop; the last frame leads into the first.
        swing: largest yaw in degrees.
    """
    moves = [weights for weights in EXPRESSIONS.values() if weights]
    for frame in range(frames):
        phase = frame / frames
        position = phase * len(moves)
        strength = np.sin(np.pi * (position % 1)) ** 2
        weights = {name: float(value * strength) for name, value in moves[int(position)].items()}
        yaw = float(swing * np.sin(2 * np.pi * phase))
        yield avatar.render(avatar.front_camera(yaw, size=size), weights)
