"""Diffusion priors by name: published ones from the user's weights, our own small one, or tiny random ones."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..config import DiffusionConfig
from ..errors import InputError
from .animate_anyone.files import HUB, located
from .extras import check_extra
from .protocol import VideoPrior


def load_diffusion_prior(name: str, config: DiffusionConfig | None, device: str, seed: int) -> VideoPrior:
    """See `priors.load_prior`."""
    config = config or DiffusionConfig()
    check_diffusion_prior(name, config, device)
    return _LOADERS[name](name, config, network_device(device), seed)


def check_diffusion_prior(name: str, config: DiffusionConfig | None, device: str) -> None:
    """See `priors.check_prior`."""
    config = config or DiffusionConfig()
    if config.random_weights and config.weights:
        raise InputError("Weights were given, and random ones asked for: leave one of the two out.")
    network_device(device)
    if name == "mini":
        from .mini.prior import check_mini

        check_mini(config)
        return
    if not (config.random_weights or config.weights == HUB):
        if name == "wan-animate":
            from .wan_animate import check_folder

            check_folder(config.weights)
        else:
            located(name, config.weights)
    check_extra()


def network_device(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU where torch can use one.

    Raises:
        InputError: there is no such device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"There is no device '{name}'; choose auto, cpu or cuda.")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError("torch finds no NVIDIA GPU here; use --device cpu, or see zero1toa doctor.")
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


def _animate_anyone(name: str, config: DiffusionConfig, device: torch.device, seed: int) -> VideoPrior:
    from .animate_anyone.prior import AnimateAnyone
    from .animate_anyone.spec import SPECS, configured, tiny

    if config.random_weights:
        from .animate_anyone.networks import random_networks

        spec = configured(tiny(SPECS[name]), config)
        networks = random_networks(spec, seed).ready(
            spec, device, torch.float32, config.attention_rows, config.channels_last
        )
        return AnimateAnyone(spec, networks, config)
    from .animate_anyone.checkpoint import load_networks

    return AnimateAnyone(SPECS[name], load_networks(name, config, device), config)


def _wan_animate(name: str, config: DiffusionConfig, device: torch.device, seed: int) -> VideoPrior:
    from .wan_animate import load_wan_animate

    return load_wan_animate(config, device, seed)


def _mini(name: str, config: DiffusionConfig, device: torch.device, seed: int) -> VideoPrior:
    from .mini.prior import load_mini

    return load_mini(config, device, seed)


_LOADERS: dict[str, Callable[[str, DiffusionConfig, torch.device, int], VideoPrior]] = {
    "aniportrait": _animate_anyone,
    "follow-your-emoji": _animate_anyone,
    "wan-animate": _wan_animate,
    "mini": _mini,
}
