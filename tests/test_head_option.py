"""`--head` in the commands that read an avatar or a motion, and where it contradicts what they read."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import zero1toa
from flame_fixtures import flame_file
from zero1toa.avatar_io import neighbours
from zero1toa.batch.options import Options, avatar_key
from zero1toa.cli import main
from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.heads.names import KINDS, absolute_head, head_kind
from zero1toa.heads.other import READERS

sys.path.insert(0, str(Path(__file__).parent / "avatar_io"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from foreign_files import gaussian_avatars

    folder = tmp_path_factory.mktemp("ga") / "person"
    gaussian_avatars(folder, np.random.default_rng(0))
    return folder


@pytest.fixture(scope="module")
def own_file(debug_avatar, tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "avatar.glb"
    debug_avatar.save(path)
    return path


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(neighbours.FLAME_VARIABLE, raising=False)


def _run(*words) -> int:
    return main([*map(str, words), "-q"])


HEAD = "--head"


def test_render_export_and_animate_take_the_flame_of_a_folder(folder, tmp_path):
    name = f"flame:{flame_file()}"
    for words in (
        ("render", folder, "-o", tmp_path / "still.png", "--size", 64),
        ("export", folder, "--to", "ply", "-o", tmp_path / "a.ply"),
        ("export", folder, "--to", "html", "-o", tmp_path / "a.html"),
        ("animate", folder, "nod", "-o", tmp_path / "a.gif", "--size", 64, "--seconds", 0.5),
    ):
        assert _run(*words) == 2, words  # FLAME is not there
        assert _run(*words, HEAD, name) == 0, words
    assert (tmp_path / "still.png").is_file() and (tmp_path / "a.gif").is_file()
    assert len(neighbours.glb_content(folder, name)) > 1000  # what view shows


def test_a_folder_on_another_head_gets_a_sentence(folder, tmp_path, capsys):
    assert _run("render", folder, "-o", tmp_path / "still.png", HEAD, "ict:somewhere") == 2
    assert "was made on FLAME and not on" in capsys.readouterr().err


def test_an_avatar_that_carries_another_head_gets_a_sentence(own_file, tmp_path, capsys):
    name = f"flame:{flame_file()}"
    for words in (
        ("render", own_file, "-o", tmp_path / "still.png"),
        ("export", own_file, "--to", "ply", "-o", tmp_path / "a.ply"),
        ("animate", own_file, "nod", "-o", tmp_path / "a.gif"),
        ("evaluate", "consistency", own_file, "-o", tmp_path / "consistency"),
    ):
        assert _run(*words, HEAD, name) == 2, words
        error = capsys.readouterr().err
        assert "carries its own head ('default')" in error and error.count("\n") == 1
        assert _run(*words, HEAD, "nobody") == 2
        assert "no head model" in capsys.readouterr().err
    with pytest.raises(InputError, match="carries its own head"):
        neighbours.glb_content(own_file, name)
    assert zero1toa.load(own_file, head="default").head_model == "default"


def test_a_flame_motion_moves_any_avatar_with_the_head_that_it_is_of(own_file, tmp_path, capsys):
    """The avatar has the default head; the motion's components get their meaning from FLAME."""
    from zero1toa.heads import load_head
    from zero1toa.heads.flame.file import read_flame
    from zero1toa.heads.flame.language import FlameLanguage
    from zero1toa.motion import read_motion

    name = f"flame:{flame_file()}"
    weights = np.zeros((4, 52))
    weights[:, arkit.INDEX["mouthSmileLeft"]] = np.linspace(0, 0.8, 4)
    face = FlameLanguage(read_flame(flame_file()), load_head(name)).to_flame(weights)
    path, still = tmp_path / "motion.npz", np.zeros((4, 3))
    np.savez(path, expr=face.expression, jaw_pose=face.jaw, neck_pose=still, rotation=still, eyes_pose=np.zeros((4, 6)))
    shown = tmp_path / "shown.npz"
    words = ("animate", own_file, path, "-o", tmp_path / "a.gif", "--size", 64, "--no-calibrate")
    assert _run(*words, HEAD, name, "--save-motion", shown) == 0
    smile = read_motion(shown).motion.weights[:, arkit.INDEX["mouthSmileLeft"]]
    assert abs(smile.max() - 0.8) < 0.1
    assert _run(*words, HEAD, name, "--flame-mapping", path) == 2
    assert "Say either --head or --flame-mapping" in capsys.readouterr().err
    assert _run("export", own_file, "--to", "ply-sequence", "--motion", path, HEAD, name, "-o", tmp_path / "ply") == 0


def test_a_batch_hands_it_to_every_portrait(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_head("flame:x.pkl") == f"flame:{tmp_path / 'x.pkl'}" and absolute_head("default") == "default"
    options = Options()
    assert "head" in {field.name for field in fields(Options)}
    assert options.changed({"head": "ict:folder"}).head == "ict:folder"
    assert avatar_key("photo", options) != avatar_key("photo", Options(head="flame:x.pkl"))
    with pytest.raises(InputError, match="no head model"):
        absolute_head("flame:")


def test_names_and_readers_agree():
    assert set(KINDS) == set(READERS)
    assert head_kind("default") == "default" and head_kind("gnm:x") == "gnm"
