"""Head models: identity, expression and pose to posed vertices in metres."""

from __future__ import annotations

from functools import cache

from zero1toa.errors import InputError

from .model import HeadModel as HeadModel
from .model import LinearHead as LinearHead
from .rigged import RiggedHead as RiggedHead
from .topology import JOINTS as JOINTS
from .topology import PARENTS as PARENTS
from .topology import HeadTopology as HeadTopology


def load_head(name: str = "default") -> HeadModel:
    """A head model by name, read once per process.

    Raises:
        InputError: there is no head model of that name.
        AssetError: its files are missing or broken.
    """
    return _load(name)


@cache
def _load(name: str) -> HeadModel:
    if name == "default":
        from .default import load_default

        return load_default()
    raise InputError(f"There is no head model '{name}'; use 'default'.")
