"""The command `zero1toa`: parse, call, report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import tyro

from . import cli_evaluate
from ._version import full_version
from .cli_animate import animate
from .cli_batch import batch
from .cli_export import export, parse_weights
from .cli_track import track
from .cli_train import train_prior
from .cli_tune import tune_prior
from .cli_view import view
from .config import DiffusionConfig
from .errors import InputError, OutputError, Zero1toaError, is_out_of_memory, told
from .progress import Progress

_LONGEST_ERROR = 4000  # letters; what files say in them is cut shorter where it is taken up

Photo = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
AvatarFile = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Head = Annotated[Union[str, None], tyro.conf.arg(metavar="HEAD")]  # noqa: UP007
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Weights = Annotated[tuple[str, ...], tyro.conf.arg(aliases=["-e"], metavar="NAME=WEIGHT")]


def fit(
    photo: Photo, output: Output = Path("fit"), *, head: Head = None, force: bool = False, quiet: Quiet = False
) -> None:
    """Clean a photo and fit the head to it.

    Writes fit.json (identity, expression, pose, camera, landmark errors, warnings), the crop, the matte, the mesh and
    the landmarks over the photo, the neutral head and a contact sheet of all.

    Example: zero1toa fit portrait.jpg -o portrait_fit

    Args:
        photo: A picture file, a folder that fit wrote, or "demo".
        output: Folder for the results.
        head: The head model: default, or one of your own: flame:FILE, ict:FOLDER or gnm:FILE (docs/heads.md).
        force: Go on where the photo would be refused (a face turned too far, an animal).
        quiet: Print nothing but warnings and errors.
    """
    from . import api, files
    from .media import contact_sheet, write_png
    from .portrait.pictures import fit_pictures

    progress = Progress(quiet)
    files.check_output_directory(output)
    portrait = api.fit(photo, head=head, force=force, progress=progress)
    _warn(portrait.warnings, progress)
    pictures = fit_pictures(portrait)
    with files.output_directory(output) as folder:
        portrait.save(folder)
        for name in ("landmarks", "mesh", "wireframe", "neutral"):
            write_png(folder / f"{name}.png", pictures[name])
        write_png(folder / "sheet.png", contact_sheet(list(pictures.items()), columns=3))
    errors = portrait.errors
    progress.say(
        f"Landmark error {errors['mean']:.2f} px at 512 (eyes {errors['eyes']:.2f}, lips {errors['lips']:.2f}, "
        f"oval {errors['oval']:.2f}); {errors['uncorrected']:.2f} with the detector's known bias left in"
    )
    progress.say(f"Wrote {output}/: fit.json, sheet.png and the single pictures")


def create(
    photo: Photo,
    output: Output = Path("avatar.glb"),
    *,
    head: Head = None,
    preset: Literal["debug", "fast", "balanced", "paper"] = "fast",
    prior: Literal[
        "reprojection", "external", "aniportrait", "follow-your-emoji", "wan-animate", "mini"
    ] = "reprojection",
    prior_command: str = "",
    weights: str = "",
    random_weights: bool = False,
    diffusion: DiffusionConfig = DiffusionConfig(),  # noqa: B008
    guidance: Literal["symgen", "once", "sds", "ism", "nfsd"] = "symgen",
    iterations: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
    preview: Path | None = None,
    dataset: Path | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: Quiet = False,
) -> None:
    """Make an avatar of a photo.

    The avatar and a dataset of video clips make each other better (SymGEN), first from more and more sides, then with
    more and more expression. Ctrl-C keeps the state; --resume goes on from there.

    Examples: zero1toa create demo -o avatar.glb | zero1toa create portrait.jpg --preset balanced --preview look.png |
    zero1toa create portrait.jpg --preset balanced --resume

    Args:
        photo: A picture file, a folder that fit wrote, or "demo".
        output: The avatar's file, a GLB.
        head: The head model: default, or one of your own: flame:FILE, ict:FOLDER or gnm:FILE (docs/heads.md).
        preset: How long to work: debug takes seconds, fast less than a minute, balanced a few minutes on two CPU cores;
            paper has the paper's numbers and takes hours there.
        prior: The video model: reprojection is built in; external runs a command of yours; aniportrait,
            follow-your-emoji and wan-animate diffuse and need their weights (docs/diffusion.md); mini is a small one of
            our own (docs/mini_prior.md).
        prior_command: That command; it finds the clip to make better in {folder} and writes the frames there.
        weights: A folder with a diffusion prior's files, or "hub" to fetch them from the Hugging Face hub.
        random_weights: Run a diffusion prior with tiny networks that never learned anything: a test that all runs.
        diffusion: How a diffusion prior is run.
        guidance: symgen updates the clips as the avatar grows; once makes them once; sds, ism and nfsd distil the score
            of a diffusion prior (the paper's baselines); without a score, sds follows the answer to each render.
        iterations: Training steps, if not those of the preset.
        device: Where to train; auto is an NVIDIA GPU where torch and gsplat can use one.
        seed: Same seed, same machine, same avatar.
        preview: A PNG that shows the avatar as it is, drawn anew every few seconds.
        dataset: A folder for pictures of the clips at the end.
        resume: Go on where an earlier call with the same options was stopped.
        force: Go on where the photo would be refused (a face turned too far, an animal).
        quiet: Print nothing but warnings and errors.
    """
    from . import api, files
    from .commands import create_config, work_folder
    from .locks import exclusive
    from .priors import check_prior

    progress = Progress(quiet)
    if output.suffix.lower() != ".glb":
        raise InputError(f"An avatar is a GLB file: name it {output.with_suffix('.glb')}.")
    files.check_output_file(output)
    if preview is not None:
        if preview.suffix.lower() != ".png":
            raise InputError(f"The preview is a PNG file: name it {preview.with_suffix('.png')}.")
        files.check_output_file(preview)
    if dataset is not None:
        files.check_output_directory(dataset)
    diffusion = replace(
        diffusion,
        weights=weights or diffusion.weights,
        random_weights=random_weights or diffusion.random_weights,
    )
    config = create_config(preset, seed, guidance, iterations, prior, prior_command, diffusion)
    check_prior(prior, diffusion=diffusion, device=device)
    work = work_folder(output)
    with exclusive(output):
        files.remove_leftovers(output)
        portrait = api.fit(photo, head=head, force=force, progress=progress)
        _warn(portrait.warnings, progress)
        try:
            api.create(
                portrait,
                config=config,
                progress=progress,
                output=output,
                workspace=work,
                resume=resume,
                preview=preview,
                dataset=dataset,
                device=device,
            )
        except (KeyboardInterrupt, OutputError, MemoryError):
            if work.exists():
                progress.warn(f"The state so far is kept in {work}; the same command with --resume goes on from there.")
            raise
    progress.say(f"Wrote {output} ({output.expanduser().stat().st_size / 1e6:.1f} MB)")
    for picture in (preview, dataset):
        if picture is not None:
            progress.say(f"Wrote {picture}")


def render(
    avatar: AvatarFile,
    output: Output = Path("renders"),
    *,
    expression: Weights = (),
    yaw: float = 0.0,
    pitch: float = 0.0,
    size: int = 512,
    transparent: bool = False,
    head: Head = None,
    quiet: Quiet = False,
) -> None:
    """Make pictures of an avatar.

    A folder as output gets sheet.png (a contact sheet of views and expressions) and turntable.mp4; a name ending in
    .mp4 or .gif gets the turntable, one ending in .png a still of the given view and expression.

    Examples: zero1toa render avatar.glb -o renders | zero1toa render avatar.glb -o smile.png --yaw 20 -e
    mouthSmileLeft=0.9 mouthSmileRight=0.9

    Args:
        avatar: The avatar's file.
        output: A folder, or a .png, .mp4 or .gif file.
        expression: ARKit weights of a still.
        yaw: Degrees to the subject's left, of a still.
        pitch: Degrees upwards, of a still.
        size: Pixels on a side.
        transparent: Leave the background of a still out.
        head: The FLAME that a folder of GaussianAvatars was made on, flame:FILE; other avatars carry their head.
        quiet: Print nothing but warnings and errors.
    """
    from .avatar import Avatar
    from .commands import Still, render_files

    progress = Progress(quiet)
    still = Still(parse_weights(expression), yaw, pitch, transparent)
    for written in render_files(Avatar.load(avatar, head), output, size, still, progress):
        progress.say(f"Wrote {written}")


def _below(commands: Mapping[str, Callable[..., None]]) -> Any:
    """The type that tyro reads as a choice between commands."""
    choices = [Annotated[Any, tyro.conf.subcommand(name, constructor=call)] for name, call in commands.items()]
    choices.append(Annotated[None, tyro.conf.Suppress])  # a union needs two members, and there may be one command
    return Union[tuple(choices)]  # noqa: UP007


def evaluate(measure: Annotated[Any, tyro.conf.arg(name="")]) -> None:
    """Measure the method: see the commands below it."""


evaluate.__annotations__["measure"] = Annotated[_below(cli_evaluate.COMMANDS), tyro.conf.arg(name="")]


def doctor() -> None:
    """Show what is installed and what each option, prior and head model still needs."""
    from .doctor import report, show

    show(report())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    if list(sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        print(f"zero1toa {full_version()}")
        return 0
    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "fit": fit,
                "create": create,
                "render": render,
                "animate": animate,
                "track": track,
                "view": view,
                "export": export,
                "evaluate": evaluate,
                "batch": batch,
                "train-prior": train_prior,
                "tune-prior": tune_prior,
                "doctor": doctor,
            },
            prog="zero1toa",
            description="One portrait picture in, one animatable 3D head avatar out. --version names this version.",
            args=arguments,
        )
    except Zero1toaError as error:
        print(f"zero1toa: {told(str(error), _LONGEST_ERROR)}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if "home directory" in str(error):  # of pathlib, for a path like ~nobody/photo.jpg
            print("zero1toa: a path begins with ~ and a name that is no user of this machine.", file=sys.stderr)
            return 2
        if not is_out_of_memory(error):
            raise
        print("zero1toa: there is not enough memory; close other programs or choose a smaller preset.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("zero1toa: stopped; nothing was left half-written.", file=sys.stderr)
        return 130
    return 0


def _warn(warnings: Sequence[str], progress: Progress) -> None:
    for warning in warnings:
        progress.warn(warning)
