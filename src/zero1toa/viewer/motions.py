"""The built-in motions in the few bytes in which the browser gets them (`web/src/core/motion.ts` reads them)."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zero1toa.motion import BUILTIN_NAMES, Motion, builtin

_BYTE = 255  # a weight of 1
_TICK = 1e-4  # radians of one step of an angle


def packed_motions() -> list[dict[str, Any]]:
    """Every built-in motion, ready for JSON."""
    return [pack(name, builtin(name)) for name in BUILTIN_NAMES]


def pack(name: str, motion: Motion) -> dict[str, Any]:
    """A motion as plain values: weights to 1/255, shape by shape, without those that never move; angles to 0.1 mrad."""
    weights = np.round(motion.weights * _BYTE).astype(np.uint8)
    shapes = np.flatnonzero(weights.any(0))
    return {
        "name": name,
        "fps": motion.fps,
        "frames": len(motion),
        "shapes": shapes.tolist(),
        "weights": _base64(weights[:, shapes].T),
        "neck": _base64(_ticks(motion.neck)),
        "head": _base64(_ticks(motion.head)),
    }


def _ticks(angles: NDArray[np.floating]) -> NDArray[np.int16]:
    return np.round(angles / _TICK).clip(-32767, 32767).astype("<i2")


def _base64(values: NDArray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
