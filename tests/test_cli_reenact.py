"""`zero1toa evaluate reenact` as a user meets it; the protocol itself is tested in tests/evaluate/test_reenact.py."""

import json

import pytest

from zero1toa.cli import main


def run(capsys, *arguments):
    code = main(["evaluate", "reenact", *(str(a) for a in arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err.strip().splitlines()


def test_what_cannot_be_reenacted_is_one_sentence(tmp_path, capsys):
    for arguments, said in (
        ((tmp_path / "none.mp4",), "no video"),
        ((tmp_path / "none.mp4", "--every", 0), "at least 1"),
        ((tmp_path / "none.mp4", "--preset", "best"), "no preset"),
    ):
        code, _, lines = run(capsys, *arguments, "-o", tmp_path / "out", "-q")
        assert code == 2 and len(lines) == 1 and said in lines[0], lines
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_real_video(shared_pictures, tmp_path, capsys):
    video = shared_pictures / "talking_man.mp4"
    code, text, _ = run(capsys, video, "--preset", "debug", "--every", 30, "-o", tmp_path / "out")
    assert code == 0 and "rigidly moved photo" in text
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"table.md", "reenact.json", "plot.png", "frames.png", "film.mp4", "fit", "avatar.glb"}
    result = json.loads((tmp_path / "out" / "reenact.json").read_text())
    means = result["means"]
    assert all(means[name]["detected"] == 1 for name in means)
    assert means["avatar"]["mouth"] < means["static photo"]["mouth"]
    code, _, lines = run(
        capsys, video, "--avatar", tmp_path / "out" / "avatar.glb", "--frame", 70, "-o", tmp_path / "again", "-q"
    )
    assert code == 2 and len(lines) == 1 and "frame 70" in lines[0]
