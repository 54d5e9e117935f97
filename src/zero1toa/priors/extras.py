"""The packages of the extra `diffusion`, imported when they are first needed."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from types import ModuleType

from ..errors import MissingDependency

INSTALL = "python -m pip install 'zero1toa[diffusion]'"


def diffusers() -> ModuleType:
    """The module.

    Raises:
        MissingDependency: it is not installed.
    """
    return _module("diffusers")


def transformers() -> ModuleType:
    """The module.

    Raises:
        MissingDependency: it is not installed.
    """
    return _module("transformers")


def check_extra() -> None:
    """Looks whether the extra is installed, without the seconds that importing it takes.

    Raises:
        MissingDependency: it is not.
    """
    for name in ("diffusers", "transformers", "safetensors", "huggingface_hub"):
        if importlib.util.find_spec(name) is None:
            raise MissingDependency(f"This needs the package {name}, which is not installed: {INSTALL}.")


def _module(name: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of their own innards
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependency(
            f"This needs the package {name}, which cannot be imported ({error}): {INSTALL}."
        ) from error


def safetensors_torch() -> ModuleType:
    """The module `safetensors.torch`.

    Raises:
        MissingDependency: it is not installed.
    """
    return _module("safetensors.torch")


def huggingface_hub() -> ModuleType:
    """The module.

    Raises:
        MissingDependency: it is not installed.
    """
    return _module("huggingface_hub")
