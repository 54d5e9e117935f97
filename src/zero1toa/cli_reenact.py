"""The command `zero1toa evaluate reenact`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from .errors import InputError
from .progress import Progress

Video = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Extra = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]


def reenact(
    video: Video,
    output: Output = Path("reenact"),
    *,
    preset: str = "fast",
    every: int = 5,
    frame: int | None = None,
    avatar: Extra = None,
    fit: Extra = None,
    seed: int = 0,
    head: Head = None,
    quiet: Quiet = False,
) -> None:
    """Compare an avatar with a real video: one frame makes it, the video moves it, the other frames judge it.

    Every k-th frame is compared in the same crop over the same background: PSNR, SSIM, LPIPS (if it is installed),
    distances of MediaPipe's landmarks, expression and pose, jitter. Beside the avatar stand the photo as it is and the
    photo moved rigidly with the head. Writes a table, JSON, a plot over time, a film (real, avatar, error, moved
    photo), and the avatar with its fit.

    Examples: zero1toa evaluate reenact talk.mp4 -o reenact | zero1toa evaluate reenact talk.mp4 --fit reenact/fit
    --avatar reenact/avatar.glb --every 1 -o every_frame

    Args:
        video: A video file, or a folder of its frames as pictures.
        output: Folder for the results.
        preset: Of the avatar: debug, fast, balanced or paper.
        every: Compare every k-th frame.
        frame: The frame that makes the avatar, counted from 0; by default one from the front, at rest and sharp.
        avatar: An avatar of that frame, from an earlier run.
        fit: The folder fit of an earlier run with that frame.
        seed: Of the avatar.
        head: The head model of the avatar; see zero1toa create.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .evaluate.reenact_report import markdown
    from .evaluate.reenact_run import ReenactConfig
    from .evaluate.reenact_run import reenact as run

    progress = Progress(quiet)
    if every < 1:
        raise InputError(f"Every k-th frame is compared, and k is at least 1, not {every}.")
    files.check_output_directory(output)
    config = ReenactConfig(preset=preset, every=every, frame=frame, avatar=avatar, fit=fit, seed=seed, head=head)
    with files.output_directory(output) as folder:
        result = run(video, folder, config, progress)
    for warning in result.tracking.warnings:
        progress.warn(warning)
    progress.say(markdown(result.comparison, result.summary))
    progress.say(f"Wrote {output}/: {', '.join(path.name for path in result.written)}")
