"""A folder in the layout of ICT-FaceKit that `tools/synthetic_ict.py` makes of our own head, once per test run."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

from flame_fixtures import landmark_cache_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

PEOPLE = 12


@cache
def ict_folder() -> Path:
    """The folder, whose landmarks are known: the cache of this run holds the true ones, so no detector is needed."""
    from synthetic_ict import ict_embedding, synthetic_ict
    from zero1toa.heads.default import load_default
    from zero1toa.heads.ict.file import read_ict
    from zero1toa.heads.ict.head import bare_ict
    from zero1toa.heads.landmark_cache import save_embedding

    folder = Path(tempfile.mkdtemp(prefix="ict_test_")) / "FaceXModel"
    synthetic_ict(folder, PEOPLE)
    bare = bare_ict(read_ict(folder), load_default())
    os.environ["ZERO1TOA_CACHE"] = str(landmark_cache_folder())
    save_embedding(bare.fingerprint, ict_embedding(bare))
    return folder
