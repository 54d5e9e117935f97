"""Head models: identity, expression and pose to posed vertices in metres.

Importing this room does not load torch, so that those who only need its names (`arkit`, `JOINTS`) stay light.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .topology import JOINTS as JOINTS
from .topology import PARENTS as PARENTS
from .topology import HeadTopology as HeadTopology

if TYPE_CHECKING:
    from .embedding import Detector
    from .model import HeadModel as HeadModel
    from .model import LinearHead as LinearHead
    from .rigged import RiggedHead as RiggedHead

_TORCH_HOMES = {"HeadModel": ".model", "LinearHead": ".model", "RiggedHead": ".rigged"}


def __getattr__(name: str) -> Any:
    if name not in _TORCH_HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_TORCH_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def load_head(name: str = "default", detector: Detector | None = None) -> HeadModel:
    """A head model by name, read once per process.

    Args:
        name: "default", or "flame:FILE", "ict:FOLDER" or "gnm:FILE" with the user's own files.
        detector: finds the landmarks in pictures of a head that was never used on this machine before. The default head
            needs none.

    Raises:
        InputError: there is no head model of that name.
        AssetError: its files are missing or broken.
    """
    if name != "default":
        from .other import load_other

        return load_other(name, detector)
    return _load_default()


@cache
def _load_default() -> HeadModel:
    from .default import load_default

    return load_default()
