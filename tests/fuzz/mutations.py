"""Changes to valid files that keep enough of their structure to get past the first check of a reader.

Each takes a file apart as far as its format is known (JSON, GLB, zip, npz, PLY, CSV, PNG, safetensors), spoils
something inside, and puts it together again with lengths and checksums that fit; or it spoils the bytes as they are.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from random import Random
from typing import Any

from .packed import packed, unpacked

NUMBERS = (0, 1, -1, 2, 7, 127, 128, 255, 256, 32767, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 32) - 1,
           1 << 33, (1 << 63) - 1, 1 << 63, -(1 << 63), 10**18, 10**40)  # fmt: skip
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 0.5, 1e30, -1e308, 1 << 31, 1 << 63, 10**400, "", "x", "\u202e\U0001f600", "../x",
    "\ud800", "a\0b", "~nobody/x", "<script>", "=1+1", [], {}, [[]], [None], {"a": 1}, [1] * 1000, "9" * 5000,
)  # fmt: skip
_LITERALS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 5000, b'"\\ud800"', b"null", b"[]", b"{}")
_TEXTS = (
    b"-1",
    b"0",
    b"99999999999999999999",
    b"nan",
    b"inf",
    b"1e999",
    b"\x00",
    b"\xff",
    b"",
    b"=cmd",
    b'"',
    b"~",
    "\u0663".encode(),
    "\u00b2".encode(),
    b"00:00:00:00",
    b"99999999:99:99:999",
    b"../../x",
    b"0x10",
    b"1_0",
)
_LARGEST = 4 << 20  # bytes of a mutated input: what is larger only takes time


def mutated(raw: bytes, random: Random, others: list[bytes]) -> bytes:
    """A changed copy of packed files; parts may come from `others`, which are packed, too."""
    files = unpacked(raw)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        name = random.choice(list(files))
        donor = unpacked(random.choice(others)) if others else {}
        files[name] = _file(files[name], random, donor.get(name, next(iter(donor.values()), b"")))
        if len(files) > 1 and random.random() < 0.03:
            del files[random.choice(list(files))]
    return packed({name: content[:_LARGEST] for name, content in files.items()})


def _file(raw: bytes, random: Random, donor: bytes, depth: int = 0) -> bytes:
    """One changed file."""
    if random.random() < (0.1 if raw[:2] == b"PK" else 0.3):  # a zip notices every byte
        return _bytes(raw, random, donor)
    try:
        if raw[:4] == b"glTF":
            return _glb(raw, random, donor)
        if raw[:2] == b"PK":
            return _zip(raw, random, donor, depth)
        if raw[:6] == b"\x93NUMPY":
            return _npy(raw, random, donor)
        if raw[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(raw, random, donor)
        if raw[:4] == b"ply\n":
            return _ply(raw, random, donor)
        if raw.lstrip()[:1] in (b"{", b"["):
            return _json(raw, random)
        if raw[8:9] == b"{" and struct.unpack("<Q", raw[:8])[0] < len(raw):
            return _safetensors(raw, random)
        if raw[:256].isascii() and b"\x00" not in raw[:256]:
            return _text(raw, random)
    except (ValueError, KeyError, IndexError, struct.error, zipfile.BadZipFile, zlib.error, RecursionError, OSError,
            NotImplementedError, EOFError, RuntimeError, OverflowError):  # fmt: skip
        pass  # an earlier change has broken the structure
    return _bytes(raw, random, donor)


def _bytes(raw: bytes, random: Random, donor: bytes) -> bytes:
    """Changes that know nothing of the format."""
    data = bytearray(raw)
    kind = random.randrange(9)
    at = random.randrange(len(data) + 1)
    if random.random() < 0.5:
        at = min(at, random.randrange(512))  # headers are at the beginning
    length = random.choice((1, 2, 4, 8, 16, 64, 1024))
    if kind == 0:
        del data[at:]
    elif kind == 1:
        del data[at : at + length]
    elif kind == 2:
        data[at:at] = data[at : at + length] * random.choice((1, 2, 50))
    elif kind == 3 and donor:
        start = random.randrange(len(donor))
        data[at : at + length] = donor[start : start + random.choice((length, len(donor)))]
    elif kind == 4 and donor:
        data = bytearray(raw[:at] + donor[random.randrange(len(donor)) :])
    elif kind in (5, 6):
        width = random.choice((1, 2, 4, 8))
        number = random.choice(NUMBERS) % (1 << 8 * width)
        data[at : at + width] = number.to_bytes(width, random.choice(("little", "big")))
    elif kind == 7:
        return _text(raw, random)
    else:
        for _ in range(random.choice((1, 1, 2, 8))):
            if data:
                place = min(random.randrange(len(data)), random.choice((64, len(data) - 1, len(data) - 1)))
                data[place] = random.choice((data[place] ^ 1 << random.randrange(8), random.randrange(256)))
    return bytes(data)


def _text(raw: bytes, random: Random) -> bytes:
    """Another word or number; lines and cells dropped, repeated or swapped."""
    if random.random() < 0.5:
        words = list(re.finditer(rb"-?\d+(?:\.\d+)?|[A-Za-z_]+", raw[: 1 << 16]))
        if words:
            word = random.choice(words)
            new = random.choice((str(random.choice(NUMBERS)).encode(), random.choice(_TEXTS), random.choice(_LITERALS)))
            return raw[: word.start()] + new + raw[word.end() :]
    separator = random.choice((b"\n", b",", b";", b" "))
    parts = raw.split(separator)
    at = random.randrange(len(parts))
    choice = random.randrange(5)
    if choice == 0:
        del parts[at]
    elif choice == 1:
        parts[at:at] = parts[at : at + random.choice((1, 3))] * random.choice((1, 2, 200))
    elif choice == 2:
        parts[at] = random.choice(_TEXTS)
    elif choice == 3:
        other = random.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    else:
        parts[at] += random.choice(_TEXTS)
    return separator.join(parts)


def _json(raw: bytes, random: Random) -> bytes:
    """One value replaced, removed, repeated or wrapped; at times by what is no JSON number."""
    choice = random.random()
    if choice < 0.1:
        values = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?|null|true|false|\"[^\"]*\"", raw[: 1 << 18]))
        if values:
            value = random.choice(values)
            return raw[: value.start()] + random.choice(_LITERALS) + raw[value.end() :]
    if choice < 0.13:
        depth = random.choice((100, 900, 5000, 200_000))
        return random.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth))
    document = json.loads(raw)
    return json.dumps(_changed(document, random)).encode("utf-8", "surrogatepass")


def _changed(document: Any, random: Random) -> Any:
    """A JSON document with one place changed, deep places as likely as shallow ones."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        if isinstance(node, list) and len(node) > 12:
            keys = [0, 1, *random.sample(range(len(node)), 6), len(node) - 1]
        for key in keys:
            places.append((node, key))
            walk(node[key])

    walk(document)
    if not places:
        return random.choice(STRANGE)
    parent, key = random.choice(places)
    choice = random.randrange(6)
    if choice == 0:
        del parent[key]
    elif choice == 1:
        parent[key] = [parent[key]]
    elif choice == 2 and isinstance(parent, list):
        parent[key:key] = parent[key : key + 3] * random.choice((1, 3, 500))
    elif choice == 3:
        other, place = random.choice(places)
        try:
            parent[key] = json.loads(json.dumps(other[place]))
        except (KeyError, IndexError, ValueError):
            parent[key] = None
    elif choice == 4 and isinstance(parent[key], (int, float)):
        parent[key] = random.choice((*NUMBERS, -parent[key], parent[key] + 1, parent[key] * 1e6))
    else:
        parent[key] = random.choice(STRANGE)
    return document


