"""Which portraits there are: a folder, a glob, a list, or single files."""

from __future__ import annotations

import csv
import glob
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import InputError, told
from ..portrait.portrait import FILE_NAME

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".jp2", ".avif", ".heic"))
"""Endings by which a folder's files are taken for photos."""
_LISTS = (".txt", ".lst", ".csv", ".jsonl")
_MOST_LIST_BYTES = 1 << 30  # of a list of portraits: a million rows are some 100 MB
_MOST_COLUMNS = 100  # of a list; more than there are options is no list
_LONGEST_NAME = 120  # letters of a folder's name; file systems take 255 bytes
_WILD = frozenset("*?[")


class Entry(NamedTuple):
    """One portrait of the plan."""

    name: str  # unique among all; "/" separates folders
    photo: str
    columns: Mapping[str, str]  # options that its row of a list gave


def find_portraits(sources: Sequence[str]) -> list[Entry]:
    """All portraits of folders, globs, lists and files, in the order given; the same photo counts once.

    A folder is searched through all its subfolders. A list is a text file with one photo a line (.txt), or a table with
    the column "photo" and perhaps "name" and options (.csv, .jsonl); its paths are relative to its own folder.

    Raises:
        InputError: there are none, or a source cannot be read.
    """
    found: list[tuple[str, str, Mapping[str, str]]] = []
    for source in sources:
        before = len(found)
        found += _of_source(source)
        if len(found) == before:
            raise InputError(f"There is no portrait in {source}; give a folder with pictures, a glob or a list.")
    if not found:
        raise InputError("No portraits were given; name a folder, a glob or a list.")
    seen: set[tuple[str, str]] = set()
    unique = []
    for wanted, photo, columns in found:
        if (identity := (photo, json.dumps(dict(columns), sort_keys=True))) not in seen:
            seen.add(identity)
            unique.append((wanted, photo, columns))
    return _named(unique)


def _of_source(source: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    path = Path(source).expanduser()
    if source == "demo":
        yield "demo", "demo", {}
    elif path.is_dir() and (path / FILE_NAME).is_file():
        yield path.name, str(path), {}
    elif path.is_dir():
        for photo in sorted(_photos_below(path)):
            yield photo.relative_to(path).as_posix(), str(photo), {}
    elif path.is_file() and path.suffix.lower() in _LISTS:
        yield from _of_list(path)
    elif path.is_file():
        yield path.name, str(path), {}
    elif _WILD & set(source):
        for name in sorted(glob.glob(str(path), recursive=True)):
            if Path(name).is_file() or (Path(name) / FILE_NAME).is_file():
                yield Path(name).name, name, {}
    else:
        raise InputError(f"There is no {source}: neither a file nor a folder.")


def _photos_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in PICTURES and path.is_file():
            if not (path.parent / FILE_NAME).is_file():  # pictures of a fit are no portraits; the fit is one
                yield path
        elif not hidden and path.name == FILE_NAME:
            yield path.parent


def _of_list(path: Path) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    try:
        if path.stat().st_size > _MOST_LIST_BYTES:
            raise InputError(f"The list {path} is larger than 1 GB; split it.")
        text = path.read_text(encoding="utf-8-sig")
        for row in _rows(path, text):
            columns = {k: str(v).strip() for k, v in row.items() if isinstance(k, str) and str(v or "").strip()}
            photo = columns.pop("photo", "")
            if not photo:
                raise InputError(f"A row of {path} names no photo.")
            place = photo if photo == "demo" else str(path.parent / _at_home(photo))
            yield columns.pop("name", Path(photo).name), place, columns
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, RecursionError) as error:
        raise InputError(f"The list {path} cannot be read: {told(str(error))}.") from error


def _at_home(photo: str) -> Path:
    """With ~ as the user's folder; that of a user who does not exist is a name like others."""
    try:
        return Path(photo).expanduser()
    except RuntimeError:
        return Path(photo)


def _rows(path: Path, text: str) -> Iterator[Mapping[str, object]]:
    if path.suffix.lower() == ".csv":
        reader = csv.DictReader(io.StringIO(text))
        if len(reader.fieldnames or ()) > _MOST_COLUMNS:
            raise InputError(f"The list {path} has more than {_MOST_COLUMNS} columns.")
        if "photo" not in (reader.fieldnames or ()):
            raise InputError(f"The list {path} has no column 'photo' in its first line.")
        yield from reader
    elif path.suffix.lower() == ".jsonl":
        for line in filter(str.strip, text.splitlines()):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise InputError(f"A line of {path} is no JSON object.")
            yield row
    else:
        for line in map(str.strip, text.splitlines()):
            if line and not line.startswith("#"):
                yield {"photo": line}


def _named(found: list[tuple[str, str, Mapping[str, str]]]) -> list[Entry]:
    """Names without endings where these are not needed to tell portraits apart, with numbers where they do not."""
    safe = [_safe(wanted) for wanted, _, _ in found]
    short = [_without_ending(name) for name in safe]
    how_many = Counter(name.lower() for name in short)  # some file systems do not tell A from a
    taken: set[str] = set()
    next_number: dict[str, int] = {}  # of names that many share: counting from 2 each time takes hours for a million
    entries = []
    for long, brief, (_, photo, columns) in zip(safe, short, found):
        base = name = brief if how_many[brief.lower()] == 1 else long
        number = next_number.get(base.lower(), 2)
        while name.lower() in taken:
            name, number = f"{base}-{number}", number + 1
        next_number[base.lower()] = number
        taken.add(name.lower())
        entries.append(Entry(name, photo, columns))
    return entries


def _without_ending(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in PICTURES else name


def _safe(wanted: str) -> str:
    """A relative path that every file system takes."""
    parts = []
    for part in wanted.replace("\\", "/").split("/"):
        clean = "".join(c if c.isalnum() or c in " -_.()" else "_" for c in part).strip(" .")[:_LONGEST_NAME]
        if clean:
            parts.append(clean)
    return "/".join(parts) or "portrait"
