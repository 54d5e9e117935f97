"""The work on one portrait, as a worker process does it: fit, create, preview, motions, exports, and a row on it."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import files
from .._version import __version__
from ..errors import (
    BusyError,
    InputError,
    MissingDependency,
    MissingWeights,
    OutputError,
    Zero1toaError,
    is_out_of_memory,
)
from ..locks import exclusive
from ..progress import Progress, Stage
from .options import Job, avatar_key, extras_key, photo_hash

Row = dict[str, Any]
"""One portrait's line of the manifest; docs/batch.md names its fields."""
Report = Callable[[str, float], None]
"""Called with the stage's name and the share of the portrait's work that is done, in [0, 1]."""

ROW = "row.json"
AVATAR = "avatar.glb"
PREVIEW = "preview.png"
_WORK = ".work"
_SHARES = {
    "fit": (0.0, 0.1),
    "create": (0.1, 0.9),
    "preview": (0.9, 0.92),
    "motions": (0.92, 0.97),
    "exports": (0.97, 1.0),
}
"""Where each part begins and ends in the whole of a portrait; `create` takes most of it with every preset."""
_SECONDS_BETWEEN_REPORTS = 0.5
_LONGEST_ERROR = 300  # letters of an unexpected error that the row shows; the worker's log has all
_PREVIEW_SIZE = 256  # px of each of the preview's views
_PREVIEW_VIEWS: tuple[tuple[float, str], ...] = ((0, "neutral"), (35, "neutral"), (0, "smile"))  # yaw in degrees, face

INPUT, OUTPUT, SETUP, RESOURCE, BUSY, OTHER = "input", "output", "setup", "resource", "busy", "other"
"""Kinds of failure: the photo or its options; the disk; what is installed; memory, time or a lost worker; another run
that works on the same portrait; anything else."""
FOR_GOOD = frozenset((INPUT, SETUP))
"""Kinds that the same photo and options will meet again."""


def work_on(job: Job, report: Report | None = None) -> Row:
    """Makes what `job` asks for and is not there yet, and returns the portrait's row; `row.json` in its folder is the
    same. A run that was cut short goes on from its last state.

    No failure of the portrait is raised: the row's `state` is "failed", `kind` and `error` say why.
    """
    report = report or (lambda stage, share: None)
    row: Row = {
        "name": job.name,
        "photo": job.photo,
        "state": "failed",
        "version": __version__,
        "options": json.loads(json.dumps(job.as_dict()["options"])),  # lists for tuples, as it will be read
        "seconds": {},
        "warnings": [],
        "files": [],
        "host": platform.node(),
        "finished": "",
    }
    try:
        with exclusive(job.folder / AVATAR):
            _work(job, row, report)
            _keep(job, row)
    except BusyError as error:  # the row in the folder is the other run's
        row.update(kind=BUSY, error=str(error))
    except Zero1toaError as error:
        _failed(job, row, _kind(error), str(error))
    except Exception as error:  # noqa: BLE001  # a mistake of ours on one photo must not stop the others
        if is_out_of_memory(error):
            _failed(job, row, RESOURCE, "There was not enough memory; use fewer workers or a smaller preset.")
        else:
            traceback.print_exc(file=sys.stderr)
            first_line = str(error).partition("\n")[0][:_LONGEST_ERROR]
            _failed(job, row, OTHER, f"Unexpected {type(error).__name__}: {first_line}.")
    return row


def read_row(folder: Path) -> Row | None:
    """The row that an earlier run left in a portrait's folder; None where there is none that can be read."""
    try:
        row = json.loads((folder / ROW).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("state"), str) else None


def _work(job: Job, row: Row, report: Report) -> None:
    options = job.options
    row["photo_sha256"] = photo_hash(job.photo)
    row["key"] = key = avatar_key(row["photo_sha256"], options)
    row["extras_key"] = extras = extras_key(key, options)
    old = read_row(job.folder) or {}
    same = old.get("key") == key
    if same and old.get("state") == "failed" and old.get("kind") in FOR_GOOD and not job.try_again:
        row.update(old, unchanged=True)
        return
    if same and old.get("state") == "done" and old.get("extras_key") == extras and _all_there(job, old):
        row.update(old, unchanged=True)
        return
    files.remove_leftovers_in(job.folder)
    if same and old.get("avatar_done") and (job.folder / AVATAR).is_file():
        row["warnings"] = list(old.get("warnings", ()))
        row["seconds"] = {k: v for k, v in old.get("seconds", {}).items() if k in ("fit", "create")}
    else:
        _make_avatar(job, row, report)
    row["avatar_done"] = True
    _keep(job, {**row, "state": "avatar made"})
    _make_extras(job, row, report)
    row["state"] = "done"
    row["peak_memory_mb"] = _peak_memory()


