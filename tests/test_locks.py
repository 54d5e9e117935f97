"""Two runs keep off one output, and a run that was killed blocks nobody."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from zero1toa.errors import BusyError, OutputError
from zero1toa.locks import exclusive, in_turn

HOLD = "import sys; from zero1toa.locks import exclusive\nwith exclusive(sys.argv[1]):\n print(flush=True); input()"


def holder(path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    process.stdout.readline()
    return process


def test_a_second_process_is_told_in_one_sentence(tmp_path):
    path = tmp_path / "avatar.glb"
    process = holder(path)
    with pytest.raises(BusyError, match="Another run is writing"), exclusive(path):
        pass
    with exclusive(tmp_path / "other.glb"):
        pass
    process.communicate(b"\n")
    with exclusive(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_blocks_nobody(tmp_path):
    path = tmp_path / "avatar.glb"
    process = holder(path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with exclusive(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_made_for_it_go_unless_they_were_used(tmp_path):
    with exclusive(tmp_path / "a/b/avatar.glb"):
        pass
    assert list(tmp_path.iterdir()) == []
    with exclusive(tmp_path / "a/b/avatar.glb"):
        (tmp_path / "a/b/avatar.glb").touch()
    assert (tmp_path / "a/b/avatar.glb").exists()


def test_a_lock_whose_file_was_removed_meanwhile_keeps_nobody_out_and_is_made_anew(tmp_path, monkeypatch):
    from zero1toa import locks

    path, tries = tmp_path / "avatar.glb", []

    def slow(descriptor):
        tries.append(descriptor)
        if len(tries) == 1:  # the holder ends between our open and our lock
            (tmp_path / ".avatar.glb.lock").unlink()
        return True

    monkeypatch.setattr(locks, "_try_lock", slow)
    with exclusive(path):
        assert (tmp_path / ".avatar.glb.lock").exists()
    assert len(tries) == 2


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError), exclusive(tmp_path / "file/avatar.glb"):
        pass


def test_who_takes_turns_waits(tmp_path):
    path = tmp_path / "clips"
    order = []

    def other():
        with in_turn(path):
            order.append("other")

    with exclusive(path):
        waiting = threading.Thread(target=other)
        waiting.start()
        time.sleep(0.3)
        order.append("first")
    waiting.join(30)
    assert order == ["first", "other"]
