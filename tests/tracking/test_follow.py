from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from zero1toa.portrait.detect import detect_faces
from zero1toa.tracking.follow import FaceFollower, follow
from zero1toa.tracking.frames import Frame

PHOTO = Image.fromarray(skimage.data.astronaut())


def _window(left: float, top: float, side: int = 300) -> np.ndarray:
    box = (left, top, left + side, top + side)
    return np.asarray(PHOTO.transform((side, side), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR))


def test_a_face_is_followed_as_it_moves() -> None:
    follower = FaceFollower()
    readings = [follower.read(_window(60 + 8 * k, 10 + 3 * k)) for k in range(6)]
    assert follower.searches == 1
    assert follower.segment == 0
    first, last = readings[0], readings[-1]
    assert first is not None
    assert last is not None
    assert (last.landmarks - first.landmarks).mean(0) == pytest.approx([-40, -15], abs=1.0)


def test_readings_are_close_to_those_of_a_photo() -> None:
    window = _window(80, 10)
    reading = FaceFollower().read(window)
    assert reading is not None
    careful = detect_faces(Image.fromarray(window))[0].landmarks[:, :2]
    assert np.linalg.norm(reading.landmarks - careful, axis=1).mean() < 1.0


def test_a_face_that_is_gone_is_looked_for_until_it_is_back() -> None:
    blank = np.full((300, 300, 3), 90, np.uint8)
    frames = [_window(80, 10)] * 2 + [blank] * 3 + [_window(100, 20)] * 2
    followed = follow([Frame(k / 25, image) for k, image in enumerate(frames)])
    assert followed.segments.tolist() == [0, 0, -1, -1, -1, 1, 1]
    assert np.isnan(followed.landmarks[3]).all()
    assert (followed.confidence > 0).tolist() == [True, True, False, False, False, True, True]


def test_a_repeated_frame_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = FaceFollower.read
    monkeypatch.setattr(FaceFollower, "read", lambda self, image: calls.append(1) or original(self, image))
    frame = Frame(0.0, _window(80, 10))
    followed = follow([frame, frame, frame])
    assert len(calls) == 1
    assert len(followed.times) == 3
