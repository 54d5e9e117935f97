"""scripts/setup refuses, in one sentence, what it must not touch or cannot use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("pyproject.toml", "requirements.lock", "requirements-test.lock", "scripts")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are for bash")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What scripts/setup reads of a checkout."""
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def setup(checkout: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(checkout / "scripts/setup"), *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_environment_of_somebody_else_is_not_touched(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/mine").write_bytes(b"1")
    result = setup(checkout)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "was not made by this script" in result.stderr
    assert [path.name for path in (checkout / ".venv").iterdir()] == ["mine"]


def test_a_python_that_does_not_fit_is_refused_before_anything_is_made(checkout: Path) -> None:
    result = setup(checkout, PYTHON="false")
    assert result.returncode == 1
    assert result.stderr == "setup: PYTHON=false is not a Python 3.10, 3.11 or 3.12; name another one.\n"
    assert not (checkout / ".venv").exists()


def test_no_python_at_all_says_what_to_do(checkout: Path) -> None:
    tools = checkout / "bin"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname", "uname"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    result = setup(checkout, PATH=str(tools), PYTHON="")
    assert result.returncode == 1
    assert "needs Python 3.10, 3.11 or 3.12, and here is no Python at all" in result.stderr
    assert not (checkout / ".venv").exists()


def test_an_unknown_option_is_refused(checkout: Path) -> None:
    result = setup(checkout, "--fast")
    assert result.returncode == 1
    assert result.stderr == "setup: unknown option --fast; the only one is --test.\n"


def test_nothing_is_installed_again_when_nothing_changed(checkout: Path) -> None:
    """The environment is a fake one whose pip always fails, so that a set-up that installs anything fails."""
    python = checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$1" = -m ] && exit 3\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    where = checkout.resolve()
    version = subprocess.run([sys.executable, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    (checkout / ".venv/made-by-scripts-setup").write_text(f"{where} {version}\n")
    first = setup(checkout, ZERO1TOA_TORCH="cuda")
    assert first.returncode != 0  # it did try to install
    files = [
        checkout / name for name in ("requirements.lock", "requirements-test.lock", "pyproject.toml", "scripts/setup")
    ]
    text = b"cuda\n" + b"".join(path.read_bytes() for path in files)
    mark = subprocess.run(["cksum"], input=text, capture_output=True, check=True).stdout
    (checkout / ".venv/installed-run").write_bytes(mark)
    again = setup(checkout, ZERO1TOA_TORCH="cuda")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert setup(checkout, ZERO1TOA_TORCH="cuda").returncode != 0


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/demo", "scripts/test", ".ci/run"])
def test_the_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)
