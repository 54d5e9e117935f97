"""The command `batch` as a user meets it."""

import json

import pytest

from zero1toa.cli import main

DEBUG = ["--preset", "debug", "--iterations", "2", "--device", "cpu", "-q"]


def run(capsys, *arguments):
    code = main(["batch", *map(str, arguments)])
    return code, capsys.readouterr().err.strip().splitlines()


@pytest.mark.slow
def test_a_folder_of_good_and_bad_twice(demo_portrait, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "fit").mkdir(parents=True)
    demo_portrait.save(photos / "fit")
    (photos / "bad.png").write_text("no picture")
    code, lines = run(capsys, photos, "-o", out, *DEBUG)
    assert code == 2
    assert "1 of 2 portraits failed" in lines[-1]
    assert (out / "avatars/fit/avatar.glb").is_file()
    assert {p.name for p in out.iterdir()} == {
        "avatars", "events.jsonl", "logs", "manifest.csv", "manifest.jsonl", "sheet.png"
    }  # fmt: skip
    (photos / "bad.png").unlink()
    assert run(capsys, photos, "-o", out, *DEBUG) == (0, [])
    assert json.loads((out / "manifest.jsonl").read_text())["unchanged"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["nowhere"], "no nowhere"),
        ([], "No portraits"),
        (["demo", "--motions", "dance"], "no motion dance"),
        (["demo", "--motions", "talk", "talk"], "same name"),
        (["demo", "--exports", "fbx"], "no format"),
        (["demo", "--exports", "ply-sequence"], "--export-motion"),
        (["demo", "--workers", "0"], "0 workers"),
        (["demo", "--attempts", "0"], "at least 1"),
        (["demo", "--size", "4"], "4 px"),
        (["demo", "--iterations", "-1"], "-1"),
    ],
)
def test_what_would_fail_for_all_fails_at_once(options, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, lines = run(capsys, *options, "-q")
    assert code == 2
    assert len(lines) == 1
    assert says in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_ray_is_named_where_it_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    code, lines = run(capsys, "demo", "-o", tmp_path / "out", "--ray", "auto", "-q")
    assert code == 2
    assert "zero1toa[cluster]" in lines[0]
