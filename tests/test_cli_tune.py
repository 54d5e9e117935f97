"""`zero1toa tune-prior`."""

import json
import os
import subprocess
import sys

import pytest

from zero1toa.cli import main
from zero1toa.priors.training_run import STATE

TINY = [
    "tune-prior", "aniportrait", "--random-weights", "--steps", "1", "--clips", "1", "--frames", "2", "--pool", "1",
    "--workers", "0", "--held-out", "1", "--precision", "float32", "--device", "cpu",
]  # fmt: skip


def test_a_trial_without_weights_runs_and_goes_on(tmp_path, capsys):
    pytest.importorskip("diffusers")
    output = tmp_path / "trial"
    assert main([*TINY, "-o", str(output), "--stage", "motion"]) == 0
    assert "no prior reads" in capsys.readouterr().out
    written = {p.name for p in output.iterdir()}
    assert {"motion_module.safetensors", "tuning.json", "sheet.png", "losses.csv", STATE, "image_encoder"} <= written
    assert main([*TINY, "-o", str(output), "--stage", "motion"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*TINY, "-o", str(output), "--stage", "motion", "--resume", "-q"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "at least 1"),
        (["--minutes", "-1"], "cannot last"),
        (["--frames", "40"], "1 to 32"),
        (["--weights", "x"], "leave one"),
        (["--no-random-weights", "--weights", "no_such_folder"], "reference_unet"),
        (["--data", "no_such_folder"], "synthetic"),
    ],
)
def test_wrong_options_are_told(options, message, tmp_path, capsys):
    pytest.importorskip("diffusers")
    assert main([*TINY, "-o", str(tmp_path / "p"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.strip().count("\n") == 0
    assert not (tmp_path / "p").exists()


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["tune-prior", "--help"])
    assert "--stage motion" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_two_processes_tune_one_model_through_accelerate(tmp_path):
    for package in ("accelerate", "diffusers"):
        pytest.importorskip(package)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "zero1toa"]
    steps = ["--steps", "3", "--validate-every", "1"]  # it also looks in between, in one process alone
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    command = [*launch, *TINY, *steps, "-o", str(tmp_path / "tuned")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Wrote ") == 1  # one of the two writes
    assert "2 processes" in json.loads((tmp_path / "tuned" / "tuning.json").read_text())["engine"]
