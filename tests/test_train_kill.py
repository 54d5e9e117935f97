"""`zero1toa train-prior` and `tune-prior`, killed with -9 at random moments, end as if they had been left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from zero1toa.priors.mini.train import STATE, WEIGHTS
from zero1toa.priors.mini.weights import load_network

KILLS = max(1, int(os.environ.get("ZERO1TOA_KILLS", "4")) // 10)  # tests/nightly asks for 10 of them
STEPS = 60
OPTIONS = [
    "--width", "tiny", "--steps", str(STEPS), "--clips", "1", "--pool", "1", "--workers", "0", "--held-out", "1",
    "--precision", "float32", "--device", "cpu", "--save-every", "1", "--validate-every", "1000", "-q",
]  # fmt: skip
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


TUNING = [
    "--random-weights", "--stage", "motion", "--steps", "8", "--clips", "1", "--frames", "2", "--pool", "1",
    "--workers", "0", "--held-out", "1", "--precision", "float32", "--device", "cpu", "--save-every", "1",
    "--validate-every", "1000", "-q",
]  # fmt: skip


def start(folder: Path, *more: str, command: str = "train-prior", options: list[str] = OPTIONS) -> subprocess.Popen:
    command_line = [sys.executable, "-m", "zero1toa", command, "-o", str(folder), *options, *more]
    return subprocess.Popen(command_line, env=ENVIRONMENT, stderr=subprocess.PIPE)


def kill_often(folder: Path, **what) -> None:
    """Starts a training again and again, and kills it a little after it has saved."""
    moments = random.Random(0)
    for _ in range(KILLS):
        process = start(folder, "--resume", **what)
        before = (folder / STATE).stat().st_mtime if (folder / STATE).exists() else 0.0
        until = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < until:
            if (folder / STATE).exists() and (folder / STATE).stat().st_mtime > before:
                break
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        torch.load(folder / STATE, map_location="cpu", weights_only=True)  # whole, whenever it was killed


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait(600) == 0
    kill_often(killed)
    assert start(killed, "--resume").wait(600) == 0
    first, recipe = load_network(whole / WEIGHTS)
    second, again = load_network(killed / WEIGHTS)
    assert recipe["steps"] == again["steps"] == STEPS
    for one, other in zip(first.parameters(), second.parameters()):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)  # half precision in the file
    leftovers = [p.name for p in killed.iterdir() if ".part" in p.name]
    assert not leftovers


@pytest.mark.slow
def test_a_killed_tuning_goes_on_to_the_same_weights(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    pytest.importorskip("diffusers")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    what = {"command": "tune-prior", "options": TUNING}
    assert start(whole, **what).wait(600) == 0
    kill_often(killed, **what)
    assert start(killed, "--resume", **what).wait(600) == 0
    for name in ("motion_module", "denoising_unet", "reference_unet", "pose_guider"):
        first, second = (safetensors.load_file(folder / f"{name}.safetensors") for folder in (whole, killed))
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert not [p.name for p in killed.iterdir() if ".part" in p.name]
