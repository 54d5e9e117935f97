"""What the disk, the system or the user does in the middle of `create` costs no more than some time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zero1toa
from zero1toa import api, config, files
from zero1toa.cli import main
from zero1toa.locks import exclusive

ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("ZERO1TOA_KILLS", "4"))  # tests/nightly asks for 100


TINY = replace(
    config.PRESETS["debug"], size=32, texture_size=128, iterations=9, settle=replace(config.SettleConfig(), rounds=2)
)
OPTIONS = ("--preset", "debug", "--device", "cpu", "-q")


@pytest.fixture(scope="module")
def uninterrupted(demo_portrait, tmp_path_factory):
    """The avatar of a run that nothing befell."""
    path = tmp_path_factory.mktemp("whole") / "a.glb"
    zero1toa.create(demo_portrait, config=TINY, device="cpu").save(path)
    return path


@pytest.fixture
def create(demo_portrait, capsys, monkeypatch):
    """Runs the command at a tiny size: exit code and the lines on standard error."""
    monkeypatch.setattr(api, "fit", lambda *_, **__: demo_portrait)
    monkeypatch.setitem(config.PRESETS, "debug", TINY)

    def run(output, *options):
        code = main(["create", "demo", "-o", str(output), *OPTIONS, *options])
        return code, capsys.readouterr().err.strip().splitlines()

    return run


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB: enough for tiny clips, too small for the state."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root on Linux can make a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def hidden(folder):
    return sorted(path.name for path in folder.rglob(".*") if path.is_file() or path.name.endswith(".lock"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 needs a system that has it")
def test_a_killed_run_goes_on_to_the_same_avatar():
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        **dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    }
    command = [sys.executable, str(ROOT / "tests/kill_and_resume.py"), "--kills", str(KILLS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    figures = json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr
    assert done.returncode == 0, figures


def test_a_full_disk_is_a_sentence_and_the_old_avatar_stays(create, small_disk):
    (small_disk / "a.glb").write_bytes(b"old")
    code, lines = create(small_disk / "a.glb")
    assert code == 2
    assert "no space is left" in lines[-1]
    assert len([line for line in lines if not line.startswith("Warning: The state so far is kept")]) == 1
    assert (small_disk / "a.glb").read_bytes() == b"old"
    assert hidden(small_disk) == []


def fails_for(monkeypatch, suffix, number, code):
    """From the `number`-th file with that ending on, writing fails; returns a switch back."""
    real, seen = files._to_disk, []

    def check(path):
        if path.suffix == suffix:
            seen.append(path)
            if len(seen) >= number:
                raise OSError(code, os.strerror(code))
        real(path)

    monkeypatch.setattr(files, "_to_disk", check)
    return lambda: monkeypatch.setattr(files, "_to_disk", real)


@pytest.mark.parametrize(
    ("suffix", "number", "code", "says"),
    [
        (".pt", 2, errno.EROFS, "read-only"),
        (".npy", 3, errno.EDQUOT, "quota"),
        (".glb", 1, errno.EACCES, "permission is denied"),
    ],
)
def test_a_disk_that_fails_midway_loses_nothing(
    create, uninterrupted, tmp_path, monkeypatch, suffix, number, code, says
):
    mend = fails_for(monkeypatch, suffix, number, code)
    code, lines = create(tmp_path / "a.glb")
    assert code == 2
    assert says in lines[-1]
    assert "--resume" in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == [".a.glb.work"]
    assert not list(tmp_path.rglob("*.part*"))
    mend()
    code, lines = create(tmp_path / "a.glb", "--resume")
    assert (code, lines) == (0, [])
    assert [path.name for path in tmp_path.iterdir()] == ["a.glb"]
    resumed = zero1toa.load(tmp_path / "a.glb")
    for one, other in zip(resumed.splats, zero1toa.load(uninterrupted).splats):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_two_runs_keep_off_one_avatar(create, tmp_path):
    with exclusive(tmp_path / "a.glb"):
        code, lines = create(tmp_path / "a.glb")
    assert code == 2
    assert lines == [
        f"zero1toa: Another run is writing {tmp_path / 'a.glb'}; wait for it to end or choose another name."
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next(create, tmp_path):
    with pytest.raises(ZeroDivisionError), files.atomic_write(tmp_path / "a.glb") as temporary:
        name = temporary.name
        raise ZeroDivisionError
    (tmp_path / name).touch()  # as if it had been killed there
    (tmp_path / ".other.part.glb").touch()
    (tmp_path / ".a.glb.lock").touch()
    assert create(tmp_path / "a.glb")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.glb", ".other.part.glb"}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_is_a_sentence(create, tmp_path, monkeypatch, error):
    def work(*_, **__):
        raise error

    monkeypatch.setattr(api, "create", work)
    code, lines = create(tmp_path / "a.glb")
    assert code == 2
    assert lines == ["zero1toa: there is not enough memory; close other programs or choose a smaller preset."]
    assert list(tmp_path.iterdir()) == []
