"""Against what the published code answered on the same random weights (golden/README.md)."""

import pytest

from zero1toa.priors.animate_anyone.spec import SPECS


@pytest.mark.parametrize("name", SPECS)
def test_each_network_is_the_published_one(needs_diffusers, name):
    from benchmarks.diffusion_parity import network_rows

    rows = list(network_rows(name))
    assert len(rows) == 4
    assert all(row.passed for row in rows), rows


@pytest.mark.parametrize("name", SPECS)
def test_a_whole_clip_is_the_published_one(needs_diffusers, name):
    """With CLIP, VAE, windows that overlap, guidance and DDIM."""
    from benchmarks.diffusion_parity import pipeline_row

    row = pipeline_row(name)
    assert row.passed, row
