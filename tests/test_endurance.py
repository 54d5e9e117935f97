"""Long work keeps neither memory nor state: the short version of `python -m benchmarks.endurance`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks import endurance

from zero1toa.config import PRESETS

TINY = replace(
    PRESETS["debug"],
    size=32,
    texture_size=128,
    iterations=2,
    settle=replace(PRESETS["debug"].settle, rounds=1, frames=1),
)


def test_pictures_in_a_loop_stay_the_same_and_leave_nothing(debug_avatar):
    endurance.frames(debug_avatar, 2 * 20, 32)  # what is made once
    before = endurance.live_tensors()
    found = endurance.frames(debug_avatar, 3 * 20, 32)
    assert found.differing == 0
    assert endurance.live_tensors() <= before


@pytest.mark.slow
def test_avatars_one_after_the_other_are_the_same_and_leave_nothing(demo_portrait):
    counts = []
    threads = torch.get_num_threads()
    found = endurance.avatars(demo_portrait, TINY, 3, after=lambda: counts.append(endurance.live_tensors()))
    assert found.differing == 0
    assert counts[0] == counts[1] == counts[2]
    assert torch.get_num_threads() == threads


@pytest.mark.slow
def test_avatars_in_threads_are_those_of_a_single_run(demo_portrait):
    threads = torch.get_num_threads()
    assert endurance.threads(demo_portrait, TINY, count=4, at_once=4).differing == 0
    assert torch.get_num_threads() == threads


def test_a_leak_is_seen():
    steady = endurance.figures("steady", [500.0 + (i % 3) for i in range(100)], 1.0, 0)
    assert steady.is_flat and steady.megabytes == (502.0, 502.0, 500.0)
    leaking = endurance.figures("leaking", list(np.linspace(500, 600, 100)), 1.0, 0)
    assert not leaking.is_flat
    assert leaking.per_item == pytest.approx(100 / 99 * 1e3)
