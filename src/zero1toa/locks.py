"""One run at a time on one output: a lock between processes that the system takes back when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BusyError
from .files import made_folders, os_errors_as_output_errors

_PATIENCE = 0.2  # seconds between two looks at a lock that is held


@contextmanager
def exclusive(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keeps other processes that ask for the same path out while the block runs.

    The lock is a hidden file beside `path`, made for it and removed afterwards; so are missing folders if nothing else
    was put there. After kill -9 the file may stay and locks nothing. On network disks it holds as far as these carry
    locks between machines (NFS 4 does).

    Raises:
        BusyError: another process holds it.
        OutputError: the place cannot be written to.
    """
    target = Path(path).expanduser().resolve()
    file = target.with_name(f".{target.name}.lock")
    with made_folders(target.parent, path, keep_used=True), os_errors_as_output_errors(path, file):
        descriptor = _acquired(file)
        if descriptor is None:
            raise BusyError(f"Another run is writing {path}; wait for it to end or choose another name.")
        try:
            yield
        finally:
            # Removed while it is still held: who opened it before finds in `_acquired` that it is gone.
            file.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def in_turn(path: str | os.PathLike[str]) -> Iterator[None]:
    """As `exclusive`, but waits for the others, however long they take.

    Raises:
        OutputError: the place cannot be written to.
    """
    while True:
        held = exclusive(path)
        try:
            held.__enter__()
            break
        except BusyError:
            time.sleep(_PATIENCE)
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def _acquired(file: Path) -> int | None:
    """A descriptor that holds the lock, or None where another process does."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _try_lock(descriptor):
                os.close(descriptor)
                return None
            if _is_still(file, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has removed it since it was opened: it would keep nobody out


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(file), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
