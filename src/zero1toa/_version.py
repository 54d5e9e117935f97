"""The version, in one place: read by the build and by `zero1toa.__version__`."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

__version__ = "0.1.0"

COMMIT_FILE = "_commit.txt"
"""Where `hatch_build.py` leaves the commit that a wheel or a source package was made of."""

_LETTERS = 12  # of a commit's name
_SECONDS = 5.0  # that git may take


@lru_cache(maxsize=1)
def commit() -> str:
    """The commit of this code, with "+changes" where files differ from it; "" where nobody knows.

    A built package carries it; in a checkout git is asked, when this is first called.
    """
    package = Path(__file__).resolve().parent
    try:
        return (package / COMMIT_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return git_commit(package.parent.parent)


def git_commit(checkout: Path) -> str:
    """What git says of the checkout whose root that is; "" for any other folder, or without git."""
    if not ((checkout / ".git").exists() and (checkout / "src" / "zero1toa").is_dir()):
        return ""
    try:
        name = _git(checkout, "rev-parse", f"--short={_LETTERS}", "HEAD")
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{name}+changes" if changed else name


def full_version() -> str:
    """For example "0.1.0 (commit 1a2b3c4d5e6f)"."""
    return f"{__version__} (commit {commit()})" if commit() else __version__


def made_by() -> dict[str, str]:
    """The entries of an avatar's provenance that name this code."""
    return {"generator": f"zero1toa {__version__}", "commit": commit()}


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    return done.stdout.strip()
