"""Laws of progressive learning, against the paper's formulas."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero1toa.config import CurriculumConfig
from zero1toa.symgen.curriculum import active_stages, open_path, opening, spatial_iterations

PAPER = CurriculumConfig()
TOTAL = 10_000


def test_the_milestones_are_those_of_the_paper():
    assert spatial_iterations(PAPER, TOTAL) == 5000
    assert active_stages(PAPER, 0, TOTAL) == active_stages(PAPER, 4999, TOTAL) == ("spatial",)
    assert active_stages(PAPER, 5000, TOTAL) == active_stages(PAPER, 7999, TOTAL) == ("spatial", "synthetic")
    assert active_stages(PAPER, 8000, TOTAL) == ("spatial", "synthetic", "real")


@given(st.integers(0, 9999), st.integers(1, 40))
def test_the_path_opens_by_the_papers_formula(iteration, frames):
    step = 5000 / frames
    assert opening(PAPER, iteration, TOTAL, frames) == min(int(iteration // step) + 1, frames)


@given(st.integers(1, 30), st.data())
def test_the_open_path_holds_its_last_camera(frames, data):
    opened = data.draw(st.integers(1, frames))
    path = list(range(1, frames + 1))  # p_hat_1 ... p_hat_n
    assert open_path(path, opened) == [path[min(i, opened) - 1] for i in range(1, frames + 1)]


@given(st.integers(1, 30))
def test_opening_never_goes_back_and_is_complete_when_the_spatial_stage_ends(frames):
    openings = [opening(PAPER, k, 1000, frames) for k in range(1000)]
    assert openings[0] == 1
    assert openings == sorted(openings)
    assert openings[500] == frames
    assert min(opening(PAPER, 499, 1000, frames), frames - 1) == frames - 1  # at most one frame short before


@pytest.mark.parametrize("iteration", [0, 5000, 9999])
def test_without_progressive_learning_all_is_there_from_the_start(iteration):
    plain = replace(PAPER, progressive=False)
    assert active_stages(plain, iteration, TOTAL) == ("spatial", "synthetic", "real")
    assert opening(plain, iteration, TOTAL, 16) == 16


def test_without_the_spatial_stage_the_synthetic_sequences_begin_at_once():
    config = replace(PAPER, spatial=False)
    assert active_stages(config, 0, TOTAL) == ("synthetic",)
    assert active_stages(config, 8000, TOTAL) == ("synthetic", "real")


def test_without_the_temporal_stage_only_cameras_move():
    config = replace(PAPER, temporal=False)
    assert {active_stages(config, k, TOTAL) for k in (0, 5000, 9999)} == {("spatial",)}


def test_a_run_of_no_iterations_has_its_path_open():
    assert opening(PAPER, 0, 0, 8) == 8
