"""One door for all motions: what a file is, its content says."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from zero1toa.errors import InputError, MissingDependency
from zero1toa.heads import arkit
from zero1toa.media import write_mp4
from zero1toa.motion import Motion, builtin, read_motion, write_live_link


@pytest.fixture
def talk():
    return builtin("talk", 1.0, 30)


def as_lists(motion):
    return motion.weights.astype(float).round(6).tolist()


def test_a_name_and_a_motion():
    source = read_motion("nod", seconds=2, fps=25)
    assert source.kind == "builtin" and len(source.motion) == 50 and not source.holds_rest
    assert read_motion(source.motion).motion is source.motion


def test_content_decides_and_not_the_name(talk, tmp_path):
    write_live_link(tmp_path / "take.txt", talk)
    talk.save(tmp_path / "own.bin")
    (tmp_path / "j").write_text(json.dumps({"fps": 30, "names": arkit.NAMES, "weights": as_lists(talk)}))
    for name, kind in (("take.txt", "live link"), ("own.bin", "npz"), ("j", "json")):
        source = read_motion(tmp_path / name)
        assert source.kind == kind and source.holds_rest == (kind == "live link") and source.path == tmp_path / name
        assert source.motion.fps == 30
        np.testing.assert_allclose(source.motion.weights, talk.weights, atol=2e-6)


@pytest.mark.parametrize("form", ["named frames", "frames of weights", "facs", "list", "inner objects"])
def test_json_in_every_form(talk, tmp_path, form):
    order = list(reversed(arkit.NAMES))
    rows = talk.weights[:, ::-1].astype(float).tolist()
    named = [dict(zip(order, row)) for row in rows]
    content = {
        "named frames": {"fps": 30, "frames": named},
        "frames of weights": {
            "names": order,
            "frames": [{"weights": row, "time": 0} for row in rows],
            "metadata": {"fps": 30},
        },
        "facs": {"exportFps": 30, "facsNames": order, "weightMat": rows},
        "list": named,
        "inner objects": {"fps": 30, "frames": [{"blendshapes": frame} for frame in named]},
    }[form]
    (tmp_path / "a.json").write_text(json.dumps(content))
    read = read_motion(tmp_path / "a.json").motion
    assert read.fps == 30
    np.testing.assert_array_equal(read.weights, talk.weights)


def test_npz_in_every_form(talk, tmp_path):
    np.savez(tmp_path / "a.npz", weights=talk.weights, fps=25.0)
    np.savez(tmp_path / "b.npz", **{name: talk.weights[:, i] for i, name in enumerate(arkit.NAMES)}, fps=25.0)
    np.savez(tmp_path / "c.npz", weights=talk.weights[:, :51], names=np.array(arkit.NAMES[:51]), fps=25.0)
    for name in "abc":
        read = read_motion(tmp_path / f"{name}.npz").motion
        assert read.fps == 25
        np.testing.assert_array_equal(read.weights, talk.weights)


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", weights=np.array([{"jawOpen": 1}], object))
    with pytest.raises(InputError, match="no motion file, or it is damaged"):
        read_motion(tmp_path / "a.npz")


def test_a_video_and_a_folder_go_through_the_tracker(talk, tmp_path):
    write_mp4(tmp_path / "me.dat.mp4", [np.zeros((32, 32, 3))] * 3)
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    asked = []

    def track(path):
        asked.append(path)
        return SimpleNamespace(motion=talk, warnings=("dark",))

    video = read_motion(tmp_path / "me.dat.mp4", track=track)
    assert video.kind == "video" and video.warnings == ("dark",) and video.video == tmp_path / "me.dat.mp4"
    assert read_motion(folder, track=track).kind == "frames"
    assert asked == [tmp_path / "me.dat.mp4", folder]


def test_a_version_without_a_tracker_says_so(monkeypatch, tmp_path):
    import zero1toa.motion.read as read

    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(read, "import_module", missing)
    write_mp4(tmp_path / "me.mp4", [np.zeros((32, 32, 3))])
    with pytest.raises(MissingDependency, match="cannot track faces"):
        read_motion(tmp_path / "me.mp4")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"hello", "neither a motion file nor a video"),
        (b"PK\x03\x04 broken", "damaged"),
        (b'{"fps": 30}', "no frames"),
        (b'{"fps": 30, "weights": [[1, 2]]}', "2 weights a frame"),
        (b'{"fps": 30, "weights": [[1, 2], [1]]}', "different lengths"),
        (b'{"fps": 0, "weights": [[1, 2]]}', "positive number"),
        (b'[{"jawOpen": 0.2}]', "lacks 50 of the 52"),
        (b"[[", "cannot be read as JSON"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path, content, said):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_motion(tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_nothing_of_that_name(tmp_path):
    with pytest.raises(InputError, match="neither a file nor one of idle"):
        read_motion("dance")
    with pytest.raises(InputError, match="no pictures"):
        read_motion(tmp_path)


def test_ten_hours_are_refused_before_they_are_in_memory(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", weights=np.zeros((10 * 3600 * 2, 52), np.float32), fps=2.0)
    with pytest.raises(InputError, match="longer than 1 h"):
        read_motion(tmp_path / "a.npz")


def test_nan_is_named(tmp_path):
    weights = np.zeros((3, 52))
    weights[1, 17] = np.nan
    np.savez(tmp_path / "a.npz", weights=weights)
    with pytest.raises(InputError, match="jawOpen in frame 1"):
        read_motion(tmp_path / "a.npz")


def test_a_given_rate_wins(talk, tmp_path):
    write_live_link(tmp_path / "a.csv", talk)
    talk.save(tmp_path / "a.npz")
    for name in ("a.csv", "a.npz"):
        read = read_motion(tmp_path / name, fps=50).motion
        assert read.fps == 50 and len(read) == len(talk)


def test_a_motion_from_arrays():
    assert len(Motion.of(30, np.zeros((2, 52)), np.zeros((2, 3)), np.zeros((2, 3)))) == 2
