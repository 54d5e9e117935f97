"""Where another head carries the 478 landmarks is found once and kept in the user's cache folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from zero1toa.caches import cache_folder
from zero1toa.errors import OutputError
from zero1toa.files import atomic_write

from .embedding import LandmarkEmbedding
from .topology import NUM_LANDMARKS

VERSION = 1
"""Of the way in which landmarks are found; older results are not used."""


def cache_file(fingerprint: int) -> Path:
    """The file of the head with that fingerprint."""
    return cache_folder() / f"landmarks-{VERSION}-{fingerprint:08x}.npz"


def load_embedding(fingerprint: int, num_faces: int) -> LandmarkEmbedding | None:
    """What `save_embedding` kept, or None where there is nothing usable."""
    try:
        with np.load(cache_file(fingerprint), allow_pickle=False) as data:
            arrays = {name: data[name] for name in ("faces", "barycentrics", "spread", "asymmetry", "votes")}
            rendered, detected = (int(data[name]) for name in ("rendered", "detected"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    fits = all(len(values) == NUM_LANDMARKS for values in arrays.values())
    if not fits or arrays["faces"].min() < 0 or arrays["faces"].max() >= num_faces:
        return None
    return LandmarkEmbedding(**arrays, rendered=rendered, detected=detected)


def save_embedding(fingerprint: int, embedding: LandmarkEmbedding) -> None:
    """Keeps an embedding; where the cache folder cannot be written to, it is found anew next time."""
    names = ("faces", "barycentrics", "spread", "asymmetry", "votes", "rendered", "detected")
    try:
        with atomic_write(cache_file(fingerprint)) as temporary:
            np.savez_compressed(temporary, **{name: getattr(embedding, name) for name in names})
    except OutputError:
        pass
