"""The package as it is built: complete, and at work in a read-only folder without home and network."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import zero1toa
from built_package import (
    PLACE,
    bare_environment,
    build,
    confine,
    install,
    make_read_only,
    source_lacks,
    wheel_lacks,
)
from zero1toa._version import commit

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions and folders as POSIX has them")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def run(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs the installed package's Python, confined; gives what it printed."""
    folder = tmp_path_factory.mktemp("installed") / PLACE
    folder.mkdir()
    python = install(packages[1], folder / "env", dependencies=Path(sysconfig.get_paths()["purelib"]))
    temporary, home = folder / "tmp", folder / "home"
    temporary.mkdir()
    home.mkdir()
    make_read_only(folder / "env")
    make_read_only(home)

    def python_says(*arguments: str, with_home: bool = False) -> str:
        done = subprocess.run(
            [str(python), *arguments],
            cwd=temporary,
            env=bare_environment(temporary, home if with_home else None),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            preexec_fn=confine,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield python_says
    make_read_only(folder, False)


def test_the_source_package_is_complete(packages: tuple[Path, Path]) -> None:
    assert source_lacks(packages[0]) == []


def test_the_wheel_carries_head_viewer_and_licences(packages: tuple[Path, Path]) -> None:
    assert wheel_lacks(packages[1]) == []


def test_the_installed_package_is_the_one_of_the_wheel_and_knows_its_commit(run: Any) -> None:
    place = run("-c", "import zero1toa; print(zero1toa.__file__)")
    assert PLACE in place
    expected = f"zero1toa {zero1toa.__version__}" + (f" (commit {commit()})" if commit() else "")
    assert run("-m", "zero1toa", "--version").strip() == expected


@pytest.mark.parametrize("with_home", [False, True])
def test_it_is_read_only_and_has_no_network(with_home: bool, run: Any) -> None:
    """Or the tests beside this one would show nothing."""
    tries = """
import pathlib, socket, zero1toa
def fails(act):
    try:
        act()
    except OSError:
        return True
print(fails((pathlib.Path(zero1toa.__file__).parent / "new").touch), fails((pathlib.Path.home() / "new").touch))
print(fails(lambda: socket.create_connection(("192.0.2.1", 80), 3)))
"""
    package, home, network = run("-c", tries, with_home=with_home).split()
    if package != "True" or network != "True":
        pytest.skip("this system does not let a test take permissions or the network away")
    assert home == "True" or not with_home


MAKES_AND_KEEPS = """
import sys
from pathlib import Path
from zero1toa.viewer import ViewerServer, standalone_page
from zero1toa.heads import load_head
from zero1toa.heads.mesh_render import rasterize_mesh
from zero1toa.camera import Camera
import numpy as np
head = load_head()
rasterize_mesh(np.eye(3), np.array([[0, 1, 2]], np.int32), Camera.orbit(distance=2.0, fov=25.0, size=8))
assert b"zero1toa" in standalone_page(b"", "name")
from numba.core import config
print(config.CACHE_DIR)
"""


def test_what_is_compiled_is_kept_among_the_temporary_files_where_home_is_read_only(run: Any) -> None:
    place = run("-c", MAKES_AND_KEEPS, with_home=True).strip()
    assert place.startswith(run("-c", "import tempfile; print(tempfile.gettempdir())").strip())
    assert list(Path(place).rglob("*.nbc"))


def test_the_doctor_finds_nothing_missing(run: Any) -> None:
    assert " missing " not in run("-m", "zero1toa", "doctor", with_home=True)
