"""Long hair behind the neck."""

import numpy as np

from zero1toa.portrait.curtain import hang_behind

CELL = 0.002


def scene(left=True, right=True, rows=(20, 90)):
    covered = np.zeros((100, 100), bool)
    covered[5:95, 30:70] = True
    back = np.where(covered, 1.0, np.inf)
    back[5:30] += np.where(covered[5:30], 0.05, 0)  # the skull stands out behind the neck
    hair = np.zeros_like(covered)
    hair[rows[0] : rows[1], 20:30] = left
    hair[rows[0] : rows[1], 70:80] = right
    return hair, covered, back


def test_hair_on_both_sides_hangs_behind_the_neck():
    hair, covered, back = scene()
    inside, depth = hang_behind(hair, covered, back, CELL)
    assert inside[25:85, 31:69].all()
    assert not inside[:15].any() and not (inside & ~covered).any()
    assert (depth[40:85, 35:65] > back[40:85, 35:65]).all()
    assert depth[32, 50] > depth[80, 50]  # it falls from the skull towards the neck
    assert not depth[~inside].any()


def test_hair_on_one_side_or_a_short_bob_has_none():
    assert not hang_behind(*scene(right=False), CELL)[0].any()
    assert not hang_behind(*scene(rows=(20, 40)), CELL)[0].any()
    assert not hang_behind(np.zeros((9, 9), bool), np.zeros((9, 9), bool), np.full((9, 9), np.inf), CELL)[0].any()
