"""`zero1toa evaluate consistency` as a user meets it."""

import json

import pytest
import torch

from zero1toa.cli import main
from zero1toa.evaluate import consistency_run
from zero1toa.evaluate.ablation import render_drive
from zero1toa.priors import Drive
from zero1toa.priors.clip_files import write_clip


@pytest.fixture(scope="module")
def avatar_file(debug_avatar, tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "a.glb"
    debug_avatar.save(path)
    return path


def run(capsys, *arguments):
    code = main(["evaluate", "consistency", *(str(a) for a in arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err.strip().splitlines()


def test_clips_of_a_folder(debug_avatar, avatar_file, tmp_path, capsys):
    for name, yaws in (("clip-000", (0, 0)), ("clip-001", (0, 20))):
        count = len(yaws)
        cameras = [debug_avatar.front_camera(yaw, size=96) for yaw in yaws]
        drive = Drive(cameras, torch.zeros(count, 52), torch.zeros(count, 6, 3))
        (tmp_path / "data" / name).mkdir(parents=True)
        write_clip(tmp_path / "data" / name, drive, render_drive(debug_avatar, drive))
    code, text, _ = run(capsys, tmp_path / "data", "--avatar", avatar_file, "-o", tmp_path / "out")
    assert code == 0 and "| clip-000 | 0.0 | 0.0 |" in text
    clips = json.loads((tmp_path / "out" / "consistency.json").read_text())["clips"]
    assert [clip["name"] for clip in clips] == ["clip-000", "clip-001"]
    assert clips[0]["small_step"] == 0 and clips[1]["small_step"] is None and clips[1]["warping"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"table.md", "consistency.json", "plot.png"}


def test_an_avatar(avatar_file, tmp_path, capsys, monkeypatch):
    for name, value in (("_SWEEP_FRAMES", 3), ("_TALK_SECONDS", 0.12), ("_STEP_SHAPES", ("jawOpen",))):
        monkeypatch.setattr(consistency_run, name, value)
    code, text, _ = run(capsys, avatar_file, "--size", 64, "-o", tmp_path / "out")
    assert code == 0 and all(f"| {name} |" in text for name in ("sweep", "talk", "small steps"))


def test_what_cannot_be_measured_is_one_sentence(avatar_file, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    cases = [
        ((tmp_path / "empty", "--avatar", avatar_file), "holds no clip"),
        ((tmp_path / "nothing", "--avatar", avatar_file), "no clip"),
        ((tmp_path / "nothing.glb",), "nothing.glb"),
        ((avatar_file, "--size", 5), "5 px"),
    ]
    for arguments, said in cases:
        code, _, lines = run(capsys, *arguments, "-o", tmp_path / "out", "-q")
        assert code == 2 and len(lines) == 1 and said in lines[0], lines
        assert not (tmp_path / "out").exists()
