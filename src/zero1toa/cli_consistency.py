"""The command `zero1toa evaluate consistency`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from .errors import InputError
from .progress import Progress

Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CLIP_OR_AVATAR")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]

_SMALLEST, _LARGEST = 64, 1024  # px


def consistency(
    source: Source,
    output: Output = Path("consistency"),
    *,
    avatar: Path | None = None,
    size: int = 256,
    floor: bool = False,
    head: Head = None,
    quiet: Quiet = False,
) -> None:
    """Measure how far frames contradict each other, over views and over time.

    Every frame is laid back on the known mesh, where the movement of head and camera is gone; what still differs is
    inconsistency. An avatar shows a sweep, talking and small steps of single shapes. A clip is a folder of frames with
    cameras.json, as create --dataset writes it and as an external prior finds it (drive.json), a folder of such
    folders, or an npz; its mesh is that of an avatar of the same person. Writes a table, JSON and a plot.

    Examples: zero1toa evaluate consistency avatar.glb | zero1toa evaluate consistency dataset/clip-003 --avatar
    avatar.glb

    Args:
        source: An avatar's file, or a clip.
        output: Folder for the results.
        avatar: An avatar of the person in the clip, for the mesh.
        size: Pixels on a side of an avatar's frames.
        floor: Measure an exactly rendered, made-up person too: what measuring on pixels costs by itself.
        head: The FLAME that a folder of GaussianAvatars was made on, flame:FILE; other avatars carry their head.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .avatar import Avatar
    from .avatar_io.neighbours import is_neighbour
    from .evaluate.consistency_report import markdown, write_report
    from .evaluate.consistency_run import measure_avatar, measure_clip, measure_floor
    from .priors.clip_files import read_clips

    progress = Progress(quiet)
    if not _SMALLEST <= size <= _LARGEST:
        raise InputError(f"Frames of {size} px cannot be measured; choose {_SMALLEST} to {_LARGEST}.")
    files.check_output_directory(output)
    if source.suffix.lower() == ".glb" or is_neighbour(source):
        results = measure_avatar(Avatar.load(source, head), size, progress)
    else:
        clips = read_clips(source.expanduser())
        if avatar is None:
            raise InputError("A clip is measured on the mesh of its person: give --avatar AVATAR of the same photo.")
        person = Avatar.load(avatar, head).head
        results = []
        with progress.stage("measuring", len(clips)) as stage:
            for clip in clips:
                results.append(measure_clip(clip.name, person, clip.drive, clip.video))
                stage.advance(1)
    if floor:
        results.append(measure_floor(size))
    with files.output_directory(output) as folder:
        names = [path.name for path in write_report(folder, str(source), results)]
    progress.say(markdown(results))
    progress.say(f"Wrote {output}/: {', '.join(names)}")
