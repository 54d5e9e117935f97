"""The only place that imports MediaPipe, and everything the package asks of it.

The networks come with the MediaPipe 0.10.21 wheel and work offline: the face detectors (short and full range), the
face landmark network with refined eyes, irises and lips (478 points), and the selfie segmenter. The landmark network is
called on a patch that the caller has cut out and turned upright, because that gives the presence score, which
MediaPipe's own `FaceMesh` hides, and full control of resampling.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import MissingDependency

LANDMARK_PATCH = 192  # px, input side of the landmark network; another size would be resampled inside MediaPipe
# MediaPipe imports these but only its drawing helpers use them. OpenCV needs libGL, which bare machines lack.
_PLACEHOLDERS = ("cv2", "matplotlib", "matplotlib.pyplot")
# Imported by MediaPipe when present, seconds of start-up for nothing that is used here.
_UNWANTED = frozenset({"tensorflow", "jax", "jaxlib", "sounddevice"})
# Lines that TensorFlow Lite and absl print on standard error while networks are loaded.
_CHATTER = re.compile(rb"^(INFO: |WARNING: All log messages|[IW]\d{4} )")
_LANDMARK_GRAPH = """
input_stream: "IMAGE:image"
input_stream: "ROI:roi"
input_side_packet: "WITH_ATTENTION:with_attention"
output_stream: "LANDMARKS:landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_PRESENCE_STREAM = "facelandmarkcpu__face_presence_score"  # inside FaceLandmarkCpu, before its threshold
_PRESENCE_THRESHOLD = "facelandmarkcpu__ThresholdingCalculator.threshold"


class FaceBox(NamedTuple):
    """What a face detector answers."""

    score: float  # in [0, 1]
    low: NDArray[np.float64]  # (2,) px
    high: NDArray[np.float64]  # (2,) px
    keypoints: NDArray[np.float64]  # (6, 2) px: the subject's right eye, left eye, nose tip, mouth, right ear, left ear


class FaceReading(NamedTuple):
    """What the landmark network answers for one patch."""

    landmarks: NDArray[np.float64]  # (478, 3) patch px; z relative depth in px, smaller is nearer
    presence: float  # in [0, 1]: how sure the network is that the patch shows a face


class _Hidden(importlib.abc.MetaPathFinder):
    """Makes the unwanted optional packages look as if they were not installed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> None:
        if fullname.partition(".")[0] in _UNWANTED:
            raise ModuleNotFoundError(f"{fullname} is hidden while MediaPipe is imported", name=fullname)


@contextmanager
def _bare_imports() -> Iterator[None]:
    placed = {name: types.ModuleType(name) for name in _PLACEHOLDERS if name not in sys.modules}
    hidden = _Hidden()
    sys.modules.update(placed)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Holds back standard error of the whole process, C++ included, and lets through all but the known chatter."""
    try:
        original = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)


@lru_cache(maxsize=1)
def mediapipe() -> Any:
    """The module, imported on first use.

    Raises:
        MissingDependency: where it is not installed or does not fit the installed NumPy.
    """
    cure = "install Python 3.10 to 3.12 with: pip install 'mediapipe==0.10.21' 'numpy<2'"
    if importlib.util.find_spec("mediapipe") is None:
        raise MissingDependency(f"Reading a face needs MediaPipe, which is not installed; {cure}.")
    if int(np.__version__.partition(".")[0]) >= 2:
        raise MissingDependency(
            f"Reading a face needs MediaPipe, which does not work with NumPy {np.__version__}; {cure}."
        )
    try:
        with _bare_imports(), _without_chatter():
            import mediapipe as module
    except (ImportError, AttributeError, TypeError, OSError) as error:
        raise MissingDependency(f"MediaPipe is installed but cannot be imported ({error}); {cure}.") from error
    return module


