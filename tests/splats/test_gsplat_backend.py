"""The GPU back end: what gsplat is handed, by a stand-in; and what it draws, where there is an NVIDIA GPU."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from raster_scenes import INPUTS, Scene, random_scene
from torch import Tensor

from zero1toa.camera import Camera
from zero1toa.errors import InputError, MissingDependency
from zero1toa.splats import RasterStatistics, gsplat_backend, rasterize, rasterize_clip
from zero1toa.splats.cpu.differentiable import Task

FRAMES = 2


class Recorder(ModuleType):
    """A stand-in for gsplat with the documented signature of `rasterization`; draws flat pictures."""

    def __init__(self) -> None:
        super().__init__("gsplat")
        self.given: dict[str, Any] = {}

    def rasterization(
        self,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        colors: Tensor,
        viewmats: Tensor,
        Ks: Tensor,
        width: int,
        height: int,
        **options: Any,
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        self.given = {
            "means": means, "quats": quats, "scales": scales, "opacities": opacities, "colors": colors,
            "viewmats": viewmats, "Ks": Ks, "width": width, "height": height, **options,
        }  # fmt: skip
        batch, count, views = means.shape[:-2], means.shape[-2], viewmats.shape[-3]
        assert quats.shape == (*batch, count, 4)
        assert scales.shape == (*batch, count, 3)
        assert opacities.shape == (*batch, count)
        assert colors.shape in ((*batch, count, 3), (*batch, views, count, 3))
        assert viewmats.shape == (*batch, views, 4, 4)
        assert Ks.shape == (*batch, views, 3, 3)
        assert options["backgrounds"].shape == (*batch, views, 3)
        centres = means[..., None, :, :2].expand(*batch, views, count, 2) * 1.0
        front = (*batch, views, height, width)
        drawn = torch.arange(4.0).expand(*front, 4) + 0 * centres.sum()
        # Whatever the loss does, 2 and 3 flow back to each centre.
        drawn = drawn + ((centres - centres.detach()) * torch.tensor([2.0, 3.0])).sum() / (4 * height * width)
        found = {
            "radii": torch.tensor([[0, 0], [5, 7]]).repeat(*batch, views, count // 2, 1),
            "conics": torch.tensor([0.25, 0.0, 1.0]).expand(*batch, views, count, 3),
            "means2d": centres,
        }
        return drawn, torch.full((*front, 1), 0.5), found


@pytest.fixture
def gsplat(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "gsplat", recorder)
    return recorder


def task(
    scene: Scene, frames: int | None = None, statistics: RasterStatistics | None = None
) -> tuple[list[Tensor], Task]:
    cameras = tuple(Camera.orbit(20.0 * k, size=(30, 20)) for k in range(frames or 1))
    return scene.inputs(), Task(cameras, scene.background.numpy(), statistics, frames is not None)


def test_the_rules_and_the_camera_are_handed_over(gsplat: Recorder) -> None:
    scene = random_scene(10, (30, 20))
    scene.opacities[3] = 1.5
    inputs, one = task(scene)
    image, alpha, depth = gsplat_backend.draw(inputs, one)
    assert image.shape == (20, 30, 3)
    assert alpha.shape == depth.shape == (20, 30)
    assert (image.mean((0, 1)) == torch.tensor([0.0, 1, 2])).all()
    assert (depth == 3).all()
    given = gsplat.given
    assert (given["width"], given["height"]) == (30, 20)
    camera = one.cameras[0]
    torch.testing.assert_close(given["viewmats"], torch.tensor(camera.viewmat, dtype=torch.float32)[None])
    expected = [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]
    torch.testing.assert_close(given["Ks"], torch.tensor(expected, dtype=torch.float32)[None])
    torch.testing.assert_close(given["backgrounds"], scene.background[None])
    assert given["near_plane"] == 0.01
    assert given["eps2d"] == 0.3
    assert given["tile_size"] == 16
    assert given["render_mode"] == "RGB+D"  # the sum of w z, not divided by alpha
    assert given["rasterize_mode"] == "classic"
    assert given.get("sh_degree") is None
    assert given["opacities"].max() == 1
    for name, tensor in zip(("means", "quats", "scales", "colors"), (inputs[k] for k in (0, 1, 2, 4))):
        assert torch.equal(given[name], tensor)


def test_a_clip_of_still_gaussians_is_one_scene_with_several_cameras(gsplat: Recorder) -> None:
    inputs, clip = task(random_scene(10), FRAMES)
    image, alpha, depth = gsplat_backend.draw(inputs, clip)
    assert image.shape == (FRAMES, 20, 30, 3)
    assert alpha.shape == depth.shape == (FRAMES, 20, 30)
    assert gsplat.given["means"].shape == (10, 3)
    assert gsplat.given["viewmats"].shape == (FRAMES, 4, 4)


@pytest.mark.parametrize("moving", [("means",), ("scales", "colors"), INPUTS], ids=str)
def test_a_clip_of_moving_gaussians_is_several_scenes(gsplat: Recorder, moving: tuple[str, ...]) -> None:
    inputs, clip = task(random_scene(10), FRAMES)
    inputs = [torch.stack([t] * FRAMES) if name in moving else t for name, t in zip(INPUTS, inputs)]
    image, _, depth = gsplat_backend.draw(inputs, clip)
    assert image.shape == (FRAMES, 20, 30, 3)
    assert depth.shape == (FRAMES, 20, 30)
    assert gsplat.given["means"].shape == (FRAMES, 10, 3)
    assert gsplat.given["viewmats"].shape == (FRAMES, 1, 4, 4)


def test_colors_alone_may_change_from_picture_to_picture(gsplat: Recorder) -> None:
    inputs, clip = task(random_scene(10), FRAMES)
    inputs[4] = torch.stack([inputs[4]] * FRAMES)
    gsplat_backend.draw(inputs, clip)
    assert gsplat.given["means"].shape == (10, 3)
    assert gsplat.given["colors"].shape == (FRAMES, 10, 3)


@pytest.mark.usefixtures("gsplat")
@pytest.mark.parametrize("moving", [False, True])
def test_statistics_are_taken_from_what_gsplat_found(moving: bool) -> None:
    statistics = RasterStatistics(10)
    inputs, clip = task(random_scene(10), FRAMES, statistics)
    if moving:
        inputs[0] = torch.stack([inputs[0]] * FRAMES)
    image, _, _ = gsplat_backend.draw(inputs, clip)
    odd = torch.arange(10) % 2 == 1
    assert torch.equal(statistics.visible, FRAMES * odd)
    torch.testing.assert_close(statistics.radii, 6.0 * odd)  # 3 times the root of the greater variance, 1 / 0.25
    assert not statistics.gradient_counts.any()
    (image.sum() + image.detach().sum()).backward()
    assert torch.equal(statistics.gradient_counts, FRAMES * odd)
    ratio = statistics.gradient_norms[odd] / statistics.gradient_norms[1]
    assert statistics.gradient_norms[1] > 0
    torch.testing.assert_close(ratio, torch.ones(5))


@pytest.mark.usefixtures("gsplat")
def test_no_gaussians_leave_the_background() -> None:
    scene = random_scene(0)
    inputs, one = task(scene)
    image, alpha, depth = gsplat_backend.draw(inputs, one)
    assert torch.equal(image, scene.background.expand(20, 30, 3))
    assert not alpha.any()
    assert not depth.any()


@pytest.mark.usefixtures("gsplat")
def test_nan_is_refused() -> None:
    scene = random_scene(10)
    scene.quats[0, 0] = float("nan")
    with pytest.raises(InputError, match="quats hold"):
        gsplat_backend.draw(*task(scene))


def test_a_missing_gsplat_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(MissingDependency, match=r"zero1toa\[cuda\]"):
        gsplat_backend.draw(*task(random_scene(10)))


def test_tensors_must_be_where_the_back_end_works() -> None:
    scene = random_scene(5)
    with pytest.raises(InputError, match="NVIDIA GPU"):
        rasterize(*scene.inputs(), scene.camera, backend="gsplat")
    elsewhere = [tensor.to("meta") for tensor in scene.inputs()]
    with pytest.raises(InputError, match="meta"):
        rasterize(*elsewhere, scene.camera)
    with pytest.raises(InputError, match="different devices"):
        rasterize(*elsewhere[:4], scene.inputs()[4], scene.camera)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("moving", [False, True])
def test_both_back_ends_draw_the_same(moving: bool) -> None:
    """gsplat limits alpha to 0.999 and not to 0.99, so no opacity here is above 0.98.

    It works in float32 throughout, and with a fast exponential: so differences of 2e-4 are allowed, and of 1/255 at
    few pixels where a threshold decides.
    """
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    scene = random_scene(400, (80, 60), seed=1, radius=(1, 10), opacity=(0.05, 0.98))
    cameras = [scene.camera, Camera.orbit(30, distance=0.9, fov=30, size=(80, 60))]
    outputs, gradients = [], []
    for device in ("cpu", "cuda"):
        leaves = [tensor.detach().to(device).requires_grad_() for tensor in scene.inputs()]
        inputs = [torch.stack([leaf, leaf]) if moving else leaf for leaf in leaves]
        drawn = rasterize_clip(*inputs, cameras, scene.background)
        weights = [torch.randn(o.shape, generator=torch.Generator().manual_seed(2)).to(device) for o in drawn]
        sum((w * o).sum() for w, o in zip(weights, drawn)).backward()
        outputs.append([o.detach().cpu() for o in drawn])
        gradients.append([leaf.grad.cpu() for leaf in leaves])
    for one, other in zip(*outputs):
        assert ((one - other).abs() < 2e-4).double().mean() > 0.999
        assert (one - other).abs().max() < 1 / 255 + 1e-3
    for name, one, other in zip(INPUTS, *gradients):
        assert torch.nn.functional.cosine_similarity(one.ravel(), other.ravel(), 0) > 0.9999, name
