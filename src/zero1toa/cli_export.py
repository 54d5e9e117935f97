"""`zero1toa export`: an avatar in other formats. A format is a row of FORMATS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .errors import InputError
from .progress import Progress

AvatarFile = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")]
Output = Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]


@dataclass(frozen=True)
class Format:
    """One way to write an avatar."""

    suffix: str  # of the file; "" stands for a folder
    about: str  # half a sentence
    write: Callable[[Path, Path], Iterator[Path]]  # avatar's file, output -> the files written, one by one


def _write_html(avatar: Path, output: Path) -> Iterator[Path]:
    from . import files
    from .avatar_io import load_glb
    from .viewer import standalone_page

    files.check_output_file(output)
    load_glb(avatar)  # refuses what is no avatar
    page = standalone_page(avatar.expanduser().read_bytes(), avatar.name)
    with files.atomic_write(output) as temporary:
        temporary.write_bytes(page)
    yield output


FORMATS: dict[str, Format] = {
    "html": Format(".html", "the viewer and the avatar in one file that opens without a network", _write_html),
}
"""By the name that `--to` takes."""


def export(avatar: AvatarFile, to: Literal["html"], output: Output = None, *, quiet: Quiet = False) -> None:
    """Write an avatar in another format.

    html is the viewer and the avatar in one file: it opens in a browser from the disk, without a network.

    Example: zero1toa export avatar.glb --to html -o avatar.html

    Args:
        avatar: The avatar's file.
        to: The format.
        output: The file to write; by default the avatar's name with the format's ending, in this folder.
        quiet: Print nothing but warnings and errors.
    """
    chosen = FORMATS[to]
    progress = Progress(quiet)
    target = output if output is not None else Path(f"{avatar.stem}{chosen.suffix or '_' + to}")
    if chosen.suffix and target.suffix.lower() != chosen.suffix:
        raise InputError(
            f"The format {to} is a file that ends in {chosen.suffix}: name it {target.with_suffix(chosen.suffix)}."
        )
    for written in chosen.write(avatar, target):
        size = f" ({written.expanduser().stat().st_size / 1e6:.1f} MB)" if written.is_file() else ""
        progress.say(f"Wrote {written}{size}")


export.__annotations__["to"] = Literal[tuple(FORMATS)]
