"""Writing networks into a folder that `checkpoint.load_networks` reads."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...files import atomic_write, output_directory, write_whole
from ..extras import safetensors_torch
from .files import FILES
from .motion import MOTION
from .networks import Networks

RECIPE = "tuning.json"
"""What a folder of fine-tuned networks says of itself."""

_REFERENCE = {"aniportrait": "reference_unet", "follow-your-emoji": "referencenet"}
_GUIDER = {"aniportrait": "pose_guider", "follow-your-emoji": "lmk_guider"}


def network_files(model: str, networks: Networks) -> dict[str, dict[str, Tensor]]:
    """The tensors of both UNets and of the guider, by the name of the file that holds them, without its ending."""
    whole = networks.denoiser.state_dict()
    motion = {name: tensor for name, tensor in whole.items() if MOTION in name}
    spatial = {name: tensor for name, tensor in whole.items() if name not in motion}
    denoiser = {"denoising_unet": spatial, "motion_module": motion} if model == "aniportrait" else {"unet": whole}
    others: dict[str, nn.Module] = {_REFERENCE[model]: networks.reference, _GUIDER[model]: networks.guider}
    return {name: module.state_dict() for name, module in others.items()} | denoiser


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Named tensors as a .safetensors file, as they are.

    Raises:
        OutputError: it cannot be written.
    """
    safetensors = safetensors_torch()
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # as files of this user are; safetensors' own can be read by nobody else
        try:
            safetensors.save_file(held, temporary)
        except Exception as error:  # its own class, which derives from Exception alone, where the disk is full
            if type(error).__name__ != "SafetensorError":
                raise
            raise OSError(str(error)) from error
        temporary.chmod(mode)


def complete_folder(folder: Path, model: str, networks: Networks, source: Mapping[str, Path]) -> None:
    """Puts into a folder what is not trained: copies of the user's files, or VAE and image encoder of random networks.

    What is there already stays.

    Args:
        folder: gets the files.
        model: of `files.FILES`.
        networks: whose VAE and image encoder are written where there is no source.
        source: from `files.located`; empty for random networks.
    """
    for file in FILES[model]:
        if file.find(folder) is not None:
            continue
        if file.name in source:
            _copy(source[file.name], folder, file.name, file.folder)
        elif file.folder:
            part = networks.vae if file.name == "sd-vae-ft-mse" else networks.clip
            bars = io.StringIO()  # transformers draws one for a file of kilobytes
            with output_directory(folder / file.name) as temporary, redirect_stderr(bars):
                part.save_pretrained(temporary)


def _copy(path: Path, folder: Path, name: str, is_folder: bool) -> None:
    if not is_folder:
        with atomic_write(folder / f"{name}{path.suffix}") as temporary:
            shutil.copyfile(path, temporary)
        return
    with output_directory(folder / name) as temporary:
        for item in path.iterdir():
            if item.is_file():
                shutil.copyfile(item, temporary / item.name)


def write_recipe(folder: Path, recipe: dict[str, Any]) -> None:
    """How the networks in a folder came to be."""
    write_whole(folder / RECIPE, (json.dumps(recipe, indent=1, default=str) + "\n").encode())
