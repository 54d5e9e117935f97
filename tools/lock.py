"""Makes requirements.lock and requirements-test.lock: every package, direct or not, at a version known to work.

Run `python tools/lock.py` with `uv` (https://docs.astral.sh/uv) on the PATH, then `./scripts/test`. One lock serves
Python 3.10 to 3.12 on Linux, macOS and Windows; lines that hold for some of them only carry a marker.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = "3.10"

# Wheels without CUDA exist for this version on every platform we serve; newer ones are tried when the lock is renewed.
CONSTRAINTS = ["torch==2.13.0"]

# MediaPipe asks for these and we never call what uses them: zero1toa.portrait.mediapipe_runtime puts placeholders in
# their place. Without them the download is about 160 MB smaller, and no system library (OpenCV's libGL) is missing on a
# bare machine. The lock is therefore installed with `pip install --no-deps`.
NOT_NEEDED = ["jax", "jaxlib", "matplotlib", "opencv-contrib-python", "sentencepiece", "sounddevice"]

# torch from the package index brings these on Linux; the build without CUDA does not want them, and where there is an
# NVIDIA GPU scripts/setup lets pip add those that its torch names.
CUDA_PACKAGES = re.compile(r"^(nvidia-|cuda-|triton\b)")

# These install the checkout itself (pyproject.toml's build-system, and what an editable install needs besides).
BUILD_TOOLS = ["hatchling", "editables"]

HEADER = """\
# Made by tools/lock.py; do not edit. Install with: pip install --no-deps -r {name}
# (scripts/setup does, after it has chosen the right build of torch.)
"""


def compile_lock(extras: list[str], constraints: list[str]) -> list[str]:
    """The lines `name==version ; marker` that uv finds for the project with `extras`, without CUDA packages."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = Path(folder, "overrides.txt")
        overrides.write_text("".join(f'{name} ; python_version < "3"\n' for name in NOT_NEEDED))
        pins = Path(folder, "constraints.txt")
        pins.write_text("".join(f"{line}\n" for line in constraints))
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
        command += ["--no-annotate", "--no-header", "--override", str(overrides), "--constraint", str(pins)]
        for extra in extras:
            command += ["--extra", extra]
        build = Path(folder, "build.in")
        build.write_text("".join(f"{line}\n" for line in BUILD_TOOLS))
        command += ["pyproject.toml", str(build)]
        result = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [line for line in result.stdout.splitlines() if not CUDA_PACKAGES.match(line)]


def write_lock(name: str, lines: list[str]) -> None:
    """Writes one lock file at the root of the checkout."""
    (ROOT / name).write_text(HEADER.format(name=name) + "".join(f"{line}\n" for line in lines))
    print(f"{name}: {len(lines)} lines")


def main() -> int:
    """Makes both files."""
    run_time = compile_lock([], CONSTRAINTS)
    write_lock("requirements.lock", run_time)
    with_tests = compile_lock(["test", "diffusion"], run_time)
    write_lock("requirements-test.lock", [line for line in with_tests if line not in run_time])
    return 0


if __name__ == "__main__":
    sys.exit(main())
