"""FLAME sequences: what has a meaning without FLAME arrives exactly, the rest is left out aloud or mapped."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from flame_fixtures import flame_file
from zero1toa.errors import InputError
from zero1toa.heads import arkit, load_head
from zero1toa.heads.flame.file import read_flame
from zero1toa.heads.flame.language import FlameLanguage
from zero1toa.heads.sampling import sample_expressions
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


@pytest.fixture(scope="module")
def language():
    return FlameLanguage(read_flame(flame_file()), load_head(f"flame:{flame_file()}"))


def test_with_the_flame_it_is_of_expressions_come_back(tmp_path, language):
    """ARKit weights, said in FLAME's parameters, written as a sequence, read with that FLAME."""
    weights = sample_expressions(12, np.random.default_rng(3))
    weights[:, arkit.INDEX["tongueOut"]] = 0
    face = language.to_flame(weights)
    arrays = sequence(12, expr=face.expression, jaw_pose=face.jaw, eyes_pose=face.eyes.reshape(-1, 6))
    source = read(tmp_path, arrays, flame_head=f"flame:{flame_file()}")
    assert not source.warnings
    back = source.motion.weights.astype(np.float64)
    assert abs(back - weights).mean() < 0.01
    moved = language.error(np.zeros_like(weights), face).mean()
    assert language.error(back, face).mean() < 0.1 * moved
    left_out = read(tmp_path, arrays).motion.weights  # the jaw alone: what the head adds is most of the face
    assert language.error(left_out.astype(np.float64), face).mean() > 0.5 * moved


def test_eyelids_and_a_mapping_go_before_the_head(tmp_path, language):
    face = language.to_flame(np.zeros((4, 52)))
    arrays = sequence(expr=face.expression, eyelids=np.full((4, 2), 0.7))
    head = f"flame:{flame_file()}"
    blink = read(tmp_path, arrays, flame_head=head).motion.weights[:, arkit.INDEX["eyeBlinkLeft"]]
    np.testing.assert_allclose(blink, 0.7, atol=1e-6)
    matrix = np.zeros((1, 52))
    matrix[0, arkit.INDEX["cheekPuff"]] = 0.5
    np.savez(tmp_path / "map.npz", mapping=matrix)
    ones = sequence(expr=np.ones((4, 100)))
    mapped = read(tmp_path, ones, flame_mapping=tmp_path / "map.npz", flame_head=head).motion.weights
    np.testing.assert_allclose(mapped[:, arkit.INDEX["cheekPuff"]], 0.5, atol=1e-6)


def test_a_head_that_does_not_speak_flame_gets_a_sentence(tmp_path):
    with pytest.raises(InputError, match="FLAME's language"):
        read(tmp_path, sequence(), flame_head="default")
    with pytest.raises(InputError, match="101 expression components"):
        read(tmp_path, sequence(expr=np.zeros((4, 101))), flame_head=f"flame:{flame_file()}")
