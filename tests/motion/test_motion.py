"""A motion keeps its laws whatever is done to it, and refuses what is none."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from zero1toa.errors import InputError, OutputError
from zero1toa.heads import JOINTS, arkit
from zero1toa.motion import Motion


def random_motion(frames: int = 30, fps: float = 30.0, seed: int = 0, *, eyes: bool = True) -> Motion:
    rng = np.random.default_rng(seed)
    return Motion(
        fps,
        rng.random((frames, 52)),
        rng.normal(0, 0.2, (frames, 3)),
        rng.normal(0, 0.1, (frames, 3)),
        rng.normal(0, 0.1, (frames, 2, 3)) if eyes else None,
    )


def assert_same(a: Motion, b: Motion, atol: float = 0.0) -> None:
    assert a.fps == b.fps
    assert (a.eyes is None) == (b.eyes is None)
    for name in ("weights", "head", "neck", "eyes"):
        if getattr(a, name) is not None:
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=atol)


@pytest.mark.parametrize("eyes", [True, False])
def test_saving_and_loading_gives_the_same_motion(tmp_path, eyes):
    motion = random_motion(eyes=eyes, fps=29.97)
    motion.save(tmp_path / "deep" / "motion.npz")
    assert_same(Motion.load(tmp_path / "deep" / "motion.npz"), motion)


def test_a_file_keeps_the_name_it_was_given(tmp_path):
    random_motion().save(tmp_path / "take.motion")
    assert [p.name for p in tmp_path.iterdir()] == ["take.motion"]


def test_resampling_to_its_own_rate_changes_nothing():
    motion = random_motion()
    assert_same(motion.resampled(motion.fps), motion)


def test_resampling_to_a_multiple_and_back_changes_nothing():
    motion = random_motion()
    assert_same(motion.resampled(90.0).resampled(30.0), motion, atol=1e-5)


@given(frames=st.integers(1, 40), before=st.floats(5, 120), after=st.floats(5, 120))
@settings(max_examples=50, deadline=None)
def test_resampling_keeps_the_length_in_seconds_and_the_range(frames, before, after):
    motion = random_motion(frames, before)
    other = motion.resampled(after)
    assert abs(other.seconds - motion.seconds) <= max(0.5 / after + 1e-9, 1 / after - motion.seconds)
    assert other.weights.min() >= motion.weights.min() - 1e-6 and other.weights.max() <= motion.weights.max() + 1e-6


def test_rotations_between_frames_lie_on_the_arc():
    start, end = Rotation.from_rotvec([0, 0.4, 0]), Rotation.from_rotvec([1.0, 0.1, -0.5])
    turns = np.stack([start.as_rotvec(), end.as_rotvec()])
    middle = Motion(1.0, np.zeros((2, 52)), turns, np.zeros((2, 3))).resampled(2.0).head[1]
    from_start, to_end = (Rotation.from_rotvec(middle) * start.inv()), (end * Rotation.from_rotvec(middle).inv())
    np.testing.assert_allclose(from_start.as_rotvec(), to_end.as_rotvec(), atol=1e-6)


def test_concatenation_adds_lengths_and_keeps_frames():
    a, b, c = random_motion(10, seed=1), random_motion(7, seed=2), random_motion(20, 60.0, seed=3)
    whole = a.concatenated(b, c)
    assert len(whole) == 10 + 7 + 10
    assert_same(whole.trimmed(0, a.seconds), a)
    assert_same(whole.trimmed(a.seconds, a.seconds + b.seconds), b)


def test_a_motion_without_eye_rotation_joins_one_with():
    whole = random_motion(4, eyes=False).concatenated(random_motion(5))
    assert whole.eyes is not None and not whole.eyes[:4].any() and whole.eyes[4:].any()


def test_concatenating_nothing_changes_nothing():
    motion = random_motion()
    assert_same(motion.concatenated(), motion)


@given(cut=st.integers(1, 29), fps=st.floats(1, 240))
@settings(max_examples=50, deadline=None)
def test_cutting_and_joining_gives_the_whole(cut, fps):
    motion = random_motion(30, fps)
    assert_same(motion.trimmed(0, cut / fps).concatenated(motion.trimmed(cut / fps)), motion)


def test_scaling():
    motion = random_motion()
    assert_same(motion.scaled(1.0), motion)
    np.testing.assert_allclose(motion.scaled(0.5).weights, motion.weights / 2)
    assert motion.scaled(5.0).weights.max() == 1
    np.testing.assert_array_equal(motion.scaled(0.5, rotation=1.0).head, motion.head)
    assert not motion.scaled(0.0).poses.any()


def test_the_pose_has_the_order_of_the_joints():
    motion = random_motion()
    pose = dict(zip(JOINTS, motion.pose(3), strict=True))
    np.testing.assert_array_equal(pose["head"], motion.head[3])
    np.testing.assert_array_equal(pose["neck"], motion.neck[3])
    np.testing.assert_array_equal(pose["eyeRight"], motion.eyes[3, 1])
    assert not pose["root"].any() and not pose["jaw"].any()
    np.testing.assert_array_equal(motion.expression(3), motion.weights[3])


def test_it_cannot_be_changed_from_outside():
    weights = np.zeros((3, 52), np.float32)
    motion = Motion.still(weights, 30)
    weights[:] = 1
    assert not motion.weights.any()
    with pytest.raises(ValueError):
        motion.weights[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        motion.fps = 3


def test_rounding_errors_are_forgiven():
    motion = Motion.still(np.full((2, 52), 1.0001), 30)
    assert motion.weights.max() == 1


GOOD = {"fps": 30.0, "weights": np.zeros((4, 52)), "head": np.zeros((4, 3)), "neck": np.zeros((4, 3))}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fps": 0}, "frame rate"),
        ({"fps": float("nan")}, "frame rate"),
        ({"fps": "fast"}, "frame rate"),
        ({"weights": np.zeros((4, 51))}, "52 ARKit weights"),
        ({"weights": np.zeros(52)}, "52 ARKit weights"),
        ({"weights": np.zeros((0, 52))}, "no frame"),
        ({"weights": np.full((4, 52), np.nan)}, "not a number"),
        ({"weights": "weights"}, "not an array of numbers"),
        ({"weights": np.full((4, 52), 1.2)}, "eyeBlinkLeft is 1.2 in frame 0"),
        ({"weights": np.full((4, 52), -0.2)}, "between 0 and 1"),
        ({"head": np.zeros((3, 3))}, "head rotations"),
        ({"neck": np.full((4, 3), np.inf)}, "neck rotations"),
        ({"eyes": np.zeros((4, 3))}, "eyes rotations"),
        ({"head": None}, "head rotations"),
    ],
)
def test_bad_values_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        Motion(**{**GOOD, **change})


@pytest.mark.parametrize(
    "act",
    [
        lambda m: m.resampled(-1),
        lambda m: m.trimmed(0.5, 0.5),
        lambda m: m.trimmed(2.0),
        lambda m: m.trimmed(float("nan")),
        lambda m: m.scaled(-1),
        lambda m: m.scaled(float("inf")),
    ],
)
def test_bad_requests_are_refused(act):
    with pytest.raises(InputError):
        act(random_motion())


def saved(path, **changes):
    arrays = {"format": 1, "names": np.array(arkit.NAMES), **GOOD, **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": None}, "lacks weights"),
        ({"format": 2}, "format 1"),
        ({"names": np.array(arkit.NAMES[::-1])}, "order"),
        ({"weights": np.zeros((4, 50))}, "cannot be used"),
        ({"fps": np.zeros(3)}, "one number"),
        ({"head": np.array([{}] * 4)}, "damaged"),
    ],
)
def test_files_with_a_fault_get_one_sentence(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        Motion.load(saved(tmp_path / "motion.npz", **changes))


def test_other_files_get_one_sentence(tmp_path):
    with pytest.raises(InputError, match="There is no motion file"):
        Motion.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("Timecode,BlendShapeCount")
    with pytest.raises(InputError, match="damaged"):
        Motion.load(tmp_path / "text.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(InputError, match="damaged"):
        Motion.load(tmp_path / "array.npy")
    whole = saved(tmp_path / "motion.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        Motion.load(tmp_path / "half.npz")


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        random_motion().save(tmp_path / "file" / "motion.npz")
