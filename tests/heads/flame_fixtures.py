"""A FLAME-shaped model that `tools/synthetic_flame.py` makes of our own head, once per test run."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))


@cache
def synthetic() -> dict[str, Any]:
    from synthetic_flame import synthetic_flame

    return synthetic_flame()


@cache
def old_pickle() -> bytes:
    from synthetic_flame import as_old_pickle

    return as_old_pickle(synthetic())
