from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from zero1toa.camera import FRONTAL
from zero1toa.config import FitConfig
from zero1toa.heads import load_head
from zero1toa.portrait.detector_bias import load_bias
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.solver import LandmarkModel, Pinhole
from zero1toa.tracking.alignment import Poses, align, frontal, rigid_weights
from zero1toa.tracking.person import movements, sliding_landmarks, solve_person

PINHOLE = Pinhole(1100.0, 320.0, 180.0)


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    return landmark_model(load_head(), 80)


@pytest.fixture(scope="module")
def poses() -> Poses:
    rng = np.random.default_rng(0)
    turns = Rotation.from_euler("YXZ", rng.normal(0, [15, 8, 5], (6, 3)), degrees=True).as_matrix()
    return Poses(FRONTAL @ turns, rng.normal(0, 0.05, (6, 3)) + [0, 0, 0.9])


def _project(points: np.ndarray, poses: Poses) -> np.ndarray:
    local = np.einsum("fab,...vb->fva", poses.rotation, points) + poses.translation[:, None]
    return PINHOLE.focal * local[..., :2] / local[..., 2:] + [PINHOLE.cx, PINHOLE.cy]


def test_poses_are_found_again(model: LandmarkModel, poses: Poses) -> None:
    found = align(model.mean, _project(model.mean, poses), PINHOLE, rigid_weights(model))
    assert found.rotation == pytest.approx(poses.rotation, abs=1e-5)
    assert found.translation == pytest.approx(poses.translation, abs=1e-5)


def test_a_moving_mouth_and_a_hand_hardly_turn_the_head(model: LandmarkModel, poses: Poses) -> None:
    landmarks = _project(model.mean + 0.8 * model.expression[17], poses)  # jawOpen
    landmarks[:, :40] += 60  # something is taken for a part of the face
    found = align(model.mean, landmarks, PINHOLE, rigid_weights(model))
    angle = np.degrees((Rotation.from_matrix(found.rotation) * Rotation.from_matrix(poses.rotation).inv()).magnitude())
    assert angle.max() < 2.5


def test_a_face_at_rest_has_not_moved(model: LandmarkModel, poses: Poses) -> None:
    offsets = frontal(model.mean, _project(model.mean, poses), PINHOLE, poses, load_bias(), np.zeros(478, bool))
    assert np.abs(offsets).max() < 1e-9


def test_movement_seen_from_any_side_is_that_seen_from_the_front(model: LandmarkModel, poses: Poses) -> None:
    raised = np.zeros_like(model.mean)
    raised[:, 1] = 0.004
    landmarks = _project(model.mean + raised, poses)
    offsets = frontal(model.mean, landmarks, PINHOLE, poses, load_bias(), np.zeros(478, bool))
    assert offsets.mean((0, 1)) == pytest.approx([0, 0.4], abs=0.06)


def test_a_person_is_found_in_several_frames(model: LandmarkModel, poses: Poses) -> None:
    rng = np.random.default_rng(1)
    identity = np.concatenate([rng.normal(0, 1, 20), np.zeros(60)])
    expressions = np.zeros((6, 52))
    expressions[:, 17] = rng.uniform(0, 0.6, 6)
    shapes = model.points(identity, np.zeros(52)) + np.einsum("fk,kva->fva", expressions, model.expression)
    landmarks = np.concatenate([_project(s, Poses(p[None], t[None])) for s, p, t in zip(shapes, *poses, strict=True)])
    person = solve_person(load_head(), landmarks, expressions, PINHOLE, FitConfig(), np.ones(6))
    firm = ~sliding_landmarks(model)
    true = model.points(identity, np.zeros(52))
    error = np.linalg.norm((person.rest - true)[firm, :2], axis=1).mean()
    assert error < 0.4 * np.linalg.norm((model.mean - true)[firm, :2], axis=1).mean()
    offsets, _ = movements(person, landmarks[expressions[:, 17].argsort()[:1]], PINHOLE)
    assert np.abs(offsets[:, firm]).mean() < 0.1
