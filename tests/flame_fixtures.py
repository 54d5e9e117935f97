"""A FLAME-shaped model that `tools/synthetic_flame.py` makes of our own head, once per test run."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))


@cache
def synthetic() -> dict[str, Any]:
    from synthetic_flame import synthetic_flame

    return synthetic_flame()


@cache
def old_pickle() -> bytes:
    from synthetic_flame import as_old_pickle

    return as_old_pickle(synthetic())


@cache
def landmark_cache_folder() -> Path:
    """The folder of this run's landmarks."""
    return Path(tempfile.mkdtemp(prefix="landmarks_test_"))


@cache
def flame_file() -> Path:
    """A file of it, whose landmarks are known: the cache of this run holds the true ones, so no detector is needed."""
    from zero1toa.heads.flame.file import read_flame
    from zero1toa.heads.landmark_cache import save_embedding

    folder = Path(tempfile.mkdtemp(prefix="flame_test_"))
    os.environ["ZERO1TOA_CACHE"] = str(landmark_cache_folder())
    path = folder / "flame2023.pkl"
    path.write_bytes(old_pickle())
    save_embedding(read_flame(path).fingerprint, flame_embedding())
    return path


@cache
def flame_embedding() -> Any:
    """Where the synthetic head carries the landmarks."""
    from synthetic_flame import true_embedding
    from zero1toa.heads.flame.file import check_flame
    from zero1toa.heads.flame.head import bare_flame

    return true_embedding(bare_flame(check_flame(synthetic(), "synthetic")))
