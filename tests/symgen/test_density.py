"""Laws of density control."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zero1toa.config import DensityConfig
from zero1toa.splats import Gaussians
from zero1toa.splats.statistics import RasterStatistics
from zero1toa.symgen.density import controlled

CONFIG = DensityConfig(growth=0.25, split_above=0.5, least_opacity=0.1)


def scene(count, triangles, seed):
    random = torch.Generator().manual_seed(seed)
    triangle = torch.cat([torch.arange(triangles), torch.randint(triangles, (count - triangles,), generator=random)])
    splats = Gaussians(
        torch.randn(count, 3, generator=random),
        torch.randn(count, 4, generator=random),
        torch.randn(count, 3, generator=random) - 1,
        3 * torch.randn(count, generator=random),
        torch.rand(count, 3, generator=random),
        triangle,
    )
    statistics = RasterStatistics(count)
    statistics.gradient_norms = torch.rand(count, generator=random)
    statistics.gradient_counts += 1
    return splats, statistics


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 200), st.integers(0, 1000), st.booleans())
def test_every_triangle_keeps_one_and_children_keep_their_triangle(count, seed, all_faint):
    triangles = count // 3
    splats, statistics = scene(count, triangles, seed)
    if all_faint:
        splats = splats._replace(opacity_logits=torch.full((count,), -9.0))
    movable = torch.ones(count, dtype=torch.bool)
    change = controlled(splats, statistics, movable, CONFIG, 2 * count, torch.Generator().manual_seed(1))
    assert torch.equal(change.splats.triangle, splats.triangle[change.parents])
    assert torch.equal(change.splats.triangle.unique(), torch.arange(triangles))
    assert len(change.parents) == len(change.fresh) == len(change.splats.means) <= count * 1.25
    for tensor in change.splats:
        assert torch.isfinite(tensor.float()).all()


def test_the_most_pulled_grow_and_the_number_has_a_limit():
    splats, statistics = scene(100, 10, 0)
    splats = splats._replace(opacity_logits=torch.full((100,), 2.0))
    movable = torch.ones(100, dtype=torch.bool)
    change = controlled(splats, statistics, movable, CONFIG, 110, torch.Generator().manual_seed(1))
    assert len(change.parents) == 110
    top = set(statistics.gradient_norms.topk(10).indices.tolist())
    assert set(change.parents[100:].tolist()) == top


def test_what_may_not_move_is_left_alone():
    splats, statistics = scene(60, 5, 3)
    splats = splats._replace(opacity_logits=torch.full((60,), -9.0))
    change = controlled(splats, statistics, torch.zeros(60, dtype=torch.bool), CONFIG, 120, torch.Generator())
    assert torch.equal(change.parents, torch.arange(60))
    assert all(torch.equal(a, b) for a, b in zip(change.splats, splats, strict=True))
    assert not change.fresh.any()


def test_halves_are_smaller_and_clones_are_copies():
    splats, statistics = scene(80, 8, 5)
    splats = splats._replace(opacity_logits=torch.full((80,), 2.0))
    movable = torch.ones(80, dtype=torch.bool)
    change = controlled(splats, statistics, movable, CONFIG, 160, torch.Generator().manual_seed(2))
    added = range(80, len(change.parents))
    large = splats.log_scales.exp().amax(-1) > CONFIG.split_above
    assert any(large[change.parents[i]] for i in added)
    assert any(not large[change.parents[i]] for i in added)
    for i in added:
        parent = change.parents[i]
        ratio = (splats.log_scales[parent] - change.splats.log_scales[i]).exp()
        expected = 1.6 if large[parent] else 1.0
        torch.testing.assert_close(ratio, torch.full((3,), expected))
        assert torch.equal(change.splats.means[i], splats.means[parent]) != bool(large[parent])
        assert bool(change.fresh[parent]) == bool(large[parent])  # the parent became the other half
