from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from zero1toa.portrait.detect import detect_faces
from zero1toa.portrait.patches import patch_of_landmarks
from zero1toa.tracking.people import SAME_PERSON, face_look, likeness, others_removed


def _look(image: np.ndarray) -> np.ndarray:
    image = np.ascontiguousarray(image)
    return face_look(image, patch_of_landmarks(detect_faces(Image.fromarray(image))[0].landmarks))


def test_a_person_is_like_itself_and_unlike_another(film) -> None:  # type: ignore[no-untyped-def]
    rest, open_mouth, shut = (_look((film.frames[k] * 255).astype(np.uint8)) for k in (0, 11, 24))
    astronaut = _look(skimage.data.astronaut())
    darker = _look((skimage.data.astronaut()[:300, 60:400] * 0.7).astype(np.uint8))
    for same in (likeness(rest, open_mouth), likeness(rest, shut), likeness(astronaut, darker)):
        assert same > SAME_PERSON
    assert likeness(rest, astronaut) < SAME_PERSON


def test_the_longest_and_largest_is_kept() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 12, 12)).astype(np.float32)
    segments = np.array([0] * 10 + [-1] * 3 + [1] * 6 + [2] * 9)
    width = np.where(segments == 1, 300.0, 100.0)
    kept, removed = others_removed(segments, width, [one, other, 3 * one])
    assert removed == [1]
    assert kept.tolist() == [0] * 10 + [-1] * 9 + [2] * 9
    kept, removed = others_removed(segments, np.where(segments == 1, 900.0, 100.0), [one, other, one])
    assert removed == [0, 2]
    assert (kept >= 0).sum() == 6


def test_a_turned_patch_shows_the_upright_face() -> None:
    photo = Image.fromarray(skimage.data.astronaut())
    turned = np.asarray(photo.rotate(20, resample=Image.Resampling.BILINEAR))
    assert likeness(_look(np.asarray(photo)), _look(turned)) == pytest.approx(1, abs=0.05)
