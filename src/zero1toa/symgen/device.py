"""Where the Gaussians are trained."""

from __future__ import annotations

import importlib.util

import torch

from ..errors import InputError, MissingDependency


def training_device(name: str) -> torch.device:
    """The device of a name: "cpu", "cuda", or "auto", which is a GPU where torch and gsplat can use one.

    Raises:
        InputError: there is no such device, or no GPU that torch can use.
        MissingDependency: there is a GPU, and gsplat is not installed.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"There is no device '{name}'; choose auto, cpu or cuda.")
    has_gpu = torch.cuda.is_available()
    has_gsplat = importlib.util.find_spec("gsplat") is not None
    if name == "cuda" and not has_gpu:
        raise InputError("torch finds no NVIDIA GPU here; use --device cpu, or see zero1toa doctor.")
    if name == "cuda" and not has_gsplat:
        raise MissingDependency("Training on a GPU needs gsplat: python -m pip install 'gsplat>=1.5'.")
    return torch.device("cuda" if name != "cpu" and has_gpu and has_gsplat else "cpu")
