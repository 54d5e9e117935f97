"""Reading weight files into networks: strictly, and without running code that a file may carry."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ...config import DiffusionConfig
from ...errors import AssetError, told
from ..extras import diffusers, safetensors_torch, transformers
from .files import located
from .networks import Networks
from .pose_guider import pose_guider
from .precision import chosen_dtype
from .spec import SPECS, configured
from .unet import DenoisingUNet, ReferenceUNet

# What torch and safetensors raise on damaged files: found by reading 10,000 of them.
_UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, AttributeError, AssertionError, EOFError, LookupError,
               MemoryError, OverflowError, struct.error, pickle.PickleError, zipfile.BadZipFile,
               zlib.error)  # fmt: skip
_SHOWN = 3  # names in an error; the rest is counted

_UNREAD = ("conv_norm_out.", "conv_out.")
"""Of the reference UNet: its output layer. Some files hold it, and nothing reads it."""


def load_networks(model: str, config: DiffusionConfig, device: torch.device) -> Networks:
    """A model's networks from the user's files.

    Args:
        model: "aniportrait" or "follow-your-emoji".
        config: where the files are, and in which precision to compute.
        device: where to.

    Raises:
        MissingWeights: files are missing.
        AssetError: a file cannot be read, or does not hold this network.
        MissingDependency: the extra `diffusion` is not installed.
    """
    spec = configured(SPECS[model], config)
    paths = located(model, config.weights)
    dtype = chosen_dtype(config.dtype, device)
    with torch.device("meta"):
        reference, denoiser, guider = (
            ReferenceUNet(spec.network), DenoisingUNet(spec.network), pose_guider(spec.network)
        )  # fmt: skip
    names = {"aniportrait": ("reference_unet", "pose_guider"), "follow-your-emoji": ("referencenet", "lmk_guider")}[
        model
    ]
    fill_from(reference, [paths[names[0]]], dtype, unread=_UNREAD)
    if model == "aniportrait":
        # The motion module's file comes first: what both hold, the denoising UNet's file decides (scripts/pose2vid.py).
        fill_from(denoiser, [paths["motion_module"], paths["denoising_unet"]], dtype)
    else:
        fill_from(denoiser, [paths["unet"]], dtype)
    fill_from(guider, [paths[names[1]]], dtype)
    try:
        vae = diffusers().AutoencoderKL.from_pretrained(paths["sd-vae-ft-mse"], torch_dtype=dtype)
        clip = transformers().CLIPVisionModelWithProjection.from_pretrained(paths["image_encoder"], dtype=dtype)
    except (OSError, ValueError, RuntimeError, pickle.PickleError) as error:
        raise AssetError(
            f"The VAE or the image encoder cannot be read ({_first_line(error)}); get a fresh copy."
        ) from error
    return Networks(reference, denoiser, guider, vae, clip).ready(
        spec, device, dtype, config.attention_rows, config.channels_last
    )


def fill_from(
    module: nn.Module, paths: Iterable[Path], dtype: torch.dtype | None = None, unread: tuple[str, ...] = ()
) -> None:
    """Puts the tensors of files into a network, which may be on the meta device.

    Args:
        module: that gets them.
        paths: of one or more files; later ones win.
        dtype: of its weights afterwards; by default that of the files.
        unread: beginnings of names that a file may hold beside those of the network.

    Raises:
        AssetError: a file cannot be read, or tensors are missing, unexpected or of another shape.
    """
    held: dict[str, Tensor] = {}
    paths = list(paths)
    for path in paths:
        held.update(read_tensors(path))
    wanted = module.state_dict()
    held = {name: tensor for name, tensor in held.items() if name in wanted or not name.startswith(unread or ("\0",))}
    problems = mismatches(wanted, held)
    if problems:
        raise AssetError(f"{' and '.join(p.name for p in paths)} cannot be used: {'; '.join(problems)}.")
    fitted = {
        name: tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
        for name, tensor in held.items()
    }
    module.load_state_dict(fitted, strict=True, assign=True)


def mismatches(wanted: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> list[str]:
    """What is wrong with held tensors, in words; empty if nothing."""
    other = [name for name in wanted if name in held and held[name].shape != wanted[name].shape]
    shapes = [f"{name} {tuple(held[name].shape)}, not {tuple(wanted[name].shape)}" for name in other]
    return [
        f"{len(names)} of {count} tensors {what} ({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"
        for names, count, what in (
            ([name for name in wanted if name not in held], len(wanted), "are missing"),
            ([name for name in held if name not in wanted], len(held), "are unexpected"),
            (shapes, len(wanted), "have another shape"),
        )
        if names
    ]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors file or of a torch file, which is read without running what it carries.

    Raises:
        AssetError: it cannot be read so, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            held = safetensors_torch().load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except _UNREADABLE as error:
        raise AssetError(f"{path} cannot be read as weights ({_first_line(error)}); get a fresh copy.") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise AssetError(f"{path} cannot be read as weights ({_first_line(error)}); get a fresh copy.") from error
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not (isinstance(held, dict) and held and all(isinstance(value, Tensor) for value in held.values())):
        raise AssetError(f"{path} holds something else than named tensors.")
    return held


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return told(lines[0].rstrip("."), 200) if lines else type(error).__name__
