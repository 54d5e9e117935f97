"""Where training runs: one process by itself, or through accelerate (a GPU, many GPUs, many machines)."""

from __future__ import annotations

import importlib.util
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...errors import MissingDependency
from ..animate_anyone.precision import cpu_has_bfloat16

Precision = Literal["auto", "float32", "bfloat16"]


def is_first_process() -> bool:
    """Whether this is the one of the launched processes that writes files; known before any of them is connected."""
    return os.environ.get("RANK", "0") == "0"


class Engine:
    """Device, precision and the other processes of a training.

    Args:
        precision: "auto" is bfloat16 where the machine computes in it.
        device: "auto", "cpu" or "cuda".

    Raises:
        MissingDependency: several processes were launched, and accelerate is not installed.
    """

    def __init__(self, precision: Precision = "auto", device: str = "auto") -> None:
        launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
        installed = importlib.util.find_spec("accelerate") is not None
        if launched and not installed:
            raise MissingDependency(
                "Training in several processes needs accelerate, which is not installed: pip install 'zero1toa[train]'."
            )
        has_gpu = torch.cuda.is_available() and device != "cpu"
        self.bfloat16 = precision == "bfloat16" or (precision == "auto" and (has_gpu or cpu_has_bfloat16()))
        self._accelerator: Any = None
        if installed and (launched or has_gpu):
            from accelerate import Accelerator, DistributedDataParallelKwargs

            self._accelerator = Accelerator(
                mixed_precision="bf16" if self.bfloat16 else "no",
                cpu=not has_gpu,
                # Steps without temporal attention leave its parameters without a gradient.
                kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
            )
        self.device = self._accelerator.device if self._accelerator else torch.device("cpu")

    @property
    def description(self) -> str:
        """For a recipe: device, precision, processes."""
        precision = "bfloat16" if self.bfloat16 else "float32"
        through = f", accelerate, {self.processes} processes" if self._accelerator else ""
        return f"{self.device.type}, {precision}{through}"

    @property
    def processes(self) -> int:
        """How many train together."""
        return int(self._accelerator.num_processes) if self._accelerator else 1

    @property
    def rank(self) -> int:
        """Number of this one."""
        return int(self._accelerator.process_index) if self._accelerator else 0

    @property
    def is_main(self) -> bool:
        """Whether this one writes files."""
        return self.rank == 0

    def prepare(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Both, ready for `backward`."""
        if self._accelerator is None:
            return model, optimizer
        prepared = self._accelerator.prepare(model, optimizer)
        return prepared[0], prepared[1]

    def autocast(self) -> AbstractContextManager[Any]:
        """The network's precision."""
        if self._accelerator is not None:
            context: AbstractContextManager[Any] = self._accelerator.autocast()
            return context
        return torch.autocast("cpu", torch.bfloat16) if self.bfloat16 else nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss, the mean over processes."""
        if self._accelerator is not None:
            self._accelerator.backward(loss)
        else:
            loss.backward()

    def agreed(self, value: bool) -> bool:
        """The main process' answer, in all processes."""
        if self._accelerator is None or self.processes == 1:
            return value
        from accelerate.utils import broadcast

        told = torch.tensor([float(value)], device=self.device)
        return bool(broadcast(told).item())