def _make_avatar(job: Job, row: Row, report: Report) -> None:
    from .. import api

    config = job.options.config()
    _keep(job, {**row, "state": "running"})
    with _timed(row, "fit"):
        portrait = api.fit(
            job.photo, head=job.options.head, force=job.options.force, progress=_Reporting(report, "fit")
        )
    row["warnings"] = list(portrait.warnings)
    work = job.folder / _WORK
    with _timed(row, "create"):
        arguments: dict[str, Any] = {
            "config": config,
            "progress": _Reporting(report, "create"),
            "output": job.folder / AVATAR,
            "workspace": work,
            "device": job.device,
        }
        if work.exists():
            try:
                api.create(portrait, resume=True, **arguments)
                row["resumed"] = True
                return
            except InputError:  # no state yet, or one of other options
                pass
        api.create(portrait, **arguments)


def _make_extras(job: Job, row: Row, report: Report) -> None:
    from ..avatar import Avatar

    options, folder = job.options, job.folder
    made = [AVATAR]
    if options.preview or options.motions:
        avatar = Avatar.load(folder / AVATAR)
    if options.preview:
        from ..media import write_png

        with _timed(row, "preview"):
            report("preview", _SHARES["preview"][0])
            write_png(folder / PREVIEW, preview_strip(avatar))
        made.append(PREVIEW)
    if options.motions:
        from ..animation import AnimateConfig, animate_film
        from ..motion import read_motion

        with _timed(row, "motions"):
            for motion in options.motions:
                source = read_motion(motion, seed=options.seed)
                film = f"{Path(motion).stem}.mp4"
                config = AnimateConfig(size=(options.size, options.size))
                animate_film(avatar, source, folder / film, config, _Reporting(report, "motions"))
                made.append(film)
    if options.exports:
        from ..cli_export import FORMATS, export

        with _timed(row, "exports"):
            for name in options.exports:
                report("exports", _SHARES["exports"][0])
                target = f"avatar{FORMATS[name].ending}"
                motion = options.export_motion if FORMATS[name].moves != "never" else ""
                export(folder / AVATAR, name, folder / target, motion=motion or None, quiet=True)  # type: ignore[arg-type]
                made.append(target)
    row["files"] = made
    row["bytes"] = sum(_size(folder / name) for name in made)


def preview_strip(avatar: Any) -> Any:
    """(H, W, 3) an avatar from the front, from a side and smiling, side by side."""
    import numpy as np

    from ..showcase import EXPRESSIONS

    return np.concatenate(
        [
            avatar.render(avatar.front_camera(yaw, size=_PREVIEW_SIZE), EXPRESSIONS[face])
            for yaw, face in _PREVIEW_VIEWS
        ],
        1,
    )


class _Reporting(Progress):
    """Turns the stages of one part of the work into shares of the whole."""

    def __init__(self, report: Report, part: str) -> None:
        super().__init__(quiet=True)
        self._report = report
        self._part = part
        self._next = 0.0
        self._furthest = 0.0

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Reports at most every half second; a short stage after a long one does not take the share back."""
        begin, end = _SHARES[self._part]

        def tell(share: float) -> None:
            self._furthest = max(self._furthest, share)
            self._report(name, self._furthest)

        def show(stage: Stage) -> None:
            now = time.monotonic()
            if now >= self._next:
                self._next = now + _SECONDS_BETWEEN_REPORTS
                tell(begin + (end - begin) * (min(stage.done / total, 1.0) if total else 0.0))

        stage = Stage(name, total, show, time.monotonic)
        tell(begin)
        yield stage

    def warn(self, text: str) -> None:
        """Into the worker's log."""
        print(text, file=sys.stderr)  # noqa: T201


@contextmanager
def _timed(row: Row, part: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        row["seconds"][part] = round(time.monotonic() - start, 3)


def _keep(job: Job, row: Row) -> None:
    if not row.get("unchanged"):
        row["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        files.write_whole(job.folder / ROW, (json.dumps(row, indent=1) + "\n").encode())


def _failed(job: Job, row: Row, kind: str, sentence: str) -> None:
    row.update(state="failed", kind=kind, error=sentence)
    try:
        _keep(job, row)
    except OutputError:  # the manifest has it all the same
        pass


def _kind(error: Zero1toaError) -> str:
    if isinstance(error, InputError):
        return INPUT
    if isinstance(error, (MissingDependency, MissingWeights)):
        return SETUP
    return OUTPUT if isinstance(error, OutputError) else OTHER


def _all_there(job: Job, row: Row) -> bool:
    return all((job.folder / name).exists() for name in row.get("files", ())) and (job.folder / AVATAR).is_file()


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def _peak_memory() -> int | None:
    """MB that this process has had at most, over all its portraits; None where the system does not tell."""
    if os.name != "posix":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak / 1e3)
