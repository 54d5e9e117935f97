"""Several pictures in one call."""

from __future__ import annotations

import pytest
import torch
from raster_scenes import INPUTS, Scene, random_scene
from torch import Tensor

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.splats import RasterOutput, rasterize, rasterize_clip
from zero1toa.splats.cpu import threads

FRAMES = 3


def cameras(scene: Scene) -> list[Camera]:
    size = (scene.camera.width, scene.camera.height)
    return [Camera.orbit(20.0 * k, 5.0, distance=0.9, fov=30, size=size) for k in range(FRAMES)]


def one_by_one(scene: Scene, inputs: list[Tensor], moving: tuple[str, ...]) -> list[RasterOutput]:
    return [
        rasterize(
            *(tensor[k] if name in moving else tensor for name, tensor in zip(INPUTS, inputs)),
            camera,
            scene.background,
        )
        for k, camera in enumerate(cameras(scene))
    ]


def make(moving: tuple[str, ...]) -> tuple[Scene, list[Tensor]]:
    scene = random_scene(300, (50, 40), seed=3)
    generator = torch.Generator().manual_seed(0)
    inputs = []
    for name in INPUTS:
        value = getattr(scene, name)
        if name in moving:
            value = torch.stack([value * (1 + 0.01 * torch.rand((), generator=generator)) for _ in range(FRAMES)])
        inputs.append(value.clone().requires_grad_())
    return scene, inputs


@pytest.mark.parametrize("moving", [(), ("means", "quats", "scales"), ("colors",), INPUTS], ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_a_clip_is_its_pictures(moving: tuple[str, ...], count: int) -> None:
    scene, inputs = make(moving)
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        clip = rasterize_clip(*inputs, cameras(scene), scene.background)
        with torch.no_grad():
            alone = rasterize_clip(*inputs, cameras(scene), scene.background)
        frames = one_by_one(scene, inputs, moving)
        weights = [torch.randn(output.shape, generator=torch.Generator().manual_seed(1)) for output in clip]
        given = torch.autograd.grad(sum((w * o).sum() for w, o in zip(weights, clip)), inputs)
    finally:
        torch.set_num_threads(before)
    expected = torch.autograd.grad(
        sum((w[k] * o).sum() for k, frame in enumerate(frames) for w, o in zip(weights, frame)), inputs
    )
    for k, frame in enumerate(frames):
        for ours, forward_only, single in zip(clip, alone, frame):
            assert torch.equal(ours[k], single)
            assert torch.equal(forward_only[k], single)
    for name, one, other in zip(INPUTS, given, expected):
        assert one.shape == other.shape
        assert ((one - other).abs() <= 1e-6 * other.abs().max()).all(), name  # the order of the sum over frames


def test_only_some_outputs_of_a_clip_may_be_used() -> None:
    scene, inputs = make(())
    clip = rasterize_clip(*inputs, cameras(scene), scene.background)
    frames = one_by_one(scene, inputs, ())
    one = torch.autograd.grad(clip.depth.sum(), inputs[:1])
    other = torch.autograd.grad(sum(frame.depth.sum() for frame in frames), inputs[:1])
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_cameras_of_different_sizes_are_refused() -> None:
    scene = random_scene(5)
    with pytest.raises(InputError, match="same size"):
        rasterize_clip(*scene.inputs(), [scene.camera, scene.camera.resized(10, 10)])
    with pytest.raises(InputError, match="without cameras"):
        rasterize_clip(*scene.inputs(), [])


def test_a_wrong_number_of_frames_is_refused() -> None:
    scene, inputs = make(("means",))
    with pytest.raises(InputError, match="means has the shape"):
        rasterize_clip(*inputs, cameras(scene)[:2])
    with pytest.raises(InputError, match="means has the shape"):
        rasterize(*inputs, scene.camera)


def test_nan_in_one_frame_is_refused() -> None:
    scene, inputs = make(("means",))
    with torch.no_grad():
        inputs[0][1, 7, 2] = float("nan")
    with pytest.raises(InputError, match="means hold"):
        rasterize_clip(*inputs, cameras(scene))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_every_frame_is_drawn_once(count: int, allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: allowed)
    done: list[tuple[int, object]] = []
    threads.share(lambda number, how: done.append((number, how)), count)
    assert sorted(number for number, _ in done) == list(range(count))
    whole = count if allowed == 1 else count - count % allowed
    assert [number for number, how in done if how is threads.run] == list(range(whole, count))
