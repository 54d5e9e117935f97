"""The process in which one reader gets its cases: python -m tests.fuzz.child READER CASES SEED FOLDER."""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from .mutations import mutated
from .packed import packed, unpacked, written

SECONDS = 20.0
"""That a case may take. The slowest honest one is a tenth of that; the machine may be busy with other things."""

MEMORY = 1 << 30
"""Bytes that a process may take for its cases over what it had before the first one."""

_FAMILIES = 40  # different failures that are kept

_AFRESH = 0.4  # share of the cases that start from a valid file, whatever coverage says

# Not instrumented: what Numba compiles, and what reads no files.
_NOT_GUIDED = ("zero1toa.splats.cpu", "zero1toa.splats", "zero1toa.cli")
_GUIDED = ("zero1toa", "PIL", "zipfile", "pickle", "csv", "json", "numpy.lib.format")


class Cases:
    """Runs cases of a reader and counts."""

    def __init__(self, name: str, folder: Path) -> None:
        from .readers import READERS

        self.reader = READERS[name]
        self.folder = folder
        self.seeds = [packed(files) for files in self.reader.seeds()]
        self.report: dict[str, Any] = {
            "cases": 0, "read": 0, "seconds": 0.0, "memory": 0, "guided": False, "finished": False, "failures": [],
        }  # fmt: skip
        self.failures: dict[str, str] = {}
        self.current = ""
        for seed in self.seeds:  # they are valid, and whatever is imported late is imported before memory is bounded
            self.reader.check(self.reader.read(written(unpacked(seed), self._emptied(), self.reader.file_name)))
        _forget_peak()
        self._before = _resident()
        self._start = time.monotonic()

    def run(self, raw: bytes) -> None:
        """One case. A reader may read it, or raise an error that a user is meant to see."""
        from zero1toa.errors import Zero1toaError

        path = written(unpacked(raw), self._emptied(), self.reader.file_name)
        try:
            self.reader.check(self.reader.read(path))
            self.report["read"] += 1
        except Zero1toaError as error:
            sentence = str(error)
            if "\n" in sentence or not sentence.endswith(".") or len(sentence) > 1500:
                self._fail(raw, f"no sentence: {sentence[:200]!r}", "")
        except Exception as error:  # noqa: BLE001  # finding these is what it is for
            frames = [f for f in traceback.extract_tb(error.__traceback__) if "zero1toa" in f.filename]
            at = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "?"
            self._fail(raw, f"{type(error).__name__} in {at}: {str(error)[:120]}", traceback.format_exc())
        self.report["cases"] += 1
        if self.report["cases"] % 20 == 0:
            self.save()

    def save(self, **values: Any) -> None:
        """Writes what is known so far."""
        self.report.update(values)
        self.report["memory"] = max(self.report["memory"], _peak() - self._before)
        self.report["seconds"] = time.monotonic() - self._start
        self.report.update(failures=list(self.failures.values()), current=self.current)
        (self.folder / "report.json").write_text(json.dumps(self.report))

    def _emptied(self) -> Path:
        place = self.folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def _fail(self, raw: bytes, what: str, trace: str) -> None:
        family = self.current + what.partition(": ")[0]
        what = f"{self.current}: {what}" if self.current else what
        if family in self.failures or len(self.failures) >= _FAMILIES:
            return
        self.failures[family] = what
        place = self.folder / "failures" / str(len(self.failures))
        place.mkdir(parents=True)
        (place / "why.txt").write_text(f"{what}\n\n{trace}", errors="replace")
        written(unpacked(raw), place, self.reader.file_name)
        self.save()


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _bound() -> None:
    """From here on the process may take `MEMORY` more than it has."""
    resource.setrlimit(resource.RLIMIT_AS, (_virtual() + MEMORY, resource.RLIM_INFINITY))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _virtual() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _peak() -> int:
    """Of this program's memory; getrusage would count that of the process from which it was started."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _unguided(cases: Cases, count: int, seed: int) -> None:
    """Every case is a valid file, changed some times."""
    source = random.Random(seed)
    for _ in range(count):
        raw = source.choice(cases.seeds)
        for _ in range(source.choice((1, 1, 1, 2, 4))):
            raw = mutated(raw, source, cases.seeds)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        cases.run(raw)
        faulthandler.cancel_dump_traceback_later()
    cases.save(finished=True)
    sys.stdout.flush()
    os._exit(0)  # what a damaged file left in a library must not fail at its end


def _given(folder: Path) -> None:
    """The packed files that lie in folders with the readers' names, one after the other."""
    for place in sorted((folder / "given").iterdir()):
        cases = Cases(place.name, folder)
        _bound()
        for path in sorted(place.iterdir()):
            cases.current = f"{place.name}/{path.name}"
            cases.save()
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            cases.run(path.read_bytes())
            faulthandler.cancel_dump_traceback_later()
        cases.save(finished=True)
        (folder / "report.json").rename(folder / f"{place.name}.json")
    sys.stdout.flush()
    os._exit(0)


def _guided(cases: Cases, count: int, seed: int) -> None:
    """What reaches new code is kept by libFuzzer and changed again."""
    import atheris

    corpus = cases.folder / "corpus"
    corpus.mkdir()
    for number, raw in enumerate(cases.seeds):
        (corpus / f"seed-{number}").write_bytes(raw)

    def one(raw: bytes) -> None:
        if cases.report["cases"] >= count:
            cases.save(finished=True, guided=True)
            os._exit(0)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        cases.run(raw)
        faulthandler.cancel_dump_traceback_later()

    def custom(raw: bytes, largest: int, number: int) -> bytes:
        source = random.Random(number)
        if source.random() < _AFRESH:  # what has been changed often is refused early
            raw = source.choice(cases.seeds)
        return mutated(raw, source, cases.seeds)[:largest]

    arguments = [
        sys.argv[0],
        "-runs=-1",
        f"-seed={seed}",
        f"-max_len={8 << 20}",
        "-rss_limit_mb=0",
        "-timeout=86400",
        f"-artifact_prefix={cases.folder}/",
        "-mutate_depth=2",
        str(corpus),
    ]
    atheris.Setup(arguments, one, custom_mutator=custom)
    atheris.Fuzz()


def main() -> None:
    name, count, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    warnings.simplefilter("ignore")
    if (folder / "given").is_dir():
        _given(folder)
    try:
        if os.environ.get("ZERO1TOA_FUZZ_UNGUIDED"):
            raise ImportError
        import atheris
    except ImportError:
        cases = Cases(name, folder)
        _bound()
        _unguided(cases, count, seed)
    with atheris.instrument_imports(include=list(_GUIDED), exclude=list(_NOT_GUIDED), enable_loader_override=False):
        cases = Cases(name, folder)
    _bound()
    _guided(cases, count, seed)


if __name__ == "__main__":
    main()
