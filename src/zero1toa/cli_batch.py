"""The command `zero1toa batch`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .cli_export import FORMATS
from .errors import BatchError, InputError
from .progress import Progress

if TYPE_CHECKING:
    from .batch.executor import Executor
    from .batch.options import Job, Options
    from .batch.plan import Entry

Portraits = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PORTRAITS")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]

PriorName = Literal["reprojection", "external", "aniportrait", "follow-your-emoji", "wan-animate", "mini"]


def batch(
    portraits: Portraits,
    output: Output = Path("batch"),
    *,
    preset: Literal["debug", "fast", "balanced", "paper"] = "fast",
    prior: PriorName = "reprojection",
    prior_command: str = "",
    weights: str = "",
    random_weights: bool = False,
    guidance: Literal["symgen", "once", "sds", "ism", "nfsd"] = "symgen",
    iterations: int | None = None,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    force: bool = False,
    head: Head = None,
    preview: bool = True,
    motions: tuple[str, ...] = (),
    exports: tuple[str, ...] = (),
    export_motion: str = "",
    size: int = 512,
    workers: int | None = None,
    ray: str = "",
    attempts: int = 3,
    timeout: float | None = None,
    try_again: bool = False,
    quiet: Quiet = False,
) -> None:
    """Make avatars of many photos, with previews, films and exports.

    PORTRAITS are folders, globs in quotes, lists or single pictures. A list is a .txt with one photo a line, or a .csv
    or .jsonl with the column photo and perhaps name, preset, iterations, seed, guidance, head and force.

    The folder gets avatars/NAME/ with avatar.glb, preview.png and what else was asked for; manifest.jsonl and .csv
    with one row a portrait; events.jsonl; sheet.png. The same command again goes on where it stopped, makes what is new
    or has changed and leaves the rest alone. One bad photo never stops the others.

    Examples: zero1toa batch photos -o avatars | zero1toa batch "photos/*.jpg" --motions talk smile --exports html ply |
    zero1toa batch people.csv -o avatars --ray auto

    Args:
        portraits: Folders, globs, lists or pictures.
        output: Folder for the results.
        preset: How long to work on each; see zero1toa create.
        prior: The video model; see zero1toa create.
        prior_command: Of the prior external.
        weights: Of a diffusion prior.
        random_weights: Run a diffusion prior with tiny networks that never learned anything.
        guidance: See zero1toa create.
        iterations: Training steps, if not those of the preset.
        seed: Of every avatar.
        device: Where to train; with GPUs there is one worker for each.
        force: Go on where a photo would be refused.
        head: The head model; see zero1toa create.
        preview: Write a picture of each avatar and, at the end, a sheet of all.
        motions: Names of built-in motions, or files, for a film each.
        exports: Formats; see zero1toa export.
        export_motion: A built-in motion for the formats that can hold one.
        size: Pixels of the films.
        workers: How many portraits at a time, if not what cores, memory and GPUs allow.
        ray: Work on the Ray cluster at this address; "auto" finds the one of this machine, "local" starts one.
        attempts: How often a portrait is tried that failed for what may pass: a lost worker, memory, a busy disk.
        timeout: Minutes after which a portrait is given up.
        try_again: Also try photos that were refused and have not changed since.
        quiet: Print nothing but warnings and errors.
    """
    from .batch.options import Options
    from .batch.plan import find_portraits
    from .batch.run import Batch, Rules
    from .heads.names import absolute_head

    output = output.expanduser()
    if attempts < 1 or (timeout is not None and timeout <= 0):
        raise InputError("Attempts are at least 1, and a timeout is longer than nothing.")
    options = Options(
        preset=preset,
        iterations=iterations,
        seed=seed,
        prior=prior,
        prior_command=prior_command,
        weights=weights,
        random_weights=random_weights,
        guidance=guidance,
        force=force,
        head=None if head is None else absolute_head(head),
        preview=preview,
        motions=motions,
        exports=exports,
        export_motion=export_motion,
        size=size,
    )
    _check(options.motions, exports, export_motion, size)
    options.config()
    progress = Progress(quiet)
    jobs = _jobs(find_portraits(portraits), output, options, device, try_again)
    executor = _executor(ray, jobs, output, preset, device, workers, progress)
    rules = Rules(attempts, None if timeout is None else timeout * 60)
    try:
        summary = Batch(jobs, output, executor, rules, progress).run()
    except KeyboardInterrupt:
        progress.warn("The same command goes on from here.")
        raise
    progress.say(
        f"Made {summary.made}, left {summary.unchanged} as they were, failed {summary.failed} of {len(jobs)} in "
        f"{summary.seconds:.0f} s"
    )
    progress.say(f"Wrote {output}/: manifest.jsonl, manifest.csv, events.jsonl, {_names(summary.sheets)}, avatars/")
    if summary.failed:
        raise BatchError(f"{summary.failed} of {len(jobs)} portraits failed; {output}/manifest.csv says why.")


def _jobs(entries: list[Entry], output: Path, options: Options, device: str, try_again: bool) -> list[Job]:
    from .batch.options import Job
    from .heads.names import absolute_head

    place = str(output.expanduser().resolve())
    jobs = []
    for entry in entries:
        own = options.changed(entry.columns)
        own.config()
        if own.head is not None:
            own = replace(own, head=absolute_head(own.head))
        photo = entry.photo if entry.photo == "demo" else str(Path(entry.photo).resolve())
        jobs.append(Job(entry.name, photo, place, own, device, try_again=try_again))
    return jobs


def _executor(
    ray: str, jobs: list[Job], output: Path, preset: str, device: str, workers: int | None, progress: Progress
) -> Executor:
    from .batch.machine import Machine, share_out

    if ray:
        from .batch.cluster import RayPool

        pool = RayPool(ray, preset, gpu=device == "cuda", most=workers)
        progress.say(f"{len(jobs)} portraits on Ray, {pool.slots} at a time")
        return pool
    from .batch.local import LocalPool

    shares = share_out(Machine.here(device), preset, len(jobs), workers)
    progress.say(f"{len(jobs)} portraits, {shares.reason}")
    return LocalPool(shares.workers, shares.threads, output / "logs", gpus=shares.gpus)


def _check(motions: tuple[str, ...], exports: tuple[str, ...], export_motion: str, size: int) -> None:
    """What would fail for every portrait fails now."""
    from .motion import BUILTIN_NAMES

    for motion in (*motions, *filter(None, [export_motion])):
        if motion not in BUILTIN_NAMES and not Path(motion).expanduser().exists():
            raise InputError(f"There is no motion {motion}: neither a file nor one of {', '.join(BUILTIN_NAMES)}.")
    if len({Path(motion).stem for motion in motions}) < len(motions):
        raise InputError("Two of the motions have the same name, and so would their films.")
    for name in exports:
        if name not in FORMATS:
            raise InputError(f"There is no format '{name}'; choose of {', '.join(FORMATS)}.")
        if FORMATS[name].moves == "always" and not export_motion:
            raise InputError(f"The format {name} shows a motion: say which with --export-motion.")
    if not 16 <= size <= 4096:
        raise InputError(f"A film of {size} px cannot be made; choose 16 to 4096.")


def _names(paths: list[Path]) -> str:
    if len(paths) <= 2:
        return ", ".join(path.name for path in paths)
    return f"{paths[0].name} to {paths[-1].name}"
