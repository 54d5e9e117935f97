"""Kills `zero1toa create` at random moments, goes on, and compares the avatar with that of a run left alone.

    python -m tests.kill_and_resume --kills 100

Everything is imported and compiled once; each run is a fork of that process, so a kill costs seconds and not minutes.
Prints one line of JSON; ends with code 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

LARGEST_DIFFERENCE = 1e-5  # of any number of the avatar; the same machine and threads sum in the same order
_TRAINING, _ENDING = 1.0, 0.05  # seconds within which a kill falls after training or the last file has begun


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; by default a new one, and printed")
    parser.add_argument("--iterations", type=int, default=8)
    arguments = parser.parse_args()
    seed = random.randrange(1 << 30) if arguments.seed is None else arguments.seed
    with tempfile.TemporaryDirectory() as folder:
        broken, figures = check(Path(folder), arguments.kills, random.Random(seed), arguments.iterations)
    print(json.dumps({"seed": seed, **figures, "broken": broken}))  # noqa: T201
    return 1 if broken else 0


def check(folder: Path, kills: int, moments: random.Random, iterations: int) -> tuple[list[str], dict[str, float]]:
    """What was broken, in sentences, and figures."""
    import torch

    import zero1toa
    from zero1toa import config

    torch.set_num_threads(1)  # before any work: threads do not survive a fork
    tiny = replace(config.PRESETS["debug"], size=32, texture_size=128, update_interval=2)
    config.PRESETS["debug"] = replace(tiny, settle=replace(tiny.settle, rounds=2, frames=2))
    (folder / "fit").mkdir()
    zero1toa.fit("demo").save(folder / "fit")
    options = ["--preset", "debug", "--iterations", str(iterations), "--device", "cpu", "-q"]
    create = ["create", str(folder / "fit"), *options, "-o"]
    _warm(create, folder / "warm.glb")
    start = time.monotonic()
    assert _wait(_fork([*create, str(folder / "whole.glb")])) == 0
    length = time.monotonic() - start
    whole = zero1toa.load(folder / "whole.glb")

    broken: list[str] = []
    done = avatars = resumed = 0
    worst = 0.0
    place = folder / "killed"
    output = place / "avatar.glb"
    while done < kills:
        place.mkdir()
        arguments = [*create, str(output)]
        while True:
            child = _fork(arguments)
            code = _wait(child) if done >= kills else _killed(child, moments, length, place)
            if code == -signal.SIGKILL:
                done += 1
                if output.exists():
                    _loads(output, broken)
            elif code == 0:
                break
            elif "--resume" not in arguments:
                broken.append(f"create ended with code {code}")
                break
            has_state = (place / ".avatar.glb.work" / "state.pt").exists()
            if code == 2 and has_state:
                broken.append("a saved state could not be taken up")
                break
            arguments = [*create, str(output)] + (["--resume"] if has_state else [])
            resumed += has_state
        avatars += 1
        if output.exists():
            worst = max(worst, _difference(zero1toa.load(output), whole))
        if left := sorted(p.name for p in place.iterdir() if p != output):
            broken.append(f"left behind: {left}")
        for path in sorted(place.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        place.rmdir()
        if len(broken) > 5:
            break
    if worst > LARGEST_DIFFERENCE:
        broken.append(f"the avatar differs by {worst:.2e}")
    figures = {"kills": done, "avatars": avatars, "resumed": resumed, "largest_difference": worst, "seconds": length}
    return broken, figures


def _warm(create: list[str], output: Path) -> None:
    from zero1toa.cli import main as command

    assert command([*create, str(output)]) == 0


def _fork(arguments: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        from zero1toa.cli import main as command

        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(command(arguments))
    except BaseException:  # noqa: BLE001  # a fork must never return into the caller's code
        os._exit(70)


def _killed(child: int, moments: random.Random, length: float, place: Path) -> int:
    """At any moment of the run, of its training, or of its end, each as often: training is a small part of so short a
    run, and the end a tiny one."""
    signs: tuple[Callable[[], bool], ...] = (
        lambda: True,
        lambda: any(place.glob(".avatar.glb.work/state.pt")),
        lambda: any(path.name.endswith(".part.glb") for path in place.iterdir()),
    )
    sign = moments.choice(signs)
    seconds = moments.uniform(0, (length, _TRAINING, _ENDING)[signs.index(sign)])
    while not sign() and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.001)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return _wait(child)


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _loads(path: Path, broken: list[str]) -> None:
    import zero1toa

    try:
        zero1toa.load(path)
    except zero1toa.Zero1toaError as error:
        broken.append(f"half-written: {error}")


def _difference(one: object, other: object) -> float:
    splats, expected = one.splats, other.splats  # type: ignore[attr-defined]
    if any(a.shape != b.shape for a, b in zip(splats, expected)):
        return float("inf")
    return max(float((a.double() - b.double()).abs().max()) for a, b in zip(splats, expected))


if __name__ == "__main__":
    sys.exit(main())
