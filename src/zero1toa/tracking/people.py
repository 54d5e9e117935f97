"""Whose face it is, when a video shows several: the person seen longest and largest is kept."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..portrait.patches import Patch
from ..portrait.solver import Array

_LOOK: Final = 12  # px, side of what is compared: coarse enough that a smile changes little
_PATCH_PER_LOOK: Final = 16 / 12  # the patch's margin shows the background
# Correlation of two mean looks: one person with other expressions 0.9 to 1.0 (single frames 0.75 and more), different
# people -0.1 to 0.67 (66 pairs of photos, paintings and made-up persons).
SAME_PERSON: Final = 0.72


def face_look(image: NDArray[np.uint8], patch: Patch) -> NDArray[np.float32]:
    """(12, 12) brightness of the upright face in a frame (H, W, 3), mean 0."""
    side = patch.side / _PATCH_PER_LOOK / _LOOK  # px of the frame a px of the look
    down = np.array([-patch.along[1], patch.along[0]])
    corner = patch.center - (patch.along + down) * side * _LOOK / 2
    fine = 4  # samples a px along each side, averaged
    step = side / fine
    matrix = (patch.along[0] * step, down[0] * step, corner[0], patch.along[1] * step, down[1] * step, corner[1])
    grey = Image.fromarray(image).transform((_LOOK * fine,) * 2, Image.Transform.AFFINE, matrix).convert("L")
    look = np.asarray(grey, np.float32).reshape(_LOOK, fine, _LOOK, fine).mean((1, 3))
    return look - look.mean()


def likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlation of two looks (12, 12), in [-1, 1]."""
    return float((a * b).sum() / max(float(np.sqrt((a**2).sum() * (b**2).sum())), 1e-9))


def others_removed(
    segments: NDArray[np.int64], width: Array, looks: list[NDArray[np.float32]]
) -> tuple[NDArray[np.int64], list[int]]:
    """Segments (F,) with -1 where somebody else is seen than the one seen longest and largest, and the numbers removed.

    Args:
        segments: (F,) number of the run of frames in which a face was followed; -1 without a face.
        width: (F,) px of the face.
        looks: of each segment.
    """
    numbers = np.unique(segments[segments >= 0]).tolist()
    seen = np.array([float(width[segments == number].sum()) for number in numbers])
    alike = np.array([[likeness(looks[a], looks[b]) >= SAME_PERSON for b in numbers] for a in numbers])
    main = int((alike @ seen).argmax())
    others = [number for number, same in zip(numbers, alike[main], strict=True) if not same]
    return np.where(np.isin(segments, others), -1, segments), others
