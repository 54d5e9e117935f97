"""The command `zero1toa track`."""

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


def track(
    video: Video,
    output: Output = Path("motion.csv"),
    *,
    fps: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    check: Extra = None,
    report: Extra = None,
    quiet: Quiet = False,
) -> None:
    """Read the motion of a person's face from a video.

    Writes 52 ARKit weights and the head's and eyes' rotation of every frame as a Live Link Face CSV.

    Example: zero1toa track talk.mp4 -o motion.csv --check check.mp4 --report report.json

    Args:
        video: A video file, or a folder of its frames as pictures.
        output: A .csv (Live Link Face) or .npz file.
        fps: Frames a second to read at; by default the video's own, 25 for a folder.
        start: Seconds to leave out at the beginning.
        end: Where to stop, seconds from the beginning of the file.
        check: An .mp4 that shows the tracked head over the face.
        report: A .json with confidence, landmark error and lost frames.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .tracking import FrameSource, track_video
    from .tracking.report import write_check_video, write_report
    from .tracking.save import save_motion

    progress = Progress(quiet)
    for path, suffixes, what in ((output, (".csv", ".npz"), "A motion"), (check, (".mp4",), "The check video"),
                                 (report, (".json",), "The report")):  # fmt: skip
        if path is None:
            continue
        if path.suffix.lower() not in suffixes:
            raise InputError(f"{what} is a {' or '.join(suffixes)} file; {path} is not.")
        files.check_output_file(path)
    tracking = track_video(video, fps=fps, start=start, end=end, progress=progress)
    for warning in tracking.warnings:
        progress.warn(warning)
    save_motion(tracking.motion, output)
    progress.say(f"Wrote {output} ({len(tracking)} frames, {len(tracking) / tracking.seconds:.0f} a second)")
    if report is not None:
        write_report(report, tracking)
        progress.say(f"Wrote {report}")
    if check is not None:
        with progress.stage("drawing the check video", len(tracking)) as stage:
            write_check_video(check, tracking, FrameSource(video, fps, start, end), stage.advance)
        progress.say(f"Wrote {check}")
