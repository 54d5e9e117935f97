"""Live Link Face CSV files: what is read is what was recorded, and what cannot be read gets one sentence."""

import csv

import numpy as np
import pytest

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.motion import Motion, builtin, read_live_link, write_live_link
from zero1toa.motion.head_motion import split_turn, whole_turn


@pytest.fixture
def motion():
    """A lively one whose turn is shared by neck and head, as the reader shares it."""
    rng = np.random.default_rng(0)
    frames = 75
    neck, head = split_turn(rng.normal(0, 0.2, (frames, 3)))
    return Motion.of(60, rng.random((frames, 52)), head, neck)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def write_rows(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.parametrize("fps", [7, 20, 24, 25, 29.97, 30, 50, 60])
@pytest.mark.parametrize("frames", [2, 75])
def test_there_and_back(motion, tmp_path, fps, frames):
    before = motion.frames(np.arange(frames), fps)
    write_live_link(tmp_path / "a.csv", before)
    after = read_live_link(tmp_path / "a.csv")
    assert after.fps == pytest.approx(fps, rel=1e-4)
    np.testing.assert_allclose(after.weights, before.weights, atol=2e-6)
    np.testing.assert_allclose(after.head, before.head, atol=1e-5)
    np.testing.assert_allclose(after.neck, before.neck, atol=1e-5)
    assert after.eyes is None


def test_a_file_that_was_read_is_written_the_same(motion, tmp_path):
    write_live_link(tmp_path / "a.csv", motion)
    write_live_link(tmp_path / "b.csv", read_live_link(tmp_path / "a.csv"))
    first, second = rows_of(tmp_path / "a.csv"), rows_of(tmp_path / "b.csv")
    assert first[0] == second[0] and len(first[0]) == 63
    assert [row[:2] for row in first] == [row[:2] for row in second]
    numbers = [np.array([row[2:] for row in rows[1:]], float) for rows in (first, second)]
    np.testing.assert_allclose(*numbers, atol=3e-6)


def test_names_count_and_not_case_or_order(motion, tmp_path):
    write_live_link(tmp_path / "a.csv", motion)
    rows = np.array(rows_of(tmp_path / "a.csv"))
    rows[0] = [name.lower() if i % 2 else name.upper() for i, name in enumerate(rows[0])]
    order = np.random.default_rng(1).permutation(rows.shape[1])
    write_rows(tmp_path / "b.csv", rows[:, order])
    np.testing.assert_array_equal(
        read_live_link(tmp_path / "b.csv").weights, read_live_link(tmp_path / "a.csv").weights
    )


@pytest.mark.parametrize(
    ("codes", "fps"),
    [
        (["10:00:00:58.500", "10:00:00:59.500", "10:00:01:00.500"], 60),
        (["10:00:00:28.100", "10:00:00:29.100", "10:00:01:00.100"], 30),
        (["10:00:00:29", "10:00:01:00", "10:00:01:01"], 30),
        (["10:00:00;29", "10:00:01;00", "10:00:01;01"], 30),
        (["23:59:59:59.0", "00:00:00:00.0", "00:00:00:01.0"], 60),
        (["00:00:00:28.0", "00:00:00:28.5", "00:00:00:29.0", "00:00:00:29.5", "00:00:01:00.0"], 60),
        (["00:00:00:33.000", "00:00:00:66.333", "00:00:00:99.667", "00:00:00:933.000"], 30),
        (["00:00:01.00", "00:00:01.04", "00:00:01.08"], 25),
    ],
)
def test_the_frame_rate_comes_from_the_timecodes(motion, tmp_path, codes, fps):
    write_live_link(tmp_path / "a.csv", motion)
    rows = rows_of(tmp_path / "a.csv")
    write_rows(tmp_path / "b.csv", [rows[0], *([code, *row[1:]] for code, row in zip(codes, rows[1:]))])
    assert read_live_link(tmp_path / "b.csv").fps == pytest.approx(fps)


def test_frames_without_a_face_and_dropped_frames_are_filled(tmp_path):
    weights = np.zeros((9, 52))
    weights[:, arkit.INDEX["jawOpen"]] = np.linspace(0, 0.8, 9)
    write_live_link(tmp_path / "a.csv", Motion.still(weights, 30))
    rows = rows_of(tmp_path / "a.csv")
    rows[3] = [rows[3][0], "0"]  # a row without values
    del rows[6]  # a dropped one
    write_rows(tmp_path / "b.csv", rows)
    read = read_live_link(tmp_path / "b.csv")
    assert len(read) == 9
    np.testing.assert_allclose(read.weights, weights, atol=1e-5)


def test_angles_turn_the_head_to_the_side_they_name(tmp_path):
    write_live_link(tmp_path / "a.csv", Motion.still(np.zeros((3, 52)), 30))
    rows = rows_of(tmp_path / "a.csv")
    for name, value in (("HeadYaw", 0.3), ("HeadPitch", 0.2), ("LeftEyeYaw", 0.25), ("RightEyeYaw", 0.25)):
        for row in rows[1:]:
            row[rows[0].index(name)] = str(value)
    write_rows(tmp_path / "b.csv", rows)
    read = read_live_link(tmp_path / "b.csv")
    turn = whole_turn(read.neck, read.head)[0]
    assert turn[0] == pytest.approx(0.2, abs=0.01) and turn[1] == pytest.approx(0.3, abs=0.01)
    assert read.weights[0, arkit.INDEX["eyeLookOutLeft"]] == pytest.approx(0.25 / np.radians(30), abs=1e-5)
    assert read.weights[0, arkit.INDEX["eyeLookInRight"]] == pytest.approx(0.25 / np.radians(30), abs=1e-5)


def test_gaze_of_the_eye_joints_is_written_into_the_weights(tmp_path):
    eyes = np.zeros((2, 2, 3))
    eyes[:, :, 0] = -np.radians(10)  # up
    write_live_link(tmp_path / "a.csv", Motion.of(30, np.zeros((2, 52)), np.zeros((2, 3)), np.zeros((2, 3)), eyes))
    read = read_live_link(tmp_path / "a.csv")
    assert read.weights[0, arkit.INDEX["eyeLookUpLeft"]] == pytest.approx(0.5, abs=1e-5)


def change(name, row, value):
    def act(rows):
        rows[row][rows[0].index(name)] = value
        return rows

    return act


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda rows: [], "is empty"),
        (lambda rows: rows[:1], "no frame"),
        (lambda rows: [row[:12] for row in rows], "lacks 41 of the 52 ARKit shapes: eyeLookOutRight"),
        (lambda rows: [[*row[:30], *row[31:]] for row in rows], "lacks 1 of the 52 ARKit shapes: mouthDimpleRight"),
        (lambda rows: [row[1:] for row in rows], "lacks the column Timecode"),
        (change("JawOpen", 3, "NaN"), "not a number: jawOpen in frame 2"),
        (change("JawOpen", 3, "abc"), "not a number: jawOpen in frame 2"),
        (change("HeadRoll", 3, "inf"), "not a number: HeadRoll in frame 2"),
        (change("JawOpen", 3, "73"), "73 for jawOpen"),
        (change("Timecode", 3, "yesterday"), "no timecode like"),
        (change("Timecode", 3, "00:00:00:01.0"), "goes back in time"),
        (change("Timecode", 4, "10:00:00:01.0"), "longer than 1 h"),
        (lambda rows: [rows[0], *([row[0], "0"] for row in rows[1:])], "saw no face"),
        (lambda rows: [["HeadYaw" if n == "HeadRoll" else n for n in rows[0]], *rows[1:]], "lacks the column HeadRoll"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(tmp_path, act, said):
    write_live_link(tmp_path / "a.csv", builtin("talk", 4 / 30, 30))
    write_rows(tmp_path / "a.csv", act(rows_of(tmp_path / "a.csv")))
    with pytest.raises(InputError, match=said) as caught:
        read_live_link(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_a_tongue_may_be_missing(motion, tmp_path):
    write_live_link(tmp_path / "a.csv", motion)
    rows = rows_of(tmp_path / "a.csv")
    at = rows[0].index("TongueOut")
    write_rows(tmp_path / "b.csv", [[*row[:at], *row[at + 1 :]] for row in rows])
    assert not read_live_link(tmp_path / "b.csv").weights[:, arkit.INDEX["tongueOut"]].any()
