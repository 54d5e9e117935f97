"""The landmark solver against heads whose parameters are known."""

import numpy as np
import pytest
import torch

from zero1toa.camera import Camera
from zero1toa.config import FitConfig
from zero1toa.heads import arkit, facemesh, load_head
from zero1toa.portrait.detector_bias import NUM_TERMS, DetectorBias, load_bias
from zero1toa.portrait.expression_prior import ExpressionRegressor, frontal_features, load_regressor
from zero1toa.portrait.fit import split_rotation
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.landmarks import mirrored
from zero1toa.portrait.solver import OPPOSITES, ExpressionPrior, Pinhole, Solution, solve, solve_pose

PINHOLE = Pinhole.from_fov(25, 512)
FLAT = ExpressionPrior(np.zeros(52), 0.5 * np.eye(52))


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def model(head):
    return landmark_model(head, 80)


def seen(model, identity, expression, yaw=0.0, pitch=0.0):
    camera = Camera.orbit(yaw, pitch, distance=0.75, size=512)
    return camera, camera.project(model.points(identity, expression))[:, :2]


def weights(**named):
    out = np.zeros(52)
    for name, value in named.items():
        out[arkit.INDEX[name]] = value
    return out


@pytest.mark.parametrize("yaw", [-40, 0, 25])
def test_the_rigid_pose_of_the_mean_face_is_found_exactly(model, yaw):
    camera, landmarks = seen(model, np.zeros(80), np.zeros(52), yaw, 10)
    rotation, translation = solve_pose(model, landmarks, PINHOLE, steps=20)
    np.testing.assert_allclose(rotation, camera.viewmat[:3, :3], atol=1e-5)
    np.testing.assert_allclose(translation, camera.viewmat[:3, 3], atol=1e-5)


@pytest.mark.parametrize("yaw", [0, 30])
def test_a_known_head_is_recovered_to_a_fraction_of_a_pixel(model, yaw):
    rng = np.random.default_rng(5)
    identity = 0.5 * rng.normal(size=80)
    expression = weights(jawOpen=0.5, mouthSmileLeft=0.6, mouthSmileRight=0.6, browInnerUp=0.7)
    _, landmarks = seen(model, identity, expression, yaw)
    solution = solve(model, landmarks, PINHOLE, ExpressionPrior(expression, 50 * np.eye(52)), FitConfig())
    assert solution.residuals.mean() < 0.6
    assert abs(solution.expression[arkit.INDEX["jawOpen"]] - 0.5) < 0.08


def test_expression_weights_stay_in_bounds_and_opposites_exclude_each_other(model):
    rng = np.random.default_rng(1)
    _, landmarks = seen(model, np.zeros(80), weights(jawLeft=0.8, eyeLookInLeft=0.7, eyeLookOutRight=0.7))
    noisy = landmarks + rng.normal(0, 3, landmarks.shape)
    expression = solve(model, noisy, PINHOLE, FLAT, FitConfig()).expression
    assert expression.min() >= 0 and expression.max() <= 1
    for a, b in OPPOSITES:
        assert min(expression[arkit.INDEX[a]], expression[arkit.INDEX[b]]) == 0, (a, b)


def test_the_picture_may_have_any_size(model):
    _, landmarks = seen(model, np.zeros(80), weights(jawOpen=0.4))
    full = solve(model, landmarks, PINHOLE, FLAT, FitConfig())
    half = solve(model, landmarks / 2, Pinhole.from_fov(25, 256), FLAT, FitConfig())
    np.testing.assert_allclose(half.expression, full.expression, atol=1e-3)
    np.testing.assert_allclose(half.residuals * 2, full.residuals, atol=1e-2)


def test_the_landmark_model_is_the_head_model(head):
    rng = np.random.default_rng(0)
    identity, expression = (
        rng.normal(size=20),
        weights(jawOpen=0.5, browInnerUp=0.3, eyeLookUpLeft=0.5, eyeLookUpRight=0.5),
    )
    pose = np.zeros((6, 3))
    pose[1], pose[2] = [0.05, 0.1, -0.1], [0.02, 0.1, 0.05]
    model = landmark_model(head, 20, identity, pose)
    tensors = [torch.as_tensor(x, dtype=torch.float32)[None] for x in (identity, expression, pose)]
    truth = head.landmarks(head.vertices(*tensors))[0].numpy()
    np.testing.assert_allclose(model.points(identity, expression), truth, atol=2e-4)


@pytest.mark.parametrize("angles", [(0, 0, 0), (35, 10, -14), (-50, -20, 25)])
def test_sharing_a_rotation_between_torso_and_neck_loses_none_of_it(head, angles):
    from scipy.spatial.transform import Rotation

    whole = np.diag([1.0, -1, -1]) @ Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    torso, pose = split_rotation(whole)
    person = head.personalize(torch.zeros(1))
    turned = person.joint_transforms(torch.zeros(52), torch.as_tensor(pose, dtype=torch.float32))[2, :3, :3].numpy()
    np.testing.assert_allclose(torso @ turned, whole, atol=1e-5)


