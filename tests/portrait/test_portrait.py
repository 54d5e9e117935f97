"""A fit survives its folder, and broken folders are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.portrait.portrait import ERRORS, FILE_NAME, Portrait


@pytest.fixture
def portrait():
    rng = np.random.default_rng(0)
    return Portrait(
        image=rng.random((32, 32, 3), np.float32), valid=rng.random((32, 32)) > 0.2, alpha=rng.random((32, 32),
        np.float32), foreground=rng.random((32, 32, 3), np.float32), landmarks=rng.normal(size=(478, 3)),
        target_landmarks=rng.normal(size=(478, 2)), fitted_landmarks=rng.normal(size=(478, 2)),
        identity=rng.normal(size=80), expression=rng.random(52), pose=rng.normal(size=(6, 3)), camera=Camera.orbit(10,
        size=32), head="default", source="a.jpg", warnings=("turned",), errors=dict.fromkeys(ERRORS, 1.5),
    )  # fmt: skip


def test_a_portrait_survives_its_folder(portrait, tmp_path):
    portrait.save(tmp_path)
    again = Portrait.load(tmp_path)
    for name, tolerance in (
        ("image", 2e-3),
        ("alpha", 2e-3),
        ("foreground", 2e-3),
        ("landmarks", 1e-3),
        ("identity", 1e-4),
    ):
        np.testing.assert_allclose(getattr(again, name), getattr(portrait, name), atol=tolerance, err_msg=name)
    np.testing.assert_array_equal(again.valid, portrait.valid)
    np.testing.assert_allclose(again.expression, portrait.expression, atol=1e-4)
    np.testing.assert_allclose(again.pose, portrait.pose, atol=1e-6)
    np.testing.assert_array_equal(again.camera.viewmat, portrait.camera.viewmat)
    for name in ("fx", "fy", "cx", "cy", "width", "height"):
        assert getattr(again.camera, name) == getattr(portrait.camera, name)
    np.testing.assert_allclose(again.target_landmarks, portrait.target_landmarks, atol=1e-3)
    np.testing.assert_allclose(again.fitted_landmarks, portrait.fitted_landmarks, atol=1e-3)
    assert (again.warnings, again.errors, again.source) == (portrait.warnings, portrait.errors, portrait.source)


def test_the_angles_are_those_of_the_head_before_the_camera(portrait):
    for camera, expected in ((Camera.orbit(20), [-20, 0, 0]), (Camera.orbit(0, 10), [0, 10, 0])):
        still = replace(portrait, pose=np.zeros((6, 3)), camera=camera)
        np.testing.assert_allclose([still.head_angles[k] for k in ("yaw", "pitch", "roll")], expected, atol=1e-6)
    pose = np.zeros((6, 3))
    pose[1, 1] = pose[2, 1] = np.radians(10)  # neck and head turn to the subject's left
    turned = replace(portrait, pose=pose, camera=Camera.orbit())
    np.testing.assert_allclose(turned.head_angles["yaw"], 20, atol=1e-6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("camera"),
        lambda d: d.update(zero1toa_fit=99),
        lambda d: d.update(landmarks=[[1, 2, 3]]),
        lambda d: d["expression"].pop("jawOpen"),
        lambda d: d.update(identity=[float("nan")]),
        lambda d: d.update(pose=3),
        lambda d: d.update(landmark_error_px_at_512={}),
        lambda d: d["camera"].update(width=64),
    ],
)
def test_a_damaged_fit_is_refused_with_one_sentence(portrait, tmp_path, damage):
    portrait.save(tmp_path)
    path = tmp_path / FILE_NAME
    data = json.loads(path.read_text())
    damage(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="fit"):
        Portrait.load(tmp_path)


@pytest.mark.parametrize("name", [FILE_NAME, "crop.png", "matte.png"])
def test_a_missing_or_cut_file_is_refused(portrait, tmp_path, name):
    portrait.save(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError):
        Portrait.load(tmp_path)
    path.unlink()
    with pytest.raises(InputError):
        Portrait.load(tmp_path)
