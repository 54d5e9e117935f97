"""The default head, and the tools that bake it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from zero1toa.heads import LinearHead, arkit
from zero1toa.heads.default import load_default

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))


@pytest.fixture(scope="session")
def head() -> LinearHead:
    return load_default()


@pytest.fixture(scope="session")
def expression() -> Callable[..., torch.Tensor]:
    """Weights (1, 52) by name; a name without its side means both sides."""

    def build(**weights: float) -> torch.Tensor:
        out = torch.zeros(1, len(arkit.NAMES))
        for name, weight in weights.items():
            names = [n for n in (name, f"{name}Left", f"{name}Right") if n in arkit.INDEX]
            assert names, name
            out[0, [arkit.INDEX[n] for n in names]] = weight
        return out

    return build


@pytest.fixture
def people(head: LinearHead) -> Callable[[int], torch.Tensor]:
    """Identities (count, I) of random people, the same ones every time; the first is the mean head."""

    def draw(count: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        out = torch.randn(count, head.num_identity, generator=generator)
        out[0] = 0
        return out

    return draw