class _Network:
    """One MediaPipe graph. It takes one picture at a time."""

    def __init__(self, build: Callable[[], Any], first: Any, answer: str) -> None:
        """
        Args:
            build: makes the graph.
            first: an input to run at once: networks are loaded, and talk, in threads of their own until then.
            answer: the output that is empty where a picture shows nothing; some lines come with the first real one.
        """
        self._lock = threading.Lock()
        self._answer = answer
        self._answered = False
        with _without_chatter():
            self._graph = build()
            self._graph.process(first)

    def __call__(self, inputs: Any) -> Any:
        with self._lock:
            if self._answered:
                return self._graph.process(inputs)
            with _without_chatter():
                result = self._graph.process(inputs)
            self._answered = getattr(result, self._answer) is not None
            return result


def _black(side: int) -> NDArray[np.uint8]:
    return np.zeros((side, side, 3), np.uint8)


def _whole() -> Any:
    from mediapipe.framework.formats import rect_pb2

    return rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0, rotation=0.0)


@lru_cache(maxsize=4)
def _detector(full_range: bool, threshold: float) -> _Network:
    solution = mediapipe().solutions.face_detection.FaceDetection
    return _Network(
        lambda: solution(min_detection_confidence=threshold, model_selection=int(full_range)), _black(64), "detections"
    )


@lru_cache(maxsize=1)
def _landmark_network() -> _Network:
    mediapipe()
    from mediapipe.python.solution_base import SolutionBase

    def build() -> Any:
        return SolutionBase(
            graph_config=_LANDMARK_GRAPH,
            calculator_params={_PRESENCE_THRESHOLD: 0.0},
            side_inputs={"with_attention": True},
            outputs=["landmarks", _PRESENCE_STREAM],
        )

    return _Network(build, {"image": _black(LANDMARK_PATCH), "roi": _whole()}, "landmarks")


@lru_cache(maxsize=1)
def _segmenter() -> _Network:
    solution = mediapipe().solutions.selfie_segmentation.SelfieSegmentation
    return _Network(lambda: solution(model_selection=0), _black(64), "segmentation_mask")


def find_faces(image: NDArray[np.uint8], *, full_range: bool, threshold: float) -> list[FaceBox]:
    """Faces in (H, W, 3) sRGB bytes, most certain first.

    Args:
        full_range: the detector for faces that are small in the frame instead of the one for selfies.
        threshold: least score in [0, 1].
    """
    assert image.dtype == np.uint8, image.dtype
    assert image.ndim == 3, image.shape
    size = np.array([image.shape[1], image.shape[0]], float)
    result = _detector(full_range, threshold)(np.ascontiguousarray(image))
    boxes = []
    for detection in result.detections or []:
        box = detection.location_data.relative_bounding_box
        low = np.array([box.xmin, box.ymin]) * size
        keypoints = np.array([(p.x, p.y) for p in detection.location_data.relative_keypoints]) * size
        boxes.append(FaceBox(detection.score[0], low, low + np.array([box.width, box.height]) * size, keypoints))
    return sorted(boxes, key=lambda box: -box.score)


def read_face(patch: NDArray[np.uint8]) -> FaceReading:
    """Landmarks of the upright face that fills about two thirds of the (192, 192, 3) sRGB bytes."""
    assert patch.shape == (LANDMARK_PATCH, LANDMARK_PATCH, 3), patch.shape
    result = _landmark_network()({"image": np.ascontiguousarray(patch), "roi": _whole()})
    points = np.array([(p.x, p.y, p.z) for p in result.landmarks.landmark], np.float64) * LANDMARK_PATCH
    return FaceReading(points, float(getattr(result, _PRESENCE_STREAM)))


def person_mask(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: how sure the segmenter is that a pixel of the (H, W, 3) sRGB bytes shows a person.

    The network works at 256 x 256; the answer is its own enlargement.
    """
    result = _segmenter()(np.ascontiguousarray(image))
    return np.array(result.segmentation_mask, np.float32)
