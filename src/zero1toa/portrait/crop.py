"""The square around head, hair and shoulders that everything after it works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .landmarks import NUM_MESH
from .landmarks import apply_matrix as apply_matrix
from .load import Photo

SIZE: Final = 512
# Looked at on 25 portraits: high hair, a headscarf and the shoulders' upper line stay inside; the longer side of the
# face's landmarks is 223 px.
CROP_PER_FACE: Final = 2.3  # side of the square, in the longer side of the landmarks' bounding box
RAISE: Final = 0.08  # of the square's side, by which its middle lies above the face's


@dataclass(frozen=True)
class Crop:
    """A square of the photo; its axes are the photo's."""

    image: NDArray[np.float32]  # (S, S, 3) sRGB in [0, 1]; beyond the photo its border is repeated
    valid: NDArray[np.bool_]  # (S, S) false beyond the photo: nothing is known there
    alpha: NDArray[np.float32] | None  # (S, S) the photo's own transparency, 0 beyond it
    matrix: NDArray[np.float64]  # (2, 3) photo px -> crop px


def crop_portrait(photo: Photo, landmarks: NDArray[np.float64], size: int = SIZE) -> Crop:
    """The square around a face, `size` px wide.

    Args:
        photo: any photo.
        landmarks: (478, 3) in photo px.
    """
    low, high = landmarks[:NUM_MESH, :2].min(0), landmarks[:NUM_MESH, :2].max(0)
    side = float((high - low).max()) * CROP_PER_FACE
    return cut_square(photo, (low + high) / 2 - [side / 2, side * (0.5 + RAISE)], side, size)


def crop_again(photo: Photo, matrix: NDArray[np.float64], size: int = SIZE) -> Crop:
    """The square of another picture of the same size that `crop_portrait` cut out of the first, by its matrix."""
    scale = float(matrix[0, 0])
    return cut_square(photo, -matrix[:, 2] / scale, size / scale, size)


def cut_square(photo: Photo, corner: NDArray[np.float64], side: float, size: int) -> Crop:
    """A square of a photo, `size` px wide.

    Args:
        photo: any photo.
        corner: (2,) its upper left corner, photo px.
        side: photo px.
        size: px of the result.
    """
    scale = size / side
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])

    margin = int(np.ceil(3 / scale)) + 1  # what the resampling filter reaches beyond the square
    first = np.floor(corner).astype(int) - margin
    last = np.ceil(corner + side).astype(int) + margin
    height, width = photo.image.shape[:2]
    rows, columns = np.arange(first[1], last[1]), np.arange(first[0], last[0])
    pick = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
    box = (*(corner - first), *(corner - first + side))

    def resample(channel: NDArray[np.generic]) -> NDArray[np.float32]:
        picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))
        return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=box), np.float32)

    inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    valid = resample(inside) > 0.5
    image = np.stack([resample(photo.image[..., channel][pick]) for channel in range(3)], -1).clip(0, 1)
    alpha = None if photo.alpha is None else resample(photo.alpha[pick] * inside).clip(0, 1)
    return Crop(image, valid, alpha, matrix)
