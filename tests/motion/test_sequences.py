"""The procedural sequences are faces a person could make, moving as a person could move."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.motion import Motion, exaggerated, near_neutral, sample_frames, training_clips
from zero1toa.motion.gestures import GESTURES
from zero1toa.motion.sequences import (
    EXAGGERATED_SPEED,
    EXAGGERATED_TURN,
    NEAR_NEUTRAL_LIMIT,
    NEAR_NEUTRAL_SPEED,
    NEAR_NEUTRAL_TURN,
)
from zero1toa.motion.visemes import SPEECH_SHAPES

STYLES = {"near_neutral": near_neutral, "exaggerated": exaggerated}
LIDS = np.array([name.startswith(("eyeBlink", "eyeWide")) for name in arkit.NAMES])
GAZE = np.array([name.startswith("eyeLook") for name in arkit.NAMES])
FACE = ~LIDS & ~GAZE


@cache
def sequence(style: str, seed: int, seconds: float = 20, fps: float = 25) -> Motion:
    return STYLES[style](int(seconds * fps), fps, np.random.default_rng(seed))


def column(motion: Motion, name: str) -> np.ndarray:
    return motion.weights[:, arkit.INDEX[name]]


@pytest.mark.parametrize("style", STYLES)
def test_the_seed_decides(style):
    first, again = (STYLES[style](60, 25, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first.weights, again.weights)
    np.testing.assert_array_equal(first.head, again.head)
    assert np.abs(STYLES[style](60, 25, np.random.default_rng(5)).weights - first.weights).max() > 0.05


@pytest.mark.parametrize("style", STYLES)
def test_the_movement_does_not_depend_on_the_frame_rate(style):
    """But for blinks, which stay shut for at least one frame."""
    slow, fast = (STYLES[style](n, fps, np.random.default_rng(1)) for n, fps in ((100, 25), (200, 50)))
    np.testing.assert_allclose(fast.weights[::2][:, ~LIDS], slow.weights[:, ~LIDS], atol=1e-5)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(5))
def test_opposed_movements_exclude_each_other(style, seed):
    motion = sequence(style, seed)
    for side in ("Left", "Right"):
        for first, second in (("mouthSmile", "mouthFrown"), ("eyeBlink", "eyeWide"), ("browDown", "browOuterUp")):
            assert not (column(motion, first + side) * column(motion, second + side)).any()
    assert not (column(motion, "jawLeft") * column(motion, "jawRight")).any()
    assert not (column(motion, "eyeLookUpLeft") * column(motion, "eyeLookDownLeft")).any()
    assert (column(motion, "mouthClose") <= column(motion, "jawOpen")).all()
    np.testing.assert_array_equal(column(motion, "eyeLookOutLeft"), column(motion, "eyeLookInRight"))


@pytest.mark.parametrize(("style", "speed"), [("near_neutral", NEAR_NEUTRAL_SPEED), ("exaggerated", EXAGGERATED_SPEED)])
@pytest.mark.parametrize("fps", [25, 60])
def test_nothing_but_lids_and_gaze_jumps(style, speed, fps):
    for seed in range(5):
        motion = sequence(style, seed, fps=fps)
        assert np.abs(np.diff(motion.weights[:, FACE], axis=0)).max() * fps < speed


def test_near_neutral_is_small_and_exaggerated_is_not():
    for seed in range(5):
        calm, lively = (sequence(style, seed).weights[:, FACE] for style in STYLES)
        assert calm.max() <= NEAR_NEUTRAL_LIMIT
        assert calm.mean() < lively.mean() / 3
        assert (lively.max(0) > 0.7).sum() > 10


def test_a_still_face_is_not_frozen():
    assert sequence("near_neutral", 0).weights[:, FACE].std(0).max() > 0.02


@pytest.mark.parametrize(("style", "limit"), [("near_neutral", NEAR_NEUTRAL_TURN), ("exaggerated", EXAGGERATED_TURN)])
def test_the_head_stays_near_the_front(style, limit):
    for seed in range(5):
        motion = sequence(style, seed)
        angle = np.degrees(np.linalg.norm(motion.head, axis=1) + np.linalg.norm(motion.neck, axis=1))
        assert 0.2 * limit < angle.max() <= limit + 1e-4


@pytest.mark.parametrize("style", STYLES)
def test_the_head_can_be_kept_still(style):
    still = STYLES[style](50, 25, np.random.default_rng(2), head=False)
    assert not still.poses.any()
    np.testing.assert_array_equal(still.weights, STYLES[style](50, 25, np.random.default_rng(2)).weights)


def test_exaggerated_sequences_use_every_shape_but_the_tongue():
    largest = np.max([sequence("exaggerated", seed, 60).weights.max(0) for seed in range(3)], 0)
    assert {name for name, value in zip(arkit.NAMES, largest, strict=True) if value < 0.1} == {"tongueOut"}
    for name in ("jawOpen", "mouthPucker", "cheekPuff", "browInnerUp", "noseSneerLeft", "mouthSmileRight"):
        assert largest[arkit.INDEX[name]] > 0.8, name


def test_near_neutral_speech_moves_the_shapes_of_speech():
    moved = sequence("near_neutral", 0, 60).weights.max(0)
    assert all(moved[arkit.INDEX[name]] > 0.01 for name in SPEECH_SHAPES)


def test_exaggerated_faces_wink_with_either_eye():
    left, right = (
        any((column(m, f"eyeBlink{a}") - column(m, f"eyeBlink{b}")).max() > 0.9 for m in motions)
        for motions in [[sequence("exaggerated", seed, 60) for seed in range(3)]]
        for a, b in (("Left", "Right"), ("Right", "Left"))
    )
    assert left and right


def test_training_clips_have_sixteen_frames_and_differ():
    clips = training_clips("exaggerated", 10, np.random.default_rng(0))
    assert [len(clip) for clip in clips] == [16] * 10
    assert all(0.9 < clip.seconds < 3.4 for clip in clips)
    assert all(np.ptp(clip.weights[:, FACE], axis=0).max() > 0.3 for clip in clips)  # each moves
    means = np.stack([clip.weights.mean(0) for clip in clips])
    assert min(np.abs(means[i] - means[j]).max() for i in range(10) for j in range(i)) > 0.05


def test_some_training_clips_hold_a_blink_and_some_do_not():
    clips = training_clips("near_neutral", 40, np.random.default_rng(0))
    shut = np.mean([column(clip, "eyeBlinkLeft").max() > 0.9 for clip in clips])
    assert 0.15 < shut < 0.75


def test_training_clips_are_seeded():
    first, again = (training_clips("near_neutral", 3, np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)


def test_sampled_frames_are_even_and_keep_the_speed():
    motion = sequence("near_neutral", 0, 2.04)  # 51 frames
    clip = sample_frames(motion, 11)
    np.testing.assert_array_equal(clip.weights, motion.weights[::5])
    assert clip.fps == pytest.approx(5.0)
    assert sample_frames(motion, 1).weights.shape == (1, 52)
    np.testing.assert_array_equal(sample_frames(motion, 51).weights, motion.weights)


@pytest.mark.parametrize(
    "act",
    [
        lambda rng: near_neutral(0, 25, rng),
        lambda rng: exaggerated(10, 0, rng),
        lambda rng: sample_frames(near_neutral(10, 25, rng), 16),
        lambda rng: sample_frames(near_neutral(10, 25, rng), 0),
        lambda rng: training_clips("wild", 3, rng),
        lambda rng: training_clips("exaggerated", 0, rng),
    ],
)
def test_bad_requests_are_refused(act):
    with pytest.raises(InputError):
        act(np.random.default_rng(0))


def test_one_frame_is_a_sequence():
    assert len(near_neutral(1, 25, np.random.default_rng(0))) == len(exaggerated(1, 25, np.random.default_rng(0))) == 1


def test_gestures_name_shapes_and_stay_in_range():
    for name, gesture in GESTURES.items():
        assert all(0 < value <= 1.3 for value in gesture.weights.values()), name


def test_motions_need_neither_torch_nor_other_rooms():
    script = (
        "import sys, numpy as np\n"
        "from zero1toa.motion import builtin, training_clips\n"
        "training_clips('exaggerated', 1, np.random.default_rng(0)); builtin('talk')\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout
    modules = set(loaded.split())
    assert "torch" not in modules and "mediapipe" not in modules
    rooms = {m.split(".")[1] for m in modules if m.startswith("zero1toa.")}
    assert rooms <= {"motion", "heads", "arrays", "errors", "files", "_version"}
