"""FLAME sequences: what has a meaning without FLAME arrives exactly, the rest is left out aloud or mapped."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.motion import read_motion
from zero1toa.motion.flame import JAW_OPEN_RADIANS, JAW_SIDE_RADIANS
from zero1toa.motion.gaze import gaze_angles
from zero1toa.motion.head_motion import whole_turn


def sequence(frames=4, **changes):
    arrays = {
        "shape": np.zeros(300),
        "expr": np.zeros((frames, 100)),
        "rotation": np.zeros((frames, 3)),
        "neck_pose": np.zeros((frames, 3)),
        "jaw_pose": np.zeros((frames, 3)),
        "eyes_pose": np.zeros((frames, 6)),
        "translation": np.zeros((frames, 3)),
        "static_offset": np.zeros((1, 5143, 3)),
    }
    return arrays | changes


def read(tmp_path, arrays, **options):
    np.savez(tmp_path / "flame.npz", **arrays)
    source = read_motion(tmp_path / "flame.npz", **options)
    assert source.kind == "flame"
    return source


def test_the_jaw(tmp_path):
    jaw = np.zeros((4, 3))
    jaw[:, 0] = np.array([0, 0.5, 1, 2]) * JAW_OPEN_RADIANS
    jaw[1:3, 1] = np.array([0.5, -1]) * JAW_SIDE_RADIANS
    weights = read(tmp_path, sequence(jaw_pose=jaw)).motion.weights
    np.testing.assert_allclose(weights[:, arkit.INDEX["jawOpen"]], [0, 0.5, 1, 1], atol=1e-6)
    np.testing.assert_allclose(weights[:, arkit.INDEX["jawLeft"]], [0, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(weights[:, arkit.INDEX["jawRight"]], [0, 0, 1, 0], atol=1e-6)


def test_neck_and_root_turn_the_face_exactly(tmp_path):
    rng = np.random.default_rng(0)
    root, neck = rng.normal(0, 0.3, (2, 4, 3))
    only_neck = read(tmp_path, sequence(neck_pose=neck)).motion
    np.testing.assert_allclose(only_neck.neck, neck, atol=1e-6)
    np.testing.assert_allclose(only_neck.head, 0, atol=1e-6)
    both = read(tmp_path, sequence(neck_pose=neck, rotation=root)).motion
    expected = (Rotation.from_rotvec(root) * Rotation.from_rotvec(neck)).as_rotvec()
    np.testing.assert_allclose(whole_turn(both.neck, both.head), expected, atol=1e-5)


def test_eyes_within_and_beyond_the_reach_of_the_weights(tmp_path):
    eyes = np.zeros((4, 6))
    eyes[:, 1] = eyes[:, 4] = np.radians([0, 15, -15, 40])  # to the subject's left
    motion = read(tmp_path, sequence(eyes_pose=eyes)).motion
    assert motion.weights[1, arkit.INDEX["eyeLookOutLeft"]] == pytest.approx(0.5)
    assert motion.weights[2, arkit.INDEX["eyeLookInLeft"]] == pytest.approx(0.5)
    total = gaze_angles(motion.weights) + motion.eyes[..., :2]
    np.testing.assert_allclose(total, eyes.reshape(4, 2, 3)[..., :2], atol=1e-6)


def test_eyelids(tmp_path):
    lids = np.array([[0, 1], [0.5, 0], [1, 1], [0, 0]])
    weights = read(tmp_path, sequence(eyelids=lids)).motion.weights
    np.testing.assert_allclose(weights[:, arkit.INDEX["eyeBlinkLeft"]], lids[:, 0])
    np.testing.assert_allclose(weights[:, arkit.INDEX["eyeBlinkRight"]], lids[:, 1])


def test_expressions_without_a_mapping_are_left_out_aloud(tmp_path):
    source = read(tmp_path, sequence(expr=np.ones((4, 100))))
    assert len(source.warnings) == 1 and "--flame-mapping" in source.warnings[0]
    assert not source.motion.weights.any()
    assert not read(tmp_path, sequence()).warnings


def test_expressions_with_a_mapping(tmp_path):
    matrix = np.zeros((2, 52))
    matrix[0, arkit.INDEX["mouthSmileLeft"]] = 0.3
    matrix[1, arkit.INDEX["jawOpen"]] = 0.9  # FLAME's jaw decides, not the mapping
    np.savez(tmp_path / "map.npz", mapping=matrix)
    source = read(tmp_path, sequence(expr=np.ones((4, 100))), flame_mapping=tmp_path / "map.npz")
    assert not source.warnings
    np.testing.assert_allclose(source.motion.weights[:, arkit.INDEX["mouthSmileLeft"]], 0.3, atol=1e-6)
    assert not source.motion.weights[:, arkit.INDEX["jawOpen"]].any()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (sequence(jaw_pose=np.zeros((3, 3))), "jaw_pose of the shape"),
        (sequence(neck_pose=np.full((4, 3), np.nan)), "not a number, in neck_pose"),
        ({k: v for k, v in sequence().items() if k not in ("rotation", "eyes_pose")}, "lacks eyes_pose, rotation"),
        (sequence(expr=np.zeros(4)), "expr of the shape"),
    ],
)
def test_bad_sequences_get_one_sentence(tmp_path, arrays, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, arrays)


@pytest.mark.parametrize(
    "content", [{"other": np.zeros(3)}, {"mapping": np.zeros((2, 51))}, {"mapping": np.zeros((200, 52))}]
)
def test_bad_mappings(tmp_path, content):
    np.savez(tmp_path / "map.npz", **content)
    with pytest.raises(InputError, match=r"map\.npz"):
        read(tmp_path, sequence(), flame_mapping=tmp_path / "map.npz")
