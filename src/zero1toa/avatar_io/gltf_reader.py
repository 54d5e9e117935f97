"""Reads a GLB that nobody vouches for: every offset, count and type is checked before it is used.

pygltflib writes our files, but it trusts what it reads, so reading is done here with `json` and NumPy alone.
"""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError

MAX_FILE_BYTES = 1 << 30
MAX_JSON_BYTES = 4 << 20
MAX_ROWS = 8_000_000
"""Limits of one file. An avatar of 100,000 splats has 8 MB, 60 kB of them JSON, and 100,000 rows."""

_HEADER = struct.Struct("<4sII")  # magic, version, length of the file
_CHUNK = struct.Struct("<I4s")  # length, type
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


class DamagedFile(ValueError):
    """The content contradicts itself. The message ends the sentence "Cannot read avatar.glb: ..."."""


def damaged(what: str) -> NoReturn:
    raise DamagedFile(f"{what}; the file is damaged, get a fresh copy or create the avatar again")


class GltfFile:
    """The JSON and the binary part of a GLB; getters check what they give."""

    def __init__(self, document: dict[str, Any], binary: memoryview) -> None:
        self.document = document
        self._binary = binary

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> GltfFile:
        """Reads the two chunks.

        Raises:
            InputError: the file cannot be opened, or is larger than `MAX_FILE_BYTES`.
            DamagedFile: it is no GLB 2.0, is cut off or does not hold valid JSON.
        """
        try:
            file = Path(path)
            if file.is_dir():
                raise InputError(f"Cannot read {path}: it is a folder; give an avatar file.")
            if not file.is_file():
                raise InputError(f"Cannot read {path}: there is no such file; check the name.")
            if file.stat().st_size > MAX_FILE_BYTES:
                raise InputError(
                    f"Cannot read {path}: it is larger than {MAX_FILE_BYTES >> 30} GB; give an avatar file."
                )
            data = file.read_bytes()
        except OSError as error:
            raise InputError(f"Cannot read {path}: {(error.strerror or 'reading failed').lower()}.") from error
        return cls.parse(data)

    @classmethod
    def parse(cls, data: bytes) -> GltfFile:
        """The same from bytes. Raises DamagedFile."""
        if data[:4] != b"glTF":
            raise DamagedFile("it is not a GLB file; give an avatar file that `create` wrote")
        if len(data) < _HEADER.size:
            damaged("it is cut off")
        _, version, length = _HEADER.unpack_from(data)
        if version != 2:
            raise DamagedFile(f"it is a GLB of version {version}, not 2; give an avatar file that `create` wrote")
        if length != len(data):
            damaged(f"it has {len(data)} bytes instead of {length}")
        chunks: dict[bytes, memoryview] = {}
        offset = _HEADER.size
        while offset < length:
            if offset + _CHUNK.size > length:
                damaged("it is cut off")
            size, kind = _CHUNK.unpack_from(data, offset)
            offset += _CHUNK.size
            if size > length - offset:
                damaged("a part of it is longer than the file")
            chunks.setdefault(kind, memoryview(data)[offset : offset + size])
            offset += size
        if b"JSON" not in chunks or len(chunks[b"JSON"]) > MAX_JSON_BYTES:
            damaged("its description is missing or too long")
        return cls(_parse_json(bytes(chunks[b"JSON"])), chunks.get(b"BIN\0", memoryview(b"")))

    def accessor(self, index: object, width: int, *, rows: int | None = None) -> NDArray:
        """One accessor's values (rows,) for `width` 1, else (rows, width), in the stored type; may be read-only.

        Raises:
            DamagedFile: anything out of bounds, of another width or number of rows, or not finite.
        """
        entry = self.item("accessors", index)
        dtype = np.dtype(_COMPONENTS.get(whole(entry, "componentType", 0, 1 << 16), "V1"))
        if dtype.kind == "V" or _WIDTHS.get(text(entry, "type")) != width:
            damaged("an accessor has the wrong type")
        count = whole(entry, "count", 0, MAX_ROWS)
        if rows is not None and count != rows:
            damaged(f"an accessor has {count} rows instead of {rows}")
        if "bufferView" in entry:
            values = self._view(
                entry["bufferView"], whole(entry, "byteOffset", 0, MAX_FILE_BYTES, 0), dtype, count, width
            )
        else:
            if rows is None:
                damaged("an accessor has no data")
            values = np.zeros((count, width), dtype)
        if "sparse" in entry:
            values = self._with_sparse(values, entry)
        if dtype.kind == "f" and not np.isfinite(values).all():
            damaged("an accessor holds a number that is not finite")
        return values[:, 0] if width == 1 else values

    def item(self, collection: str, index: object) -> dict[str, Any]:
        """One entry of a top-level list."""
        listed = self.document.get(collection)
        if not isinstance(listed, list) or not _is_whole(index) or not 0 <= index < len(listed):
            damaged(f"an entry of its {collection} is missing")
        entry = listed[index]
        if not isinstance(entry, dict):
            damaged(f"an entry of its {collection} is no object")
        return entry

    def _with_sparse(self, values: NDArray, entry: dict[str, Any]) -> NDArray:
        sparse = member(entry, "sparse")
        count = whole(sparse, "count", 0, len(values))
        where, what = member(sparse, "indices"), member(sparse, "values")
        index_type = np.dtype(_COMPONENTS.get(whole(where, "componentType", 0, 1 << 16), "V1"))
        if index_type.kind != "u":
            damaged("an accessor has the wrong type")
        offset = whole(where, "byteOffset", 0, MAX_FILE_BYTES, 0)
        rows = self._view(where.get("bufferView"), offset, index_type, count, 1)[:, 0]
        if count and (rows[-1] >= len(values) or (np.diff(rows.astype(np.int64)) <= 0).any()):
            damaged("a sparse accessor points outside its rows")
        offset = whole(what, "byteOffset", 0, MAX_FILE_BYTES, 0)
        values = values.copy()
        values[rows] = self._view(what.get("bufferView"), offset, values.dtype, count, values.shape[1])
        return values

    def _view(self, index: object, offset: int, dtype: np.dtype, count: int, width: int) -> NDArray:
        view = self.item("bufferViews", index)
        whole(view, "buffer", 0, 0, 0)  # a GLB of ours has one buffer, inside the file
        start = whole(view, "byteOffset", 0, MAX_FILE_BYTES, 0)
        length = whole(view, "byteLength", 0, MAX_FILE_BYTES)
        row = dtype.itemsize * width
        stride = whole(view, "byteStride", row, 252, row)  # 252: the largest stride that glTF allows
        needed = offset + (stride * (count - 1) + row if count else 0)
        if start + length > len(self._binary) or needed > length:
            damaged("an accessor reaches beyond the data")
        if not count:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, self._binary, start + offset, (stride, dtype.itemsize))


