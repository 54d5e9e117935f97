"""Several files as one string of bytes, since a fuzzer knows only strings of bytes."""

from __future__ import annotations

import struct
from pathlib import Path

Files = dict[str, bytes]
"""Content by path. The readers of a single file get one that is called `SINGLE`."""

SINGLE = ""
_ENTRY = struct.Struct("<HI")  # lengths of the name and of the content


def packed(files: Files) -> bytes:
    """All names and contents, one after the other."""
    parts = []
    for name, content in files.items():
        encoded = name.encode()
        parts += [_ENTRY.pack(len(encoded), len(content)), encoded, content]
    return b"".join(parts)


def unpacked(raw: bytes) -> Files:
    """What `packed` was given; of other bytes, one file that holds them."""
    files: Files = {}
    at = 0
    while at < len(raw):
        if at + _ENTRY.size > len(raw):
            return {SINGLE: raw}
        name_length, length = _ENTRY.unpack_from(raw, at)
        at += _ENTRY.size
        end = at + name_length + length
        try:
            name = raw[at : at + name_length].decode()
        except UnicodeDecodeError:
            return {SINGLE: raw}
        if end > len(raw) or name in files:
            return {SINGLE: raw}
        files[name] = raw[at + name_length : end]
        at = end
    return files or {SINGLE: b""}


def written(files: Files, folder: Path, name: str) -> Path:
    """Writes files into a folder and returns what a reader is to be given: the single file or the folder."""
    if set(files) == {SINGLE}:
        path = folder / name
        path.write_bytes(files[SINGLE])
        return path
    root = folder / "input"
    for place, content in files.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root
