"""`zero1toa train-prior`, killed with -9 at random moments, ends as one that was left alone."""

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


def start(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "zero1toa", "train-prior", "-o", str(folder), *OPTIONS, *more]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait(600) == 0
    moments = random.Random(0)
    for _ in range(KILLS):
        process = start(killed, "--resume")
        before = (killed / STATE).stat().st_mtime if (killed / STATE).exists() else 0.0
        until = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < until:
            if (killed / STATE).exists() and (killed / STATE).stat().st_mtime > before:
                break
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        torch.load(killed / STATE, map_location="cpu", weights_only=True)  # whole, whenever it was killed
    assert start(killed, "--resume").wait(600) == 0
    first, recipe = load_network(whole / WEIGHTS)
    second, again = load_network(killed / WEIGHTS)
    assert recipe["steps"] == again["steps"] == STEPS
    for one, other in zip(first.parameters(), second.parameters()):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)  # half precision in the file
    leftovers = [p.name for p in killed.iterdir() if ".part" in p.name]
    assert not leftovers
