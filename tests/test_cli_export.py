"""`zero1toa export`: what the user types, reads and gets."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zero1toa import cli_export
from zero1toa.avatar_io import export, save_glb
from zero1toa.avatar_io.bake import bake_texture
from zero1toa.cli import main
from zero1toa.motion import Motion


def _made_up() -> ModuleType:
    """The made-up avatar of the tests of avatar_io."""
    place = Path(__file__).parent / "avatar_io" / "conftest.py"
    spec = importlib.util.spec_from_file_location("made_up_avatar", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("avatar") / "person.glb"
    save_glb(path, _made_up().make_avatar())
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["ply", "-e", "jawOpen=0.5", "mouthSmileLeft=0.3"], "person.ply"),
        (["spz"], "person.spz"),
        (["mesh"], "person_mesh.glb"),
        (["obj", "-e", "jawOpen=0.5"], "person_obj"),
        (["ply-sequence", "--motion", "smile", "--fps", "4", "--seconds", "1"], "person_ply"),
        (["gaussian-avatars"], "person_gaussian_avatars"),
    ],
)
def test_writes_and_names_its_result(
    source: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    made: str,
) -> None:
    monkeypatch.setattr(export, "bake_texture", lambda data, size: bake_texture(data, 64))  # not the whole 1024 px
    assert main(["export", str(source), "--to", *arguments]) == 0
    assert [path.name for path in here.iterdir()] == [made]
    assert f"Wrote {made}" in capsys.readouterr().out


def test_motion_is_shortened_and_resampled(source: Path, here: Path) -> None:
    motion = Motion.still(np.random.default_rng(0).random((60, 52)), 30.0)
    motion.save(here / "take.npz")
    order = ["--motion", "take.npz", "--fps", "10", "--seconds", "1.5"]
    assert main(["export", str(source), "--to", "ply-sequence", *order, "-o", "out"]) == 0
    assert len(list((here / "out").iterdir())) == 15


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ply", "-o", "a.spz"], "ends in .ply"),
        (["mesh", "-o", "a.gltf"], "ends in .glb"),
        (["ply", "--motion", "talk"], "ply-sequence"),
        (["ply-sequence"], "--motion"),
        (["ply-sequence", "--motion", "talk", "-e", "jawOpen=1"], "expression"),
        (["mesh", "--motion", "talk", "-e", "jawOpen=1"], "either"),
        (["html", "-e", "jawOpen=1"], "expression"),
        (["html", "--motion", "talk"], "motion"),
        (["obj", "--fps", "10"], "--motion"),
        (["obj", "--motion", "dance"], "no motion dance"),
        (["obj", "--motion", "talk", "--fps", "0"], "frame rate"),
        (["obj", "--motion", "talk", "--seconds", "0"], "no frame"),
        (["ply", "-e", "jawOpen"], "jawOpen=0.7"),
        (["ply", "-e", "jawOpne=1"], "jawOpne"),
        (["ply", "-e", "jawOpen=nan"], "not a number"),
        (["gaussian-avatars", "-e", "jawOpen=7"], "between 0 and 1"),
    ],
)
def test_refuses_with_one_sentence_and_leaves_nothing(
    source: Path, here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["export", str(source), "--to", *arguments]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert len(message.strip().splitlines()) == 1
    assert list(here.iterdir()) == []


def test_never_writes_over_the_avatar(source: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = source.read_bytes()
    assert main(["export", str(source), "--to", "mesh", "-o", str(source)]) == 2
    assert "itself" in capsys.readouterr().err
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", sorted(cli_export.FORMATS))
def test_refuses_what_is_no_avatar(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (here / "broken.glb").write_bytes(b"glTF and then nothing")
    order = ["--motion", "smile"] if cli_export.FORMATS[name].moves == "always" else []
    assert main(["export", "broken.glb", "--to", name, *order]) == 2
    assert "broken.glb" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["broken.glb"]


def test_folder_or_file_in_the_way(source: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.ply").mkdir()
    (here / "frames").write_text("")
    assert main(["export", str(source), "--to", "ply", "-o", "a.ply"]) == 2
    assert main(["export", str(source), "--to", "obj", "-o", "frames"]) == 2
    assert "folder" in capsys.readouterr().err
