"""In which numbers a network computes."""

from __future__ import annotations

import torch

from ...errors import InputError

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def chosen_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of a name; "auto" is float16 on a GPU, and on a CPU bfloat16 where its instructions know it.

    Raises:
        InputError: there is no such type.
    """
    if name == "auto":
        if device.type != "cpu":
            return torch.float16
        return torch.bfloat16 if cpu_has_bfloat16() else torch.float32
    if name not in _DTYPES:
        raise InputError(f"There is no number type '{name}'; choose auto, {', '.join(_DTYPES)}.")
    return _DTYPES[name]


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 itself; elsewhere it is slower than float32."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return bool(features.get("amx-bf16") or features.get("avx512bf16"))
