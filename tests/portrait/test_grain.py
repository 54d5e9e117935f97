"""Texture by example."""

import numpy as np
from scipy.ndimage import gaussian_filter

from zero1toa.portrait.grain import Grain, strand_angles

METRES = 0.001


def noise(shape=(160, 160), stretch=(1.0, 1.0)):
    field = gaussian_filter(np.random.default_rng(0).standard_normal(shape), stretch)
    field = 0.5 + 0.05 * field / field.std()
    return np.repeat(field[..., None], 3, -1)


def grid(width, height):
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2) * METRES


def test_the_detail_has_no_mean_and_the_examples_contrast():
    picture = noise()
    region = np.ones(picture.shape[:2], bool)
    grain = Grain(picture + 0.3, region, metres_per_pixel=METRES, coarsest=8)
    detail = grain(grid(150, 150))
    assert grain.known
    assert np.abs(detail.mean(0)).max() < 0.01
    np.testing.assert_allclose(detail.std(0), picture.std((0, 1)), rtol=0.25)


def test_it_is_the_same_each_time_and_closes_around_a_period():
    picture = noise()
    region = np.ones(picture.shape[:2], bool)
    places = grid(40, 40)
    one, two = (Grain(picture, region, metres_per_pixel=METRES, coarsest=8, period=0.3) for _ in range(2))
    np.testing.assert_array_equal(one(places), two(places))
    np.testing.assert_allclose(one(places + [0.3, 0]), one(places), atol=1e-6)
    assert (
        np.abs(Grain(picture, region, metres_per_pixel=METRES, coarsest=8, seed=1)(places) - one(places)).max() > 0.01
    )


def test_strands_run_along_the_second_coordinate_whichever_way_the_example_combs_them():
    level = noise(stretch=(0.7, 6.0))  # strands along the rows
    angle, clarity = strand_angles(level)
    assert np.median(clarity) > 0.5
    np.testing.assert_allclose(np.abs(np.cos(angle[clarity > 0.7])).mean(), 0, atol=0.2)
    grain = Grain(level, np.ones(level.shape[:2], bool), metres_per_pixel=METRES, coarsest=8, strands=True)
    detail = grain(grid(100, 100)).reshape(100, 100, 3)[..., 0]
    assert np.abs(np.diff(detail, axis=0)).mean() < 0.6 * np.abs(np.diff(detail, axis=1)).mean()


def test_a_region_without_room_for_windows_gives_nothing():
    picture = noise()
    region = np.zeros(picture.shape[:2], bool)
    region[::7] = True
    grain = Grain(picture, region, metres_per_pixel=METRES, coarsest=8)
    assert not grain.known
    assert not grain(grid(10, 10)).any()
