"""The motion of a track as a file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..errors import InputError
from ..motion import Motion
from ..motion.live_link import write_live_link


def save_motion(motion: Motion, path: str | PathLike[str]) -> None:
    """Writes a motion as a Live Link Face CSV or as an npz, by the suffix.

    Raises:
        InputError: the suffix is another.
        OutputError: the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        write_live_link(path, motion)
    elif suffix == ".npz":
        motion.save(path)
    else:
        raise InputError(f"A motion is written as .csv (Live Link Face) or .npz; {Path(path).name} is neither.")
