"""Head models with the landmark detector at hand, for heads that were never used on this machine before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads import HeadModel, load_head


def open_head(name: str = "default") -> HeadModel:
    """`heads.load_head`; where a head of the user's carries the landmarks is found first if nobody knows it yet.

    Raises:
        InputError: there is no head model of that name.
        AssetError: its file is missing or broken, or no face is found on it.
    """
    return load_head(name, detector)


def detector(image: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The landmarks (478, 3), px, of the largest face in a picture (H, W, 3) in [0, 1]; None without a face."""
    from .detect import detect_faces

    faces = detect_faces(image, thorough=False)
    return faces[0].landmarks if faces else None
