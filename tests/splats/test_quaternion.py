"""The laws of rotations."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zero1toa.splats import quaternion

seeds = st.integers(0, 2**31)
laws = settings(max_examples=50, deadline=None, derandomize=True)


def random_quats(seed: int, count: int = 20, lengths: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    quats = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    quats[0] = torch.tensor([0.0, 1, 0, 0])  # half turns, where w is zero
    quats[1] = torch.tensor([0.0, 0, 1e-9, 1])
    return quats if lengths else quaternion.normalize(quats)


def same_rotation(a: Tensor, b: Tensor) -> bool:
    """Equal up to the sign, for q and -q are one rotation."""
    return torch.allclose((a * b).sum(-1).abs(), torch.ones(len(a), dtype=a.dtype))


@laws
@given(seeds)
def test_matrices_are_rotations(seed: int) -> None:
    matrices = quaternion.to_matrix(random_quats(seed))
    identity = torch.eye(3, dtype=torch.float64).expand_as(matrices)
    torch.testing.assert_close(matrices @ matrices.transpose(-1, -2), identity)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(len(matrices), dtype=torch.float64))


@laws
@given(seeds)
def test_the_way_to_a_matrix_and_back(seed: int) -> None:
    quats = random_quats(seed, lengths=False)
    back = quaternion.from_matrix(quaternion.to_matrix(quats))
    assert same_rotation(back, quats)
    assert (back[:, 0] >= 0).all()


@laws
@given(seeds)
def test_a_product_turns_by_the_second_then_by_the_first(seed: int) -> None:
    a, b = random_quats(seed), random_quats(seed + 1)
    torch.testing.assert_close(
        quaternion.to_matrix(quaternion.multiply(a, b)), quaternion.to_matrix(a) @ quaternion.to_matrix(b)
    )


@laws
@given(seeds)
def test_products_are_associative_and_keep_lengths(seed: int) -> None:
    a, b, c = (random_quats(seed + i) for i in range(3))
    product = quaternion.multiply
    torch.testing.assert_close(product(product(a, b), c), product(a, product(b, c)))
    torch.testing.assert_close(product(a, b).norm(dim=-1), a.norm(dim=-1) * b.norm(dim=-1))


@laws
@given(seeds)
def test_the_conjugate_is_the_inverse(seed: int) -> None:
    quats = random_quats(seed, lengths=False)
    identity = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand_as(quats)
    torch.testing.assert_close(quaternion.multiply(quats, quaternion.conjugate(quats)), identity)


@laws
@given(seeds)
def test_rotating_points_is_multiplying_from_both_sides(seed: int) -> None:
    quats = random_quats(seed, lengths=False)
    points = torch.randn(len(quats), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    pure = torch.cat([torch.zeros(len(quats), 1, dtype=torch.float64), points], -1)
    product = quaternion.multiply(quaternion.multiply(quats, pure), quaternion.conjugate(quats))
    torch.testing.assert_close(quaternion.rotate(quats, points), product[:, 1:])


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    turn = torch.tensor([0.5**0.5, 0, 0, 0.5**0.5])
    torch.testing.assert_close(quaternion.rotate(turn, torch.tensor([1.0, 0, 0])), torch.tensor([0.0, 1, 0]))


def test_lengths_far_from_one_are_normalized() -> None:
    direction = torch.tensor([1.0, -2.0, 3.0, 0.5])
    expected = quaternion.normalize(direction)
    for length in (1e-10, 1e-3, 1e30):
        torch.testing.assert_close(quaternion.normalize(direction * length), expected)


def test_zero_is_the_identity_and_has_a_finite_gradient() -> None:
    quats = torch.zeros(2, 4, requires_grad=True)
    unit = quaternion.normalize(quats)
    assert torch.equal(unit, torch.tensor([[1.0, 0, 0, 0]] * 2))
    unit.sum().backward()
    assert torch.isfinite(quats.grad).all()


def test_gradients_equal_finite_differences() -> None:
    quats = random_quats(3, 6).requires_grad_()
    assert torch.autograd.gradcheck(quaternion.to_matrix, quats)
    assert torch.autograd.gradcheck(lambda q: quaternion.from_matrix(quaternion.to_matrix(q)), quats[2:])


def test_any_leading_shape() -> None:
    quats = torch.randn(2, 3, 4)
    assert quaternion.to_matrix(quats).shape == (2, 3, 3, 3)
    assert quaternion.from_matrix(quaternion.to_matrix(quats)).shape == (2, 3, 4)
    assert quaternion.from_matrix(torch.eye(3)).tolist() == [1, 0, 0, 0]
