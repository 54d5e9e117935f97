"""Adam with a freedom for each Gaussian, against torch's own."""

import torch

from zero1toa.splats import Gaussians
from zero1toa.symgen.adam import FIELDS, GaussianAdam

RATES = {"means": 0.01, "quats": 0.02, "log_scales": 0.03, "opacity_logits": 0.04, "colors": 0.05}


def some_splats(count=6, seed=0):
    random = torch.Generator().manual_seed(seed)
    shapes = {"means": 3, "quats": 4, "log_scales": 3, "opacity_logits": None, "colors": 3}
    fields = {n: torch.randn(*((count,) if s is None else (count, s)), generator=random) for n, s in shapes.items()}
    return Gaussians(**fields, triangle=torch.arange(count))


def shares(count, value=1.0):
    return {name: torch.full((count,), value) for name in FIELDS}


def loss_of(splats):
    return sum((getattr(splats, name) ** 2).sum() * (i + 1) for i, name in enumerate(FIELDS))


def test_with_full_shares_it_is_torchs_adam():
    splats = some_splats()
    ours = GaussianAdam(splats, shares(6), eps=1e-8)
    theirs = {name: getattr(splats, name).clone().requires_grad_() for name in FIELDS}
    optimizer = torch.optim.Adam([{"params": [theirs[n]], "lr": RATES[n]} for n in FIELDS], eps=1e-8)
    for _ in range(20):
        loss_of(ours.splats).backward()
        ours.step(RATES)
        optimizer.zero_grad()
        loss_of(Gaussians(**theirs, triangle=splats.triangle)).backward()
        optimizer.step()
    for name in FIELDS:
        torch.testing.assert_close(ours.values[name], theirs[name], rtol=1e-5, atol=1e-6)


def test_a_share_scales_the_step_and_none_keeps_a_gaussian_still():
    splats = some_splats()
    share = shares(6)
    share["means"][:3] = torch.tensor([0.0, 0.5, 1.0])
    adam = GaussianAdam(splats, share, eps=1e-12)
    loss_of(adam.splats).backward()
    adam.step(RATES)
    moved = (adam.values["means"] - splats.means).abs().detach()
    torch.testing.assert_close(moved[:3].amax(-1), 0.01 * torch.tensor([0.0, 0.5, 1.0]), rtol=1e-3, atol=1e-6)


def test_small_gradients_make_small_steps():
    splats = some_splats()
    adam = GaussianAdam(splats, shares(6), eps=1.0)
    (adam.splats.colors * 1e-3).sum().backward()
    adam.step(RATES)
    assert (adam.values["colors"] - splats.colors).abs().max() < 2e-3 * RATES["colors"]


def test_children_keep_the_momentum_that_is_theirs():
    splats = some_splats()
    adam = GaussianAdam(splats, shares(6), eps=1e-8)
    loss_of(adam.splats).backward()
    adam.step(RATES)
    index, fresh = torch.tensor([0, 2, 2]), torch.tensor([False, False, True])
    children = Gaussians(*(tensor.detach()[index] for tensor in adam.splats))
    adam.rebuild(index, fresh, children)
    before = {name: value.detach().clone() for name, value in adam.values.items()}
    for value in adam.values.values():
        value.grad = torch.zeros_like(value)
    adam.step(RATES)
    moved = (adam.values["means"] - before["means"]).abs().amax(-1)
    assert (moved[:2] > 0).all()
    assert moved[2] == 0


def test_a_restored_run_goes_on_as_if_nothing_had_happened():
    one, two = (GaussianAdam(some_splats(), shares(6), eps=1e-8) for _ in range(2))
    for _ in range(3):
        loss_of(one.splats).backward()
        one.step(RATES)
    two.restore(one.state())
    for adam in (one, two):
        loss_of(adam.splats).backward()
        adam.step(RATES)
    for name in FIELDS:
        assert torch.equal(one.values[name], two.values[name])