def _parse_json(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedFile("its description is not valid JSON; the file is damaged, get a fresh copy") from error
    if not isinstance(document, dict):
        damaged("its description is no object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def member(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """`parent[key]`, which must be an object."""
    value = parent.get(key)
    if not isinstance(value, dict):
        damaged(f"its entry {key!r} is missing")
    return value


def entries(parent: dict[str, Any], key: str, limit: int) -> list[Any]:
    """`parent[key]`, which must be a list of at most `limit` entries; no list counts as an empty one."""
    value = parent.get(key, [])
    if not isinstance(value, list) or len(value) > limit:
        damaged(f"its entry {key!r} is no list or too long")
    return value


def text(parent: dict[str, Any], key: str) -> str:
    """`parent[key]`, which must be a string."""
    value = parent.get(key)
    if not isinstance(value, str):
        damaged(f"its entry {key!r} is missing")
    return value


def whole(parent: dict[str, Any], key: str, low: int, high: int, default: int | None = None) -> int:
    """`parent[key]`, which must be a whole number in [low, high]."""
    value = parent.get(key, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not _is_whole(value) or not low <= value <= high:
        damaged(f"its entry {key!r} is not a whole number in range")
    return value


def floats(parent: dict[str, Any], key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """`parent[key]`, which must be nested lists of finite numbers of this shape; -1 is any length up to 10,000."""
    value = parent.get(key, [])
    if not _has_shape(value, shape):
        damaged(f"its entry {key!r} has the wrong shape or is no number")
    return np.asarray(value, np.float64)


def _has_shape(value: object, shape: tuple[int, ...]) -> bool:
    if not shape:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and abs(value) < 1e30
            and math.isfinite(value)
        )
    if not isinstance(value, list) or len(value) > 10_000 or shape[0] not in (-1, len(value)):
        return False
    return all(_has_shape(v, shape[1:]) for v in value)
