"""Arrays of npz and npy files that nobody vouches for.

NumPy's own reader trusts the header of an array: it allocates what the header claims before it looks at the data, takes
any type, and fails in many ways on a damaged zip. Here the bytes are counted first, and nothing is made but arrays of
numbers, truth values and texts.
"""

from __future__ import annotations

import ast
import io
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

MOST_MEMBERS = 10_000
"""Arrays of a file, read or not; those that we know have at most a hundred."""

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 10_000  # letters; as NumPy's own reader
_MOST_DIMENSIONS = 8
_TYPE = re.compile(r"[<>|=]?(?:f[248]|[iu][1248]|b1|[US]\d{1,6})")
_LAST_CHARACTER = 0x10FFFF  # of Unicode
# What zipfile and zlib raise on damaged archives: found by reading 10,000 of them.
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError,
               OverflowError, struct.error, TypeError, MemoryError)  # fmt: skip


class DamagedArrays(ValueError):
    """The file is no npz or npy of plain arrays, contradicts itself, or holds too much."""


def read_arrays(
    source: Path | bytes, most_bytes: int, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, NDArray[Any]]:
    """Arrays of an npz by name, writable and in the machine's byte order. What is not wanted is not unpacked.

    Args:
        source: the file, or its content.
        most_bytes: that all wanted arrays may have together.
        wanted: which names to read; names that begin like `.npy` files have no ending here.

    Raises:
        DamagedArrays: it is no npz, is broken, holds objects or other types that only a program can read, or too much.
        OSError: the file cannot be opened.
    """
    with open(source, "rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                return _members(archive, most_bytes, wanted)
        except DamagedArrays:
            raise
        except _BROKEN_ZIP as error:
            raise DamagedArrays("it cannot be unpacked") from error


def read_array(source: Path | bytes, most_bytes: int) -> NDArray[Any]:
    """The array of an npy.

    Raises:
        DamagedArrays: as `read_arrays`.
        OSError: the file cannot be opened.
    """
    with open(source, "rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        raw = stream.read(most_bytes + _MOST_HEADER + 1)
    if len(raw) > most_bytes + _MOST_HEADER:
        _refuse("it holds too much")
    return _array(raw)


def _members(archive: zipfile.ZipFile, most_bytes: int, wanted: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        _refuse("it has too many entries")
    found: dict[str, NDArray[Any]] = {}
    left = most_bytes
    for item in listed:
        name = item.filename.removesuffix(".npy")
        if not item.filename.endswith(".npy") or not wanted(name):
            continue
        if name in found:
            _refuse(f"it holds {name} twice")
        if item.flag_bits & 1 or item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse("it is packed in an unusual way")
        if item.file_size > left + _MOST_HEADER:
            _refuse("it unpacks to too much")
        with archive.open(item) as stream:
            raw = stream.read(left + _MOST_HEADER + 1)  # never more than the entry claims, which has been looked at
        left -= len(raw)
        found[name] = _array(raw)
    return found


def _array(raw: bytes) -> NDArray[Any]:
    if raw[:6] != _MAGIC or len(raw) < 12 or raw[6] not in (1, 2, 3):
        _refuse("an entry is no array")
    wide = raw[6] > 1
    length = struct.unpack_from("<I" if wide else "<H", raw, 8)[0]
    start = (12 if wide else 10) + length
    if length > _MOST_HEADER or start > len(raw):
        _refuse("an array is cut off")
    kind, shape, columns_first = _header(raw[start - length : start].decode("latin1"))
    count = math.prod(shape)
    if count * kind.itemsize != len(raw) - start:
        _refuse("an array's size and content differ")
    if kind.kind == "b":
        values: NDArray[Any] = np.frombuffer(raw, np.uint8, count, start) != 0  # a byte of 2 is no truth value
    elif kind.itemsize == 0:
        values = np.zeros(count, kind)
    else:
        values = np.frombuffer(raw, kind, count, start).astype(kind.newbyteorder("="))
    if kind.kind == "U" and kind.itemsize and (values.view(np.uint32) > _LAST_CHARACTER).any():
        _refuse("a text holds what is no character")
    return values.reshape(shape, order="F" if columns_first else "C")


def _header(text: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Type, shape, and whether the first index runs fastest."""
    try:
        header = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise DamagedArrays("an array's header cannot be read") from error
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        _refuse("an array's header cannot be read")
    descr, shape, order = header["descr"], header["shape"], header["fortran_order"]
    if not isinstance(descr, str) or not _TYPE.fullmatch(descr):
        _refuse("an array holds neither numbers nor texts")
    if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS or not isinstance(order, bool):
        _refuse("an array has no proper shape")
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 40 for n in shape):
        _refuse("an array has no proper shape")
    return np.dtype(descr), shape, order


def _refuse(why: str) -> NoReturn:
    raise DamagedArrays(why)
