"""Reads a PLY of Gaussian splats that nobody vouches for."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import schema
from .gltf_reader import DamagedFile

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "<i2", "int16": "<i2", "ushort": "<u2",
    "uint16": "<u2", "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4", "float": "<f4", "float32": "<f4",
    "double": "<f8", "float64": "<f8",
}  # fmt: skip
_MOST_HEADER, _MOST_SPLATS, _MOST_PROPERTIES = 64 << 10, 5_000_000, 256
_NEEDED = (
    "x",
    "y",
    "z",
    "opacity",
    *(f"f_dc_{k}" for k in range(3)),
    *(f"scale_{k}" for k in range(3)),
    *(f"rot_{k}" for k in range(4)),
)
_COUNT = re.compile("[0-9]{1,9}")
_LARGEST = 1e4  # metres, or logarithms of them: nothing in a head is as large


class SplatTable(NamedTuple):
    """Splats as a PLY says them."""

    means: NDArray[np.float32]  # (N, 3)
    quats: NDArray[np.float32]  # (N, 4) wxyz, unit length
    log_scales: NDArray[np.float32]  # (N, 3) natural logarithm of the standard deviation
    opacity_logits: NDArray[np.float32]  # (N,)
    colors: NDArray[np.float32]  # (N, 3) sRGB; of the degree 0 alone, seen from everywhere alike
    binding: NDArray[np.int64] | None  # (N,) `binding_0`, the triangle that the splat follows
    view_dependent: bool  # whether higher harmonics were left out


def read_splats(raw: bytes) -> SplatTable:
    """Splats from the bytes of a binary little-endian PLY whose first element is `vertex`.

    Some programs keep colours, opacities and sizes as they are instead of as harmonics, logits and logarithms; which it
    is, is told by their range.

    Raises:
        DamagedFile: it is something else, or contradicts itself.
    """
    count, names, dtype, start = _header(raw)
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise DamagedFile(f"its splats have no {missing[0]}; give a PLY of Gaussian splats")
    if len(raw) - start < count * dtype.itemsize:
        raise DamagedFile("it is cut off; get a fresh copy")
    table = np.frombuffer(raw, dtype, count, start)

    def columns(*wanted: str) -> NDArray[np.float32]:
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is refused
            values = np.stack([table[name].astype(np.float32) for name in wanted], 1)
        if not np.isfinite(values).all() or (abs(values) > _LARGEST).any():
            raise DamagedFile("a splat holds values that no splat can have; get a fresh copy")
        return values

    quats = columns(*(f"rot_{k}" for k in range(4)))
    length = np.linalg.norm(quats, axis=1, keepdims=True)
    quats = np.where(length > 1e-6, quats / np.maximum(length, 1e-6), np.array([1, 0, 0, 0])).astype(np.float32)
    scales = columns("scale_0", "scale_1", "scale_2")
    if (scales > 0).all():  # a logarithm of metres is negative
        scales = np.log(np.maximum(scales, schema.SMALLEST_SCALE))
    opacity = columns("opacity")[:, 0]
    if opacity.min() >= 0 and opacity.max() <= 1:
        inside = opacity.clip(1e-6, 1 - 1e-6)
        opacity = np.log(inside / (1 - inside))
    colors = columns("f_dc_0", "f_dc_1", "f_dc_2")
    if colors.min() < -0.01 or colors.max() > 1.01:  # a head in harmonics has dark places, which are negative
        colors = 0.5 + schema.SH_C0 * colors
    binding = None
    if "binding_0" in names:
        values = table["binding_0"].astype(np.float64)
        if not np.isfinite(values).all() or (values < 0).any() or (values != np.floor(values)).any():
            raise DamagedFile("its splats are bound to no triangles; get a fresh copy")
        binding = values.astype(np.int64)
    rest = [name for name in names if name.startswith("f_rest_")]
    view_dependent = bool(rest) and any(np.any(table[name]) for name in rest)
    return SplatTable(
        columns("x", "y", "z"), quats, scales.astype(np.float32), opacity.astype(np.float32),
        colors.astype(np.float32), binding, view_dependent,
    )  # fmt: skip


def _header(raw: bytes) -> tuple[int, list[str], np.dtype, int]:
    """Number of splats, names of their properties, the type of a row, and where the rows begin."""
    if raw[:4] not in (b"ply\n", b"ply\r"):
        raise DamagedFile("it is no PLY file")
    end = raw.find(b"end_header", 0, _MOST_HEADER)
    if end < 0:
        raise DamagedFile("it has no end of its header; get a fresh copy")
    start = raw.find(b"\n", end) + 1
    if start == 0:
        raise DamagedFile("it is cut off; get a fresh copy")
    lines = [line.split() for line in raw[:end].decode("latin1").splitlines()[1:]]
    if ["format", "binary_little_endian", "1.0"] not in lines:
        raise DamagedFile("it is no binary little-endian PLY; save it as one")
    count, fields = -1, []
    for words in lines:
        if words[:1] == ["element"]:
            if count >= 0:
                break  # further elements follow the splats and are not read
            if len(words) != 3 or words[1] != "vertex" or not _COUNT.fullmatch(words[2]) or len(words[2]) > 9:
                raise DamagedFile("its first element is not 'vertex'; give a PLY of Gaussian splats")
            count = int(words[2])
        elif words[:1] == ["property"] and count >= 0:
            if len(words) != 3 or words[1] not in _TYPES:
                raise DamagedFile("its properties cannot be read; give a PLY of Gaussian splats")
            fields.append((words[2], _TYPES[words[1]]))
    names = [name for name, _ in fields]
    if not 0 < count <= _MOST_SPLATS or not 0 < len(fields) <= _MOST_PROPERTIES or len(set(names)) != len(names):
        raise DamagedFile("it holds no splats, or too many; give a PLY of Gaussian splats")
    return count, names, np.dtype(fields), start
