"""What density control wants to know about each Gaussian: how often and how large it is seen, how much it is pulled."""

from __future__ import annotations

import torch
from torch import Tensor

from zero1toa.camera import Camera


class RasterStatistics:
    """Sums over the pictures drawn with it: `rasterize(..., statistics=s)`. Its tensors are on the Gaussians' device.

    A forward pass adds to `visible` and `radii`; the backward pass of a picture adds to `gradient_norms` and
    `gradient_counts`. The gradient is that of the loss to the centre on the image plane, in the units of 3D Gaussian
    Splatting: per half width and half height of the picture. So thresholds such as its 0.0002 hold at any size.
    """

    visible: Tensor  # (N,) int64, pictures in which the Gaussian was
    radii: Tensor  # (N,) float32, largest radius seen, three standard deviations along the longer axis, pixels
    gradient_norms: Tensor  # (N,) float32, sum over backward passes of the norm of the gradient
    gradient_counts: Tensor  # (N,) int64, backward passes of pictures in which the Gaussian was

    def __init__(self, count: int, device: torch.device | str = "cpu") -> None:
        self.visible = torch.zeros(count, dtype=torch.int64, device=device)
        self.radii = torch.zeros(count, device=device)
        self.gradient_norms = torch.zeros(count, device=device)
        self.gradient_counts = torch.zeros(count, dtype=torch.int64, device=device)

    def __len__(self) -> int:
        return len(self.visible)

    def mean_gradient_norms(self) -> Tensor:
        """(N,) mean over the backward passes in which the Gaussian was seen; 0 for one that never was."""
        return self.gradient_norms / self.gradient_counts.clamp_min(1)

    def reset(self) -> None:
        """Starts anew with the same Gaussians."""
        for tensor in (self.visible, self.radii, self.gradient_norms, self.gradient_counts):
            tensor.zero_()

    def add_gradients(self, gradients: Tensor, seen: Tensor, camera: Camera) -> None:
        """Adds the backward pass of one picture.

        Args:
            gradients: (N, 2) of the loss to the centres, per pixel.
            seen: (N,) bool, whether the Gaussian is in the picture.
            camera: its size decides the unit.
        """
        half = torch.tensor([camera.width / 2, camera.height / 2], device=gradients.device)
        self.gradient_norms += torch.where(seen, (gradients * half).norm(dim=-1), 0.0)
        self.gradient_counts += seen

    def state(self) -> dict[str, Tensor]:
        """All sums, as plain tensors."""
        return {name: getattr(self, name) for name in ("visible", "radii", "gradient_norms", "gradient_counts")}

    @classmethod
    def of(cls, state: dict[str, Tensor]) -> RasterStatistics:
        """The statistics of which `state` was taken."""
        statistics = cls(len(state["visible"]), state["visible"].device)
        for name, tensor in state.items():
            setattr(statistics, name, tensor.clone())
        return statistics
