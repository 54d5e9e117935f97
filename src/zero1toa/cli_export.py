"""`zero1toa export`: an avatar in other formats. A format is a row of FORMATS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .errors import InputError
from .progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .avatar_io import AvatarData
    from .motion import Motion

AvatarFile = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")]
Output = Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Weights = Annotated[tuple[str, ...], tyro.conf.arg(aliases=["-e"], metavar="NAME=WEIGHT")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]

_STILL_FPS = 25.0  # of the one frame of a format that always holds a motion


@dataclass(frozen=True)
class Request:
    """What the user asked for, checked."""

    path: Path  # of the avatar
    data: AvatarData
    output: Path
    expression: NDArray[np.float32] | None  # (52,) ARKit weights
    motion: Motion | None
    progress: Progress
    head: str | None = None  # that the avatar was made on, where it does not carry it


@dataclass(frozen=True)
class Format:
    """One way to write an avatar."""

    ending: str  # of the default name, after the avatar's; with a suffix it is a file, without one a folder
    about: str  # half a sentence
    write: Callable[[Request], None]
    still: bool = True  # whether it can show an expression
    moves: Literal["never", "maybe", "always"] = "never"  # whether it can or must have a motion

    @property
    def suffix(self) -> str:
        """Of the file; "" stands for a folder."""
        _, dot, last = self.ending.rpartition(".")
        return dot + last if dot else ""


def _write_html(request: Request) -> None:
    from . import files
    from .avatar_io import glb_content
    from .viewer import standalone_page

    page = standalone_page(glb_content(request.path, request.head), request.path.name)
    with files.atomic_write(request.output) as temporary:
        temporary.write_bytes(page)


def _write_ply(request: Request) -> None:
    from .avatar_io.export import export_ply

    export_ply(request.output, request.data, request.expression)


def _write_spz(request: Request) -> None:
    from .avatar_io.export import export_spz

    export_spz(request.output, request.data, request.expression)


def _write_ply_sequence(request: Request) -> None:
    from .avatar_io.export import export_ply_sequence

    assert request.motion is not None
    with request.progress.stage("Writing splats", len(request.motion)) as stage:
        export_ply_sequence(request.output, request.data, request.motion, stage.advance)


def _write_mesh(request: Request) -> None:
    from .avatar_io.export import export_mesh

    with request.progress.stage("Baking the texture"):
        export_mesh(request.output, request.data, request.expression, request.motion)


def _write_obj(request: Request) -> None:
    from .avatar_io.export import export_obj

    total = 1 if request.motion is None else len(request.motion)
    with request.progress.stage("Writing meshes", total) as stage:
        export_obj(request.output, request.data, request.expression, request.motion, step=stage.advance)


def _write_gaussian_avatars(request: Request) -> None:
    from .avatar_io.export import export_gaussian_avatars

    export_gaussian_avatars(request.output, request.data, request.motion or _one_frame(request.expression))


FORMATS: dict[str, Format] = {
    "html": Format(".html", "the viewer and the avatar in one file that opens without a network", _write_html, False),
    "ply": Format(".ply", "the splats of one moment, for every splat program", _write_ply),
    "spz": Format(".spz", "the same, some five times smaller", _write_spz),
    "ply-sequence": Format("_ply", "a folder with one PLY a frame", _write_ply_sequence, False, "always"),
    "mesh": Format("_mesh.glb", "a textured mesh with skin and the 52 shapes", _write_mesh, True, "maybe"),
    "obj": Format("_obj", "a folder with textured OBJs", _write_obj, True, "maybe"),
    "gaussian-avatars": Format(
        "_gaussian_avatars", "a folder in that project's layout", _write_gaussian_avatars, True, "maybe"
    ),
}
"""By the name that `--to` takes."""


def export(
    avatar: AvatarFile,
    to: Literal["html"],
    output: Output = None,
    *,
    expression: Weights = (),
    motion: str | None = None,
    fps: float | None = None,
    seconds: float | None = None,
    head: Head = None,
    quiet: Quiet = False,
) -> None:
    """Write an avatar in another format.

    html is the viewer and the avatar in one file: it opens in a browser from the disk, without a network. ply and spz
    are the splats of one moment. mesh is a textured GLB with skin and the 52 ARKit shapes, for Blender, Unity and
    three.js; with --motion it carries an animation. ply-sequence and obj are folders with a file a frame.
    gaussian-avatars is a folder in that project's layout. docs/formats.md tells what each carries.

    Examples: zero1toa export avatar.glb --to html -o avatar.html | zero1toa export avatar.glb --to ply -e jawOpen=0.6 |
    zero1toa export avatar.glb --to mesh --motion talk | zero1toa export avatar.glb --to obj --motion smile --fps 12

    Args:
        avatar: The avatar's file.
        to: The format.
        output: The file or folder to write; by default the avatar's name with the format's ending, in this folder.
        expression: ARKit weights of a still.
        motion: What animate takes: the name of a built-in motion, a recording, or a video of a face.
        fps: Frames a second, if not those of the motion.
        seconds: Only the first seconds of the motion.
        head: The FLAME that a folder of GaussianAvatars was made on, flame:FILE; other avatars carry their
            head. It also says what the expressions of a FLAME motion mean.
        quiet: Print nothing but warnings and errors.
    """
    chosen = FORMATS[to]
    progress = Progress(quiet)
    target = output if output is not None else Path(f"{avatar.stem}{chosen.ending}")
    _check_target(to, chosen, avatar, target)
    _check_moment(to, chosen, expression, motion, fps, seconds)
    request = _request(avatar, target, expression, motion, fps, seconds, head, progress)
    chosen.write(request)
    for line in _report(target):
        progress.say(line)


export.__annotations__["to"] = Literal[tuple(FORMATS)]


def _check_target(name: str, chosen: Format, avatar: Path, target: Path) -> None:
    from . import files

    if chosen.suffix:
        if target.suffix.lower() != chosen.suffix:
            better = target.with_suffix(chosen.suffix)
            raise InputError(f"The format {name} is a file that ends in {chosen.suffix}: name it {better}.")
        files.check_output_file(target)
    else:
        files.check_output_directory(target)
    if target.expanduser().resolve() == avatar.expanduser().resolve():
        raise InputError(f"{target} is the avatar itself; choose another name.")


def _check_moment(
    name: str, chosen: Format, expression: tuple[str, ...], motion: str | None, fps: float | None, seconds: float | None
) -> None:
    if motion is None and (fps is not None or seconds is not None):
        raise InputError("--fps and --seconds belong to a motion: say which with --motion.")
    if motion is None and chosen.moves == "always":
        raise InputError(f"The format {name} shows a motion: say which, for example --motion talk.")
    if motion is not None and chosen.moves == "never":
        other = "; ply-sequence holds one" if name in ("ply", "spz") else ""
        raise InputError(f"The format {name} cannot hold a motion{other}.")
    if expression and not chosen.still:
        raise InputError(f"The format {name} does not take an expression.")
    if expression and motion is not None:
        raise InputError("Give either an expression or a motion.")


def _request(
    path: Path,
    output: Path,
    expression: tuple[str, ...],
    motion: str | None,
    fps: float | None,
    seconds: float | None,
    head: str | None,
    progress: Progress,
) -> Request:
    from .avatar import expression_weights
    from .avatar_io import load_any

    weights = expression_weights(parse_weights(expression)).numpy() if expression else None
    moves, language = (None, False) if motion is None else _read_motion(motion, fps, seconds, head, progress)
    own = None if language and not path.expanduser().is_dir() else head
    return Request(path, load_any(path, own), output, weights, moves, progress, own)


def _read_motion(
    name: str, fps: float | None, seconds: float | None, head: str | None, progress: Progress
) -> tuple[Motion, bool]:
    """The motion, and whether it is FLAME's, so that the head says what it means."""
    from .motion import read_motion

    source = read_motion(name, flame_head=head, progress=progress)
    for warning in source.warnings:
        progress.warn(warning)
    motion = source.motion if seconds is None else source.motion.trimmed(0, seconds)
    return motion if fps is None else motion.resampled(fps), source.kind == "flame"


def _one_frame(expression: NDArray[np.float32] | None) -> Motion:
    import numpy as np

    from .heads import arkit
    from .motion import Motion

    weights = np.zeros(len(arkit.NAMES)) if expression is None else expression
    return Motion.still(weights[None], _STILL_FPS)


def parse_weights(pairs: tuple[str, ...]) -> Mapping[str, float]:
    """ARKit weights by name from words such as jawOpen=0.7. Raises InputError for others."""
    weights = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            raise InputError(f"'{pair}' is no expression weight; write for example jawOpen=0.7.") from None
    return weights


def _report(target: Path) -> Iterator[str]:
    place = target.expanduser()
    if place.is_file():
        yield f"Wrote {target} ({place.stat().st_size / 1e6:.1f} MB)"
        return
    names = sorted(item.name for item in place.iterdir())
    size = sum(item.stat().st_size for item in place.iterdir() if item.is_file())
    shown = ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]}, {len(names)} files"
    yield f"Wrote {target}/: {shown} ({size / 1e6:.1f} MB)"
