"""Throws mutated files at the readers, each reader in a process of its own whose memory and time are bounded.

    python -m tests.fuzz.campaign --cases 10000
    python -m tests.fuzz.campaign --attacks
    python -m tests.fuzz.campaign --readers glb,lam --cases 500 --keep found

Where atheris is installed (extra `fuzz`), coverage decides which mutated files are mutated again; else every case
starts from a valid file. Prints one line a reader: cases, seconds, the peak of its memory over that before the first
case, and failures; ends with code 1 if there are any. Those are kept with their tracebacks in the folder `--keep`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .child import MEMORY, SECONDS
from .packed import Files, packed
from .readers import READERS

_PATIENCE = 60.0  # seconds over what the cases may take until a process counts as hanging
_RESTARTS = 6  # of a reader's process that a case has ended


@dataclass
class Result:
    """What became of one reader's cases."""

    cases: int = 0
    read: int = 0  # cases that were read after all
    seconds: float = 0.0
    memory: int = 0  # bytes over the process's own
    guided: bool = False
    failures: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000, help="of all readers together")
    parser.add_argument("--readers", default=",".join(READERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--attacks", action="store_true", help="the files made on purpose instead")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the files that made a reader fail")
    arguments = parser.parse_args()
    names = arguments.readers.split(",")
    if arguments.attacks:
        return _attacked(names)
    share = -(-arguments.cases // len(names))
    total = Result()
    for name in names:
        result = campaign(name, share, arguments.seed, arguments.keep)
        print(_line(name, result), flush=True)  # noqa: T201
        for what in result.failures:
            print(f"    {what}", flush=True)  # noqa: T201
        total.cases += result.cases
        total.read += result.read
        total.seconds += result.seconds
        total.memory = max(total.memory, result.memory)
        total.failures += result.failures
    print(_line("all", total))  # noqa: T201
    return 1 if total.failures or total.cases < arguments.cases else 0


def _attacked(names: list[str]) -> int:
    from .attacks import attacks

    results = given({name: made for name in names if (made := attacks(name))})
    for name, result in results.items():
        print(_line(name, result), *result.failures, sep="\n    ")  # noqa: T201
    print(sum(result.cases for result in results.values()), "attacks")  # noqa: T201
    return 1 if any(result.failures for result in results.values()) else 0


def _line(name: str, result: Result) -> str:
    how = ", guided by coverage" if result.guided else ""
    return (
        f"{name}: {result.cases} cases, {result.read} of them read, {result.seconds:.0f} s, "
        f"{result.memory / 1e6:.0f} MB, "
        f"{len(result.failures)} failures{how}"
    )


def campaign(name: str, cases: int, seed: int, keep: Path | None = None) -> Result:
    """Runs so many cases of one reader."""
    result = Result()
    for attempt in range(_RESTARTS):
        with tempfile.TemporaryDirectory(prefix="zero1toa-fuzz-") as place:
            folder = Path(place)
            said = _run(name, cases - result.cases, seed + attempt, folder)
            result.cases += said["cases"]
            result.read += said["read"]
            result.seconds += said["seconds"]
            result.memory = max(result.memory, said["memory"])
            result.guided = said["guided"]
            result.failures += [f for f in said["failures"] if f not in result.failures]
            if keep is not None:
                _keep(folder / "failures", keep / name / str(attempt))
        if result.cases >= cases:
            break
    return result


def given(inputs: Mapping[str, Mapping[str, Files]]) -> dict[str, Result]:
    """Runs chosen cases, by reader and by what they are, in one process; a case that ends it ends the run."""
    with tempfile.TemporaryDirectory(prefix="zero1toa-fuzz-") as name:
        place = Path(name)
        for reader, cases in inputs.items():
            for what, files in cases.items():
                path = place / "given" / reader / what
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packed(files))
        count = sum(map(len, inputs.values()))
        said = _run("given", count, 0, place)
        reports = {reader: place / f"{reader}.json" for reader in inputs}
        done = {reader: json.loads(path.read_text()) for reader, path in reports.items() if path.is_file()}
        if len(done) < len(inputs):
            raise AssertionError(f"{said.get('current')}: {said['failures']}")
    keys = ("cases", "read", "seconds", "memory", "guided", "failures")
    return {reader: Result(*(report[key] for key in keys)) for reader, report in done.items()}


def _run(name: str, cases: int, seed: int, folder: Path) -> dict[str, Any]:
    """One process, to its end or until it ends itself."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.child", name, str(cases), str(seed), str(folder)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        try:
            code = subprocess.run(
                command, cwd=root, env=environment, stdout=log, stderr=log, timeout=_PATIENCE + cases * SECONDS
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    last = (folder / "log").read_text(errors="replace")
    report = folder / "report.json"
    said: dict[str, Any] = {"cases": 0, "read": 0, "seconds": 0.0, "memory": 0, "failures": [], "guided": False}
    if report.is_file():
        said.update(json.loads(report.read_text()))
    if not said.get("finished") and not (name == "given" and code == 0):
        lines = [line for line in last.splitlines() if line.strip()]
        what = next(
            (line for line in lines if "Timeout" in line or "Fatal" in line or "ERROR" in line),
            lines[-1] if lines else "",
        )
        where = next((line.strip() for line in lines if 'File "' in line and "zero1toa" in line), "")
        said["failures"].append(f"the process ended with code {code}: {what[:200]} {where}")
        (folder / "failures").mkdir(exist_ok=True)
        (folder / "failures" / "ended.log").write_text(last[-20_000:])
        if (folder / "case").is_dir():
            shutil.copytree(folder / "case", folder / "failures" / "ended")
    return said


def _keep(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


__all__ = ["MEMORY", "Result", "campaign"]

if __name__ == "__main__":
    sys.exit(main())
