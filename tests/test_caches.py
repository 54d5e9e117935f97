"""What is kept between runs finds a place on any machine, and none where others could put code into it."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from zero1toa import caches
from zero1toa.errors import OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="owners and permissions as POSIX has them")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    caches.private_temporary_folder.cache_clear()
    caches._keep_compiled_code.cache_clear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    caches.private_temporary_folder.cache_clear()
    caches._keep_compiled_code.cache_clear()


@posix
def test_the_temporary_folder_is_ours_alone_and_the_same_each_time(tmp_path: Path) -> None:
    folder = caches.private_temporary_folder()
    assert folder == tmp_path / f"zero1toa-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    caches.private_temporary_folder.cache_clear()
    assert caches.private_temporary_folder() == folder


@posix
@pytest.mark.parametrize("trap", ["open to others", "a link", "a file"])
def test_a_place_where_others_could_leave_code_is_not_used(trap: str, tmp_path: Path) -> None:
    taken = tmp_path / f"zero1toa-{os.getuid()}"
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        taken.symlink_to(tmp_path / "elsewhere")
    elif trap == "a file":
        taken.touch()
    else:
        taken.mkdir()
        taken.chmod(0o777)
    folder = caches.private_temporary_folder()
    assert folder != taken and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_place_for_temporary_files_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(OutputError, match="TMPDIR"):
        caches.private_temporary_folder()


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"ZERO1TOA_CACHE": "/a"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/zero1toa"),
        ({"HOME": "/c"}, "/c/.cache/zero1toa"),
    ],
)
def test_the_cache_folder(variables: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZERO1TOA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert caches.cache_folder() == Path(place)


def test_who_has_no_home_has_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("ZERO1TOA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert caches.cache_folder() == caches.private_temporary_folder()


def test_compiled_code_goes_where_it_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from numba.core import config

    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(caches, "_package_folders", lambda: [Path("/proc/nowhere")])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    caches.keep_compiled_code()
    assert config.CACHE_DIR == ""  # Numba finds the user's own folder by itself
    for nowhere in ("/proc/nowhere", "~/.cache"):  # read-only; no home, where a folder named ~ would be made
        monkeypatch.setenv("XDG_CACHE_HOME", nowhere)
        caches._keep_compiled_code.cache_clear()
        monkeypatch.setattr(config, "CACHE_DIR", "")
        caches.keep_compiled_code()
        assert Path(config.CACHE_DIR).parent == caches.private_temporary_folder()


FULL_DISK = """
import errno
from numba.core.caching import IndexDataCacheFile
def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")
IndexDataCacheFile.save = full
IndexDataCacheFile.load = lambda *_: None
import numpy as np
from zero1toa.camera import Camera
from zero1toa.heads.mesh_render import rasterize_mesh
rasterize_mesh(np.eye(3), np.array([[0, 1, 2]], np.int32), Camera.orbit(distance=2.0, fov=25.0, size=8))
from zero1toa.portrait.matting_runtime import matting
matting()
"""


def test_a_full_disk_does_not_stop_what_is_compiled() -> None:
    subprocess.run([sys.executable, "-c", FULL_DISK], check=True)
