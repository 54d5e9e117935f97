"""The doctor tells the truth about this machine, and about a machine where things are missing."""

from __future__ import annotations

import importlib.metadata
import io
import json
import sys

import pytest
from rich.console import Console

from zero1toa import doctor
from zero1toa._version import full_version
from zero1toa.doctor import Row
from zero1toa.errors import AssetError, MissingDependency


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return doctor.report()


def row(rows: list[Row], section: str, name: str) -> Row:
    (found,) = [row for row in rows if (row.section, row.name) == (section, name)]
    return found


def test_every_section_is_there_in_order(rows: list[Row]) -> None:
    assert list(dict.fromkeys(row.section for row in rows)) == [
        "Versions",
        "Machine",
        "Extras",
        "Priors",
        "Head models",
    ]


def test_versions_are_those_installed(rows: list[Row]) -> None:
    assert row(rows, "Versions", "zero1toa").detail == full_version()
    for name in ("torch", "mediapipe", "numba", "numpy"):
        assert row(rows, "Versions", name) == Row("Versions", name, "ready", importlib.metadata.version(name))


def test_this_installation_is_healthy(rows: list[Row]) -> None:
    assert doctor.is_healthy(rows)
    assert row(rows, "Head models", "default").state == "ready"


def test_every_extra_has_a_row_with_a_purpose() -> None:
    declared = importlib.metadata.metadata("zero1toa").get_all("Provides-Extra")
    assert {row.name for row in doctor._extras()} == set(declared or [])


def test_an_extra_that_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda package: None)
    found = row(doctor._extras(), "Extras", "cuda")
    assert found.state == "absent"
    assert "python -m pip install 'gsplat>=" in found.detail


def test_a_missing_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda package: None)
    found = row(doctor._versions(), "Versions", "numba")
    assert found == Row("Versions", "numba", "missing", "to install: python -m pip install 'numba'")
    assert not doctor.is_healthy([found])


def test_a_mediapipe_that_does_not_import_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MissingDependency("MediaPipe cannot be imported.")

    monkeypatch.setattr("zero1toa.portrait.mediapipe_runtime.mediapipe", fail)
    assert row(doctor._versions(), "Versions", "mediapipe").state == "missing"


def test_a_head_that_does_not_load_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise AssetError("The data of the default head is not here.")

    monkeypatch.setattr("zero1toa.heads.load_head", fail)
    assert doctor._default_head() == Row(
        "Head models", "default", "missing", "The data of the default head is not here."
    )


def test_a_torch_that_does_not_import_is_told_and_does_not_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert doctor._gpu().state == "absent"
    assert "torch cannot be imported" in doctor._gpu().detail


def test_a_log_gets_plain_lines(rows: list[Row]) -> None:
    output = io.StringIO()
    doctor.show(rows, Console(file=output, width=40))
    assert output.getvalue() == doctor.as_text(rows) + "\n"
    assert "\x1b" not in output.getvalue()
    for row in rows:
        assert any(
            row.name in line and row.state in line and row.detail in line for line in output.getvalue().split("\n")
        )


def test_a_terminal_gets_a_table_with_every_row(rows: list[Row]) -> None:
    output = io.StringIO()
    doctor.show(rows, Console(file=output, force_terminal=True, width=500))
    for row in rows:
        assert row.name in output.getvalue()
        assert row.detail in output.getvalue()


def test_the_rows_go_into_json(rows: list[Row]) -> None:
    records = json.loads(json.dumps(doctor.as_records(rows)))
    assert [Row(**record) for record in records] == rows


@pytest.mark.parametrize("name", ["aniportrait", "follow-your-emoji", "wan-animate"])
def test_priors_that_diffuse_say_what_they_need(rows: list[Row], name: str) -> None:
    found = row(rows, "Priors", name)
    assert found.state == "absent"
    for part in ("--weights FOLDER", "huggingface.co", "GPU", "docs/diffusion.md"):
        assert part in found.detail
    assert ("GB)" in found.detail and ".pth" in found.detail) or name == "wan-animate"
