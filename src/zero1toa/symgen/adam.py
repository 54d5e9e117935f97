"""Adam for Gaussians whose number changes, with a freedom for each of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..splats import Gaussians

FIELDS = ("means", "quats", "log_scales", "opacity_logits", "colors")
_BETA1, _BETA2 = 0.9, 0.999


class GaussianAdam:
    """Adam (Kingma and Ba, 2015) on the trained fields of `Gaussians`.

    torch's own has one rate for a tensor; here every Gaussian takes its share of the step. A share inside the loss
    would not do: Adam divides by the size of the gradients.

    Args:
        splats: where to begin; copied.
        share: for each field (N,) the part of each step that a Gaussian takes, in [0, 1].
        eps: gradient that counts as small. A Gaussian whose gradients stay below it hardly moves, instead of walking at
            full pace in a random direction.
    """

    def __init__(self, splats: Gaussians, share: dict[str, Tensor], eps: float) -> None:
        self.values = {name: getattr(splats, name).detach().clone().requires_grad_() for name in FIELDS}
        self.triangle = splats.triangle
        self.share = share
        self.eps = eps
        self.steps = 0
        self._mean = {name: torch.zeros_like(value) for name, value in self.values.items()}
        self._square = {name: torch.zeros_like(value) for name, value in self.values.items()}

    @property
    def splats(self) -> Gaussians:
        """The Gaussians as they are; differentiable to their fields."""
        return Gaussians(**self.values, triangle=self.triangle)

    @torch.no_grad()
    def step(self, rates: dict[str, float]) -> None:
        """One step along the gradients that `backward` has left, which are then forgotten."""
        self.steps += 1
        first, second = 1 - _BETA1**self.steps, 1 - _BETA2**self.steps
        for name, value in self.values.items():
            gradient = value.grad
            if gradient is None:
                continue
            mean = self._mean[name].lerp_(gradient, 1 - _BETA1)
            square = self._square[name].mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
            move = mean / (square / second).sqrt_().add_(self.eps)
            share = self.share[name]
            value.addcmul_(move, share if value.ndim == 1 else share[:, None], value=-rates[name] / first)
            value.grad = None

    @torch.no_grad()
    def rebuild(self, index: Tensor, fresh: Tensor, splats: Gaussians) -> None:
        """Takes another set of Gaussians, whose row k descends from row `index[k]` of the old one.

        Args:
            index: (M,) rows of the old set.
            fresh: (M,) bool, rows that start without momentum.
            splats: the M new Gaussians.
        """
        old = ~fresh
        for name in FIELDS:
            self.values[name] = getattr(splats, name).detach().clone().requires_grad_()
            self.share[name] = self.share[name][index]
            for moments in (self._mean, self._square):
                shape = (len(index), *[1] * (self.values[name].ndim - 1))
                moments[name] = moments[name][index] * old.reshape(shape)
        self.triangle = splats.triangle

    def state(self) -> dict[str, Tensor | int]:
        """All that `restore` needs, as plain tensors."""
        state: dict[str, Tensor | int] = {"steps": self.steps, "triangle": self.triangle}
        for name in FIELDS:
            state[f"value.{name}"] = self.values[name].detach()
            state[f"mean.{name}"] = self._mean[name]
            state[f"square.{name}"] = self._square[name]
            state[f"share.{name}"] = self.share[name]
        return state

    def restore(self, state: dict[str, Tensor | int], device: torch.device | str = "cpu") -> None:
        """Goes on where `state` was taken, on a device."""
        steps, triangle = state["steps"], state["triangle"]
        assert isinstance(steps, int) and isinstance(triangle, Tensor)
        self.steps, self.triangle = steps, triangle.to(device)
        for name in FIELDS:
            value, mean = state[f"value.{name}"], state[f"mean.{name}"]
            square, share = state[f"square.{name}"], state[f"share.{name}"]
            assert isinstance(value, Tensor) and isinstance(mean, Tensor)
            assert isinstance(square, Tensor) and isinstance(share, Tensor)
            self.values[name] = value.to(device, copy=True).requires_grad_()
            self._mean[name], self._square[name] = mean.to(device, copy=True), square.to(device, copy=True)
            self.share[name] = share.to(device, copy=True)
