"""The state of an unfinished run on disk, so that `--resume` goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import pickle
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._version import __version__
from ..config import CreateConfig
from ..errors import InputError
from ..files import remove_leftovers, write_whole
from ..portrait.portrait import Portrait

_STATE = "state.pt"

# What torch raises on damaged files: found by reading 10,000 of them.
_UNREADABLE = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError, EOFError,
               MemoryError, OverflowError, struct.error, pickle.PickleError, zipfile.BadZipFile,
               zlib.error)  # fmt: skip


class Workspace:
    """A folder beside the output that holds the state and the clips until the avatar is finished.

    Args:
        folder: where; made when something is first kept.
        fingerprint: of what the run depends on; a state with another one is not taken up.
        resume: go on from the state that lies there. Otherwise an old one is removed.

    Raises:
        InputError: there is nothing to resume, or it belongs to another photo or other options.
    """

    def __init__(self, folder: Path, fingerprint: str, resume: bool) -> None:
        self.folder = folder
        self._fingerprint = fingerprint
        self._resumed: dict[str, Any] | None = None
        if resume:
            self._resumed = self._read()
            remove_leftovers(folder / _STATE)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def has_state(self) -> bool:
        """Whether the run goes on from an earlier one."""
        return self._resumed is not None

    def load(self) -> dict[str, Any]:
        """What `save` was given."""
        assert self._resumed is not None
        return self._resumed

    def save(self, state: dict[str, Any]) -> None:
        """Keeps the state; the older one stays until the new one is whole.

        Raises:
            OutputError: it cannot be written, for example on a full disk.
        """
        buffer = io.BytesIO()
        torch.save({**state, "fingerprint": self._fingerprint}, buffer)
        write_whole(self.folder / _STATE, buffer)

    def remove(self) -> None:
        """Takes the folder away: the run is finished, and its result is on disk."""
        # The state goes first: without it, what else is left of a removal cut short is never taken up.
        (self.folder / _STATE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> dict[str, Any]:
        path = self.folder / _STATE
        if not path.is_file():
            raise InputError(f"There is nothing to resume ({path} is missing); start without --resume.")
        try:
            state = torch.load(path, weights_only=True)
            fingerprint = state["fingerprint"]
        except _UNREADABLE as error:
            raise InputError(f"The saved state {path} cannot be read; start without --resume.") from error
        if fingerprint != self._fingerprint:
            raise InputError(
                f"The saved state {path} belongs to another photo, other options or another version; give the same "
                "ones, or start without --resume."
            )
        return state


def fingerprint(portrait: Portrait, config: CreateConfig) -> str:
    """Of everything that decides the avatar: the fitted photo, all options and the version."""
    digest = hashlib.sha256(f"{__version__} {config!r}".encode())
    arrays = (portrait.image, portrait.alpha, portrait.identity, portrait.expression, portrait.pose)
    for array in (*arrays, portrait.camera.viewmat):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
