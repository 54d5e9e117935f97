"""The gates: a network that never learned anything does not pass, and the truth would."""

import json

import numpy as np
import pytest
import torch

from zero1toa.config import DiffusionConfig
from zero1toa.evaluate.prior_cases import prior_case
from zero1toa.evaluate.prior_gates import Frame, Gate, GatePlan, GateResult, defective, measure_gates
from zero1toa.evaluate.prior_report import write_report
from zero1toa.priors.mini.network import WIDTHS, Network
from zero1toa.priors.mini.prior import MiniPrior


@pytest.fixture(scope="module")
def result():
    torch.manual_seed(0)
    prior = MiniPrior(Network(WIDTHS["tiny"]), DiffusionConfig(steps=1, inversion_condition="null"), random=True)
    return measure_gates(prior, GatePlan(persons=1))


def test_an_untrained_network_does_not_pass(result):
    gates = {gate.name: gate for gate in result.gates()}
    assert not result.passed
    assert not gates["cost of wrong-expression landmarks on the face, dB"].passed
    assert not gates["temporal attention on over off, dB"].passed


def test_one_step_of_an_untrained_network_measures_the_condition(result):
    assert result.mean("sample") == pytest.approx(result.mean("condition"), abs=1e-3)
    assert result.mean("condition") > result.mean("copy") + 3


def test_every_yaw_has_its_frames(result):
    assert len(result.frames) == 3 * 8
    assert np.isfinite(result.mean("sample", 60, 76)) and np.isnan(result.mean("sample", 85, 90))


def test_defects_are_worse_than_the_truth(result):
    for measures in result.defects.values():
        assert np.mean(measures["before"]) < 45


def test_a_wrong_expression_is_wrong_on_the_face_alone():
    case = prior_case(1, 64, 1.0)
    clip = case.clips[1]
    wrong = defective(case, clip, 1.0)["wrong expression"]
    error = ((wrong.over(1.0) - clip.truth.over(1.0)) ** 2).mean(1)
    moved = clip.drive.expressions.abs().sum(1) > 1
    assert error[clip.face].mean() > 2 * error[~clip.face].mean() or not bool(moved.any())


def test_the_truth_from_a_case_is_the_same_twice():
    first, second = prior_case(0, 64, 1.0), prior_case(0, 64, 1.0)
    torch.testing.assert_close(first.clips[2].truth.frames, second.clips[2].truth.frames)


def test_what_cannot_be_measured_does_not_pass():
    assert not Gate("x", float("nan"), 0.0).passed
    frame = Frame(0, "sweep", False, 0.0, {"sample": 30.0}, {"sample": float("nan")})
    assert np.isnan(GateResult([frame]).mean("sample", face=True))


def test_the_report_holds_table_numbers_and_sheet(result, tmp_path):
    written = write_report(tmp_path, result, {"weights": "random"})
    text = (tmp_path / "gates.md").read_text()
    assert "All passed: no." in text and "| gate |" in text
    numbers = json.loads((tmp_path / "gates.json").read_text())
    assert numbers["passed"] is False and len(numbers["gates"]) == 7
    assert all(path.stat().st_size > 100 for path in written)
