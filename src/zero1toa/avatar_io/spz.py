"""Splats as SPZ, Niantic's compressed format: about a twelfth of the PLY, with losses that are hard to see.

Version 3 of github.com/nianticlabs/spz (README, "File Format"): one gzip stream of a header and, attribute by
attribute, whole numbers. Axes are right, up, back, which are ours. Version 4 compresses by zstandard and many programs
do not read it yet, version 3 is read by all.
"""

from __future__ import annotations

import gzip
import struct

import numpy as np
from numpy.typing import NDArray

from zero1toa.avatar_io import schema
from zero1toa.avatar_io.ply import harmonic
from zero1toa.avatar_io.posed import PosedSplats

MAGIC, VERSION = 0x5053474E, 3  # "NGSP"

FRACTIONAL_BITS = 20
"""Of a coordinate: steps of a micrometre, up to 8 m from the origin. The reference's own 12 bits are for rooms."""

_LARGEST = (1 << 23) - 1  # of a coordinate of 24 bits with sign
_COLOR_SCALE = 0.15  # bytes of colour hold 0.5 + 0.15 times the harmonic coefficient (reference: load-spz.cc)
_LOG_SCALE_STEPS, _LOG_SCALE_OFFSET = 16.0, 10.0  # a byte holds (ln(scale) + 10) * 16 (same place)
_ROTATION_STEPS = 511.0  # of a component of the quaternion between 0 and sqrt(1/2), in nine bits beside its sign
_ANTIALIASED = 0x1


def encode_spz(splats: PosedSplats, *, antialiased: bool = False) -> bytes:
    """The whole file; the same splats give the same bytes.

    Losses: places to 0.5 micrometres, opacities and colours to half of 1/255 and 1/150, scales to 3.2 %, rotations to
    about 0.1 degrees. Colours beyond about [-0.44, 1.44] and scales below 0.05 mm are clipped.

    Args:
        splats: at most some ten million.
        antialiased: whether they were trained with the opacity compensation of anti-aliased splats.
    """
    header = struct.pack(
        "<IIIBBBB", MAGIC, VERSION, len(splats.means), 0, FRACTIONAL_BITS, _ANTIALIASED if antialiased else 0, 0
    )
    log_scales = np.log(np.maximum(splats.scales.astype(np.float64), schema.SMALLEST_SCALE))
    parts: list[NDArray] = [
        _positions(splats.means),
        _bytes(splats.opacities.astype(np.float64) * 255),
        _bytes((harmonic(splats.colors).astype(np.float64) * _COLOR_SCALE + 0.5) * 255),
        _bytes((log_scales + _LOG_SCALE_OFFSET) * _LOG_SCALE_STEPS),
        _rotations(splats.quats),
    ]
    return gzip.compress(header + b"".join(part.tobytes() for part in parts), mtime=0)


def _positions(means: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(N, 3, 3) bytes, the lowest first."""
    fixed = np.round(means.astype(np.float64) * (1 << FRACTIONAL_BITS)).clip(-_LARGEST, _LARGEST).astype("<i4")
    return fixed.view(np.uint8).reshape(*means.shape, 4)[..., :3]


def _rotations(quats: NDArray[np.floating]) -> NDArray[np.uint32]:
    """(N,) the three smaller components of x, y, z, w and, in the two highest bits, which is the largest."""
    xyzw = np.roll(quats.astype(np.float64), -1, 1)
    largest = np.abs(xyzw).argmax(1)
    negative = np.take_along_axis(xyzw, largest[:, None], 1) < 0
    steps = np.floor(np.abs(xyzw) * np.sqrt(2) * _ROTATION_STEPS + 0.5).clip(0, _ROTATION_STEPS).astype(np.uint32)
    fields = ((xyzw < 0) ^ negative).astype(np.uint32) << np.uint32(9) | steps
    packed = largest.astype("<u4")
    for component in range(4):
        packed = np.where(component == largest, packed, packed << np.uint32(10) | fields[:, component])
    return packed.astype("<u4")


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.round(values).clip(0, 255).astype(np.uint8)
