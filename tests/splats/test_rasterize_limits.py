"""Odd input: nothing crashes, nothing finite becomes NaN, and what cannot be drawn is refused in one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_scenes import INPUTS, Scene, random_scene

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.splats import rasterize
from zero1toa.splats.cpu import pipeline

pytestmark = pytest.mark.usefixtures("kernels")


def draw_and_return(scene: Scene) -> list[torch.Tensor]:
    """Outputs and gradients."""
    inputs = scene.inputs()
    output = rasterize(*inputs, scene.camera, scene.background)
    if output.image.requires_grad:
        (output.image.sum() + output.alpha.sum() + output.depth.sum()).backward()
    return [*output, *(tensor.grad for tensor in inputs)]


def with_values(scene: Scene, **values: float) -> Scene:
    return replace(scene, **{name: torch.full_like(getattr(scene, name), value) for name, value in values.items()})


def test_no_gaussians_leave_the_background() -> None:
    scene = random_scene(0, (20, 10))
    image, alpha, depth, *gradients = draw_and_return(scene)
    assert torch.equal(image, scene.background.expand(10, 20, 3))
    assert not alpha.any()
    assert not depth.any()
    assert [tuple(g.shape) for g in gradients] == [(0, 3), (0, 4), (0, 3), (0,), (0, 3)]


def test_gaussians_behind_the_camera_or_too_near_are_not_drawn() -> None:
    scene = random_scene(20, (20, 20))
    backward = scene.camera.viewmat[2, :3]
    for depth in (-1.0, 0.0, 0.0099):
        means = torch.tensor(scene.camera.position + depth * backward, dtype=torch.float32).expand(20, 3)
        _, alpha, _, *gradients = draw_and_return(replace(scene, means=means))
        assert not alpha.any()
        assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize(
    "values",
    [
        {"scales": 0.0},
        {"scales": 1e-30},
        {"scales": 1e4},
        {"scales": 1e20},
        {"scales": 3e38},
        {"scales": -0.01},
        {"quats": 0.0},
        {"quats": 1e-20},
        {"quats": 1e-40},
        {"quats": 3e38},
        {"opacities": 0.0},
        {"opacities": -1.0},
        {"opacities": 1.0},
        {"opacities": 1e30},
        {"opacities": 1 / 255},
        {"means": 3e38},
        {"means": -3e38},
        {"means": 3e38, "scales": 3e38},
        {"means": 1e10, "scales": 1e10},
    ],
    ids=str,
)
def test_finite_input_gives_finite_output(values: dict[str, float]) -> None:
    for result in draw_and_return(with_values(random_scene(40, (30, 30)), **values)):
        assert torch.isfinite(result).all()


def test_a_gaussian_without_size_is_a_dot() -> None:
    scene = replace(random_scene(1, (21, 21)), means=torch.zeros(1, 3), opacities=torch.tensor([0.9]))
    camera = Camera.orbit(size=21)
    alpha = rasterize(*with_values(scene, scales=0.0).inputs(), camera).alpha
    assert alpha[10, 10] > 0.85
    assert (alpha > 0).sum() < 25


def test_a_gaussian_wider_than_the_world_fills_the_picture() -> None:
    scene = replace(random_scene(1, (40, 40)), means=torch.zeros(1, 3), opacities=torch.tensor([0.5]))
    alpha = rasterize(*with_values(scene, scales=1e5).inputs(), scene.camera).alpha
    torch.testing.assert_close(alpha, torch.full((40, 40), 0.5), atol=1e-4, rtol=0)


def test_a_zero_quaternion_is_no_rotation() -> None:
    scene = random_scene(10, (30, 30))
    identity = replace(scene, quats=torch.tensor([[1.0, 0, 0, 0]]).repeat(10, 1))
    assert torch.equal(draw_and_return(with_values(scene, quats=0.0))[0], draw_and_return(identity)[0])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=11, max_size=11),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_finite_gaussian_can_be_drawn(values: list[float], size: tuple[int, int]) -> None:
    numbers = torch.tensor(values, dtype=torch.float32)[None]
    inputs = [numbers[:, :3], numbers[:, 3:7], numbers[:, 7:10], numbers[:, 10], torch.ones(1, 3)]
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    output = rasterize(*inputs, Camera.orbit(size=size))
    sum(o.sum() for o in output).backward()
    for tensor in (*output, *(tensor.grad for tensor in inputs)):
        assert torch.isfinite(tensor).all()
    assert (output.alpha >= 0).all()
    assert (output.alpha <= 1).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", INPUTS)
def test_nan_and_infinity_are_refused_by_name(name: str, bad: float) -> None:
    scene = random_scene(1000, (30, 30))
    getattr(scene, name)[777] = bad
    with pytest.raises(InputError, match=f"{name} hold"):
        draw_and_return(scene)


@pytest.mark.parametrize("name", INPUTS)
def test_wrong_shapes_are_refused_by_name(name: str) -> None:
    scene = random_scene(5)
    with pytest.raises(InputError, match=name if name != "means" else "quats"):
        draw_and_return(replace(scene, **{name: getattr(scene, name)[:3]}))


def test_a_camera_that_makes_no_picture_is_refused() -> None:
    scene = random_scene(5)
    broken = scene.camera.viewmat.copy()
    broken[0, 0] = np.nan
    for camera in (
        replace(scene.camera, width=0),
        replace(scene.camera, height=40_000),
        replace(scene.camera, fx=-1.0),
        replace(scene.camera, viewmat=broken),
    ):
        with pytest.raises(InputError):
            draw_and_return(replace(scene, camera=camera))


@pytest.mark.parametrize("background", [(0, 0), (0, 0, float("nan"))])
def test_a_background_that_is_no_colour_is_refused(background: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="background"):
        rasterize(*random_scene(5).inputs(), random_scene(5).camera, background)


def test_too_many_pairs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_MOST_PAIRS", 10)
    with pytest.raises(InputError, match="too large"):
        draw_and_return(random_scene(50))