def test_frontal_features_do_not_depend_on_the_view(model):
    rng = np.random.default_rng(2)
    identity, expression = 0.5 * rng.normal(size=80), weights(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    front = frontal_features(model, seen(model, identity, expression)[1], PINHOLE)
    turned = frontal_features(model, seen(model, identity, expression, 12, 5)[1], PINHOLE)
    inner = slice(0, 936)  # the face without irises and viewing direction
    assert np.abs(front[inner] - turned[inner]).mean() < 0.35 * np.abs(front[inner]).mean()
    np.testing.assert_allclose(turned[-2:], Camera.orbit(12, 5).viewmat[2, :2], atol=0.1)


def test_the_regressor_survives_its_file(tmp_path):
    regressor = load_regressor()
    regressor.save(tmp_path / "prior.npz")
    again = ExpressionRegressor.load(tmp_path / "prior.npz")
    features = np.random.default_rng(0).normal(0, 0.3, regressor.mean.shape) + regressor.mean
    np.testing.assert_allclose(again(features), regressor(features), atol=2e-3)


def test_a_prior_is_a_belief_with_bounds():
    regressor = load_regressor()
    mean = regressor.mean.astype(np.float64)
    prior = regressor.prior(mean, mean)
    assert prior.mean.min() >= 0 and prior.mean.max() <= 1
    np.testing.assert_allclose(prior.precision, prior.precision.T, rtol=1e-6)
    assert np.linalg.eigvalsh(prior.precision).min() > 0


def test_a_known_bias_is_taken_off_the_contour_alone(model):
    none = DetectorBias(np.zeros((NUM_TERMS, 478, 2), np.float32))
    _, landmarks = seen(model, np.zeros(80), np.zeros(52), 20)
    np.testing.assert_allclose(none.corrected(model, landmarks, PINHOLE), landmarks, atol=1e-6)
    shift = np.zeros((NUM_TERMS, 478, 2), np.float32)
    shift[0, :, 1] = 1.0  # every landmark is read 1 cm too high
    lower = DetectorBias(shift).corrected(model, landmarks, PINHOLE)[:, 1] - landmarks[:, 1]
    slides = model.spread > 0.003
    np.testing.assert_allclose(lower[slides], 0.01 * PINHOLE.focal / 0.75, rtol=0.2)  # metres at 0.75 m to pixels
    np.testing.assert_allclose(lower[~slides], 0, atol=1e-9)
    assert slides[list(facemesh.OVAL)].mean() > 0.6
    assert not slides[list(facemesh.EYES + facemesh.LIPS_OUTER)].any()


@pytest.mark.parametrize("pair", [pair for pair in OPPOSITES if "mouthRoll" not in pair[0]])
@pytest.mark.parametrize("side", [0, 1])
def test_either_of_two_opposites_can_begin_to_act(model, pair, side):
    truth = weights(**{pair[side]: 0.7})
    if pair[side].startswith("eyeLook"):  # both eyes turn
        truth += weights(**{arkit.mirrored(pair[side]): 0})
    camera, landmarks = seen(model, np.zeros(80), truth)
    start = Solution(
        camera.viewmat[:3, :3], camera.viewmat[:3, 3], np.zeros(80), np.zeros(52), landmarks, np.zeros(478), 0
    )  # fmt: skip
    config = FitConfig(expression_weight=0.1)
    found = solve(model, landmarks, PINHOLE, FLAT, config, start, hold_identity=True).expression
    assert found[arkit.INDEX[pair[side]]] > 0.4
    assert found[arkit.INDEX[pair[1 - side]]] == 0


def test_the_learned_prior_does_not_depend_on_the_pictures_size_or_side(model):
    regressor = load_regressor()
    _, landmarks = seen(
        model, 0.5 * np.random.default_rng(3).normal(size=80), weights(mouthSmileLeft=0.8, jawOpen=0.3), 15
    )

    def belief(points, size):
        pinhole = Pinhole.from_fov(25, size)
        return regressor.prior(*(frontal_features(model, p, pinhole) for p in (points, mirrored(points, size)))).mean

    full = belief(landmarks, 512)
    np.testing.assert_allclose(belief(landmarks / 2, 256), full, atol=1e-6)
    np.testing.assert_allclose(belief(mirrored(landmarks, 512), 512)[list(arkit.MIRROR)], full, atol=1e-9)


def test_the_detectors_bias_on_a_turned_render_is_reduced(head, model):
    from zero1toa.heads.mesh_render import shade
    from zero1toa.portrait.detect import detect_faces

    camera, truth = seen(model, np.zeros(80), np.zeros(52), 30)
    read = detect_faces(shade(head.template.numpy(), head.topology, camera))[0].landmarks
    better = load_bias().corrected(model, read, PINHOLE)
    assert np.linalg.norm(better - truth, axis=1).mean() < 0.8 * np.linalg.norm(read[:, :2] - truth, axis=1).mean()
