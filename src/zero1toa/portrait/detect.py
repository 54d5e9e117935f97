"""Faces in a picture of any size: search, then landmarks averaged over several readings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .landmarks import NUM_MESH
from .load import to_bytes
from .mediapipe_runtime import FaceBox, find_faces
from .patches import PatchReader, Pyramid, eye_direction, patch_of_box, patch_of_landmarks

# MediaPipe's default is 0.5. Lower, because the landmark network's presence and `plausible` judge after it.
MIN_SCORE: Final = 0.3
MIN_PRESENCE: Final = 0.5  # MediaPipe's default (`min_tracking_confidence`)

_SEARCH_SIDE: Final = 512  # px; the detectors work at 128 and 192, this keeps their own resampling from aliasing
_TIGHT_PAD: Final = 0.6  # of the longer side, around pictures that show a face and nothing else
_TILE_OVERLAP: Final = 0.4  # of a tile, so that any face up to that size lies whole in one
_TILE_ROWS: Final = (2, 3, 5, 8)  # tiles along the shorter side, one search after the other until a face is found
_MIN_TILE: Final = 160  # px; smaller tiles could only show faces that are refused for their size anyway
_SAME_FACE: Final = 0.3  # intersection over union of two boxes from which on they show the same face

# Shift right, shift down (of the patch's side), log scale, turn in radians, mirrored: small moves that sum to nearly
# nothing. Over six test portraits and the demo, begun from twelve different squares each, landmarks differ by 0.43 px
# (mean over 478 points; eyes 0.23, lips 0.41) at a face width of 225, against 0.77 (0.56, 0.74) for one reading.
# Half are mirrored: the network's left-right bias, 0.8 to 2.1 px on the same pictures, cancels. 40 ms on one core.
_READINGS: Final = (
    (0.000, -0.013, -0.038, -0.080, False),
    (-0.020, 0.013, -0.013, 0.080, True),
    (0.020, -0.031, 0.013, -0.048, False),
    (-0.030, -0.004, 0.038, -0.016, True),
    (0.000, 0.013, 0.038, 0.080, True),
    (0.020, -0.013, 0.013, -0.080, False),
    (-0.020, 0.031, -0.013, 0.048, True),
    (0.030, 0.004, -0.038, 0.016, False),
)


@dataclass(frozen=True)
class Detection:
    """One face."""

    landmarks: NDArray[np.float64]  # (478, 3) x, y in px (the first pixel's centre is 0.5), z relative depth in px
    spread: NDArray[np.float64]  # (478,) px: root mean square distance of the single readings from their mean
    presence: float  # in [0, 1]: the landmark network's certainty that this is a face, mean over the readings
    score: float  # in [0, 1]: the face detector's certainty

    @cached_property
    def width(self) -> float:
        """Pixels between the left and right extremes of the face, along the line of the eyes."""
        return float(np.ptp(self.landmarks[:NUM_MESH, :2] @ eye_direction(self.landmarks)))


def detect_faces(image: NDArray[np.float32] | Image.Image, *, thorough: bool = True) -> list[Detection]:
    """All faces of a picture, largest first; an empty list where there is none.

    The whole picture is searched first, then the picture with room around it (tight crops), then ever smaller tiles
    (faces that are small in the frame). The first of these that shows a face decides.

    Args:
        image: (H, W, 3) sRGB in [0, 1], or the same as a picture of 8 bits a channel.
        thorough: search further where the whole picture at one look shows no face.
    """
    pyramid = Pyramid(image if isinstance(image, Image.Image) else Image.fromarray(to_bytes(image)))
    for boxes in _search(pyramid) if thorough else [_look(pyramid, _whole(pyramid))]:
        faces = [face for box in _distinct(boxes) if (face := _read(pyramid, box)) is not None]
        if faces:
            return sorted(_distinct_faces(faces), key=lambda face: -face.width)
    return []


def refine(pyramid: Pyramid, landmarks: NDArray[np.float64], score: float = 1.0) -> Detection:
    """Landmarks read anew around landmarks that are roughly right.

    Args:
        pyramid: the picture.
        landmarks: (478, 3) px.
        score: passed on to the result.
    """
    patch = patch_of_landmarks(landmarks)
    reader = PatchReader(pyramid, patch)
    readings = [reader.read(patch.moved(x, y, float(np.exp(s)), a), mirror=m) for x, y, s, a, m in _READINGS]
    points = np.stack([reading.landmarks for reading in readings])
    mean = points.mean(0)
    spread = np.sqrt(((points - mean)[..., :2] ** 2).sum(-1).mean(0))
    return Detection(mean, spread, float(np.mean([reading.presence for reading in readings])), score)


def _read(pyramid: Pyramid, box: FaceBox) -> Detection | None:
    patch = patch_of_box(box)
    first = PatchReader(pyramid, patch).read(patch)
    patch = patch_of_landmarks(first.landmarks)
    second = PatchReader(pyramid, patch).read(patch)
    if second.presence < MIN_PRESENCE:
        return None
    face = refine(pyramid, second.landmarks, box.score)
    return face if face.presence >= MIN_PRESENCE else None


def _search(pyramid: Pyramid) -> Iterator[list[FaceBox]]:
    """Candidate boxes in photo px, from one way of looking after the other."""
    width, height = pyramid.size
    yield _look(pyramid, _whole(pyramid))
    pad = round(_TIGHT_PAD * max(height, width))
    yield _look(pyramid, (-pad, -pad, width + pad, height + pad))
    shorter = min(height, width)
    for rows in _TILE_ROWS:
        side = round(shorter / (rows * (1 - _TILE_OVERLAP) + _TILE_OVERLAP))
        if side < _MIN_TILE:
            return
        step = side * (1 - _TILE_OVERLAP)
        lefts = np.linspace(0, width - side, round((width - side) / step) + 1).round().astype(int)
        tops = np.linspace(0, height - side, round((height - side) / step) + 1).round().astype(int)
        yield [box for y in tops for x in lefts for box in _look(pyramid, (x, y, x + side, y + side))]


def _whole(pyramid: Pyramid) -> tuple[int, int, int, int]:
    return 0, 0, *pyramid.size


def _look(pyramid: Pyramid, window: tuple[int, int, int, int]) -> list[FaceBox]:
    """Both detectors on a window (left, top, right, bottom) of the picture, made square; boxes in photo px."""
    left, top, right, bottom = window
    side = max(right - left, bottom - top)
    level, shrink = pyramid.level(side / _SEARCH_SIDE)
    reduced = max(1, side // shrink)
    x, y = left // shrink, top // shrink
    part = level.crop((x, y, x + reduced, y + reduced))  # black beyond the picture
    scale = min(1.0, _SEARCH_SIDE / reduced)
    if scale < 1:
        part = part.resize((_SEARCH_SIDE, _SEARCH_SIDE), Image.Resampling.BILINEAR)
    scale /= shrink
    pixels = np.asarray(part)
    found = [box for full in (False, True) for box in find_faces(pixels, full_range=full, threshold=MIN_SCORE)]
    corner = np.array([x, y]) * shrink
    return [
        FaceBox(box.score, box.low / scale + corner, box.high / scale + corner, box.keypoints / scale + corner)
        for box in found
    ]


def _overlap(a: FaceBox, b: FaceBox) -> float:
    inner = np.prod((np.minimum(a.high, b.high) - np.maximum(a.low, b.low)).clip(0))
    return float(inner / (np.prod(a.high - a.low) + np.prod(b.high - b.low) - inner))


def _distinct(boxes: list[FaceBox]) -> list[FaceBox]:
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(_overlap(box, other) < _SAME_FACE for other in kept):
            kept.append(box)
    return kept


def _distinct_faces(faces: list[Detection]) -> list[Detection]:
    """Two boxes can still lead to the same face."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: -face.presence * face.score):
        center = face.landmarks[:NUM_MESH, :2].mean(0)
        if all(np.linalg.norm(center - other.landmarks[:NUM_MESH, :2].mean(0)) > 0.5 * other.width for other in kept):
            kept.append(face)
    return kept
