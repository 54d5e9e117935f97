"""Fields on the cells of a picture."""

import numpy as np

from zero1toa.portrait.grid import gradient, poisson, shift


def test_a_strip_gets_a_circular_cross_section():
    region = np.zeros((9, 41), bool)
    region[:, 10:31] = True
    empty = np.zeros_like(region)
    squared = poisson(region, empty, np.zeros(region.shape), ~region, 2.0)
    offset = np.arange(10, 31) - 20
    np.testing.assert_allclose(squared[4, 10:31], 11**2 - offset**2, atol=0.01)
    assert not squared[~region].any()


def test_between_fixed_cells_it_is_linear_and_a_step_in_colour_stops_the_flow():
    region = np.zeros((5, 20), bool)
    region[:, 1:19] = True
    fixed = np.zeros_like(region)
    fixed[:, [0, 19]] = True
    values = np.zeros(region.shape)
    values[:, 19] = 19.0
    np.testing.assert_allclose(poisson(region, fixed, values, None, 0.0)[2, 1:19], np.arange(1, 19), atol=1e-3)
    colors = np.zeros((5, 20, 3), np.float32)
    colors[:, 6:] = 0.8
    parted = poisson(region, fixed, values, None, 0.0, colors)[2]
    assert parted[5] < 0.5 and parted[6] > 18.5


def test_gradients_use_known_neighbours_alone():
    values = np.tile(np.arange(6.0), (4, 1)) * 3
    known = np.ones(values.shape, bool)
    known[:, 4:] = False
    values[:, 4:] = 1000.0
    rows, columns = gradient(values, known)
    np.testing.assert_array_equal(columns[:, :4], 3)
    assert not rows[:, :4].any()
    np.testing.assert_array_equal(shift(values, 1, 1, -1.0)[:, :-1], values[:, 1:])
    np.testing.assert_array_equal(shift(values, 0, -1, -1.0)[0], -1)
