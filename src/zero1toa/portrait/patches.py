"""Upright square patches of a photo around a face, and the landmark network's answers on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .landmarks import LEFT_EYE_CORNER, NUM_MESH, RIGHT_EYE_CORNER, apply_matrix, mirrored
from .mediapipe_runtime import LANDMARK_PATCH, FaceBox, FaceReading, read_face

PATCH_PER_FACE: Final = 1.5  # MediaPipe's own: the landmark network was trained on squares 1.5 times the face
_REGION_PER_PATCH: Final = 1.2  # how much more than the patch is cut out: room to shift, turn and enlarge it


@dataclass(frozen=True)
class Patch:
    """A square of the photo, turned so that the face stands upright in it."""

    center: NDArray[np.float64]  # (2,) photo px
    side: float  # photo px
    along: NDArray[np.float64]  # (2,) unit vector of the photo that points right in the patch

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) patch px -> photo px."""
        scale = self.side / LANDMARK_PATCH
        linear = scale * np.array([[self.along[0], -self.along[1]], [self.along[1], self.along[0]]])
        return np.concatenate([linear, (self.center - linear @ np.full(2, LANDMARK_PATCH / 2))[:, None]], 1)

    def moved(self, x: float, y: float, scale: float, angle: float) -> Patch:
        """Shifted by (x, y) sides along its own axes, enlarged by `scale` and turned by `angle` radians."""
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = x * self.along + y * np.array([-self.along[1], self.along[0]])
        return Patch(self.center + self.side * shift, self.side * scale, turn @ self.along)


def eye_direction(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) unit vector of the picture from the subject's right to the left eye: the upright face's x axis."""
    along = landmarks[LEFT_EYE_CORNER, :2] - landmarks[RIGHT_EYE_CORNER, :2]
    return along / max(float(np.linalg.norm(along)), 1e-9)


def patch_of_box(box: FaceBox) -> Patch:
    """Where to read the landmarks of a face that a detector found."""
    along = box.keypoints[1] - box.keypoints[0]
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    return Patch((box.low + box.high) / 2, float((box.high - box.low).max()) * PATCH_PER_FACE, along)


def patch_of_landmarks(landmarks: NDArray[np.float64]) -> Patch:
    """Where to read landmarks again that were read already: the square that the network knows best."""
    along = eye_direction(landmarks)
    axes = np.array([along, [-along[1], along[0]]])  # rows: right and down in the upright face
    upright = landmarks[:NUM_MESH, :2] @ axes.T
    low, high = upright.min(0), upright.max(0)
    return Patch((low + high) / 2 @ axes, float((high - low).max()) * PATCH_PER_FACE, along)


class Pyramid:
    """A picture at full, half, quarter ... size, each made when it is first needed."""

    def __init__(self, picture: Image.Image) -> None:
        """`picture`: sRGB, 8 bits a channel."""
        self._levels = [picture]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self._levels[0].size

    def level(self, shrink: float) -> tuple[Image.Image, int]:
        """The picture reduced by the largest power of two up to `shrink`, and that power."""
        wanted = max(0, int(np.log2(max(shrink, 1.0))))
        while len(self._levels) <= wanted:
            self._levels.append(self._levels[-1].reduce(2))
        return self._levels[wanted], 2**wanted


class PatchReader:
    """Reads patches near one place of a photo. Beyond the photo its border is repeated."""

    def __init__(self, pyramid: Pyramid, around: Patch) -> None:
        """Patches that leave `around` by more than a tenth of its side are filled with black there."""
        image, self._shrink = pyramid.level(around.side / LANDMARK_PATCH * np.sqrt(2))  # the nearest level
        center = around.center / self._shrink
        reach = around.side / self._shrink * _REGION_PER_PATCH * np.sqrt(0.5)
        low = np.floor(center - reach).astype(int)
        high = np.ceil(center + reach).astype(int) + 1
        size = np.array(image.size)
        inner_low = low.clip(0, size - 1)
        inner_high = high.clip(inner_low + 1, size)
        region = image.crop((*inner_low.tolist(), *inner_high.tolist()))
        if (inner_low > low).any() or (inner_high < high).any():
            (left, top), (right, bottom) = (inner_low - low).tolist(), (high - inner_high).clip(0).tolist()
            margins = ((max(top, 0), bottom), (max(left, 0), right), (0, 0))
            region = Image.fromarray(np.pad(np.asarray(region), margins, mode="edge"))
            low = np.minimum(low, inner_low)
        self._region = region
        self._low = low

    def read(self, patch: Patch, *, mirror: bool = False) -> FaceReading:
        """Landmarks in photo px. With `mirror` the network sees the patch flipped."""
        matrix = patch.matrix / self._shrink
        matrix[:, 2] -= self._low
        size = (LANDMARK_PATCH, LANDMARK_PATCH)
        affine = matrix.ravel().tolist()
        pixels = np.asarray(self._region.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC))
        landmarks, presence = read_face(pixels[:, ::-1] if mirror else pixels)
        if mirror:
            landmarks = mirrored(landmarks, LANDMARK_PATCH)
        return FaceReading(apply_matrix(patch.matrix, landmarks), presence)
