"""Heads from the user's own files, by a name such as `flame:FILE`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from zero1toa.errors import AssetError

from .bare import BareHead
from .default import load_default
from .dress import dress
from .embedding import Detector, LandmarkEmbedding, embed_landmarks
from .landmark_cache import load_embedding, save_embedding
from .model import LinearHead
from .names import head_file

_FIRST, _SECOND = 30, 60  # pictures in which the landmarks are sought: on the bare head, and on the dressed one
_ABOVE_EYES = 0.008  # metres over the eyes' centres, on our head, from which on a bare head's landmarks are unsure:
_BARE_BROWS = 0.03  # metres, so much. Without painted brows the detector puts them 9 mm off, and their surroundings too
_MOST_SPREAD = 0.01  # metres: detections that lie farther apart (median) are not of one and the same face


def _flame(path: Path) -> BareHead:
    from .flame.file import read_flame
    from .flame.head import bare_flame

    return bare_flame(read_flame(path))


def _ict(path: Path) -> BareHead:
    from .ict.file import read_ict
    from .ict.head import bare_ict

    return bare_ict(read_ict(path), load_default())


def _gnm(path: Path) -> BareHead:
    from .gnm.file import read_gnm
    from .gnm.head import bare_gnm

    return bare_gnm(read_gnm(path), load_default())


READERS: dict[str, Callable[[Path], BareHead]] = {"flame": _flame, "ict": _ict, "gnm": _gnm}
"""By the word before the colon (`names.KINDS`): what reads the file after it."""

_loaded: dict[str, LinearHead] = {}


def load_other(name: str, detector: Detector | None) -> LinearHead:
    """The head of a file, dressed; read once per process. Where it carries the landmarks is found once and kept.

    Args:
        name: such as `flame:generic_model.pkl`.
        detector: finds the landmarks; needed only for a head that was never seen before.

    Raises:
        InputError: the name is of no known kind.
        AssetError: the file is missing, broken or another model, or its face is not found.
    """
    kind, path = head_file(name)
    if name not in _loaded:
        bare = READERS[kind](path)
        _loaded[name] = dress(bare, landmarks_of(bare, detector), load_default())
    return _loaded[name]


def landmarks_of(bare: BareHead, detector: Detector | None) -> LandmarkEmbedding:
    """Where a head carries the landmarks: from the cache, or found now (about a minute) and kept there.

    Raises:
        AssetError: they are not known and cannot be found.
    """
    known = load_embedding(bare.fingerprint, len(bare.faces))
    if known is not None:
        return known
    if detector is None:
        raise AssetError(
            f"Where the head '{bare.name}' carries its landmarks is not known here yet; fit a photo with it once."
        )
    found = find_landmarks(bare, detector)
    save_embedding(bare.fingerprint, found)
    return found


def find_landmarks(bare: BareHead, detector: Detector) -> LandmarkEmbedding:
    """Where a head carries the landmarks, found by looking.

    Twice: what is found on the bare mesh tells where brows and lips are to be painted, and a painted head shows them
    better.

    Raises:
        AssetError: no face is found on it, or not surely enough.
    """
    try:
        first = embed_landmarks(bare.as_linear(), detector, renders=_FIRST)
        own = load_default()
        height = own.landmarks(own.template[None])[0, :, 1] - own.joint_template[-1, 1]
        unsure = np.where(height.numpy() > _ABOVE_EYES, np.float32(_BARE_BROWS), first.spread)
        first = replace(first, spread=unsure)
        found = embed_landmarks(dress(bare, first, own), detector, renders=_SECOND, seed=2)
    except ValueError as error:
        raise AssetError(f"No face was found on the head '{bare.name}'; is it in metres, y up, facing +z?") from error
    if float(np.median(found.spread)) > _MOST_SPREAD:
        raise AssetError(f"The face of the head '{bare.name}' is not found surely enough to use it.")
    return found
