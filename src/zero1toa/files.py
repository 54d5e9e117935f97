"""Results reach the place the user chose whole or not at all: write beside, then rename."""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zero1toa.errors import OutputError

_REASONS = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the disk is read-only",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EEXIST: "a part of that path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path`, with the same suffix, and renames it to `path` when the block ends well.

    When the block fails, the temporary file and the folders made for it are removed and an older file at `path` is
    untouched. Missing parent folders are made. A symbolic link is followed, so the file it points to is replaced.

    Raises:
        OutputError: the place cannot be written to, or writing to it failed, for example on a full disk.
    """
    target = _resolved_file(path)
    with made_folders(target.parent, path):
        temporary = target.with_name(_temporary_name(target))
        with os_errors_as_output_errors(path, temporary):
            temporary.touch(exist_ok=False)
            try:
                yield temporary
                _to_disk(temporary)
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], content: bytes | io.BytesIO) -> None:
    """Writes bytes by `atomic_write`.

    For what libraries write: many tell of a full disk by an error of their own that names no reason, where plain Python
    files say what the matter is.

    Raises:
        OutputError: the place cannot be written to.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.getbuffer())


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Removes temporary files that runs which were killed left of `path`. Only for who holds its lock."""
    target = Path(path).expanduser().resolve()
    _remove(target.parent.glob(f".{_mark(target)}*.part{target.suffix}"))


def remove_leftovers_in(folder: str | os.PathLike[str]) -> None:
    """The same for all files of a folder. Only for who knows that nobody else writes there."""
    _remove(Path(folder).glob(".*.part*"))


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def output_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives an empty folder beside `path` and moves what was written there into `path` when the block ends well.

    A file that exists under the same name is replaced; other files in `path` stay. When the block fails, `path` is as
    it was before.

    Raises:
        OutputError: the place cannot be written to, or writing to it failed, for example on a full disk.
    """
    target = _resolved_folder(path)
    with made_folders(target.parent, path):
        temporary = target.with_name(_temporary_name(target))
        with os_errors_as_output_errors(path, temporary):
            temporary.mkdir()
            try:
                yield temporary
                if target.exists():
                    _move_contents(temporary, target)
                else:
                    os.replace(temporary, target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)


def check_output_file(path: str | os.PathLike[str]) -> None:
    """Fails now, rather than after minutes of work, if `atomic_write(path)` could not write. Leaves nothing behind.

    Raises:
        OutputError: one sentence that says why.
    """
    target = _resolved_file(path)
    _probe(target.parent, path)


def check_output_directory(path: str | os.PathLike[str]) -> None:
    """Fails now, rather than after minutes of work, if `output_directory(path)` could not write. Leaves nothing behind.

    Raises:
        OutputError: one sentence that says why.
    """
    target = _resolved_folder(path)
    _probe(target if target.exists() else target.parent, path)


def _resolved_file(path: str | os.PathLike[str]) -> Path:
    with os_errors_as_output_errors(path):
        target = Path(path).expanduser().resolve()
        if target.is_dir():
            raise OutputError(f"Cannot write {path}: it is a folder; add a file name.")
        if target.exists() and not target.is_file():
            raise OutputError(f"Cannot write {path}: it is not a regular file; choose another name.")
    return target


def _resolved_folder(path: str | os.PathLike[str]) -> Path:
    with os_errors_as_output_errors(path):
        target = Path(path).expanduser().resolve()
        if target.exists() and not target.is_dir():
            raise OutputError(f"Cannot write into {path}: it is a file, not a folder; choose another name.")
    return target


def _temporary_name(target: Path) -> str:
    # The suffix stays last, because picture and video writers choose their format by it.
    return f".{_mark(target)}{secrets.token_hex(4)}.part{target.suffix}"


def _mark(target: Path) -> str:
    """By which a temporary file tells whose it is. The name itself could be too long with anything added."""
    return f"{zlib.crc32(os.fsencode(target.name)):08x}"


def _to_disk(path: Path) -> None:
    """So that a power cut after the rename finds the content there and not an empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def made_folders(
    folder: Path, shown: str | os.PathLike[str], *, keep: bool = True, keep_used: bool = False
) -> Iterator[None]:
    """Makes `folder` and its parents; removes those that were new when the block fails, or always unless `keep`.

    Folders into which something was put stay in any case; with `keep_used` only these.

    Raises:
        OutputError: they cannot be made.
    """
    made: list[Path] = []
    try:
        with os_errors_as_output_errors(shown):
            missing = []
            while not folder.exists():
                missing.append(folder)
                folder = folder.parent
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            for new in reversed(missing):
                new.mkdir()
                made.append(new)
        yield
    except BaseException:
        _remove_folders(made)
        raise
    if not keep or keep_used:
        _remove_folders(made)


def _remove_folders(folders: list[Path]) -> None:
    for folder in reversed(folders):
        try:
            folder.rmdir()
        except OSError:  # somebody else has put a file there: it is no longer ours to remove
            return


def _move_contents(source: Path, target: Path) -> None:
    for item in sorted(source.iterdir()):
        there = target / item.name
        if item.is_dir() and there.is_dir():
            _move_contents(item, there)
        else:
            os.replace(item, there)
    source.rmdir()


def _probe(folder: Path, shown: str | os.PathLike[str]) -> None:
    with made_folders(folder, shown, keep=False):
        probe = folder / _temporary_name(folder)
        with os_errors_as_output_errors(shown, probe):
            probe.touch(exist_ok=False)
            probe.unlink()


@contextmanager
def os_errors_as_output_errors(shown: str | os.PathLike[str], *ours: Path) -> Iterator[None]:
    """Turns an operating system error about our own file into one sentence; an error about another file passes.

    Raises:
        OutputError: the block raised one.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or (ours and error.filename is not None and not _is_below(error.filename, ours)):
            raise
        reason = _REASONS.get(error.errno, (error.strerror or "unknown error").lower())
        raise OutputError(f"Cannot write {shown}: {reason}; choose another place or mend this one.") from error


def _is_below(name: object, places: tuple[Path, ...]) -> bool:
    path = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""
    return any(path == str(place) or path.startswith(str(place) + os.sep) for place in places)
