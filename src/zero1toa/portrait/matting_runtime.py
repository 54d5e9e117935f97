"""The two functions used of pymatting, imported without the rest of it.

`import pymatting` compiles every matting method it has with Numba: half a minute at the first use on a machine. The two
used here take four seconds. Compiled code is kept on disk by Numba.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from zero1toa.compiled import others_without_threads
from zero1toa.errors import MissingDependency

_PACKAGES = ("pymatting", "pymatting.util", "pymatting.laplacian", "pymatting.foreground")


class Matting(NamedTuple):
    cf_laplacian: Callable[..., Any]
    estimate_foreground_ml: Callable[..., Any]


@lru_cache(maxsize=1)
def matting() -> Matting:
    """The functions.

    Raises:
        MissingDependency: pymatting is not installed.
    """
    spec = importlib.util.find_spec("pymatting")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("Cutting the person out needs pymatting; install it with: pip install pymatting.")
    root = list(spec.submodule_search_locations)
    placed: dict[str, types.ModuleType] = {}
    if "pymatting" not in sys.modules:
        for name in _PACKAGES:  # packages whose __init__ does nothing
            module = types.ModuleType(name)
            module.__path__ = ["/".join([folder, *name.split(".")[1:]]) for folder in root]
            placed[name] = module
    sys.modules.update(placed)
    try:
        with others_without_threads():
            laplacian = importlib.import_module("pymatting.laplacian.cf_laplacian")
            foreground = importlib.import_module("pymatting.foreground.estimate_foreground_ml")
    finally:
        if placed:  # so that the whole package can still be imported by others
            for name in [name for name in sys.modules if name.partition(".")[0] == "pymatting"]:
                del sys.modules[name]
    return Matting(laplacian.cf_laplacian, foreground.estimate_foreground_ml)