def _glb(raw: bytes, random: Random, donor: bytes) -> bytes:
    length = struct.unpack_from("<I", raw, 12)[0]
    text, binary = raw[20 : 20 + length], raw[28 + length :]
    if random.random() < 0.75:
        text = _json(text, random)
    else:
        binary = _bytes(binary, random, donor)
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _zip(raw: bytes, random: Random, donor: bytes, depth: int) -> bytes:
    """A member changed, renamed, repeated or removed; or the directory lies about one."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = [(item.filename, archive.read(item)) for item in archive.infolist()[:64]]
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    if members:
        at = random.randrange(len(members))
        name, content = members[at]
        choice = random.random()
        if choice < 0.7 and depth < 2:
            members[at] = (name, _file(content, random, donor, depth + 1))
        elif choice < 0.76:
            members[at] = (
                random.choice(("../" + name, "/" + name, "a\\" + name, "C:" + name, "x" * 3000, name + "/", "\u202e")),
                content,
            )
        elif choice < 0.8:
            members.append((name, content[: len(content) // 2]))
        elif choice < 0.84:
            del members[at]
        elif choice < 0.88:
            members[at] = (name, bytes(random.choice((1, 1 << 20, 3 << 20))))
        elif choice < 0.9:
            members += [(f"{k}.npy", b"") for k in range(1500)]
        elif choice < 0.93:
            members[at] = (name, raw)  # a zip inside of itself
        elif choice < 0.96:
            other = random.randrange(len(members))
            members[at], members[other] = (name, members[other][1]), (members[other][0], content)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    out = bytearray(stream.getvalue())
    if random.random() < 0.25:  # the directory's own fields: flags, method, times, checksum, sizes, offset
        entries = [m.start() for m in re.finditer(rb"PK\x01\x02", out)]
        if entries:
            offset, width = random.choice(((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)))
            place = random.choice(entries) + offset
            out[place : place + width] = (random.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(out)


def _npy(raw: bytes, random: Random, donor: bytes) -> bytes:
    """Another type or shape in the header of an array, whose length fits again."""
    if random.random() < 0.3:
        return raw[:128] + _bytes(raw[128:], random, donor)
    wide = raw[6] > 1
    length = struct.unpack_from("<I" if wide else "<H", raw, 8)[0]
    start = 12 if wide else 10
    text = raw[start : start + length].decode("latin1")
    choice = random.randrange(5)
    if choice == 0:
        kinds = ("|O", "<f8", "<f4", "|V8", "|b1", "<i8", "<U9", "|S0", "<M8[s]", "<c16", ">f2", "<u1", "<U999999999")
        text = re.sub(r"'descr': '[^']*'", f"'descr': '{random.choice(kinds)}'", text)
    elif choice == 1:
        number = random.choice(NUMBERS)
        shape = random.choice(
            (
                f"({number},)",
                f"({number}, {number})",
                "()",
                "(0,)",
                "(1,)",
                "(1.5,)",
                "'x'",
                "(True,)",
                f"({number}, 0)",
                "(" + "1, " * 40 + ")",
            )
        )
        text = re.sub(r"'shape': \([^)]*\)", f"'shape': {shape}", text)
    elif choice == 2:
        text = re.sub(r"'fortran_order': \w+", f"'fortran_order': {random.choice(('True', '1', 'None', '[]'))}", text)
    elif choice == 3:
        text = random.choice(
            ("{" * 500, "(" * 5000, "[" * 90 + "]" * 90, "1" * 9000, text + "," * 9, "{}", "x", "-" * 3000 + "1")
        )
    else:
        text = _text(text.encode("latin1"), random).decode("latin1")
    encoded = text.encode("latin1", "replace")
    return raw[:8] + struct.pack("<I" if wide else "<H", len(encoded) % 65536) + encoded + raw[start + length :]


def _png(raw: bytes, random: Random, donor: bytes) -> bytes:
    """One chunk changed, repeated, moved or removed, with right checksums; at times a chunk of another picture."""
    chunks, at = [], 8
    while at + 12 <= len(raw):
        size = struct.unpack_from(">I", raw, at)[0]
        chunks.append((raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return raw
    place = random.randrange(len(chunks))
    kind, content = chunks[place]
    choice = random.randrange(6)
    if choice == 0:
        del chunks[place]
    elif choice == 1:
        chunks.insert(random.randrange(len(chunks) + 1), (kind, content))
    elif choice == 2:
        kinds = (
            b"iCCP",
            b"tEXt",
            b"zTXt",
            b"iTXt",
            b"eXIf",
            b"acTL",
            b"fcTL",
            b"fdAT",
            b"tRNS",
            b"PLTE",
            b"gAMA",
            b"pHYs",
        )
        bomb = b"x\x00\x00" + zlib.compress(bytes(random.choice((100, 2 << 20))))
        chunks.insert(
            random.randrange(1, len(chunks) + 1),
            (random.choice(kinds), random.choice((content[:99], b"", bomb, donor[:400]))),
        )
    else:
        chunks[place] = (kind, _bytes(content, random, donor))
    out = raw[:8]
    for kind, content in chunks:
        out += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return out


def _ply(raw: bytes, random: Random, donor: bytes) -> bytes:
    end = raw.index(b"end_header\n") + 11
    if random.random() < 0.7:
        return _text(raw[:end], random) + raw[end:]
    return raw[:end] + _bytes(raw[end:], random, donor)


def _safetensors(raw: bytes, random: Random) -> bytes:
    length = struct.unpack("<Q", raw[:8])[0]
    text = _json(raw[8 : 8 + length], random)
    return struct.pack("<Q", len(text)) + text + raw[8 + length :]
