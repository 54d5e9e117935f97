"""Builds the package, installs the wheel apart from the checkout, and runs every command of it.

    python -m tests.package_smoke                                  # with this Python and its packages
    python -m tests.package_smoke --python OTHER/bin/python        # with those of another environment
    python -m tests.package_smoke --uv 3.12 --resolution lowest-direct --extras all   # uv installs what it names

The installation is read-only and lies in a folder with spaces and letters of several alphabets; there is no home and no
network. Python runs in its development mode, and a warning about our code counts as a failure. Prints one line for each
command and a line of JSON; ends with code 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.built_package import (
    PLACE,
    bare_environment,
    build,
    confine,
    install,
    make_read_only,
    source_lacks,
    wheel_lacks,
)

_SECONDS = 900.0  # that a command may take; compiling for the first time included
_SECONDS_TO_SERVE = 120.0
_FORMATS = ("html", "ply", "spz", "ply-sequence", "mesh", "obj", "gaussian-avatars")
_OF_ONE_MOMENT = ("ply", "spz", "obj")
_EXTRAS = "cluster,diffusion"  # those that run without an NVIDIA GPU and are no tools of ours


@dataclass
class Installation:
    """Runs commands of an installed package and counts what goes wrong."""

    python: Path
    place: Path
    environment: dict[str, str]
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def command(self, *arguments: str, code: int = 0, makes: str = "") -> str:
        """Runs `zero1toa` in the place; it must end with `code` and make a file. Its standard output."""
        return self._checked(" ".join(arguments), [*self._start(), *arguments], code, makes)

    def script(self, *arguments: str) -> str:
        """The same by the script that was installed, without development mode."""
        return self._checked(
            f"bin/zero1toa {' '.join(arguments)}", [str(self.python.with_name("zero1toa")), *arguments]
        )

    def statement(self, code: str) -> str:
        """Runs a Python statement."""
        return self._checked(code, [str(self.python), "-X", "dev", "-c", code])

    def _start(self) -> list[str]:
        return [str(self.python), "-X", "dev", "-m", "zero1toa"]

    def _checked(self, name: str, command: list[str], code: int = 0, makes: str = "") -> str:
        start = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=_SECONDS,
            preexec_fn=confine,
        )
        wrong = []
        if done.returncode != code:
            wrong.append(f"code {done.returncode}, not {code}: {done.stderr.strip()[-1500:]}")
        elif makes and not (self.place / makes).exists():
            wrong.append(f"{makes} is missing")
        wrong += own_warnings(done.stderr)
        if "Traceback" in done.stderr and not wrong:
            wrong.append(done.stderr[-1500:])
        self._note(name, time.monotonic() - start, wrong)
        return done.stdout

    def view(self, *arguments: str) -> None:
        """Starts the viewer's server, gets its page and the avatar, and stops it. The network is the server's own, so
        that who asks runs beside it, in the installed Python."""
        code = _ASK.format(command=[*self._start(), "view", *arguments, "--no-browser"], seconds=_SECONDS_TO_SERVE)
        self._checked("view " + " ".join(arguments), [str(self.python), "-c", code])

    def _note(self, name: str, seconds: float, wrong: list[str]) -> None:
        self.seconds[name] = round(seconds, 1)
        self.failures += [f"{name}: {sentence}" for sentence in wrong]
        print(f"{'FAILED' if wrong else 'ok':6} {seconds:6.1f} s  {name}", *wrong, sep="\n       ", flush=True)  # noqa: T201


_ASK = """
import re, signal, subprocess, sys, urllib.request
server = subprocess.Popen({command!r}, stdout=subprocess.PIPE, text=True)
for line in server.stdout:
    if found := re.search(r"http://\\S+", line):
        break
url = found.group().rstrip("/.")
assert b"zero1toa" in urllib.request.urlopen(url + "/", timeout={seconds}).read()
assert urllib.request.urlopen(url + "/avatar.glb", timeout={seconds}).read()[:4] == b"glTF"
server.send_signal(signal.SIGINT)
assert server.wait({seconds}) in (0, 130), server.returncode
"""


def own_warnings(text: str) -> list[str]:
    """Warnings of Python's about our files, in what a command printed on standard error."""
    return re.findall(r"^.*[/\\]zero1toa[/\\].*\.py:\d+: \w*Warning.*$", text, re.MULTILINE)


