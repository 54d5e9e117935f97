"""A motion: how a face moves over time, in the one language that drives every head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zero1toa.errors import InputError, told
from zero1toa.heads import JOINTS, arkit

Floats = NDArray[np.float32]

_NECK, _HEAD, _EYES = JOINTS.index("neck"), JOINTS.index("head"), JOINTS.index("eyeLeft")
LONGEST_SECONDS = 3600.0
"""Of a motion that is read from a file or made by name; more is a slip, and would not fit in memory."""

_ROUNDING = 1e-3  # a weight this far outside [0, 1] is a rounding error of whoever wrote it, not a mistake


@dataclass(frozen=True, eq=False)
class Motion:
    """ARKit weights and rotations, frame by frame; frame `i` is shown from `i / fps` to `(i + 1) / fps` seconds.

    Rotations are rotation vectors in radians about the joint and relative to its parent, as in `RiggedHead.pose`. The
    jaw moves by `jawOpen`, and gaze usually comes by the eyeLook weights: `eyes` is added to what they ask.

    Arrays are copied, and cannot be written to.

    Raises:
        InputError: a shape is wrong, there is no frame, a number is missing or a weight lies outside [0, 1].
    """

    fps: float
    weights: Floats  # (F, 52) in [0, 1], order arkit.NAMES
    head: Floats  # (F, 3)
    neck: Floats  # (F, 3)
    eyes: Floats | None = None  # (F, 2, 3) left, right

    def __post_init__(self) -> None:
        fps = check_fps(self.fps)
        weights = _numbers(self.weights, "weights")
        if weights.ndim != 2 or weights.shape[1] != len(arkit.NAMES):
            raise InputError(f"A motion has 52 ARKit weights a frame, not an array of shape {weights.shape}.")
        frames = len(weights)
        if frames == 0:
            raise InputError("The motion holds no frame.")
        outside = (weights < -_ROUNDING) | (weights > 1 + _ROUNDING)
        if outside.any():
            frame, column = np.argwhere(outside)[0]
            raise InputError(
                f"ARKit weights lie between 0 and 1, but {arkit.NAMES[column]} is {weights[frame, column]:.3g} "
                f"in frame {frame} of the motion."
            )
        checked: dict[str, Floats] = {"weights": weights.clip(0, 1)}
        for name, shape in (("head", (frames, 3)), ("neck", (frames, 3)), ("eyes", (frames, 2, 3))):
            value = getattr(self, name)
            if name == "eyes" and value is None:
                continue
            checked[name] = _numbers(value, f"{name} rotations")
            if checked[name].shape != shape:
                raise InputError(
                    f"The {name} rotations of a motion of {frames} frames have the shape {shape}, "
                    f"not {checked[name].shape}."
                )
        object.__setattr__(self, "fps", fps)
        for name, value in checked.items():
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @classmethod
    def still(cls, weights: ArrayLike, fps: float) -> Motion:
        """A motion (F, 52) of the face alone: head and neck stay at rest."""
        weights = _numbers(weights, "weights")
        zero = np.zeros((len(weights) if weights.ndim else 0, 3), np.float32)
        return cls(fps, weights, zero, zero)

    @classmethod
    def of(
        cls, fps: float, weights: ArrayLike, head: ArrayLike, neck: ArrayLike, eyes: ArrayLike | None = None
    ) -> Motion:
        """A motion from arrays of any kind of number; shapes as in the fields."""
        turns = _numbers(head, "head rotations"), _numbers(neck, "neck rotations")
        gaze = None if eyes is None else _numbers(eyes, "eyes rotations")
        return cls(fps, _numbers(weights, "weights"), turns[0], turns[1], gaze)

    def __len__(self) -> int:
        """How many frames."""
        return len(self.weights)

    @property
    def seconds(self) -> float:
        """How long it lasts, the last frame included."""
        return len(self) / self.fps

    def expression(self, frame: int) -> Floats:
        """(52,) ARKit weights of a frame, for `Avatar.render`."""
        return self.weights[frame]

    def pose(self, frame: int) -> Floats:
        """(6, 3) rotation vectors of a frame in the order `heads.JOINTS`, for `Avatar.render`."""
        return self.poses[frame]

    @property
    def poses(self) -> Floats:
        """(F, 6, 3) rotation vectors in the order `heads.JOINTS`."""
        poses = np.zeros((len(self), len(JOINTS), 3), np.float32)
        poses[:, _NECK], poses[:, _HEAD] = self.neck, self.head
        if self.eyes is not None:
            poses[:, _EYES : _EYES + 2] = self.eyes
        return poses

    def resampled(self, fps: float) -> Motion:
        """The same motion with another frame rate: weights between two frames are linear, rotations spherical.

        The length in seconds stays, to half a new frame.
        """
        fps = check_fps(fps)
        if fps == self.fps:
            return self
        frames = max(1, round(self.seconds * fps))
        return self.at(np.arange(frames) * (self.fps / fps), fps)

    def at(self, frames: ArrayLike, fps: float) -> Motion:
        """The motion at fractional frames (K,), shown at `fps`; beyond the ends it stands still."""
        at = np.asarray(frames, np.float64).clip(0, len(self) - 1)
        below = np.minimum(at.astype(int), max(len(self) - 2, 0))
        share = (at - below)[:, None]
        above = np.minimum(below + 1, len(self) - 1)
        return Motion(
            fps,
            self.weights[below] * (1 - share) + self.weights[above] * share,
            _slerp(self.head, at),
            _slerp(self.neck, at),
            None if self.eyes is None else np.stack([_slerp(self.eyes[:, e], at) for e in range(2)], 1),
        )

    def trimmed(self, start: float = 0.0, end: float | None = None) -> Motion:
        """The frames that begin in `start <= time < end`, in seconds; without an end, all to the last.

        Raises:
            InputError: no frame begins there.
        """
        end = self.seconds if end is None else end
        if not (np.isfinite(start) and np.isfinite(end)):
            raise InputError(f"A motion is trimmed between two times in seconds, not {start} and {end}.")
        # Frame times are not exact in binary: a time within a thousandth of a frame counts as that frame's beginning.
        first, last = (max(0, int(np.ceil(time * self.fps - 1e-3))) for time in (start, end))
        last = min(last, len(self))
        if first >= last:
            raise InputError(
                f"The motion is {self.seconds:.2f} s long; between {start:g} and {end:g} s it has no frame."
            )
        return self.frames(np.arange(first, last))

    def frames(self, index: ArrayLike, fps: float | None = None) -> Motion:
        """Some frames (K,) in the order given, shown at `fps` or at the motion's own rate."""
        rows = np.asarray(index, int)
        eyes = None if self.eyes is None else self.eyes[rows]
        return Motion(self.fps if fps is None else fps, self.weights[rows], self.head[rows], self.neck[rows], eyes)

    def concatenated(self, *others: Motion) -> Motion:
        """This motion and then the others, which are resampled to its frame rate."""
        parts = [self, *(other.resampled(self.fps) for other in others)]
        eyes = None
        if any(part.eyes is not None for part in parts):
            eyes = np.concatenate([np.zeros((len(p), 2, 3), np.float32) if p.eyes is None else p.eyes for p in parts])
        return Motion(
            self.fps,
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.head for part in parts]),
            np.concatenate([part.neck for part in parts]),
            eyes,
        )

    def scaled(self, gain: float, *, rotation: float | None = None) -> Motion:
        """Stronger or weaker: weights times `gain`, at most 1; angles times `rotation`, by default `gain` too.

        Raises:
            InputError: a factor is negative or not a number.
        """
        turn = gain if rotation is None else rotation
        if not (np.isfinite(gain) and np.isfinite(turn) and gain >= 0 and turn >= 0):
            raise InputError(f"A motion is scaled by factors of 0 or more, not {gain} and {turn}.")
        return replace(
            self,
            weights=np.minimum(self.weights * np.float32(gain), 1),
            head=self.head * np.float32(turn),
            neck=self.neck * np.float32(turn),
            eyes=None if self.eyes is None else self.eyes * np.float32(turn),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the motion as one npz file; an older file is replaced only when the new one is whole.

        Raises:
            OutputError: the file cannot be written.
        """
        from .store import save_npz

        save_npz(path, self)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Motion:
        """Reads a file that `save` wrote.

        Raises:
            InputError: the file is missing, broken or no motion.
        """
        from .store import load_npz

        return load_npz(path)


def too_long(source: str) -> InputError:
    """The error about a motion that is longer than `LONGEST_SECONDS`."""
    return InputError(f"{source} is longer than {LONGEST_SECONDS / 3600:.0f} h; cut it before.")


def check_fps(fps: Any) -> float:
    """The frame rate as a float.

    Raises:
        InputError: it is not a positive number.
    """
    try:
        value = float(fps)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"A frame rate is a positive number of frames a second, not {told(fps)}.")
    return value


def _numbers(values: ArrayLike, what: str) -> Floats:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, which is refused
            array = np.array(values, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"The {what} of the motion are not an array of numbers.") from error
    if not np.isfinite(array).all():
        raise InputError(f"The {what} of the motion hold a value that is not a number.")
    return array


def _slerp(rotations: Floats, at: NDArray[np.float64]) -> Floats:
    """Rotation vectors (F, 3) at fractional frames (K,), on the shortest arc between neighbours."""
    if not rotations.any() or len(rotations) == 1:
        return np.broadcast_to(rotations[:1], (len(at), 3))
    from scipy.spatial.transform import Rotation, Slerp

    between = Slerp(np.arange(len(rotations)), Rotation.from_rotvec(rotations.astype(np.float64)))
    return between(at).as_rotvec().astype(np.float32)
