"""LPIPS, where the user has it: its package and the weights it stands on are not ours to ship, and nothing is
downloaded."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ALEXNET: Final = "alexnet-owt-7be5be79.pth"  # torchvision's name of the weights that LPIPS (alex) needs

Distance = Callable[[NDArray[np.floating], NDArray[np.floating]], float]


class Perceptual(NamedTuple):
    """LPIPS between two pictures (H, W, 3) in [0, 1], or why there is none."""

    distance: Distance | None
    reason: str  # a sentence; empty where there is a distance


def load_lpips() -> Perceptual:
    """LPIPS on AlexNet (Zhang et al. 2018), version 0.1 of its linear layers."""
    if importlib.util.find_spec("lpips") is None:
        return Perceptual(None, "LPIPS is not measured: the package lpips is not installed (pip install lpips).")
    import torch

    weights = Path(torch.hub.get_dir()) / "checkpoints" / _ALEXNET
    if not weights.is_file():
        return Perceptual(None, f"LPIPS is not measured: {weights} is missing, the AlexNet weights of torchvision.")
    network = importlib.import_module("lpips").LPIPS(net="alex", verbose=False).eval()

    def distance(image: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
        pair = [torch.as_tensor(np.ascontiguousarray(p), dtype=torch.float32) * 2 - 1 for p in (image, truth)]
        with torch.no_grad():
            return float(network(*(p.permute(2, 0, 1)[None] for p in pair)))

    return Perceptual(distance, "")
