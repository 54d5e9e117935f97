"""Laws of the camera."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zero1toa.camera import Camera

angles = st.floats(-80, 80)


@given(yaw=st.floats(-180, 180), pitch=angles, distance=st.floats(0.3, 3))
def test_orbit_looks_at_its_target_from_the_asked_distance(yaw, pitch, distance):
    target = (0.01, -0.02, 0.03)
    camera = Camera.orbit(yaw, pitch, distance=distance, target=target, size=(640, 480))
    np.testing.assert_allclose(camera.project(np.array(target)), [320, 240, distance], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(camera.position - target), distance)
    np.testing.assert_allclose(camera.viewmat[:3, :3] @ camera.viewmat[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.isclose(np.linalg.det(camera.viewmat[:3, :3]), 1)


def test_positive_yaw_and_pitch_move_the_camera_to_the_left_of_the_subject_and_up():
    assert Camera.orbit(30).position[0] > 0
    assert Camera.orbit(0, 30).position[1] > 0


def test_a_frontal_camera_shows_the_subjects_left_at_the_right_and_up_at_the_top():
    camera = Camera.orbit(size=100)
    left, up = camera.project(np.array([[0.1, 0, 0], [0, 0.1, 0]]))
    assert left[0] > 50 and np.isclose(left[1], 50)
    assert up[1] < 50 and np.isclose(up[0], 50)


def test_the_field_of_view_is_vertical():
    camera = Camera.orbit(distance=1.0, fov=30, size=(200, 100))
    edge = np.array([0, np.tan(np.radians(15)), 0])
    np.testing.assert_allclose(camera.project(edge)[1], 0, atol=1e-9)


@given(factor=st.integers(1, 5), yaw=angles)
def test_resizing_scales_pixels(factor, yaw):
    camera = Camera.orbit(yaw, size=64)
    points = np.random.default_rng(0).normal(0, 0.1, (5, 3))
    large = camera.resized(64 * factor, 64 * factor)
    np.testing.assert_allclose(large.project(points)[:, :2], factor * camera.project(points)[:, :2], atol=1e-8)
