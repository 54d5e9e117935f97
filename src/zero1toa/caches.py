"""Where things are kept that are made once on a machine: compiled code, landmarks of other heads.

Usually that is the user's cache folder. Some accounts have none: a service without a home, a home that is read-only, a
container under a number without a name. Then it is a folder of this user's alone among the temporary files.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .errors import OutputError

OWN = "ZERO1TOA_CACHE"
"""Variable that names another cache folder."""
_COMPILED_PACKAGES = ("zero1toa", "pymatting")  # whose functions Numba compiles and keeps


def cache_folder() -> Path:
    """`$ZERO1TOA_CACHE`, or `zero1toa` in `$XDG_CACHE_HOME` or `~/.cache`, or a temporary one for who has no home."""
    own = os.environ.get(OWN)
    try:
        if own:
            return Path(own).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zero1toa"
    except RuntimeError:  # there is no home
        return private_temporary_folder()


def keep_compiled_code() -> None:
    """Lets Numba keep what it compiles, also where neither the packages' folders nor the user's cache can be written
    to; there it would refuse to work at all. Called before the first function that asks to be kept.

    Raises:
        OutputError: there is no folder for temporary files either.
    """
    _keep_compiled_code()


@lru_cache(maxsize=1)
def _keep_compiled_code() -> None:
    from numba.core import config
    from numba.misc.appdirs import AppDirs

    if config.CACHE_DIR and _is_writable(Path(config.CACHE_DIR)):
        return
    usual = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
    if usual.is_absolute() and _is_writable(usual):
        return
    if usual.is_absolute() and all(_is_writable(folder) for folder in _package_folders()):
        return
    config.CACHE_DIR = str(private_temporary_folder() / "numba")


def _package_folders() -> list[Path]:
    specs = [find_spec(name) for name in _COMPILED_PACKAGES]
    return [Path(place) for spec in specs if spec is not None for place in spec.submodule_search_locations or ()]


def _is_writable(folder: Path) -> bool:
    """Whether files can be made there, or the folder itself. Leaves nothing behind."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@lru_cache(maxsize=1)
def private_temporary_folder() -> Path:
    """A folder among the temporary files that belongs to this user alone, the same for all processes. Where somebody
    else sits on its name, one for this process, which is removed with it: what is kept there is run as code.

    Raises:
        OutputError: there is no folder for temporary files.
    """
    try:
        shared = Path(tempfile.gettempdir())
        folder = shared / f"zero1toa-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
        if _is_ours(folder):
            return folder
        passing = tempfile.mkdtemp(prefix="zero1toa-")
    except OSError as error:
        raise OutputError(
            "There is no place for temporary files; set TMPDIR to a folder that can be written to."
        ) from error
    atexit.register(shutil.rmtree, passing, ignore_errors=True)
    return Path(passing)


def _is_ours(folder: Path) -> bool:
    """Makes it if it is not there; whether nobody else can write to it."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "getuid"):  # where temporary files are the user's own
        return True
    return found.st_uid == os.getuid() and not found.st_mode & 0o077 and _is_writable(folder)
