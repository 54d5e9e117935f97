"""The work behind commands that is more than one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import files, showcase
from .avatar import Avatar
from .config import DIFFUSION_PRIORS, PRESETS, CreateConfig, DiffusionConfig
from .errors import InputError
from .media import contact_sheet, write_gif, write_mp4, write_png
from .progress import Progress

_MOST_ITERATIONS = 1_000_000
_TURNTABLE_FPS = 30.0
_GIF_FPS = 20.0
_LARGEST, _SMALLEST = 4096, 16
_LARGEST_CELL, _LARGEST_GIF = 512, 1024


def create_config(
    preset: str,
    seed: int,
    guidance: str,
    iterations: int | None,
    prior: str = "reprojection",
    prior_command: str = "",
    diffusion: DiffusionConfig | None = None,
) -> CreateConfig:
    """A preset with the options of the command line.

    Raises:
        InputError: the number of iterations cannot be used, or a command or weights are given without their prior.
    """
    diffusion = diffusion or DiffusionConfig()
    if prior_command and prior != "external":
        raise InputError("A prior's command was given: say --prior external too.")
    if (diffusion.weights or diffusion.random_weights) and prior not in DIFFUSION_PRIORS:
        raise InputError(f"Weights were given: say --prior {DIFFUSION_PRIORS[0]} too, or another that diffuses.")
    config = replace(
        PRESETS[preset], seed=seed, guidance=guidance, prior=prior, prior_command=prior_command, diffusion=diffusion
    )
    if iterations is None:
        return config
    if not 0 <= iterations <= _MOST_ITERATIONS:
        raise InputError(f"{iterations} training steps cannot be made; choose 0 to {_MOST_ITERATIONS}.")
    return replace(config, preset=f"{preset}, changed", iterations=iterations)


def work_folder(output: Path) -> Path:
    """Where `create` keeps the state of an unfinished run: hidden, beside the avatar's file."""
    path = output.expanduser()
    return path.with_name(f".{path.name}.work")


@dataclass(frozen=True)
class Still:
    """One picture of an avatar."""

    expression: Mapping[str, float]  # ARKit weights by name
    yaw: float  # degrees to the subject's left
    pitch: float  # degrees upwards
    transparent: bool


def render_files(avatar: Avatar, output: Path, size: int, still: Still, progress: Progress) -> Iterator[Path]:
    """Writes what the ending of `output` asks for and yields each file's path when it is there.

    Raises:
        InputError: the size or an expression cannot be used.
        OutputError: a file cannot be written.
    """
    if not _SMALLEST <= size <= _LARGEST:
        raise InputError(f"A picture of {size} px cannot be made; choose {_SMALLEST} to {_LARGEST}.")
    kind = output.suffix.lower()
    if kind == ".png":
        background = None if still.transparent else (1.0, 1.0, 1.0)
        camera = avatar.front_camera(still.yaw, still.pitch, size)
        write_png(output, avatar.render(camera, still.expression, background=background))
        yield output
    elif kind in (".mp4", ".gif"):
        if kind == ".gif" and size > _LARGEST_GIF:
            raise InputError(f"A GIF of {size} px would be huge; choose at most {_LARGEST_GIF}, or an .mp4.")
        yield _turntable(avatar, output, size, progress)
    elif kind and not output.is_dir():
        endings = ".png, .mp4, .gif or a folder (a name without a dot)"
        raise InputError(f"{output.name} is no format that render writes; choose {endings}.")
    else:
        files.check_output_directory(output)
        sheet = contact_sheet(showcase.contact_views(avatar, min(size * 3 // 4, _LARGEST_CELL)), columns=7)
        write_png(output / "sheet.png", sheet)
        yield output / "sheet.png"
        yield _turntable(avatar, output / "turntable.mp4", size, progress)


def _turntable(avatar: Avatar, path: Path, size: int, progress: Progress) -> Path:
    files.check_output_file(path)
    frames = 120 if path.suffix.lower() == ".mp4" else 80
    with progress.stage(f"rendering {path.name}", frames) as stage:

        def counted() -> Iterator[showcase.Picture]:
            for picture in showcase.turntable(avatar, size, frames):
                yield picture
                stage.advance(1)

        if path.suffix.lower() == ".mp4":
            write_mp4(path, counted(), fps=_TURNTABLE_FPS)
        else:
            write_gif(path, counted(), fps=_GIF_FPS)
    return path
