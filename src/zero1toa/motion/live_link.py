"""The CSV files of Live Link Face: 52 ARKit weights and 9 angles of head and eyes, a row for each frame.

Angles are radians about the axes of ARKit's face anchor, which are those of our world: pitch about x (positive looks
down), yaw about y (positive to the subject's left), roll about z (positive tilts to the subject's right); the rotation
is yaw, then pitch, then roll, each about the axis that the one before has turned.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import InputError
from zero1toa.files import atomic_write
from zero1toa.heads import arkit

from . import timecode
from .gaze import gaze_angles, write_gaze_angles
from .head_motion import split_turn, whole_turn
from .motion import LONGEST_SECONDS, Motion, check_fps, too_long
from .names import arkit_columns, arkit_weights, plain

_ANGLES = ("Yaw", "Pitch", "Roll")
_GROUPS = ("Head", "LeftEye", "RightEye")
_HEADER = (
    "Timecode",
    "BlendShapeCount",
    *(name[0].upper() + name[1:] for name in arkit.NAMES),
    *(group + angle for group in _GROUPS for angle in _ANGLES),
)
_COUNT = len(_HEADER) - 2
_ORDER = "YXZ"  # yaw, pitch, roll, intrinsic
_MOST_FRAMES = 1_000_000  # more is no recording of a face, whatever its timecodes say
_MOST_BYTES = 1 << 30  # of a file; an hour at 60 frames a second has 120 MB
_MOST_COLUMNS = 1000  # recorders write 63
_LONGEST_LINE = 1 << 20  # letters
_DECIMALS = 6
_TAIL = 8192  # bytes that surely hold the last row


class _Rows(NamedTuple):
    """What a file holds, as numbers: an hour of text would be most of a gigabyte."""

    header: list[str]
    values: list[array[float]]  # of each row; empty where it has none; NaN for what is no number
    codes: list[tuple[float, float]]  # timecodes; empty if a frame rate is given


def is_live_link(path: Path) -> bool:
    """Whether a text file begins like such a CSV."""
    try:
        with open(path, encoding="utf-8-sig", errors="strict") as file:
            start = file.readline(20_000).lower()
    except (OSError, UnicodeDecodeError):
        return False
    return "timecode" in start or "jawopen" in start.replace("_", "")


def read_live_link(path: str | PathLike[str], fps: float | None = None) -> Motion:
    """Reads a CSV of Live Link Face. Columns are found by name in any case and order.

    Rows without values, as the app writes them where it saw no face, are filled from the rows around them, and so are
    frames that were dropped. Of the angles, those of the head are shared by head and neck; those of the eyes count only
    if the eyeLook weights are all 0, since the app says the same thing twice.

    Args:
        path: the file.
        fps: frame rate of the rows; by default what the timecodes say.

    Raises:
        InputError: the file is missing, is none of these, lacks columns, holds something that is no number, or more
            than an hour.
    """
    shown = str(path)
    header, rows, codes = _read_rows(Path(path).expanduser(), shown, fps)
    names = [plain(name) for name in header]
    shapes = arkit_columns(header, shown)
    angles = {group: _angle_columns(names, group, shown) for group in _GROUPS}
    values = _filled(rows, len(header), shown)
    weights = arkit_weights(values, shapes, shown)
    turns = {group: _rotations(values, columns, group, shown) for group, columns in angles.items() if columns}
    neck, head = split_turn(turns.get("Head", np.zeros((len(values), 3))))
    eyes = None
    if not gaze_angles(weights).any() and any(turns[g].any() for g in ("LeftEye", "RightEye") if g in turns):
        both = [turns.get(group, np.zeros((len(values), 3))) for group in ("LeftEye", "RightEye")]
        eyes = np.stack(both, 1)
        eyes[..., :2] = write_gaze_angles(weights, eyes[..., :2].astype(np.float64))
    if fps is not None:
        return Motion.of(check_fps(fps), weights, head, neck, eyes)
    times = timecode.row_times(codes, shown)
    rate = timecode.frame_rate(times)
    if (
        times[-1] > LONGEST_SECONDS or times[-1] * rate > _MOST_FRAMES
    ):  # days that pass between two rows, or no time at all
        raise too_long(shown)
    motion = Motion.of(rate, weights, head, neck, eyes)
    return motion if timecode.is_even(times, rate) else _evened(motion, times)


def write_live_link(path: str | PathLike[str], motion: Motion) -> None:
    """Writes a motion as a CSV of Live Link Face; an older file is replaced only when the new one is whole.

    What `motion.eyes` adds to the gaze goes into the eyeLook weights, as far as these reach.

    Raises:
        OutputError: the file cannot be written.
    """
    from scipy.spatial.transform import Rotation

    weights = motion.weights.astype(np.float64)
    look = gaze_angles(weights)
    if motion.eyes is not None:
        look = look + motion.eyes[..., :2]
        write_gaze_angles(weights, look)
    eyes = np.concatenate([look, np.zeros((len(motion), 2, 1))], -1)
    turns = [whole_turn(motion.neck, motion.head), eyes[:, 0], eyes[:, 1]]
    angles = np.concatenate([Rotation.from_rotvec(turn).as_euler(_ORDER) for turn in turns], 1)
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        for frame, row in enumerate(np.concatenate([weights, angles], 1)):
            numbers = [f"{value:.{_DECIMALS}f}" for value in row]
            writer.writerow([timecode.written(frame, motion.fps), _COUNT, *numbers])


def _read_rows(path: Path, shown: str, fps: float | None) -> _Rows:
    """The content of a file; its reading stops where it is too long."""
    if not path.is_file():
        raise InputError(f"There is no motion file {shown}.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            start = file.readline(_LONGEST_LINE)
            if len(start) == _LONGEST_LINE or path.stat().st_size > _MOST_BYTES:
                raise InputError(f"{shown} is too large for a recording of a face.")
            file.seek(0)
            reader = csv.reader(file, delimiter=";" if start.count(";") > start.count(",") else ",")
            header = next(reader, [])
            if not any(name.strip() for name in header):
                raise InputError(f"{shown} is empty.")
            if len(header) > _MOST_COLUMNS:
                raise InputError(f"{shown} has more than {_MOST_COLUMNS} columns.")
            at = next((i for i, name in enumerate(header) if plain(name) == "timecode"), None)
            if at is None and fps is None:
                raise InputError(f"{shown} lacks the column Timecode; say the frame rate with --motion-fps.")
            last = None if at is None else _last_timecode(path, at, reader.dialect.delimiter)
            rows: list[array[float]] = []
            codes: list[tuple[float, float]] = []
            for row in reader:
                if not any(row):
                    continue
                there = len(row) >= len(header) and any(cell.strip() for cell in row[2:])
                rows.append(array("d", map(_number, row[: len(header)]) if there else ()))
                if at is not None and fps is None:
                    code = timecode.parse(row[at]) if at < len(row) else None
                    if code is None:
                        raise InputError(f"{shown} has no timecode like 00:00:01:15.000 in row {len(rows) + 1}.")
                    codes.append(code)
                    if timecode.between(codes[0], last or code) > LONGEST_SECONDS:
                        raise too_long(shown)
                    last = None  # from here on each row's own counts
                elif fps is not None and len(rows) > LONGEST_SECONDS * fps:
                    raise too_long(shown)
                if len(rows) > _MOST_FRAMES:
                    raise too_long(shown)
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        raise InputError(f"{shown} cannot be read as a CSV file.") from error
    if not rows:
        raise InputError(f"{shown} has a header but no frame.")
    return _Rows(header, rows, codes)


def _last_timecode(path: Path, column: int, delimiter: str) -> tuple[float, float] | None:
    """That of the last row, found without reading the file; None if it is not found."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().decode("utf-8", "replace").rstrip().splitlines()
    cells = lines[-1].split(delimiter) if lines else []
    return timecode.parse(cells[column].strip('"')) if column < len(cells) else None


