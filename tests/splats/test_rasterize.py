"""The rasteriser against the float64 reference: what is drawn, and the gradients of all inputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import raster_reference as reference
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raster_scenes import INPUTS, Scene, random_scene

from zero1toa.camera import Camera
from zero1toa.splats import RasterOutput, rasterize

pytestmark = pytest.mark.usefixtures("kernels")  # everything here holds for both kinds

FORWARD = 1e-5  # largest difference allowed
BACKWARD = 1e-4  # of the largest gradient of an input
NOISE = 1e-6  # where a gradient is zero but for rounding, as that of a round Gaussian's rotation; losses are about 1

OUTPUTS = ("image", "alpha", "depth")


def draw(scene: Scene, inputs: list[torch.Tensor] | None = None) -> RasterOutput:
    return rasterize(*(inputs or scene.inputs()), scene.camera, scene.background)


def gradients(scene: Scene, seed: int = 0) -> list[torch.Tensor]:
    inputs = scene.inputs()
    generator = torch.Generator().manual_seed(seed)
    sum((torch.randn(o.shape, generator=generator) * o).sum() for o in draw(scene, inputs)).backward()
    return [tensor.grad for tensor in inputs]


def compare(scene: Scene, through: tuple[str, ...] = OUTPUTS, sure: float = 0.9) -> None:
    """Draws with both, lets random gradients flow back through the outputs named, and compares.

    Pixels in which a Gaussian is within rounding of a threshold are left out; `sure` is the least share of the others.
    """
    exact, ours = scene.inputs(torch.float64), scene.inputs()
    expected = reference.render(*exact, scene.camera, scene.background.double())
    got = draw(scene, ours)
    assert expected.sure.double().mean() >= sure
    generator = torch.Generator().manual_seed(1)
    losses = [torch.zeros(()), torch.zeros(())]
    for name in OUTPUTS:
        theirs, own = getattr(expected, name), getattr(got, name)
        assert own.dtype == torch.float32
        assert ((theirs - own).abs()[expected.sure] <= FORWARD).all(), name
        if name in through:
            gradient = torch.randn(own.shape, generator=generator)
            gradient[~expected.sure] = 0
            losses = [losses[0] + (gradient * theirs).sum(), losses[1] + (gradient * own).sum()]
    for loss in losses:
        if loss.requires_grad:
            loss.backward()
    for name, theirs, own in zip(INPUTS, exact, ours):
        if theirs.grad is None or theirs.numel() == 0:
            continue
        assert ((theirs.grad - own.grad).abs() <= BACKWARD * theirs.grad.abs().max() + NOISE).all(), name


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_reference(seed: int) -> None:
    compare(random_scene(300, seed=seed))


@pytest.mark.parametrize("through", OUTPUTS)
def test_each_output_carries_its_own_gradient(through: str) -> None:
    compare(random_scene(120, (40, 40), seed=7), (through,))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(0, 40),
    width=st.integers(1, 50),
    height=st.integers(1, 50),
    largest=st.floats(0.3, 60),
    thinnest=st.floats(0.01, 1),
    most=st.floats(0.01, 1),
)
def test_equals_the_reference_on_any_scene(
    seed: int, count: int, width: int, height: int, largest: float, thinnest: float, most: float
) -> None:
    scene = random_scene(
        count, (width, height), seed=seed, radius=(0.2, largest), thinnest=thinnest, opacity=(0.003, max(0.004, most))
    )
    compare(scene, sure=0)


def test_long_thin_gaussians_keep_their_digits() -> None:
    compare(random_scene(60, (96, 96), seed=3, radius=(20, 120), thinnest=0.0005, opacity=(0.3, 0.9)))


def test_pixels_that_are_full_take_nothing_more() -> None:
    scene = random_scene(300, (32, 32), seed=4, radius=(5, 30), thinnest=0.3, opacity=(0.8, 0.999))
    assert (draw(scene).alpha > 0.99).double().mean() > 0.8
    compare(scene, sure=0.5)


def test_hidden_gaussians_get_no_gradient() -> None:
    count = 100  # enough for the tile to stop looking at them
    camera = Camera.orbit(distance=1.0, size=16)
    depth = torch.linspace(0.2, -0.2, count)
    inputs = [
        torch.stack([torch.zeros(count), torch.zeros(count), depth], -1),
        torch.tensor([[1.0, 0, 0, 0]]).repeat(count, 1),
        torch.full((count, 3), 10.0),
        torch.full((count,), 0.9),
        torch.rand(count, 3),
    ]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    rasterize(*inputs, camera, (0, 0, 0)).image.sum().backward()
    for tensor in inputs:
        assert torch.isfinite(tensor.grad).all()
        assert (tensor.grad[5:] == 0).all()
    assert (inputs[4].grad[0] > 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (16, 16), (17, 33), (15, 32)])
def test_any_size_of_picture(size: tuple[int, int]) -> None:
    scene = random_scene(50, size, seed=5, radius=(0.5, 8))
    output = draw(scene)
    assert output.image.shape == (size[1], size[0], 3)
    assert output.alpha.shape == output.depth.shape == (size[1], size[0])
    compare(scene, sure=0)


def test_equal_depths_are_drawn_in_the_given_order() -> None:
    camera = Camera.orbit(distance=1.0, size=8)
    common = (torch.zeros(2, 3), torch.tensor([[1.0, 0, 0, 0]] * 2), torch.full((2, 3), 5.0), torch.tensor([0.9, 0.9]))
    red, blue = [1.0, 0, 0], [0, 0, 1.0]
    for first, second in ((red, blue), (blue, red)):
        image = rasterize(*common, torch.tensor([first, second]), camera).image
        expected = 0.9 * torch.tensor(first) + 0.09 * torch.tensor(second)
        torch.testing.assert_close(image[4, 4], expected, atol=1e-3, rtol=0)


def test_the_order_of_the_gaussians_does_not_matter() -> None:
    scene = random_scene(200, seed=6)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    shuffled = replace(scene, **{name: getattr(scene, name)[order] for name in INPUTS})
    for one, other in zip(draw(scene), draw(shuffled)):
        assert torch.equal(one, other)
    for one, other in zip(gradients(scene), gradients(shuffled)):
        assert torch.equal(one[order], other)


def test_the_number_of_threads_does_not_matter() -> None:
    scene = random_scene(3000, (200, 150), seed=8)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append([*draw(scene), *gradients(scene)])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b)


def test_several_python_threads_may_draw_at_once() -> None:
    scenes = [random_scene(500, seed=seed) for seed in range(4)]
    alone = [gradients(scene) for scene in scenes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(gradients, scenes * 3))
    for expected, got in zip(alone * 3, together):
        assert all(torch.equal(a, b) for a, b in zip(expected, got))


def test_only_what_needs_a_gradient_gets_one() -> None:
    scene = random_scene(50, (32, 32), seed=9)
    inputs = [tensor.detach() for tensor in scene.inputs()]
    assert not draw(scene, inputs).image.requires_grad
    inputs[4].requires_grad_()
    draw(scene, inputs).image.sum().backward()
    assert inputs[4].grad.abs().max() > 0
    assert inputs[0].grad is None


def test_double_precision_and_views_are_taken_as_they_are() -> None:
    scene = random_scene(50, (32, 32), seed=10)
    wide = [torch.cat([t.detach(), t.detach()], -1).double() for t in scene.inputs()]
    inputs = [w.requires_grad_() for w in wide]
    halves = [w[..., : w.shape[-1] // 2] for w in inputs]
    got = draw(scene, halves)
    assert torch.equal(got.image, draw(scene).image)
    got.image.sum().backward()
    assert all(w.grad.dtype == torch.float64 for w in inputs)


def test_the_background_shows_where_nothing_is() -> None:
    scene = random_scene(30, (40, 40), seed=11)
    black, grey = (rasterize(*scene.inputs(), scene.camera, (b, b, b)) for b in (0.0, 0.5))
    torch.testing.assert_close(grey.image - black.image, 0.5 * (1 - black.alpha)[..., None].expand(40, 40, 3))


def test_one_gaussian_has_the_size_and_place_it_should() -> None:
    camera = Camera.orbit(distance=2.0, size=65)
    sigma = 0.05
    output = rasterize(
        torch.zeros(1, 3),
        torch.tensor([[1.0, 0, 0, 0]]),
        torch.full((1, 3), sigma),
        torch.tensor([0.8]),
        torch.ones(1, 3),
        camera,
    )
    variance = (camera.fx * sigma / 2.0) ** 2 + 0.3
    xs = np.arange(65) - 32
    expected = 0.8 * np.exp(-(xs**2) / (2 * variance))
    expected[expected < 1 / 255] = 0
    np.testing.assert_allclose(output.alpha[32].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(output.depth.numpy(), 2.0 * output.alpha.numpy(), atol=1e-6)


def test_gradients_are_what_finite_differences_say() -> None:
    scene = random_scene(4, (24, 24), seed=12, radius=(4, 8), thinnest=0.5, opacity=(0.3, 0.6))
    # Wide and faint enough to end outside the picture: no threshold is crossed by a small step.
    scene = replace(scene, scales=scene.scales * 3)
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(output.shape, generator=generator) for output in draw(scene)]

    def loss(inputs: list[torch.Tensor]) -> torch.Tensor:
        return sum((w.double() * o.double()).sum() for w, o in zip(weights, draw(scene, inputs)))

    inputs = scene.inputs()
    loss(inputs).backward()
    for k, (name, step) in enumerate(zip(INPUTS, (1e-4, 1e-3, 1e-4, 1e-3, 1e-2))):
        direction = torch.randn(inputs[k].shape, generator=generator)
        there, back = (
            loss([t.detach() + (sign * step * direction if j == k else 0) for j, t in enumerate(inputs)])
            for sign in (1, -1)
        )
        slope = float(there.detach() - back.detach()) / (2 * step)
        assert slope == pytest.approx(float((inputs[k].grad * direction).sum()), rel=0.02), name


def test_without_gradients_the_picture_is_the_same() -> None:
    scene = random_scene(300, (70, 50), seed=13)
    with torch.no_grad():
        alone = draw(scene)
    for one, other in zip(alone, draw(scene)):
        assert torch.equal(one, other)
        assert not one.requires_grad


def test_a_pixel_jumps_where_rounding_decides_whether_a_gaussian_counts() -> None:
    """Why two right rasterisers differ in isolated pixels: alpha is cut at 1/255, so a hair decides about 1/255."""
    camera = Camera.orbit(distance=1.0, size=33)

    def picture(opacity: float) -> torch.Tensor:
        common = (torch.zeros(1, 3), torch.tensor([[1.0, 0, 0, 0]]), torch.full((1, 3), 0.02))
        return rasterize(*common, torch.tensor([opacity]), torch.ones(1, 3), camera).image[..., 0]

    above = picture(0.5)
    edge = above[16][above[16] > 0].min().item()  # the faintest pixel of the middle row
    below = picture(0.5 / (edge * 255) * (1 - 1e-5))  # and now it is just below 1/255
    above = picture(0.5 / (edge * 255) * (1 + 1e-5))
    jump = (above - below).abs()
    assert jump.max() == pytest.approx(1 / 255, rel=1e-3)
    assert ((jump < 1e-5) | (jump > 0.99 / 255)).all()
    assert (jump > 1e-5).sum() < 20
