"""What attacks are made of: chunks of a PNG, parts of a GLB, arrays that are larger than they say."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

from .packed import SINGLE, Files
from .readers import READERS

WITNESS = Path(tempfile.gettempdir()) / "zero1toa-was-here"
"""What there is after an attack that had its way: a pickle that was run, a zip that wrote where it liked."""

HUGE = 20 << 30
"""Bytes that no reader may ask for."""


def first(name: str) -> Files:
    return READERS[name].seeds()[0]


def one(**contents: bytes) -> dict[str, Files]:
    return {name: {SINGLE: content} for name, content in contents.items()}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes, data: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def glb(document: object, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def npy(shape: str, content: bytes = b"", descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(118) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


def bombs(name: str, large: bool = False) -> dict[str, Files]:
    """Archives of arrays that are larger, stranger or more than they should be. Large ones take seconds to make, and
    all readers of arrays share what refuses them."""
    evil = pickle.dumps(Evil())
    members = {
        "claims_20_gigabytes": npy(f"({HUGE // 8},)", bytes(800)),
        "claims_a_negative_size": npy("(-1, -1)", bytes(8)),
        "claims_nothing_of_much": npy("(0, 999999999)"),
        "objects": npy("(1,)", evil, "|O"),
        "records_of_objects": npy("(1,)", evil, "|V8"),
        "long_texts": npy("(1,)", bytes(64), "<U999999999"),
        "no_characters": npy("(2,)", b"\xff" * 8, "<U1"),
        "deep_header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 9000) + b"(" * 9000,
        "long_header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 4 << 20) + b"[" * (4 << 20),
    }
    if large:
        members["unpacks_to_300_megabytes"] = npy("(1,)", bytes(300 << 20))
        honest = npy(f"({300 << 17},)", bytes(300 << 20))
        members["unpacks_to_an_honest_300_megabytes"] = honest
    out = {}
    for what, content in members.items():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{name}.npy", content)
        out[what] = {SINGLE: stream.getvalue()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(6 if large else 0):
            archive.writestr(f"{name}{number}.npy", npy(f"({50 << 17},)", bytes(50 << 20)))
        for number in range(20_000):
            archive.writestr(f"empty{number}", b"")
    return {**out, "many_members": {SINGLE: stream.getvalue()}}


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (WITNESS,)  # type: ignore[return-value]
