"""What the package can do, as functions: the same names as the commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .avatar import Avatar
from .config import PRESETS, CreateConfig, FitConfig
from .errors import InputError
from .portrait.portrait import FILE_NAME, Portrait
from .progress import Progress


def fit(
    photo: str | Path,
    *,
    head: str | None = None,
    config: FitConfig | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Portrait:
    """Cleans a photo and fits the head to its largest face.

    Args:
        photo: a picture file, a folder that `zero1toa fit` wrote, or "demo".
        head: "default", "flame:FILE", "ict:FOLDER" or "gnm:FILE"; by default the default head, or that of the folder.
        config: weights of the fit.
        force: go on where the photo would be refused.
        progress: where to show how far it is; by default nowhere.

    Raises:
        InputError: the photo cannot be used; the message says why.
    """
    if str(photo) != "demo" and Path(photo).is_dir():
        if not (Path(photo) / FILE_NAME).is_file():
            raise InputError(f"{photo} is a folder without {FILE_NAME}; give a picture or a folder that fit wrote.")
        portrait = Portrait.load(Path(photo))
        if head is not None and head != portrait.head:
            raise InputError(f"{photo} was fitted with the head '{portrait.head}'; fit the photo itself with '{head}'.")
        return portrait
    from .portrait.fit import fit_portrait

    return fit_portrait(photo, head or "default", config, force=force, progress=progress)


def create(
    photo: str | Path | Portrait,
    *,
    head: str | None = None,
    preset: str = "fast",
    config: CreateConfig | None = None,
    seed: int = 0,
    force: bool = False,
    progress: Progress | None = None,
    output: Path | None = None,
    workspace: Path | None = None,
    resume: bool = False,
    preview: Path | None = None,
    dataset: Path | None = None,
    device: str = "auto",
) -> Avatar:
    """Makes an avatar of a photo.

    Args:
        photo: a picture file, a folder that `zero1toa fit` wrote, "demo", or a `Portrait`.
        head: see `fit`; a `Portrait` has its own.
        preset: "debug", "fast", "balanced" or "paper"; ignored if a config is given.
        config: every number of the training.
        seed: of every random number, unless a config is given.
        force: go on where the photo would be refused.
        progress: where to show how far it is; by default nowhere.
        output: a GLB file for the avatar, written before the state in `workspace` is removed.
        workspace: a folder that holds the state of the run until it is finished; None keeps none.
        resume: go on from the state in `workspace`.
        preview: a PNG that is drawn anew every few seconds.
        dataset: a folder into which the last state of the video clips is written as pictures.
        device: where to train: "cpu", "cuda" or "auto".

    Raises:
        InputError: the photo cannot be used, there is no such preset, or there is nothing to resume.
        MissingWeights: the prior's weights are not there; said before the photo is looked at.
        MissingDependency: the prior's packages are not installed; said before, too.
        OutputError: a file cannot be written; what `workspace` holds stays.
    """
    if config is None:
        if preset not in PRESETS:
            raise InputError(f"There is no preset '{preset}'; choose one of {', '.join(PRESETS)}.")
        config = replace(PRESETS[preset], seed=seed)
    from .priors import check_prior
    from .symgen.create import create_avatar

    check_prior(config.prior, diffusion=config.diffusion, device=device)
    portrait = photo if isinstance(photo, Portrait) else fit(photo, head=head, force=force, progress=progress)
    return create_avatar(
        portrait,
        config,
        progress,
        output=output,
        workspace=workspace,
        resume=resume,
        preview=preview,
        dataset=dataset,
        device=device,
    )


def load(path: str | Path, head: str | None = None) -> Avatar:
    """Reads an avatar: a file of ours, a folder of GaussianAvatars, or a zip of LAM.

    Args:
        path: the file or folder.
        head: `flame:FILE` for a folder of GaussianAvatars; by default the file that ZERO1TOA_FLAME names. An avatar
            that carries its own head must have been made on this one.

    Raises:
        InputError: it is missing, broken or no avatar, or needs a head model that was not given.
        AssetError: the head model's file cannot be used.
    """
    return Avatar.load(path, head)
