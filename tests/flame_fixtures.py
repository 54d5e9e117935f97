"""A FLAME-shaped model that `tools/synthetic_flame.py` makes of our own head, once per test run."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

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
def flame_file() -> Path:
    """A file of it, whose landmarks are known: the cache of this run holds the true ones, so no detector is needed."""
    from zero1toa.heads.flame.file import read_flame
    from zero1toa.heads.landmark_cache import save_embedding

    folder = Path(tempfile.mkdtemp(prefix="flame_test_"))
    os.environ["ZERO1TOA_CACHE"] = str(folder / "cache")
    path = folder / "flame2023.pkl"
    path.write_bytes(old_pickle())
    save_embedding(read_flame(path).fingerprint, true_embedding())
    return path


@cache
def true_embedding() -> Any:
    """Where the synthetic head carries the landmarks: where the default head does, warped as its surface is."""
    from synthetic_flame import warp
    from zero1toa.heads import load_head
    from zero1toa.heads.closest import closest_points
    from zero1toa.heads.embedding import LandmarkEmbedding
    from zero1toa.heads.flame.file import check_flame
    from zero1toa.heads.flame.head import bare_flame

    own, bare = load_head(), bare_flame(check_flame(synthetic(), "synthetic"))
    points = warp(own.landmarks(own.template[None])[0].double().numpy())
    face, weights = np.zeros(478, np.int32), np.zeros((478, 3), np.float32)
    for rows, skin in ((np.arange(468), True), (np.arange(468, 478), False)):
        candidates = np.flatnonzero((bare.face_part == 0) == skin)
        nearest, at = closest_points(points[rows], bare.template[bare.faces[candidates]])
        face[rows], weights[rows] = candidates[nearest], at
    votes = np.ones(478, np.int32)
    return LandmarkEmbedding(face, weights, own.topology.landmark_spread.copy(), votes * 0.0, votes, 1, 1)
