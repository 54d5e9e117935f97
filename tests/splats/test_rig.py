"""The laws of the binding: Gaussians follow their triangles."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zero1toa.splats import Gaussians, quaternion, rig

seeds = st.integers(0, 2**31)
laws = settings(max_examples=40, deadline=None, derandomize=True)


def mesh(seed: int, triangles: int = 12) -> tuple[Tensor, Tensor]:
    """A soup of triangles of the size of a face's, float64."""
    generator = torch.Generator().manual_seed(seed)
    vertices = 0.1 * torch.randn(20, 3, generator=generator, dtype=torch.float64)
    faces = torch.stack([torch.randperm(20, generator=generator)[:3] for _ in range(triangles)])
    return vertices, faces


def splats(seed: int, count: int = 30, triangles: int = 12) -> Gaussians:
    generator = torch.Generator().manual_seed(seed + 1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return Gaussians(
        normal(count, 3),
        normal(count, 4),
        0.3 * normal(count, 3) - 1,
        normal(count),
        torch.rand(count, 3, generator=generator, dtype=torch.float64),
        torch.randint(triangles, (count,), generator=generator),
    )


def covariances(quats: Tensor, scales: Tensor) -> Tensor:
    spread = quaternion.to_matrix(quats) * scales[..., None, :]
    return spread @ spread.transpose(-1, -2)


@laws
@given(seeds)
def test_frames_are_right_handed_rotations_on_the_triangle(seed: int) -> None:
    vertices, faces = mesh(seed)
    origin, rotation, scale = rig.triangle_frames(vertices, faces)
    a, b, c = vertices[faces].unbind(1)
    identity = torch.eye(3, dtype=torch.float64).expand_as(rotation)
    torch.testing.assert_close(rotation.transpose(-1, -2) @ rotation, identity)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(len(faces), dtype=torch.float64))
    edge, normal, side = rotation.unbind(-1)
    torch.testing.assert_close(edge * (b - a).norm(dim=-1, keepdim=True), b - a)
    area_twice = torch.linalg.cross(b - a, c - a).norm(dim=-1)
    torch.testing.assert_close((normal * torch.linalg.cross(b - a, c - a)).sum(-1), area_twice)
    length = (b - a).norm(dim=-1)
    torch.testing.assert_close(scale, (length + area_twice / length) / 2)
    torch.testing.assert_close(origin, (a + b + c) / 3)
    torch.testing.assert_close((side * normal).sum(-1), torch.zeros(len(faces), dtype=torch.float64))


@laws
@given(seeds)
def test_a_rigid_motion_of_the_mesh_moves_the_gaussians_rigidly(seed: int) -> None:
    (vertices, faces), gaussians = mesh(seed), splats(seed)
    turn = quaternion.to_matrix(torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    shift = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    still = rig.to_world(gaussians, vertices, faces)
    moved = rig.to_world(gaussians, vertices @ turn.T + shift, faces)
    torch.testing.assert_close(moved.means, still.means @ turn.T + shift)
    torch.testing.assert_close(
        covariances(moved.quats, moved.scales), turn @ covariances(still.quats, still.scales) @ turn.T
    )
    torch.testing.assert_close(moved.opacities, still.opacities)
    assert torch.equal(moved.colors, still.colors)


@laws
@given(seeds, st.floats(0.01, 100))
def test_a_larger_mesh_has_larger_gaussians(seed: int, factor: float) -> None:
    (vertices, faces), gaussians = mesh(seed), splats(seed)
    small, large = (rig.to_world(gaussians, v, faces) for v in (vertices, factor * vertices))
    torch.testing.assert_close(large.means, factor * small.means)
    torch.testing.assert_close(large.scales, factor * small.scales)
    torch.testing.assert_close(large.quats, small.quats)


@laws
@given(seeds)
def test_binding_undoes_placing(seed: int) -> None:
    (vertices, faces), gaussians = mesh(seed), splats(seed)
    world = rig.to_world(gaussians, vertices, faces)
    local = rig.to_local(world, gaussians.triangle, vertices, faces)
    for name in ("means", "log_scales", "opacity_logits", "colors", "triangle"):
        torch.testing.assert_close(getattr(local, name), getattr(gaussians, name))
    torch.testing.assert_close(quaternion.to_matrix(local.quats), quaternion.to_matrix(gaussians.quats))
    again = rig.to_world(local, vertices, faces)
    torch.testing.assert_close(again.means, world.means)


def test_a_gaussian_on_the_centroid_stays_there_as_the_triangle_deforms() -> None:
    vertices, faces = mesh(0)
    gaussians = splats(0)._replace(means=torch.zeros(30, 3, dtype=torch.float64))
    bent = vertices + 0.05 * torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    world = rig.to_world(gaussians, bent, faces)
    torch.testing.assert_close(world.means, bent[faces].mean(1)[gaussians.triangle])


@pytest.mark.parametrize(
    "corners",
    [
        [[0.0, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[0.1, 0, 0], [0.1, 0, 0], [0, 0.1, 0]],
        [[0.0, 0, 0], [0.1, 0, 0], [0, 0, 0]],
        [[0.0, 0, 0], [0.1, 0.1, 0.1], [0.2, 0.2, 0.2]],
        [[0.0, 0, 0], [0, 1e-20, 0], [0, 0, 1e-20]],
    ],
)
def test_a_triangle_without_area_gives_no_nan(corners: list[list[float]]) -> None:
    vertices = torch.tensor(corners, requires_grad=True)
    gaussians = Gaussians(*(t.float() if t.is_floating_point() else t for t in splats(1, 4, 1)))
    gaussians.means.requires_grad_()
    frames = rig.triangle_frames(vertices, torch.tensor([[0, 1, 2]]))
    identity = torch.eye(3)[None]
    torch.testing.assert_close(frames.rotation.transpose(-1, -2) @ frames.rotation, identity)
    world = rig.to_world(gaussians, vertices, torch.tensor([[0, 1, 2]]))
    sum(t.sum() for t in world).backward()
    for tensor in (*world, vertices.grad, gaussians.means.grad):
        assert torch.isfinite(tensor).all()
    local = rig.to_local(world, gaussians.triangle, vertices, torch.tensor([[0, 1, 2]]))
    assert not torch.isnan(local.means).any()


def test_gradients_equal_finite_differences() -> None:
    vertices, faces = mesh(5, 3)
    gaussians = splats(5, 4, 3)

    def place(vertices: Tensor, *local: Tensor) -> tuple[Tensor, ...]:
        return tuple(rig.to_world(Gaussians(*local, gaussians.triangle), vertices, faces))

    inputs = [vertices, *gaussians[:5]]
    assert torch.autograd.gradcheck(place, [tensor.clone().requires_grad_() for tensor in inputs])


@laws
@given(seeds)
def test_the_kernels_equal_the_formulas(seed: int) -> None:
    (vertices, faces), exact = mesh(seed), splats(seed)
    vertices[faces[0]] = 0.1  # a triangle without area
    vertices[faces[1][1]] = vertices[faces[1][0]]
    exact = Gaussians(*(t.clone().requires_grad_() for t in exact[:5]), exact.triangle)
    single = Gaussians(*(t.detach().float().requires_grad_() for t in exact[:5]), exact.triangle)
    formulas, kernels = rig.to_world(exact, vertices, faces), rig.to_world(single, vertices.float(), faces)
    generator = torch.Generator().manual_seed(seed)
    for name, ours, theirs in zip(formulas._fields, kernels, formulas):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), theirs, atol=2e-6, rtol=2e-5, msg=name)
        gradient = torch.randn(theirs.shape, generator=generator, dtype=torch.float64)
        theirs.backward(gradient, retain_graph=True)
        ours.backward(gradient.float(), retain_graph=True)
    for name, ours, theirs in zip(formulas._fields, single[:5], exact[:5]):
        torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=2e-6, rtol=2e-5, msg=name)


