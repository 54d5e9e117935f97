"""The command `zero1toa train-prior`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .progress import Progress

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]


def train_prior(
    output: Output = Path("prior"),
    *,
    data: str = "synthetic",
    steps: int = 6000,
    minutes: float | None = None,
    clips: int = 4,
    width: Literal["tiny", "small", "medium", "large"] = "small",
    rate: float = 1.5e-3,
    workers: int = 1,
    pool: int = 192,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
    held_out: int = 8,
    validate_every: int = 500,
    save_every: int = 200,
    resume: bool = False,
    quiet: Quiet = False,
) -> None:
    """Train the small video diffusion prior, on made-up persons or on your own videos.

    Writes mini.safetensors (for create --prior mini --weights), the state to go on from, a table and a curve of losses,
    a sheet of held-out persons, and TensorBoard's files where it is installed. A killed training goes on with --resume
    from where it last saved. Several GPUs: accelerate launch -m zero1toa train-prior ...; several processes on a CPU:
    torchrun --nproc_per_node 2 -m zero1toa train-prior ...

    Examples: zero1toa train-prior -o prior --minutes 120 | zero1toa train-prior -o prior --minutes 120 --resume |
    zero1toa train-prior -o prior --data my_videos --steps 20000

    Args:
        output: Folder for the results.
        data: synthetic, or a folder of videos; a folder in it holds the videos of one person, a file is a person.
        steps: Steps of the optimizer.
        minutes: Minutes after which training ends, however many steps were made.
        clips: Clips of 8 frames in a step, for each process.
        width: Channels of the network: tiny is for tests, small for a CPU, medium and large for a GPU.
        rate: Learning rate at the start; it falls to zero.
        workers: Processes that make synthetic clips; 0 makes them in between.
        pool: Synthetic persons kept at a time.
        precision: auto is bfloat16 where the machine computes in it.
        device: Where to train; auto is an NVIDIA GPU where torch and accelerate can use one.
        seed: Same seed, same machine, same network.
        held_out: Held-out persons in each look.
        validate_every: Steps between two looks at held-out persons.
        save_every: Steps between two saved states.
        resume: Go on from the state in the output folder.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .locks import exclusive, in_turn
    from .priors.mini.engine import is_first_process
    from .priors.mini.network import WIDTHS
    from .priors.mini.synthetic import Sitting
    from .priors.mini.train import STATE, WEIGHTS, TrainConfig, saved_step, train
    from .priors.mini.training_data import PoolPlan
    from .priors.mini.training_report import TrainingReport
    from .priors.mini.video_folder import MINI_VIDEOS, VideoFolder

    progress = Progress(quiet)
    config = TrainConfig(
        steps=steps,
        minutes=minutes,
        clips=clips,
        rate=rate,
        precision=precision,
        seed=seed,
        save_every=save_every,
        validate_every=validate_every,
        held_out=held_out,
        network=WIDTHS[width],
        pool=replace(PoolPlan(), size=pool, workers=workers),
    )
    config.check(config.pool)
    files.check_output_directory(output)
    first = is_first_process()
    if not first:
        progress = Progress(quiet=True)
    with exclusive(output / STATE) if first else nullcontext():
        if first:
            files.remove_leftovers_in(output)
        source: VideoFolder[Sitting] | None = None
        if data != "synthetic":
            with in_turn(output / "clips"):  # one process reads the videos, the others what it has written
                source = VideoFolder(Path(data), output / "clips", progress, MINI_VIDEOS)
        report = TrainingReport(output, saved_step(output) if resume else 0, board=first)
        result = train(
            output,
            config,
            data=source,
            resume=resume,
            device=device,
            progress=progress,
            look=report.look,
            log=report.log,
        )
    pace = result.frames / max(result.seconds, 1e-6)
    progress.say(f"Trained {result.step} steps, {result.frames} frames, {pace:.1f} frames a second")
    progress.say(f"Wrote {output / WEIGHTS} (SHA-256 {result.sha256})")
