"""`zero1toa animate` as a user meets it."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import zero1toa
import zero1toa.motion.read as read
from zero1toa.cli import main
from zero1toa.films import write_film
from zero1toa.motion import Motion, builtin, write_live_link
from zero1toa.video import frames_at, video_facts


@pytest.fixture(scope="module")
def avatar_file(debug_avatar, tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "a.glb"
    debug_avatar.save(path)
    return path


def run(capsys, *arguments):
    code = main(["animate", *(str(a) for a in arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err.strip().splitlines()


def test_a_built_in_motion_as_a_film(avatar_file, tmp_path, capsys):
    out = tmp_path / "a.mp4"
    code, text, _ = run(capsys, avatar_file, "talk", "-o", out, "--seconds", 1, "--fps", 12, "--size", "64x96")
    facts = video_facts(out)
    assert code == 0 and (facts.width, facts.height, facts.fps) == (64, 96, 12)
    assert "12 frames of 64 x 96 px" in text and "frames a second drawn" in text


def test_frames_show_the_motion_in_its_view(avatar_file, tmp_path, capsys):
    avatar = zero1toa.load(avatar_file)
    builtin("smile", 1, 10).save(tmp_path / "m.npz")
    arguments = ("--size", 64, "--yaw", 20, "--zoom", 1.5, "--background", "#336699", "--start", 0.4, "--end", 0.7)
    assert run(capsys, avatar_file, tmp_path / "m.npz", "-o", tmp_path / "out", *arguments)[0] == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [f.name for f in files] == ["00000.png", "00001.png", "00002.png"]
    motion = Motion.load(tmp_path / "m.npz")
    color = (0x33 / 255, 0x66 / 255, 0x99 / 255)
    expected = avatar.render(avatar.front_camera(20, 0, 64, 1.5), motion.expression(5), motion.pose(5), color)
    with Image.open(files[1]) as picture:
        assert np.abs(np.asarray(picture) / 255 - expected).mean() < 0.003


def test_a_strip_of_frames(avatar_file, tmp_path, capsys):
    assert run(capsys, avatar_file, "nod", "-o", tmp_path / "a.png", "--size", 48)[0] == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (8 * 48, 48)
        frames = np.split(np.asarray(picture).astype(int), 8, 1)
    assert np.abs(frames[0] - frames[2]).mean() > 1


def test_transparent_pictures(avatar_file, tmp_path, capsys):
    arguments = ("--seconds", 0.1, "--size", 48, "--background", "transparent")
    assert run(capsys, avatar_file, "nod", "-o", tmp_path / "out", *arguments)[0] == 0
    with Image.open(tmp_path / "out" / "00000.png") as picture:
        assert picture.mode == "RGBA" and picture.getextrema()[3][0] == 0


@pytest.fixture
def driving(tmp_path, monkeypatch):
    """A video of which the tracker says that its person smiles more and more, over a resting face of 0.3."""
    write_film(tmp_path / "me.mp4", (np.full((40, 60, 3), 10 * i, np.uint8) for i in range(20)), fps=20)
    weights = np.zeros((20, 52))
    weights[:, 23] = 0.3 + 0.7 * np.linspace(0, 1, 20).clip(0.2, 1) - 0.14
    motion = Motion.of(20, weights, np.tile([0, 0.3, 0], (20, 1)), np.zeros((20, 3)))
    monkeypatch.setattr(read, "_track", lambda path, progress: SimpleNamespace(motion=motion, warnings=()))
    return tmp_path / "me.mp4"


def test_a_driving_video_side_by_side(avatar_file, driving, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    arguments = ("--side-by-side", "--calibrate", "--size", 64, "--start", 0.5, "--save-motion", tmp_path / "m.npz")
    assert run(capsys, avatar_file, driving, "-o", out, *arguments)[0] == 0
    assert (video_facts(out).width, video_facts(out).height) == (96 + 64, 64)
    assert abs(float(next(frames_at(out, 20))[:, :90].mean()) - 100) < 6
    motion = Motion.load(tmp_path / "m.npz")
    assert len(motion) == 10 and motion.weights[-1, 23] == pytest.approx(0.8, abs=0.08)
    np.testing.assert_allclose(motion.head, 0, atol=1e-5)


def test_a_tracked_motion_is_not_calibrated_again_and_the_gain_changed(avatar_file, driving, tmp_path, capsys):
    arguments = ("--gain", 0.5, "--size", 32, "--save-motion", tmp_path / "m.csv")
    assert run(capsys, avatar_file, driving, "-o", tmp_path / "out", *arguments)[0] == 0
    motion = read.read_motion(tmp_path / "m.csv").motion
    assert motion.weights[-1, 23] == pytest.approx(0.5 * 0.86, abs=1e-3)
    np.testing.assert_allclose(motion.head + motion.neck, np.tile([0, 0.3, 0], (20, 1)), atol=1e-4)


def test_a_recording_drives(avatar_file, tmp_path, capsys):
    motion = builtin("talk", 0.5, 60)
    turned = Motion.of(60, motion.weights, motion.head + np.float32([0, 0.4, 0]), motion.neck)
    write_live_link(tmp_path / "take.csv", turned)
    saved = ("--save-motion", tmp_path / "m.npz")
    assert run(capsys, avatar_file, tmp_path / "take.csv", "-o", tmp_path / "a.gif", "--size", 48, *saved)[0] == 0
    assert video_facts(tmp_path / "a.gif").fps == pytest.approx(25)
    assert abs(Motion.load(tmp_path / "m.npz").head[:, 1].mean()) < 0.05
    raw = ("--no-calibrate", "--size", 48, *saved)
    assert run(capsys, avatar_file, tmp_path / "take.csv", "-o", tmp_path / "b", *raw)[0] == 0
    kept = Motion.load(tmp_path / "m.npz")
    assert (kept.head + kept.neck)[:, 1].mean() == pytest.approx(0.4, abs=0.1)


def test_the_turntable_turns_and_an_orbit_goes_round(debug_avatar):
    from zero1toa.animation import AnimateConfig, cameras_of

    swing = cameras_of(debug_avatar, 8, AnimateConfig(orbit=50))
    assert swing[0].position[0] == pytest.approx(0, abs=1e-3)
    assert swing[2].position[0] > 0.3 and swing[6].position[0] < -0.3
    circle = cameras_of(debug_avatar, 8, AnimateConfig(orbit=360))
    assert circle[4].position[2] < 0 < circle[0].position[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dance",), "neither a file nor one of idle"),
        (("idle", "--size", "huge"), "no size"),
        (("idle", "--size", "9x9"), "9 x 9 px"),
        (("idle", "--zoom", -1), "zoom"),
        (("idle", "--distance", 0), "0.2 to 100"),
        (("idle", "--pitch", 95), "pitch"),
        (("idle", "--background", "mauvish"), "no colour 'mauvish'"),
        (("idle", "--background", "transparent"), "no transparency"),
        (("idle", "--fps", 1000), "at most 240"),
        (("idle", "--start", 99), "no frame"),
        (("idle", "--gain", -1), "0 or more"),
        (("idle", "--smooth", -1), "0 or more"),
        (("idle", "--seconds", 36000), "at most 3600"),
        (("idle", "--side-by-side"), "no driving video"),
        (("idle", "--sound", "missing.wav"), "missing.wav"),
        (("idle", "--save-motion", "m.txt"), ".csv or .npz"),
        (("idle", "--range-like", "nobody"), "neither a file"),
        (("idle", "-o", "x.avi"), "no film"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(avatar_file, tmp_path, capsys, arguments, said):
    code, _, lines = run(
        capsys, avatar_file, *arguments, *(() if "-o" in arguments else ("-o", tmp_path / "o.mp4")), "-q"
    )
    assert code == 2 and len(lines) == 1 and said in lines[0], lines
    assert list(tmp_path.iterdir()) == []


def test_the_python_door(debug_avatar, tmp_path):
    report = zero1toa.animate(
        debug_avatar, "nod", tmp_path / "a", seconds=0.2, config=zero1toa.AnimateConfig(size=(32, 32))
    )
    assert report.frames == 6 and len(list((tmp_path / "a").iterdir())) == 6
    frames = list(debug_avatar.animate(builtin("nod", 0.2), debug_avatar.front_camera(size=32)))
    with Image.open(tmp_path / "a" / "00003.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.round(frames[3] * 255))
