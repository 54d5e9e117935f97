"""What an avatar's file tells of how it was made."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from .._version import made_by
from ..config import PRESETS, CreateConfig

_PRIVATE = frozenset({"prior_command", "diffusion.weights"})
"""Options that hold paths, names or keys of the user's machine: it is told that they were given, not what they say."""
_ELSEWHERE = frozenset({"preset", "prior", "guidance", "iterations", "seed"})
"""Options with an entry of their own."""


def provenance(config: CreateConfig, prior: str, device: torch.device) -> dict[str, str | int | float | bool]:
    """The entries of `Avatar.provenance`, each a plain value; `prior` is the prior's own name."""
    return {
        "synthetic": True,
        "source": "one portrait picture",
        "prior": prior,
        "guidance": config.guidance,
        "preset": config.preset,
        "iterations": config.iterations,
        "seed": config.seed,
        "options": changed_options(config),
        "device": device.type,
        **made_by(),
    }


def changed_options(config: CreateConfig) -> str:
    """All numbers that are not those of the preset, for example "size=32, settle.rounds=2"; "" where there are none.

    With them and the other entries the whole config can be had again, paths and commands apart. A preset of the user's
    own is compared with `CreateConfig()`.
    """
    preset = PRESETS.get(config.preset.partition(",")[0], CreateConfig())
    before = _leaves(preset)
    changed = [(name, value) for name, value in _leaves(config).items() if value != before[name]]
    return ", ".join(f"{name}={'(given)' if name in _PRIVATE else value}" for name, value in changed)


def _leaves(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every number by its path."""
    result: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            result.update(_leaves(value, f"{name}."))
        elif name not in _ELSEWHERE:
            result[name] = value
    return result
