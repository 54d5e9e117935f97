"""One face followed from frame to frame: a crop where it was, landmarks, and a new search where it is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..heads.facemesh import NUM_LANDMARKS
from ..portrait.detect import MIN_PRESENCE, Detection, detect_faces
from ..portrait.landmarks import NUM_MESH
from ..portrait.patches import PatchReader, Pyramid, patch_of_landmarks
from ..portrait.plausible import NOT_HUMAN, gather_evidence, human_log_odds
from ..portrait.solver import Array
from .frames import Frame
from .people import face_look, others_removed

_REGION: Final = 2.2  # side of the part of a frame that is looked at, in sides of the landmark network's patch
_CENTERED: Final = 0.06  # of the patch's side: a face farther from its middle is read again
_SAME_SIZE: Final = 0.12  # relative difference of patch sides above which it is read again
_THUMBNAIL: Final = (32, 18)  # px
# Mean absolute difference of neighbouring thumbnails, of 255, from which on a cut is suspected and the face searched
# anew: 3 to 6 in talking heads that move fast, 30 and more between unlike shots.
_CUT: Final = 24.0
_NEAR: Final = 1.0  # widths of the face that it may have moved while it was lost, before another face is preferred
_DISAGREEMENT: Final = 6.0  # px at a face width of 225 between the two readings at which confidence has fallen to half
_NOMINAL_WIDTH: Final = 225.0
_LOOK_EVERY: Final = 8  # frames between two looks at who it is
_SMALLEST: Final = 32.0  # px between the extremes of a face; smaller ones tell nothing


class Reading(NamedTuple):
    """What one frame says of the face."""

    landmarks: NDArray[np.float64]  # (478, 2) px
    confidence: float  # in [0, 1]: presence times the agreement of the readings
    width: float  # px, of the face


class Followed(NamedTuple):
    """Landmarks of all frames; those without a face hold NaN."""

    landmarks: Array  # (F, 478, 2) px
    confidence: Array  # (F,)
    width: Array  # (F,) px
    segments: NDArray[np.int64]  # (F,)
    times: Array  # (F,) seconds
    warnings: tuple[str, ...]  # sentences


class FaceFollower:
    """Reads the landmarks of one person frame by frame.

    Each frame is read twice, once mirrored, which cancels the network's left-right bias and shows how sure it is.
    """

    def __init__(self) -> None:
        self.segment = -1  # counts the runs of frames in which the face was followed without a break
        self.searches = 0
        self.looks: list[NDArray[np.float32]] = []  # of each segment: the sum of some of its frames
        self._read_in_segment = 0
        self.most_faces = 0  # most faces seen at once when searching
        self._last: NDArray[np.float64] | None = None  # (478, 3) where the face was
        self._following = False
        self._thumbnail: NDArray[np.float32] | None = None

    def read(self, image: NDArray[np.uint8]) -> Reading | None:
        """The next frame (H, W, 3); None where the face is not seen."""
        cut = self._is_cut(image)
        if cut:
            self._following, self._last = False, None
        if self._following:
            assert self._last is not None
            found = self._follow(image, self._last)
            if found is not None:
                self._remember(image)
                return found
        self._following = False
        start = self._search(image)
        if start is None:
            return None
        found = self._follow(image, start)
        if found is not None:
            self.segment += 1
            self._read_in_segment = 0
            self._remember(image)
        return found

    def _follow(self, image: NDArray[np.uint8], around: NDArray[np.float64]) -> Reading | None:
        patch = patch_of_landmarks(around)
        reader, corner = _region_reader(image, patch.center, patch.side, around)
        local = _shifted(around, -corner)
        patch = patch_of_landmarks(local)
        straight = reader.read(patch)
        if straight.presence < MIN_PRESENCE:
            return None
        better = patch_of_landmarks(straight.landmarks)
        moved = np.linalg.norm(better.center - patch.center) / patch.side
        if moved > _CENTERED or abs(np.log(better.side / patch.side)) > _SAME_SIZE:
            patch = better
            straight = reader.read(patch)
        mirrored = reader.read(patch, mirror=True)
        presence = min(straight.presence, mirrored.presence)
        landmarks = (straight.landmarks + mirrored.landmarks) / 2
        width = float(np.ptp(landmarks[:NUM_MESH, :2], axis=0).max())
        if presence < MIN_PRESENCE or width < _SMALLEST:
            return None
        apart = np.linalg.norm((straight.landmarks - mirrored.landmarks)[:, :2], axis=1).mean()
        apart *= _NOMINAL_WIDTH / width
        landmarks = _shifted(landmarks, corner)
        self._last, self._following = landmarks, True
        return Reading(landmarks[:, :2], presence / (1 + (apart / _DISAGREEMENT) ** 2), width)

    def _remember(self, image: NDArray[np.uint8]) -> None:
        """Takes a look at the face now and then."""
        assert self._last is not None
        if self._read_in_segment % _LOOK_EVERY == 0:
            look = face_look(image, patch_of_landmarks(self._last))
            if self._read_in_segment == 0:
                self.looks.append(look)
            else:
                self.looks[-1] = self.looks[-1] + look
        self._read_in_segment += 1

    def _search(self, image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Landmarks (478, 3) of the largest human face, or of the one that was followed if it is still about there."""
        self.searches += 1
        picture = Image.fromarray(image)
        faces = detect_faces(picture, thorough=self._last is None and self.searches == 1)
        nearest = self._nearest(faces) if faces else None
        if nearest is not None:
            return nearest.landmarks
        human = [face for face in faces if human_log_odds(gather_evidence(picture, face)) >= NOT_HUMAN]
        self.most_faces = max(self.most_faces, len(human))
        return human[0].landmarks if human else None

    def _nearest(self, faces: list[Detection]) -> Detection | None:
        if self._last is None:
            return None
        here = self._last[:NUM_MESH, :2].mean(0)
        width = float(np.ptp(self._last[:NUM_MESH, 0]))
        nearest = min(faces, key=lambda face: float(np.linalg.norm(face.landmarks[:NUM_MESH, :2].mean(0) - here)))
        return nearest if np.linalg.norm(nearest.landmarks[:NUM_MESH, :2].mean(0) - here) < _NEAR * width else None

    def _is_cut(self, image: NDArray[np.uint8]) -> bool:
        step = (max(1, image.shape[0] // (4 * _THUMBNAIL[1])), max(1, image.shape[1] // (4 * _THUMBNAIL[0])))
        coarse = Image.fromarray(np.ascontiguousarray(image[:: step[0], :: step[1]]))
        now = np.asarray(coarse.resize(_THUMBNAIL, Image.Resampling.BOX), np.float32)
        before, self._thumbnail = self._thumbnail, now
        return before is not None and float(np.abs(now - before).mean()) > _CUT


def follow(frames: Iterable[Frame], advance: Callable[[int], None] = lambda steps: None) -> Followed:
    """One face through all frames; `advance` is told of every frame."""
    follower = FaceFollower()
    landmarks, confidence, width, segments, times = [], [], [], [], []
    last: Frame | None = None
    reading: Reading | None = None
    for frame in frames:
        if frame is not last:  # a hole in the video repeats the frame before
            reading = follower.read(frame.image)
        last = frame
        landmarks.append(np.full((NUM_LANDMARKS, 2), np.nan) if reading is None else reading.landmarks)
        confidence.append(0.0 if reading is None else reading.confidence)
        width.append(np.nan if reading is None else reading.width)
        segments.append(-1 if reading is None else follower.segment)
        times.append(frame.time)
        advance(1)
    who, warnings = np.array(segments), []
    if follower.most_faces > 1:
        warnings.append(f"Up to {follower.most_faces} faces were seen at once; one person is followed.")
    if follower.segment > 0:
        who, others = others_removed(who, np.nan_to_num(width), follower.looks)
        if others:
            count = int(np.isin(segments, others).sum())
            warnings.append(f"{count} frames show another person; they count as frames without a face.")
    return Followed(
        np.array(landmarks, np.float64), np.array(confidence), np.array(width), who, np.array(times), tuple(warnings)
    )


def _region_reader(
    image: NDArray[np.uint8], center: NDArray[np.float64], side: float, around: NDArray[np.float64]
) -> tuple[PatchReader, NDArray[np.float64]]:
    """A reader of the part of a frame around a face, and that part's corner in the frame, px."""
    size = np.array([image.shape[1], image.shape[0]])
    low = np.floor(center - side * _REGION / 2).astype(int).clip(0, size - 2)
    high = np.ceil(center + side * _REGION / 2).astype(int).clip(low + 2, size)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    corner = low.astype(float)
    patch = patch_of_landmarks(_shifted(around, -corner))
    return PatchReader(Pyramid(Image.fromarray(part)), patch), corner


def _shifted(landmarks: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = landmarks.copy()
    moved[:, :2] += by
    return moved
