"""Builds the package as for a release, installs it apart from the checkout, and runs it where little is allowed."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = "Größe 頭 and spaces"
"""Name of the folder of an installation: letters of several alphabets, and spaces."""

CARRIED = (
    "zero1toa/py.typed",
    "zero1toa/heads/assets/default_head.npz",
    "zero1toa/heads/assets/default_landmarks.npz",
    "zero1toa/portrait/assets/detector_bias.npz",
    "zero1toa/portrait/assets/expression_prior.npz",
    "zero1toa/tracking/assets/movement_reader.npz",
    "zero1toa/viewer/static/app.js",
    "zero1toa/viewer/static/index.html",
    "zero1toa/viewer/static/style.css",
    "zero1toa/viewer/static/licences.txt",
    "dist-info/licenses/LICENSE",
    "dist-info/licenses/NOTICE",
    "dist-info/entry_points.txt",
)
"""What a wheel must have beside its modules."""
SOURCES = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "requirements.lock",
           "src/zero1toa/cli.py", "web/package.json", "tests/test_package.py", "docs/reliability.md", "scripts/setup",
           "tools/lock.py", "benchmarks/__init__.py")  # fmt: skip
"""What a source package must have, so that the tests can be run and the viewer built from it."""

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1  # linux/sockios.h, linux/if.h


def build(folder: Path) -> tuple[Path, Path]:
    """The source package, and the wheel that is built from that package alone."""
    hatchling = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run([*hatchling, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    source = next(folder.glob("*.tar.gz"))
    unpacked = folder / "unpacked"
    with tarfile.open(source) as archive:
        archive.extractall(unpacked, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    subprocess.run([*hatchling, "-t", "wheel"], cwd=next(unpacked.iterdir()), check=True, capture_output=True)
    shutil.rmtree(unpacked)
    return source, next(folder.glob("*.whl"))


def wheel_lacks(wheel: Path) -> list[str]:
    """What should be in the wheel and is not: modules and `CARRIED`; and what should not be there."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    modules = [str(p.relative_to(ROOT / "src")) for p in (ROOT / "src").rglob("*.py")]
    missing = [name for name in (*modules, *CARRIED) if not any(n.endswith(name) for n in names)]
    strange = [n for n in names if not n.startswith(("zero1toa/", "zero1toa-")) or "__pycache__" in n]
    return missing + [f"not wanted: {name}" for name in strange]


def source_lacks(source: Path) -> list[str]:
    """What should be in the source package and is not."""
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    return [name for name in SOURCES if name not in names]


def install(wheel: Path, place: Path, python: str = sys.executable, dependencies: Path | None = None) -> Path:
    """A virtual environment at `place` with the wheel; its `python`.

    Args:
        wheel: the file.
        place: a folder that is not there yet.
        python: the interpreter to make it with.
        dependencies: a folder of packages that it sees, so that they need not be installed again; the packages that
            they themselves were linked to, a checkout for example, it does not see.
    """
    subprocess.run([python, "-m", "venv", "--without-pip", str(place)], check=True)
    own = place / "bin" / "python"
    packages = next(place.glob("lib/python*/site-packages"))
    if dependencies is not None:
        (packages / "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(own), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return own


def make_read_only(folder: Path, read_only: bool = True) -> None:
    """Takes away everybody's permission to write to a folder and all in it, or gives the owner's back."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode & ~0o222 if read_only else mode | 0o200)


def confine() -> None:
    """For `preexec_fn`: the process and all that it starts have no network but their own loopback, and root, too, is
    bound by permissions. Elsewhere than on Linux, or where the system forbids it, less or nothing of that."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    root = os.getuid() == 0
    if libc.unshare(_CLONE_NEWNET if root else _CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        with socket.socket() as asked:
            try:
                fcntl.ioctl(asked, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
            except OSError:
                pass
    if root:
        libc.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


def bare_environment(temporary: Path, home: Path | None = None) -> dict[str, str]:
    """Variables of a service's account: no home, or one that may be read-only; nothing of ours."""
    kept = ("PATH", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_WAIT_POLICY")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update(TMPDIR=str(temporary), LC_ALL="C", TERM="dumb", PYTHONDONTWRITEBYTECODE="1")
    if home is not None:
        environment["HOME"] = str(home)
    return environment
