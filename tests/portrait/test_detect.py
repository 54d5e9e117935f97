"""Faces are found wherever they are, and their landmarks move with the picture."""

import numpy as np
import pytest
from PIL import Image

from zero1toa.heads import facemesh
from zero1toa.portrait.detect import detect_faces
from zero1toa.portrait.landmarks import mirrored
from zero1toa.portrait.load import load_photo, to_bytes

# Where the face of the demo is, px: the middle of the eyes and the width, read off the picture.
EYES, WIDTH = (225, 103), 92


@pytest.fixture(scope="module")
def demo():
    return load_photo("demo").image


@pytest.fixture(scope="module")
def face(demo):
    (face,) = detect_faces(demo)
    return face


def resized(image, width, height):
    return np.asarray(Image.fromarray(to_bytes(image)).resize((width, height), Image.Resampling.LANCZOS)) / np.float32(
        255
    )


def error_at_225(a, b, width, group=range(478)):
    return np.linalg.norm((a - b)[list(group), :2], axis=1).mean() * 225 / width


def test_the_demo_has_one_face_where_it_is(face):
    assert face.landmarks.shape == (478, 3)
    assert face.spread.shape == (478,)
    np.testing.assert_allclose(face.landmarks[list(facemesh.EYES), :2].mean(0), EYES, atol=4)
    assert face.width == pytest.approx(WIDTH, abs=4)
    assert face.presence > 0.99
    right, left = face.landmarks[facemesh.IRIS_RIGHT[0]], face.landmarks[facemesh.IRIS_LEFT[0]]
    assert right[0] < left[0]  # the subject's right is on the picture's left


def test_landmarks_are_sharper_than_one_reading(face):
    assert face.spread.mean() * 225 / face.width < 2.0


def test_landmarks_move_with_the_picture(demo, face):
    moved = np.pad(demo[:-20, 13:], ((50, 0), (0, 77), (0, 0)), mode="edge")
    (again,) = detect_faces(moved)
    assert error_at_225(again.landmarks - [-13, 50, 0], face.landmarks, face.width) < 1.0


def test_landmarks_of_the_mirrored_picture_are_the_mirrored_landmarks(demo, face):
    (again,) = detect_faces(demo[:, ::-1])
    flipped = mirrored(again.landmarks, demo.shape[1])
    assert error_at_225(flipped, face.landmarks, face.width) < 1.0
    assert error_at_225(flipped, face.landmarks, face.width, facemesh.EYES) < 0.7


def test_landmarks_grow_with_the_picture(demo, face):
    (again,) = detect_faces(resized(demo, 1200, 1200))
    assert error_at_225(again.landmarks * 512 / 1200, face.landmarks, face.width) < 1.5


@pytest.mark.parametrize("angle", [-40, 25])
def test_landmarks_turn_with_the_picture(demo, face, angle):
    turned = Image.fromarray(to_bytes(demo)).rotate(angle, Image.Resampling.BICUBIC, center=(256, 256))
    (again,) = detect_faces(turned)
    radians = np.radians(angle)
    back = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    upright = (again.landmarks[:, :2] - 256) @ back.T + 256
    assert error_at_225(upright, face.landmarks[:, :2], face.width) < 2.0
    assert again.width == pytest.approx(face.width, rel=0.04)


def test_a_face_that_is_small_in_a_large_frame_is_found(demo):
    frame = np.full((1500, 2000, 3), 0.5, np.float32)
    frame[900:1200, 1500:1800] = resized(demo, 300, 300)
    (face,) = detect_faces(frame)
    np.testing.assert_allclose(
        face.landmarks[list(facemesh.EYES), :2].mean(0), np.array(EYES) * 300 / 512 + [1500, 900], atol=4
    )
    assert detect_faces(frame, thorough=False) == []


def test_a_tight_crop_is_found(demo, face):
    (again,) = detect_faces(demo[72:180, 178:272])
    assert error_at_225(again.landmarks + [178, 72, 0], face.landmarks, face.width) < 4.0


def test_several_faces_come_largest_first(demo):
    frame = np.full((700, 1300, 3), 0.4, np.float32)
    frame[:512, :512] = demo
    frame[:, 600:] = resized(demo, 700, 700)
    large, small = detect_faces(frame)
    assert large.width > small.width
    assert large.landmarks[0, 0] > 600 > small.landmarks[0, 0]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_plain_picture_has_none(value):
    assert detect_faces(np.full((300, 400, 3), value, np.float32)) == []


def test_noise_has_none():
    assert detect_faces(np.random.default_rng(0).random((300, 400, 3), np.float32)) == []


def test_the_same_picture_gives_the_same_landmarks(demo, face):
    (again,) = detect_faces(demo)
    np.testing.assert_array_equal(again.landmarks, face.landmarks)