def test_indices_out_of_range_are_refused() -> None:
    vertices, faces = mesh(0)
    gaussians = Gaussians(*(t.float() if t.is_floating_point() else t for t in splats(0)))
    for broken_faces, broken in (
        (faces + 10, gaussians),
        (faces - 5, gaussians),
        (faces, gaussians._replace(triangle=gaussians.triangle + 5)),
        (faces[:0], gaussians),
    ):
        with pytest.raises(IndexError):
            rig.to_world(broken, vertices.float(), broken_faces)


def test_no_gaussians_can_be_placed() -> None:
    vertices, faces = mesh(0)
    none = Gaussians(*(t[:0].float() if t.is_floating_point() else t[:0] for t in splats(0)))
    assert rig.to_world(none, vertices.float(), faces).means.shape == (0, 3)


def test_frames_of_a_batch_are_the_frames_of_each() -> None:
    vertices, faces = mesh(6)
    batch = torch.stack([vertices, 2 * vertices])
    together = rig.triangle_frames(batch, faces)
    for i in range(2):
        for a, b in zip(together, rig.triangle_frames(batch[i], faces)):
            torch.testing.assert_close(a[i], b)


def test_losses_are_zero_within_the_thresholds_and_grow_linearly_beyond() -> None:
    gaussians = splats(7, 2)
    inside = gaussians._replace(
        means=torch.tensor([[0.0, 0, 0], [0.6, 0, 0.6]]), log_scales=torch.full((2, 3), 0.59).log()
    )
    assert rig.position_loss(inside) < 1e-12
    assert rig.scale_loss(inside) < 1e-12
    outside = inside._replace(means=torch.tensor([[0.0, 0, 0], [0, 3, 4.0]]), log_scales=torch.full((2, 3), 1.6).log())
    torch.testing.assert_close(rig.position_loss(outside), torch.tensor((5.0 - 1) / 2))
    torch.testing.assert_close(rig.scale_loss(outside), torch.tensor(3**0.5))
    weight = torch.tensor([1.0, 0.5])
    torch.testing.assert_close(rig.position_loss(outside, weight=weight), torch.tensor((5.0 - 1) / 4))
    limits = torch.tensor([0.6, 1.6])
    torch.testing.assert_close(rig.scale_loss(outside, limits), torch.tensor(3**0.5 / 2))


def test_losses_have_finite_gradients_on_the_centroid() -> None:
    gaussians = splats(8)._replace(means=torch.zeros(30, 3, requires_grad=True))
    (rig.position_loss(gaussians) + rig.position_loss(gaussians, 0.0)).backward()
    assert torch.isfinite(gaussians.means.grad).all()


def test_losses_of_no_gaussians_are_zero() -> None:
    none = Gaussians(*(tensor[:0] for tensor in splats(0)))
    assert rig.position_loss(none) == 0
    assert rig.scale_loss(none) == 0
