"""Training: it learns, goes on where it was stopped, and says what is wrong."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.errors import AssetError, InputError, MissingDependency
from zero1toa.priors.mini import engine as engines
from zero1toa.priors.mini.network import WIDTHS
from zero1toa.priors.mini.synthetic import sitting
from zero1toa.priors.mini.train import STATE, WEIGHTS, TrainConfig, saved_step, train
from zero1toa.priors.mini.training_data import PoolPlan, SyntheticPool, batch_of, draw_batch
from zero1toa.priors.mini.training_report import CURVE, SHEET, TABLE, TrainingReport
from zero1toa.priors.mini.weights import load_network

CONFIG = TrainConfig(
    steps=4, clips=1, precision="float32", save_every=2, validate_every=100, held_out=1, network=WIDTHS["tiny"]
)


class FewClips:
    """`ClipData` of one person."""

    description = "one person"

    def __init__(self):
        self.sittings = [sitting(1, 1)]
        self.closed = False

    def at(self, step):
        return self.sittings

    def held_out(self, count):
        return self.sittings[:count]

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def data():
    return FewClips()


class Stopped(Exception):
    """Stands for a kill."""


def test_a_killed_training_ends_as_one_that_was_left_alone(data, tmp_path):
    whole = train(tmp_path / "whole", CONFIG, data=data)

    def kill(step, figures):
        if step == 3:
            raise Stopped

    with pytest.raises(Stopped):
        train(tmp_path / "killed", CONFIG, data=data, log=kill)
    assert saved_step(tmp_path / "killed") == 2 and not (tmp_path / "killed" / WEIGHTS).exists()
    resumed = train(tmp_path / "killed", CONFIG, data=data, resume=True)
    assert resumed.step == whole.step == 4 and resumed.frames == whole.frames
    for first, second in zip(whole.network.parameters(), resumed.network.parameters()):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-5)


def test_training_lowers_the_loss(data, tmp_path):
    config = replace(CONFIG, steps=24, rate=4e-3, average=0.5)
    figures = []
    train(tmp_path, replace(config, steps=0), data=data, look=lambda step, numbers, pictures: figures.append(numbers))
    (tmp_path / STATE).unlink()
    train(tmp_path, config, data=data, look=lambda step, numbers, pictures: figures.append(numbers))
    assert figures[0]["condition_psnr"] == pytest.approx(figures[1]["condition_psnr"])
    assert figures[1]["sample_psnr"] > figures[0]["sample_psnr"] + 0.2  # it has seen this very person


def test_its_files_tell_what_was_trained(data, tmp_path):
    report = TrainingReport(tmp_path)
    trained = train(tmp_path, replace(CONFIG, steps=10), data=data, look=report.look, log=report.log)
    _, recipe = load_network(tmp_path / WEIGHTS)
    assert recipe["steps"] == 10 and recipe["data"] == "one person" and recipe["frames"] == trained.frames == 80
    assert {"sample_psnr", "condition_psnr"} <= recipe["figures"].keys()
    rows = list(csv.DictReader((tmp_path / TABLE).open()))
    assert [int(r["step"]) for r in rows] == [10] and float(rows[0]["loss"]) > 0
    assert (tmp_path / CURVE).is_file() and (tmp_path / SHEET).is_file()


def test_a_training_is_not_overwritten_and_not_mixed_with_another(data, tmp_path):
    train(tmp_path, CONFIG, data=data)
    with pytest.raises(InputError, match="--resume"):
        train(tmp_path, CONFIG, data=data)
    with pytest.raises(InputError, match="other options"):
        train(tmp_path, replace(CONFIG, seed=1), data=data, resume=True)
    (tmp_path / STATE).write_bytes(b"cut")
    with pytest.raises(AssetError, match="no state"):
        train(tmp_path, CONFIG, data=data, resume=True)


def test_time_ends_a_training_too(data, tmp_path):
    trained = train(tmp_path, replace(CONFIG, steps=100_000, minutes=1e-4), data=data)
    assert trained.step < 50


def test_the_pool_is_the_same_at_the_same_step_after_a_resume():
    plan = PoolPlan(size=2, clips=1, reuse=2.0, workers=0)
    first = SyntheticPool(sitting, 0, plan, clips_per_step=1)
    for step in range(4):
        whole = first.at(step)
    late = SyntheticPool(sitting, 0, plan, clips_per_step=1).at(3)
    assert [s.seed for s in whole] == [s.seed for s in late]
    assert {s.seed for s in whole} != {0, 1}  # some were replaced
    assert {s.seed for s in SyntheticPool(sitting, 0, plan, 1, rank=1, ranks=2).at(0)} == {1, 3}


def test_augmentation_changes_photo_and_truth_alike(data):
    plain = batch_of([(data.sittings[0], data.sittings[0].clips[0])])
    toned = draw_batch(data.sittings, 1, np.random.default_rng(3))
    assert (toned.frames - plain.frames).abs().max() > 0.01
    flat = [(b.frames - b.center)[b.known[:, :, :1].expand_as(b.frames) > 0.99].abs().mean() for b in (plain, toned)]
    assert flat[1] == pytest.approx(flat[0], rel=0.5)


def test_several_processes_need_accelerate(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="accelerate"):
        engines.Engine()


@pytest.mark.slow
def test_two_processes_train_one_network_through_accelerate(tmp_path):
    pytest.importorskip("accelerate")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "zero1toa"]
    small = ["--width", "tiny", "--steps", "2", "--pool", "2", "--workers", "0", "--held-out", "1", "--clips", "1"]
    command = [sys.executable, *launch, "train-prior", "-o", str(tmp_path / "prior"), *small, "--precision", "float32"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Wrote ") == 1  # one of the two writes
    _, recipe = load_network(tmp_path / "prior" / WEIGHTS)
    assert "2 processes" in json.dumps(recipe)
