"""ARKit weights in JSON and npz files as other programs write them, and in our own.

JSON, in any of these forms (names in any spelling, frames of 52 numbers or of names with numbers):

    {"fps": 30, "names": [...], "weights": [[...], ...]}            also head, neck: [[x, y, z], ...] rotation vectors
    {"names": [...], "frames": [{"weights": [...], "time": 0.0}, ...], "metadata": {"fps": 30}}
    {"exportFps": 30, "facsNames": [...], "weightMat": [[...], ...]}
    [{"jawOpen": 0.1, ...}, ...]                                    or {"fps": 30, "frames": [{"jawOpen": ...}, ...]}

npz: what `Motion.save` writes; or `weights` (F, 52 or as many as `names`) with `names` and `fps`; or an array (F,) for
each shape under its name. Nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError
from zero1toa.heads import arkit

from .motion import LONGEST_SECONDS, Motion, check_fps, too_long
from .names import arkit_columns, arkit_weights, plain

_FPS = 30.0  # of a file that does not say
_FPS_KEYS = ("fps", "exportFps", "frame_rate", "frameRate")
_NAME_KEYS = ("names", "facsNames", "blendshape_names", "blendshapeNames")
_MATRIX_KEYS = ("weights", "weightMat", "blendshapes")
_FRAME_WEIGHTS = ("weights", "blendshapes", "blendShapes")
_LARGEST_JSON = 256 << 20
"""Bytes. Python's JSON takes up to 24 times as much memory; half an hour at 60 frames a second, in words as short as
JSON's, has 60 MB."""


def read_json(path: Path, fps: float | None = None) -> Motion:
    """Reads weights from a JSON file; see the module.

    Raises:
        InputError: the file is none of these, or its numbers cannot be used.
    """
    shown = str(path)
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise InputError(f"{shown} has more than {_LARGEST_JSON >> 20} MB of JSON; give it in parts, or as npz.")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{shown} cannot be read as JSON.") from error
    top: Mapping[str, Any] = content if isinstance(content, dict) else {"frames": content}
    metadata = top.get("metadata")
    places = [top, metadata] if isinstance(metadata, dict) else [top]
    rate = check_fps(fps if fps is not None else _first(places, _FPS_KEYS, _FPS))
    names = _first(places, _NAME_KEYS, None)
    if not (names is None or _are_texts(names)):
        raise InputError(f"{shown} holds names that are no list of texts.")
    frames = _first([top], (*_MATRIX_KEYS, "frames"), None)
    if not isinstance(frames, list) or not frames:
        raise InputError(f"{shown} holds no frames of ARKit weights.")
    if len(frames) > LONGEST_SECONDS * rate:
        raise too_long(shown)
    if isinstance(frames[0], dict):
        frames, names = _rows(frames, names, shown)
    weights = _named(_matrix(frames, shown), names, shown)
    return _with_turns(rate, weights, top, shown)


def read_npz_weights(arrays: Mapping[str, NDArray[Any]], shown: str, fps: float | None = None) -> Motion:
    """A motion from arrays that are not those of `Motion.save`; see the module.

    Raises:
        InputError: they are no ARKit weights, or their numbers cannot be used.
    """
    said = next((arrays[key] for key in _FPS_KEYS if key in arrays), None)
    rate = check_fps(fps if fps is not None else _FPS if said is None else next(iter(said.ravel().tolist()), None))
    given = next((arrays[key] for key in _MATRIX_KEYS if key in arrays), None)
    names = next((arrays[key].ravel().tolist() for key in _NAME_KEYS if key in arrays), None)
    if not (names is None or _are_texts(names)):
        raise InputError(f"{shown} holds names that are no texts.")
    if given is None:
        columns = [key for key, array in arrays.items() if plain(key) in _PLAIN and array.ndim == 1]
        if not columns or len({len(arrays[key]) for key in columns}) != 1:
            raise InputError(f"{shown} holds no ARKit weights: an array `weights` (F, 52) or one (F,) for each shape.")
        given, names = np.stack([arrays[key] for key in columns], 1), columns
    if len(given) > LONGEST_SECONDS * rate:
        raise too_long(shown)
    weights = _named(_matrix(given, shown), names, shown)
    return _with_turns(rate, weights, arrays, shown)


_PLAIN = {plain(name) for name in arkit.NAMES}


def _with_turns(rate: float, weights: NDArray[np.float64], given: Mapping[str, Any], shown: str) -> Motion:
    """The motion with what rotations there are."""
    still = np.zeros((len(weights), 3))
    head, neck = (_matrix(given[key], shown) if key in given else still for key in ("head", "neck"))
    return Motion.of(rate, weights, head, neck, _matrix(given["eyes"], shown) if "eyes" in given else None)


def _first(places: Sequence[Mapping[str, Any]], keys: Sequence[str], otherwise: Any) -> Any:
    return next((place[key] for place in places for key in keys if key in place), otherwise)


def _are_texts(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _rows(frames: list[Any], names: Any, shown: str) -> tuple[list[Any], Any]:
    """Rows of numbers and their names, from frames that are objects."""
    rows: list[Any] = []
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise InputError(f"{shown} holds a frame that is no object: frame {index}.")
        inner = _first([frame], _FRAME_WEIGHTS, frame)
        if isinstance(inner, dict):
            by_name = {plain(key): value for key, value in inner.items()}
            if index == 0:
                names = [name for name in arkit.NAMES if plain(name) in by_name]
                arkit_columns(names, shown)
            lacking = [name for name in names or () if plain(name) not in by_name]
            if lacking:
                raise InputError(f"{shown} lacks {lacking[0]} in frame {index}.")
            inner = [by_name[plain(name)] for name in names]
        rows.append(inner)
    return rows, names


def _matrix(values: Any, shown: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{shown} holds frames of different lengths, or what is no number.") from error
    return array


def _named(values: NDArray[np.float64], names: Any, shown: str) -> NDArray[np.float64]:
    """(F, 52) weights from columns with names; without names they are the 52 in ARKit's order."""
    if values.ndim != 2:
        raise InputError(f"{shown} holds weights of the shape {values.shape}, not one row for each frame.")
    if names is None:
        if values.shape[1] != len(arkit.NAMES):
            raise InputError(f"{shown} holds {values.shape[1]} weights a frame without their names, not 52.")
        names = arkit.NAMES
    if len(names) != values.shape[1]:
        raise InputError(f"{shown} holds {len(names)} names for {values.shape[1]} weights a frame.")
    return arkit_weights(values, arkit_columns(list(names), shown), shown)
