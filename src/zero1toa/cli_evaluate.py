"""The commands below `zero1toa evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from .cli_clip import clip
from .cli_consistency import consistency
from .cli_prior import prior
from .cli_reenact import reenact
from .errors import InputError
from .progress import Progress

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]


def ablation(
    output: Output = Path("ablation"),
    *,
    subjects: int = 5,
    seeds: int = 1,
    variants: tuple[str, ...] = (),
    iterations: int | None = None,
    errors: float = 1.0,
    quiet: Quiet = False,
) -> None:
    """Measure what each part of the method is worth.

    Makes avatars of made-up persons, whose true look from every side is known, by the whole method and without parts of
    it, with a prior whose errors are known. Writes a table (Markdown, CSV, JSON), a plot and pictures.

    Example: zero1toa evaluate ablation -o ablation --subjects 5 --seeds 3

    Args:
        output: Folder for the results.
        subjects: How many persons.
        seeds: How many runs on each; more than one shows the spread.
        variants: Which variants; by default all.
        iterations: Training steps of each avatar.
        errors: Factor on the prior's errors; 0 is a prior that tells the truth.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .evaluate.ablation import ABLATION_CONFIG, VARIANTS, AblationPlan, AblationResult, run_ablation
    from .evaluate.ablation_report import markdown, write_report
    from .priors.oracle import Inconsistency

    unknown = [v for v in variants if v not in VARIANTS]
    if unknown:
        raise InputError(f"There is no variant '{unknown[0]}'; there are: {', '.join(VARIANTS)}.")
    if min(subjects, seeds) < 1 or errors < 0 or (iterations is not None and iterations < 1):
        raise InputError("Subjects, seeds and iterations are at least 1, and errors at least 0.")
    progress = Progress(quiet)
    files.check_output_directory(output)
    plan = AblationPlan(
        subjects=tuple(range(subjects)),
        seeds=tuple(range(seeds)),
        variants=variants or tuple(VARIANTS),
        inconsistency=Inconsistency().scaled(errors),
        config=replace(ABLATION_CONFIG, iterations=iterations or ABLATION_CONFIG.iterations),
    )
    result = AblationResult()
    try:
        run_ablation(plan, progress=progress, result=result)
    finally:
        if result.rows:  # also after Ctrl-C: what has been measured took its time
            with files.output_directory(output) as folder:
                names = [path.name for path in write_report(folder, result)]
            progress.say(markdown(result.rows))
            progress.say(f"Wrote {output}/: {', '.join(names)}")


COMMANDS: dict[str, Callable[..., None]] = {
    "ablation": ablation,
    "reenact": reenact,
    "consistency": consistency,
    "clip": clip,
    "prior": prior,
}
