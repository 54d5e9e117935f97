"""The whole of a self-reenactment: track, make the avatar of one frame, drive it, compare, write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..avatar import Avatar
from ..config import PRESETS
from ..errors import InputError
from ..films import write_film
from ..media import to_uint8, write_png
from ..progress import Progress
from ..tracking import FrameSource, Tracking, track_video
from .perceptual import load_lpips
from .reenact import Comparison, compared_frames, methods_of
from .reenact_drive import drive_from_tracking
from .reenact_report import Summary, film_row, picture_sheet, telling_frames, write_report
from .reenact_source import Source, make_source
from .torso import Torso

_SAME_PERSON: Final = 1e-3  # standard deviations by which identities of one fit differ after a file


@dataclass(frozen=True)
class ReenactConfig:
    """How a video is reenacted."""

    preset: str = "fast"
    """Of the avatar."""
    every: int = 5
    """Every k-th frame is compared."""
    frame: int | None = None
    """Of which the avatar is made, counted from 0; by default the best one."""
    avatar: Path | None = None
    """An avatar that was made of that frame before, instead of a new one."""
    fit: Path | None = None
    """A folder with the fit of that frame."""
    seed: int = 0
    """Of the avatar."""
    head: str | None = None
    """The head model of the avatar: by default the default head, or that of the fit."""


@dataclass(frozen=True, eq=False)
class Reenactment:
    """What has been made and measured."""

    tracking: Tracking
    source: Source
    avatar: Avatar
    comparison: Comparison
    summary: Summary
    written: tuple[Path, ...]


def reenact(video: Path, folder: Path, config: ReenactConfig, progress: Progress | None = None) -> Reenactment:
    """Makes an avatar of one frame of a video, moves it by the video, and compares.

    Args:
        video: a file or a folder of frames.
        folder: an existing folder; gets table.md, reenact.json, plot.png, frames.png, film.mp4, fit/, avatar.glb.
        config: how.
        progress: where to show how far it is; by default nowhere.

    Raises:
        InputError: the video, the frame, the fit or the avatar cannot be used. One sentence.
    """
    progress = progress or Progress(quiet=True)
    if config.preset not in PRESETS:
        raise InputError(f"There is no preset '{config.preset}'; choose one of {', '.join(PRESETS)}.")
    frames = FrameSource(video)
    tracking = track_video(video, progress=progress)
    source = make_source(frames, tracking, config.frame, config.fit, progress, head=config.head)
    avatar = _avatar(source, config, progress)
    lpips = load_lpips()
    torso = follow_torso(frames, source, len(tracking), progress)
    drive = drive_from_tracking(tracking, source.portrait, source.matrix, source.frame, torso)
    compared = compared_frames(tracking, source.frame, config.every)
    if not compared:
        raise InputError(f"{video} has no other frame to compare; take a longer video or a smaller --every.")
    methods = methods_of(avatar, drive, tracking, source)
    comparison = Comparison(source, methods, compared, tracking.segments, lpips.distance)
    film, sheet = folder / "film.mp4", folder / "frames.png"
    telling = telling_frames(tracking, compared)
    kept = write_comparison(film, comparison, frames, tracking.fps / config.every, telling, progress)
    write_png(sheet, picture_sheet(kept))
    notes = tuple(note for note in (lpips.reason, *tracking.warnings) if note)
    preset = str(avatar.provenance.get("preset", config.preset))
    summary = Summary(video.name, len(tracking), tracking.fps, source.frame, config.every, preset, notes)
    (folder / "fit").mkdir()
    source.portrait.save(folder / "fit")
    avatar.save(folder / "avatar.glb")
    written = (*write_report(folder, comparison, summary), sheet, film, folder / "fit", folder / "avatar.glb")
    return Reenactment(tracking, source, avatar, comparison, summary, written)


def follow_torso(video: FrameSource, source: Source, count: int, progress: Progress) -> NDArray[np.float64]:
    """(F, 2) px of the crop by which the torso has moved since the source frame; NaN where it is not found."""
    portrait = source.portrait
    torso = Torso(portrait.image, portrait.alpha, portrait.landmarks, portrait.valid)
    shifts = np.full((count, 2), np.nan)
    if not torso.seen:
        return shifts
    last = np.zeros(2)
    with progress.stage("following the torso", count) as stage:
        for index, frame in zip(range(count), video, strict=False):
            image = source.crop(frame.image).image
            found = torso.shift(image, last)
            if found is None:
                found = torso.shift(image)
            if found is not None:
                shifts[index] = last = found
            stage.advance(1)
    return shifts


def write_comparison(
    path: Path, comparison: Comparison, frames: FrameSource, fps: float, telling: list[int], progress: Progress
) -> list[NDArray[np.float32]]:
    """Compares, writes the film frame by frame, and gives back the rows of some frames."""
    kept: list[NDArray[np.float32]] = []

    def rows() -> Iterator[NDArray[np.uint8]]:
        with progress.stage("comparing", len(comparison.frames)) as stage:
            for compared in comparison.run(frames):
                row = film_row(compared)
                if compared.frame in telling:
                    kept.append(row)
                stage.advance(1)
                yield to_uint8(row)

    write_film(path, rows(), fps=fps)
    return kept


def _avatar(source: Source, config: ReenactConfig, progress: Progress) -> Avatar:
    if config.avatar is None:
        from ..api import create

        return create(source.portrait, preset=config.preset, seed=config.seed, progress=progress)
    avatar = Avatar.load(config.avatar)
    own, fitted = avatar.identity.numpy(), source.portrait.identity
    if own.shape != fitted.shape or np.abs(own - fitted).max() > _SAME_PERSON:
        raise InputError(
            f"{config.avatar} was not made of frame {source.frame} of this video; name its --frame, or leave it out."
        )
    return avatar