def every_command(at: Installation) -> None:
    """Each command once, at its smallest."""
    at.script("--version")
    at.script("--help")
    at.statement("import zero1toa; print(zero1toa.__version__)")
    at.command("doctor")
    for name in ("fit", "create", "render", "animate", "track", "view", "export", "evaluate", "batch", "doctor"):
        at.command(name, "--help")
    at.command("fit", "demo", "-o", "fit", makes="fit/fit.json")
    small = ("--preset", "debug", "--iterations", "4", "--device", "cpu")
    at.command(
        "create", "fit", *small, "-o", "ä 1.glb", "--preview", "look.png", "--dataset", "clips", makes="look.png"
    )
    at.command("render", "ä 1.glb", "-o", "smile.png", "--size", "128", "-e", "jawOpen=0.5", makes="smile.png")
    at.command("render", "ä 1.glb", "-o", "turn.gif", "--size", "64", makes="turn.gif")
    at.command("render", "ä 1.glb", "-o", "renders", "--size", "64", makes="renders/turntable.mp4")
    at.command("animate", "ä 1.glb", "talk", "-o", "talk.mp4", "--seconds", "1", "--size", "384", makes="talk.mp4")
    at.command("track", "talk.mp4", "-o", "motion.csv", "--report", "report.json", makes="motion.csv")
    at.command("animate", "ä 1.glb", "motion.csv", "-o", "again.webm", "--size", "64", makes="again.webm")
    for name in _FORMATS:
        moment = ("-e", "jawOpen=0.4") if name in _OF_ONE_MOMENT else ()
        moves = ("--motion", "nod", "--seconds", "0.2") if name == "ply-sequence" else ()
        at.command("export", "ä 1.glb", "--to", name, *moment, *moves, "-o", _target(name), makes=_target(name))
    at.command("render", "gaussian-avatars out", "-o", "foreign.png", code=2)  # its head is not here: one sentence
    at.view("ä 1.glb")
    at.command("batch", "fit", *small, "-o", "many", "--workers", "1", makes="many/manifest.csv")
    at.command("evaluate", "consistency", "ä 1.glb", "-o", "consistency")
    at.command("evaluate", "clip", "ä 1.glb", "-o", "clip", code=2)  # no weights here: one sentence
    for name in ("ablation", "reenact"):
        at.command("evaluate", name, "--help")
    at.command("render", "nowhere.glb", code=2)
    check = "import zero1toa; print({k: zero1toa.load('ä 1.glb').provenance[k] for k in ('generator', 'iterations')})"
    at.statement(check)


def _target(name: str) -> str:
    endings = {"html": ".html", "ply": ".ply", "spz": ".spz", "mesh": "_mesh.glb", "obj": ".zip"}
    return f"{name} out{endings.get(name, '')}"


def environment_of_uv(folder: Path, version: str, wheel: Path, resolution: str, extras: str, torch: str) -> Path:
    """A Python of that version into which uv installed the wheel with its dependencies."""
    uv = [shutil.which("uv") or sys.exit("uv is not installed.")]
    subprocess.run([*uv, "venv", "--quiet", "--python", version, str(folder)], check=True)
    python = folder / "bin" / "python"
    backend = ["--torch-backend", torch] if torch else []
    asked = f"zero1toa[{_EXTRAS if extras == 'all' else extras}] @ {wheel.as_uri()}" if extras else str(wheel)
    pip = [*uv, "pip", "install", "--quiet", "--python", str(python), "--resolution", resolution, *backend, asked]
    subprocess.run(pip, check=True)
    return python


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts this in the background ignores it
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter of an environment with the dependencies")
    parser.add_argument("--uv", default="", metavar="VERSION", help="let uv make one with this Python")
    parser.add_argument("--resolution", default="highest", choices=["highest", "lowest-direct"], help="of uv")
    parser.add_argument("--extras", default="", help="for uv: names of extras, or all")
    parser.add_argument("--torch", default="", metavar="BACKEND", help="for uv: cpu keeps CUDA out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / PLACE
        (folder / "tmp").mkdir(parents=True)
        (folder / "work").mkdir()
        (folder / "home").mkdir()
        source, wheel = build(folder / "dist")
        wrong = [f"the source package lacks {n}" for n in source_lacks(source)]
        wrong += [f"the wheel: {n}" for n in wheel_lacks(wheel)]
        env = folder / "env"
        if arguments.uv:
            python = environment_of_uv(
                env, arguments.uv, wheel, arguments.resolution, arguments.extras, arguments.torch
            )
        else:
            python = install(wheel, env, arguments.python, _packages_of(arguments.python))
        make_read_only(env)
        make_read_only(folder / "home")
        at = Installation(python, folder / "work", bare_environment(folder / "tmp", folder / "home"), wrong)
        version = at.statement("import platform; print(platform.python_version())").strip()
        try:
            every_command(at)
        finally:
            make_read_only(folder, False)
    print(json.dumps({"python": version, "commands": len(at.seconds), "failures": at.failures}))  # noqa: T201
    return 1 if at.failures else 0


def _packages_of(python: str) -> Path:
    ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    return Path(subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
