"""Smooth changes over what is held."""

import torch

from zero1toa.splats import Gaussians
from zero1toa.symgen.shade import shade_field

# Two squares that stand on each other, 10 cm a side: they share an edge and look in different directions.
CORNER = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0], [0.1, 0, -0.1], [0.1, 0.1, -0.1]])
FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])


def on_triangles(count=200):
    random = torch.Generator().manual_seed(0)
    return Gaussians(
        0.2 * torch.randn(count, 3, generator=random) * torch.tensor([1.0, 0.0, 1.0]),
        torch.randn(count, 4, generator=random),
        torch.full((count, 3), -2.0),
        torch.ones(count),
        torch.rand(count, 3, generator=random),
        torch.arange(count) % 4,
    )


def test_gather_is_the_transpose_of_spread():
    splats = on_triangles()
    random = torch.Generator().manual_seed(1)
    field = shade_field(splats, CORNER, FACES, torch.rand(200, generator=random), 0.02)
    nodes, colors = torch.randn(field.total, 3, generator=random), torch.randn(200, 3, generator=random)
    one, other = (field.spread(nodes) * colors).sum(), (nodes * field.gather(colors)).sum()
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_an_even_change_reaches_each_by_its_share():
    splats = on_triangles()
    share = torch.linspace(0, 1, 200)
    field = shade_field(splats, CORNER, FACES, share, 0.03)
    torch.testing.assert_close(field.spread(torch.ones(field.total, 1))[:, 0], share)
    assert 4 < field.total < 200


def test_sides_that_look_elsewhere_are_no_neighbours():
    splats = on_triangles()
    field = shade_field(splats, CORNER, FACES, torch.ones(200), 0.02)
    front = splats.triangle < 2
    only_front = field.gather(front.float()[:, None]) / field.gather(torch.ones(200, 1))
    reached = field.spread((only_front > 0.5).float())[:, 0]
    assert reached[front].min() > 0.9 and reached[~front].max() < 0.1


def test_without_any_share_there_is_nothing_to_change():
    field = shade_field(on_triangles(), CORNER, FACES, torch.zeros(200), 0.02)
    assert not field.spread(torch.ones(field.total, 3)).any()
