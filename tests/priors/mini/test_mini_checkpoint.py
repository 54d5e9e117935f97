"""The tiny network that was trained for the tests: it is no good, but it has learned something."""

from pathlib import Path

import pytest
import torch

from zero1toa.config import DiffusionConfig
from zero1toa.evaluate.prior_cases import prior_case
from zero1toa.priors import load_prior
from zero1toa.priors.mini.condition import told
from zero1toa.priors.mini.network import WIDTHS
from zero1toa.priors.mini.weights import load_network

TINY = Path(__file__).parent / "tiny.safetensors"


@pytest.fixture(scope="module")
def prior():
    return load_prior("mini", diffusion=DiffusionConfig(weights=str(TINY), steps=1), device="cpu")


def test_it_is_small_and_tells_how_it_was_made():
    network, recipe = load_network(TINY)
    assert TINY.stat().st_size < 1_000_000
    assert network.config == WIDTHS["tiny"]
    assert recipe["frames"] > 1000 and "synthetic" in recipe["data"]


def test_one_step_of_it_comes_closer_to_the_truth_than_the_condition(prior):
    case = prior_case(3, prior.size, 1.0)
    state = prior.prepare(case.reference, torch.Generator().manual_seed(0))
    gains = []
    for clip in case.clips:
        condition = told(state.photo, clip.drive)
        truth = clip.truth.over(1.0) * 2 - 1
        error = [((p - truth) ** 2).mean().item() for p in (prior.sample(state, condition), condition.center)]
        gains.append(error[1] / error[0])
    assert sum(gains) / len(gains) > 1
