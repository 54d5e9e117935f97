import numpy as np
import pytest

from zero1toa.evaluate.face_reading import MEASURES, FaceReader, compare_faces, lid_gap, lip_gap
from zero1toa.heads import arkit, load_head
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.solver import Pinhole

SIZE = 512


@pytest.fixture(scope="module")
def reader():
    return FaceReader(SIZE, 25.0)


def face(reader, shift=(0.0, 0.0, 0.0), turn=0.0, **weights):
    """The mean head in front of the camera, about a metre away."""
    model = landmark_model(load_head(), 0)
    points = model.mean.copy()
    for name, weight in weights.items():
        points = points + weight * model.expression[arkit.INDEX[name]]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    local = (points - model.mean.mean(0)) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) @ np.diag([1.0, -1, -1])
    pixels = Pinhole.from_fov(25.0, SIZE).project(local + [0, 0, 0.9] + np.array(shift))
    return reader.read(np.concatenate([pixels, local[:, 2:]], 1))


def test_a_face_is_no_distance_from_itself(reader):
    result = compare_faces(face(reader), face(reader), SIZE)
    assert set(result) == set(MEASURES) and all(value == 0 for value in result.values())


def test_a_step_to_the_side_is_a_distance_and_no_expression(reader):
    moved = compare_faces(face(reader, (0.01, 0, 0)), face(reader), SIZE)
    assert 10 < moved["akd"] < 15 and moved["apd_cm"] == pytest.approx(1.0, abs=0.1)
    assert moved["mouth_gap"] < 0.1 and moved["aed"] < 0.02


def test_a_turn_is_measured_in_degrees(reader):
    assert compare_faces(face(reader, turn=10), face(reader), SIZE)["apd"] == pytest.approx(10, abs=1)


def test_an_open_mouth_opens_lips_alone(reader):
    opened, rest = face(reader, jawOpen=0.6), face(reader)
    assert lip_gap(opened.landmarks) > lip_gap(rest.landmarks) + 5
    assert lid_gap(opened.landmarks) == pytest.approx(lid_gap(rest.landmarks), abs=0.5)
    result = compare_faces(opened, rest, SIZE)
    assert result["mouth"] > 3 * result["eyes"] and result["aed"] > 0.005


def test_distances_are_given_at_512_px(reader):
    large = compare_faces(face(reader, (0.01, 0, 0)), face(reader), SIZE)
    same_pixels = compare_faces(face(reader, (0.01, 0, 0)), face(reader), 2 * SIZE)
    assert same_pixels["akd"] == pytest.approx(large["akd"] / 2)
