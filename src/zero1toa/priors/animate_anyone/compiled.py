"""A network through torch.compile, with itself to fall back on."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

_FAILURES = (RuntimeError, OSError, ImportError)
"""Of torch.compile: its own errors are RuntimeErrors, a compiler or a library that is missing one of the others."""


class Compiled:
    """Calls a network compiled; where compiling fails, it says so once and calls the network as it is.

    Compiling takes minutes at full size and happens at the first call of each shape.

    Args:
        network: called as (latents, timestep, ...). The timestep becomes a tensor: for an int it would be compiled anew
            at every step.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._fast: Callable[..., Tensor] | None = self._compiled()

    def __call__(self, latents: Tensor, timestep: int, *rest: object, **options: object) -> Tensor:
        time = torch.tensor(timestep, device=latents.device)
        if self._fast is not None:
            try:
                return self._fast(latents, time, *rest, **options)
            except torch.OutOfMemoryError:
                raise
            except _FAILURES as error:
                self._give_up(error)
        return self.network(latents, time, *rest, **options)

    def _compiled(self) -> Callable[..., Tensor] | None:
        try:
            return torch.compile(self.network)
        except _FAILURES as error:  # such as a version of Python that it does not know
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        self._fast = None
        lines = str(error).strip().splitlines() or [""]
        logging.getLogger(__name__).warning(
            "torch.compile cannot compile the denoising network here (%s: %s); it runs as it is, slower.",
            type(error).__name__,
            lines[0][:200],
        )
