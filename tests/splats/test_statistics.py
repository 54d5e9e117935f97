"""What density control is told: visibility, radius and gradient on the image plane."""

from __future__ import annotations

from dataclasses import replace

import pytest
import raster_reference as reference
import torch
from raster_scenes import Scene, random_scene

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.splats import RasterStatistics, rasterize, rasterize_clip

pytestmark = pytest.mark.usefixtures("kernels")


def draw(scene: Scene, statistics: RasterStatistics, seed: int = 0) -> torch.Tensor:
    """Draws, and lets a random gradient of the image flow back; returns that gradient."""
    inputs = scene.inputs()
    image = rasterize(*inputs, scene.camera, scene.background, statistics=statistics).image
    gradient = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    image.backward(gradient)
    return gradient


def test_radii_and_gradients_are_those_of_the_reference() -> None:
    scene = random_scene(150, (48, 40), seed=1, radius=(0.5, 8), opacity=(0.1, 0.9))
    statistics = RasterStatistics(150)
    gradient = draw(scene, statistics)
    exact = [tensor.detach() for tensor in scene.inputs(torch.float64)]
    _, covariances, depths = reference.project(*exact[:3], scene.camera)
    radii = 3 * torch.linalg.eigvalsh(covariances)[:, 1].sqrt()
    seen = statistics.visible > 0
    assert 50 < seen.sum() < 150
    assert not seen[depths < 0.01].any()
    torch.testing.assert_close(statistics.radii[seen].double(), radii[seen], rtol=1e-4, atol=0)
    assert (statistics.radii[~seen] == 0).all()

    shift = torch.zeros(150, 2, dtype=torch.float64, requires_grad=True)
    drawn = reference.render(*exact, scene.camera, scene.background.double(), shift)
    drawn.image.backward(gradient.double())
    expected = (shift.grad * torch.tensor([24.0, 20.0])).norm(dim=-1)
    got = statistics.mean_gradient_norms().double()
    # Random gradients go to all pixels, also to those where rounding decides; so this is not as exact as elsewhere.
    assert ((got - expected).abs() < 0.01 * expected.max()).all()
    assert (got - expected).abs().median() < 1e-4 * expected.max()


def test_pictures_add_up() -> None:
    scene = random_scene(100, (40, 40), seed=2)
    near = Camera.orbit(distance=0.5, fov=30, size=40)
    first, second, both = (RasterStatistics(100) for _ in range(3))
    draw(scene, first)
    draw(replace(scene, camera=near), second, seed=1)
    draw(scene, both)
    draw(replace(scene, camera=near), both, seed=1)
    assert torch.equal(both.visible, first.visible + second.visible)
    assert torch.equal(both.gradient_counts, both.visible)
    assert torch.equal(both.radii, torch.maximum(first.radii, second.radii))
    torch.testing.assert_close(both.gradient_norms, first.gradient_norms + second.gradient_norms)
    torch.testing.assert_close(both.mean_gradient_norms(), both.gradient_norms / both.visible.clamp_min(1))
    both.reset()
    assert not both.visible.any()
    assert not both.mean_gradient_norms().any()


def test_a_clip_counts_all_its_pictures() -> None:
    scene = random_scene(100, (40, 40), seed=3)
    other = Camera.orbit(30, distance=0.8, fov=30, size=40)
    clip, alone = RasterStatistics(100), RasterStatistics(100)
    inputs = scene.inputs()
    rasterize_clip(*inputs, [scene.camera, other], scene.background, statistics=clip).image.sum().backward()
    for camera in (scene.camera, other):
        rasterize(*inputs, camera, scene.background, statistics=alone).image.sum().backward()
    for name in ("visible", "radii", "gradient_norms", "gradient_counts"):
        assert torch.equal(getattr(clip, name), getattr(alone, name)), name


def test_without_gradients_only_visibility_and_radius_are_added() -> None:
    scene = random_scene(50, (30, 30), seed=4)
    with_gradients, without = RasterStatistics(50), RasterStatistics(50)
    draw(scene, with_gradients)
    with torch.no_grad():
        rasterize(*scene.inputs(), scene.camera, statistics=without)
    assert torch.equal(without.visible, with_gradients.visible)
    assert torch.equal(without.radii, with_gradients.radii)
    assert not without.gradient_counts.any()


def test_statistics_change_nothing_in_the_picture() -> None:
    scene = random_scene(50, (30, 30), seed=5)
    one = rasterize(*scene.inputs(), scene.camera)
    other = rasterize(*scene.inputs(), scene.camera, statistics=RasterStatistics(50))
    assert all(torch.equal(a, b) for a, b in zip(one, other))


def test_statistics_of_another_number_of_gaussians_are_refused() -> None:
    scene = random_scene(50)
    with pytest.raises(InputError, match="statistics are of 49"):
        rasterize(*scene.inputs(), scene.camera, statistics=RasterStatistics(49))