def _angle_columns(names: Sequence[str], group: str, shown: str) -> list[int]:
    """Columns of yaw, pitch and roll, or none if the file has none of them."""
    wanted = [plain(group + angle) for angle in _ANGLES]
    missing = [group + angle for angle, name in zip(_ANGLES, wanted) if name not in names]
    if len(missing) == len(wanted):
        return []
    if missing:
        raise InputError(f"{shown} lacks the column {missing[0]}.")
    return [names.index(name) for name in wanted]


def _filled(rows: list[array[float]], columns: int, shown: str) -> NDArray[np.float64]:
    """(F, columns) numbers. Rows without values are interpolated."""
    values = np.zeros((len(rows), columns))
    known = np.array([len(row) > 0 for row in rows])
    for index in np.flatnonzero(known):
        values[index] = rows[index]
    if not known.any():
        raise InputError(f"{shown} has no frame with values: the app saw no face.")
    if not known.all():
        frames = np.arange(len(rows))
        for column in range(columns):
            values[~known, column] = np.interp(frames[~known], frames[known], values[known, column])
    return values


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _rotations(values: NDArray[np.float64], columns: list[int], group: str, shown: str) -> NDArray[np.float64]:
    """(F, 3) rotation vectors."""
    from scipy.spatial.transform import Rotation

    angles = values[:, columns]
    bad = ~np.isfinite(angles)
    if bad.any():
        row, axis = np.argwhere(bad)[0]
        raise InputError(f"{shown} holds a value that is not a number: {group}{_ANGLES[axis]} in frame {row}.")
    turns: NDArray[np.float64] = Rotation.from_euler(_ORDER, angles).as_rotvec()
    return turns


def _evened(motion: Motion, times: NDArray[np.float64]) -> Motion:
    """The motion of rows at uneven `times`, at even ones."""
    frames = max(1, round(float(times[-1]) * motion.fps) + 1)
    rising = np.maximum.accumulate(times) + 1e-9 * np.arange(len(times))  # two rows may share one time
    return motion.at(np.interp(np.arange(frames) / motion.fps, rising, np.arange(len(times))), motion.fps)
