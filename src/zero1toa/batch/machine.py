"""How many workers a machine can feed: its cores, its memory, its GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

# Largest resident memory of one process that fits the demo and makes its avatar, MB; docs/batch.md has the commands.
_MEMORY_MB = {"debug": 800, "fast": 1050, "balanced": 1200, "paper": 1800}  # paper: a guess
_MEMORY_MB_DEFAULT = 1800
_MARGIN = 1.25  # other photos are larger than the demo
_KEPT_FREE = 0.1  # share of the free memory that is left to others
_MOST_WORKERS = 1024
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """What is free for us."""

    cores: int
    memory_mb: float | None  # None where the system does not tell
    gpus: int = 0

    @classmethod
    def here(cls, device: str = "cpu") -> Machine:
        """This machine, as far as its operating system and a container's limits let us use it."""
        return cls(_cores(), _free_memory(), _gpus() if device != "cpu" else 0)


@dataclass(frozen=True)
class Shares:
    """How a machine is shared out."""

    workers: int
    threads: int  # of each worker
    gpus: tuple[int, ...] | None
    reason: str  # a line for the user


def share_out(machine: Machine, preset: str, portraits: int, wanted: int | None = None) -> Shares:
    """As many workers as cores, memory and portraits allow; one for each GPU where there are GPUs. The cores are shared
    out among them: one portrait a core wastes none of it in waiting.

    Args:
        wanted: the user's own number of workers, which overrides all but the number of portraits.

    Raises:
        InputError: the user's number cannot be used.
    """
    if wanted is not None and not 1 <= wanted <= _MOST_WORKERS:
        raise InputError(f"{wanted} workers cannot be had; choose 1 to {_MOST_WORKERS}.")
    need = memory_need(preset)
    limits = {"portraits": portraits}
    if wanted is not None:
        limits["--workers"] = wanted
    else:
        if machine.memory_mb is not None:
            limits[f"memory, {need / 1000:.1f} GB each"] = int(machine.memory_mb * (1 - _KEPT_FREE) / need)
        limits["GPUs" if machine.gpus else "cores"] = machine.gpus or machine.cores
    least = min(limits, key=lambda name: limits[name])
    workers = max(1, limits[least])
    threads = max(1, machine.cores // workers)
    reason = f"{workers} at a time ({least}), {threads} {'thread' if threads == 1 else 'threads'} each"
    return Shares(workers, threads, tuple(range(machine.gpus)) or None, reason)


def memory_need(preset: str) -> float:
    """MB that a worker should have."""
    return _MARGIN * _MEMORY_MB.get(preset, _MEMORY_MB_DEFAULT)


def _cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # a container may have fewer than it sees: "QUOTA PERIOD" in microseconds, or "max PERIOD"
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return allowed


def _free_memory() -> float | None:
    """MB."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) / 1e3)
    except (OSError, ValueError, IndexError):
        pass
    try:
        limit, used = ((_CGROUP / name).read_text() for name in ("memory.max", "memory.current"))
        found.append((int(limit) - int(used)) / 1e6)
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def _gpus() -> int:
    from ..symgen.device import training_device

    if training_device("auto").type != "cuda":
        return 0
    import torch

    return torch.cuda.device_count()
