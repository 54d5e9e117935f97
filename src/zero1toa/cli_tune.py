"""The command `zero1toa tune-prior`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .errors import InputError
from .progress import Progress

Model = Annotated[Literal["aniportrait", "follow-your-emoji"], tyro.conf.Positional]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]

_PICTURES = 4  # of a step of the first stage, where a step of the second has one clip


def tune_prior(
    model: Model = "aniportrait",
    /,
    *,
    output: Output,
    weights: str = "",
    random_weights: bool = False,
    stage: Literal["images", "motion"] = "images",
    data: str = "synthetic",
    steps: int = 2000,
    minutes: float | None = None,
    clips: int | None = None,
    frames: int = 16,
    rate: float = 1e-5,
    levels: Literal["inference", "train"] = "inference",
    recompute: bool = False,
    workers: int = 1,
    pool: int = 12,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
    held_out: int = 2,
    validate_every: int = 500,
    save_every: int = 500,
    resume: bool = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a large diffusion prior (the AnimateAnyone family) on made-up persons or on your own videos.

    Two stages, one after the other: "images" trains everything but the motion modules on single frames, "motion" the
    motion modules alone on clips. Each writes a folder with all files of the model, for the next stage and for
    create --prior MODEL --weights FOLDER, with a recipe, a table and a curve of losses and a sheet of held-out persons.
    A killed training goes on with --resume. Full size needs a large GPU; it has been run at tiny size on CPUs only
    (docs/mini_prior.md). Several GPUs: accelerate launch -m zero1toa tune-prior ...

    Examples: zero1toa tune-prior aniportrait --weights FOLDER -o tuned-images --recompute |
    zero1toa tune-prior aniportrait --weights tuned-images --stage motion --data my_videos -o tuned --recompute |
    zero1toa create photo.jpg --prior aniportrait --weights tuned |
    zero1toa tune-prior aniportrait --random-weights --steps 4 --frames 4 -o trial

    Args:
        model: Which of the family.
        output: Folder for the results; another than that of the weights.
        weights: Folder with the model's files, or hub to fetch them.
        random_weights: Tiny networks that never learned anything instead: shows that everything runs.
        stage: What learns.
        data: synthetic, or a folder of videos; a folder in it holds the videos of one person, a file is a person.
        steps: Steps of the optimizer.
        minutes: Minutes after which training ends, however many steps were made.
        clips: Pictures or clips in a step, for each process; 4 pictures or 1 clip if not given.
        frames: Frames of a clip.
        rate: Learning rate at the start; it falls to zero.
        levels: Noise levels: those of sampling, or those of the model's first training.
        recompute: Gradient checkpointing: less memory, more time.
        workers: Processes that make synthetic clips; 0 makes them in between.
        pool: Synthetic persons kept at a time.
        precision: auto is bfloat16 where the machine computes in it.
        device: Where to train; auto is an NVIDIA GPU where torch and accelerate can use one.
        seed: Same seed, same machine, same networks.
        held_out: Held-out persons in each look.
        validate_every: Steps between two looks at held-out persons, which also write the weights.
        save_every: Steps between two saved states.
        resume: Go on from the state in the output folder.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .locks import exclusive, in_turn
    from .priors.animate_anyone.training_clips import PortraitSitting
    from .priors.animate_anyone.tune import TuneConfig, check_tuning, clip_shape, tune
    from .priors.extras import check_extra
    from .priors.mini.engine import is_first_process
    from .priors.mini.training_report import TrainingReport
    from .priors.mini.video_folder import VideoFolder
    from .priors.training_run import STATE, saved_step

    clips = (_PICTURES if stage == "images" else 1) if clips is None else clips
    if random_weights and weights:
        raise InputError("Weights were given, and random ones asked for: leave one of the two out.")
    plain = TuneConfig()
    config = TuneConfig(
        steps=steps,
        minutes=minutes,
        clips=clips,
        rate=rate,
        precision=precision,
        seed=seed,
        save_every=save_every,
        validate_every=validate_every,
        held_out=held_out,
        model=model,
        stage=stage,
        frames=frames,
        levels=levels,
        recompute=recompute,
        pool=replace(plain.pool, size=pool, workers=workers),
    )
    config.check(config.pool)
    begin = None if random_weights else weights
    files.check_output_directory(output)
    check_tuning(output, config, begin)
    check_extra()
    first = is_first_process()
    progress = Progress(quiet or not first)
    with exclusive(output / STATE) if first else nullcontext():
        if first:
            files.remove_leftovers_in(output)
        source: VideoFolder[PortraitSitting] | None = None
        if data != "synthetic":
            with in_turn(output / "clips"):  # one process reads the videos, the others what it has written
                reader = clip_shape(config, begin).reader()
                source = VideoFolder(Path(data), output / "clips", progress, reader)
        report = TrainingReport(output, saved_step(output) if resume else 0, board=first)
        result = tune(
            output,
            config,
            begin,
            data=source,
            resume=resume,
            device=device,
            progress=progress,
            look=report.look,
            log=report.log,
        )
    pace = result.frames / max(result.seconds, 1e-6)
    progress.say(f"Trained {result.step} steps, {result.frames} frames, {pace:.1f} frames a second")
    if random_weights:
        progress.say(f"Wrote {output}: tiny networks of random weights, which no prior reads")
    else:
        progress.say(f"Wrote {output}, for create --prior {model} --weights {output}")
