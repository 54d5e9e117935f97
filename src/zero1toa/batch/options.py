"""What a batch makes of each portrait, as plain values that travel between processes and machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .._version import __version__
from ..config import PRESETS, CreateConfig, DiffusionConfig
from ..errors import InputError, told

_BLOCK = 1 << 20  # bytes of a photo that are hashed at a time


@dataclass(frozen=True)
class Options:
    """Of one portrait. The first group decides the avatar, the second what else is made of it."""

    preset: str = "fast"
    iterations: int | None = None
    seed: int = 0
    prior: str = "reprojection"
    prior_command: str = ""
    weights: str = ""
    random_weights: bool = False
    guidance: str = "symgen"
    force: bool = False
    head: str | None = None  # by default the default head, or that of the fit

    preview: bool = True
    motions: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    export_motion: str = ""
    size: int = 512  # px of the films

    def config(self) -> CreateConfig:
        """The numbers of the training.

        Raises:
            InputError: the options cannot be followed.
        """
        from ..commands import create_config

        if self.preset not in PRESETS:
            raise InputError(f"There is no preset '{told(self.preset)}'; choose one of {', '.join(PRESETS)}.")
        diffusion = DiffusionConfig(weights=self.weights, random_weights=self.random_weights)
        return create_config(
            self.preset, self.seed, self.guidance, self.iterations, self.prior, self.prior_command, diffusion
        )

    def changed(self, values: Mapping[str, str]) -> Options:
        """With the words of a list's row in the place of some.

        Raises:
            InputError: there is no such option, or it cannot be read.
        """
        new: dict[str, Any] = {}
        for name, text in values.items():
            if name not in _ROW_TYPES:
                raise InputError(
                    f"A list has no column '{told(name)}'; it may have photo, name, {', '.join(_ROW_TYPES)}."
                )
            try:
                new[name] = _ROW_TYPES[name](text)
            except ValueError:
                raise InputError(f"'{told(text)}' is no value of {name}.") from None
        return replace(self, **new)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """From `asdict`, also after JSON."""
        known = {f.name for f in fields(cls)}
        taken: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
        return cls(**taken)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "yes", "1")


_ROW_TYPES: dict[str, Callable[[str], Any]] = {
    "preset": str,
    "iterations": int,
    "seed": int,
    "guidance": str,
    "head": str,
    "force": _yes_or_no,
}
"""Columns of a list of portraits."""


@dataclass(frozen=True)
class Job:
    """One portrait."""

    name: str  # of its folder below `avatars`; "/" separates folders
    photo: str  # a file, a folder that `fit` wrote, or "demo"
    output: str  # folder of the whole batch
    options: Options = field(default_factory=Options)
    device: str = "auto"
    threads: int = 1
    try_again: bool = False  # also what failed for good and has not changed since

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return Path(self.output) / "avatars" / self.name

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Job:
        """From `as_dict`, also after JSON."""
        return cls(**{**values, "options": Options.of(values["options"])})


def photo_hash(photo: str) -> str:
    """SHA-256 of what a photo is made of: the file, or all files of a fit's folder with their names.

    Raises:
        InputError: there is no such photo, or it cannot be read.
    """
    if photo == "demo":
        return "demo"
    path = Path(photo).expanduser()
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(p for p in path.iterdir() if p.is_file()):
                digest.update(file.name.encode() + b"\0" + str(file.stat().st_size).encode() + b"\0")
                _update(digest, file)
        else:
            _update(digest, path)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise InputError(f"The photo {photo} cannot be read: {reason}.") from error
    return digest.hexdigest()


def avatar_key(photo: str, options: Options) -> str:
    """Of all that decides an avatar: the photo's hash, every number of the training, the version."""
    head = [] if options.head is None else [options.head]
    return _sha(photo, repr(options.config()), options.force, *head, __version__)


def extras_key(key: str, options: Options) -> str:
    """Of all that decides what else is made of the avatar with that key."""
    return _sha(key, options.preview, options.motions, options.exports, options.export_motion, options.size)


def _sha(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _update(digest: Any, path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
