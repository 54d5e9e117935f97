"""Where the first splats go."""

import numpy as np
import pytest

from zero1toa.portrait.surface import PhotoSurface
from zero1toa.symgen.allocation import detail, photo_mass, splat_mass
from zero1toa.symgen.create import personal_head


@pytest.fixture(scope="module")
def surface(demo_portrait):
    return PhotoSurface(demo_portrait, personal_head(demo_portrait))


def test_detail_is_what_is_fine_and_a_slope_has_none():
    slope = np.repeat(np.linspace(0, 1, 64)[None, :, None], 64, 0).repeat(3, 2)
    checks = slope.copy()
    checks[:32] += 0.1 * (np.indices((32, 64)).sum(0) % 2)[..., None]
    found = detail(checks)
    assert detail(slope)[8:-8, 8:-8].max() < 1e-3
    assert found[8:24, 8:-8].min() == pytest.approx(0.05, abs=0.005)
    assert found[48:56, 8:-8].max() < 1e-3


def test_the_photo_gives_mass_to_what_it_shows_alone(surface):
    mass = photo_mass(surface)
    drawn = np.zeros(len(mass), bool)
    drawn[surface.buffers.face[surface.buffers.face >= 0]] = True
    assert (mass[~drawn] == 0).all() and mass.sum() > 0


def test_shares_are_shares_and_none_of_the_photo_is_a_matter_of_area(surface):
    plain, mixed = splat_mass(surface, 0.0), splat_mass(surface, 0.5)
    assert plain.sum() == pytest.approx(1) and mixed.sum() == pytest.approx(1)
    hidden = photo_mass(surface) == 0
    np.testing.assert_allclose(mixed[hidden], plain[hidden] / 2)
