"""A result is written whole or not at all, and what goes wrong is said in one sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from zero1toa import files
from zero1toa.errors import OutputError


def everything_in(folder: Path) -> dict[str, bytes | None]:
    """Relative path to content; None for a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def is_one_sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and ". " not in text


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "avatar.glb"
    with files.atomic_write(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
        assert temporary.parent == target.parent  # so that the rename cannot cross disks
        assert temporary.suffix == ".glb"  # writers of pictures and videos choose the format by it
    assert everything_in(tmp_path) == {"avatar.glb": b"new"}


def test_an_older_file_is_replaced_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "avatar.glb"
    target.write_bytes(b"old")
    with files.atomic_write(target) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert everything_in(tmp_path) == {"avatar.glb": b"new"}


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "avatar.glb"
    target.write_bytes(b"old")
    with pytest.raises(type(error)), files.atomic_write(target) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert everything_in(tmp_path) == {"avatar.glb": b"old"}


def test_missing_folders_are_made_and_removed_again_on_failure(tmp_path: Path) -> None:
    with files.atomic_write(tmp_path / "a/b/c.png") as temporary:
        temporary.write_bytes(b"1")
    with pytest.raises(RuntimeError), files.atomic_write(tmp_path / "a/x/y/z.png"):
        raise RuntimeError
    assert everything_in(tmp_path) == {"a": None, "a/b": None, "a/b/c.png": b"1"}


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "avatar.glb"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="no space is left") as caught, files.atomic_write(target) as temporary:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert is_one_sentence(str(caught.value))
    assert everything_in(tmp_path) == {"avatar.glb": b"old"}


def test_an_error_about_another_file_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.atomic_write(tmp_path / "avatar.glb"):
        (tmp_path / "some input").read_bytes()
    assert everything_in(tmp_path) == {}


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.glb").write_bytes(b"old")
    (tmp_path / "link.glb").symlink_to("real.glb")
    with files.atomic_write(tmp_path / "link.glb") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "link.glb").is_symlink()
    assert (tmp_path / "real.glb").read_bytes() == b"new"


def test_a_new_file_has_ordinary_permissions(tmp_path: Path) -> None:
    with files.atomic_write(tmp_path / "avatar.glb") as temporary:
        temporary.write_bytes(b"new")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "avatar.glb").stat().st_mode == (tmp_path / "plain").stat().st_mode


def unwritable_files(folder: Path) -> dict[str, Path]:
    (folder / "file").write_bytes(b"")
    return {
        "below a file": folder / "file" / "avatar.glb",
        "deep below a file": folder / "file" / "x" / "avatar.glb",
        "a folder": folder,
        "a device": Path(os.devnull),
        "a name too long": folder / ("x" * 300 + ".glb"),
    }


@pytest.mark.parametrize("case", ["below a file", "deep below a file", "a folder", "a device", "a name too long"])
def test_an_unwritable_file_is_one_sentence_and_found_before_the_work(tmp_path: Path, case: str) -> None:
    path = unwritable_files(tmp_path)[case]
    before = everything_in(tmp_path)
    with pytest.raises(OutputError, match="Cannot write") as checked:
        files.check_output_file(path)
    with pytest.raises(OutputError, match="Cannot write") as written, files.atomic_write(path):
        pytest.fail("the work must not begin")
    for message in (str(checked.value), str(written.value)):
        assert is_one_sentence(message)
        assert str(path) in message
    assert everything_in(tmp_path) == before


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that even root cannot write to")
def test_a_file_system_that_nobody_can_write_to() -> None:
    with pytest.raises(OutputError, match=r"^Cannot write /proc/avatar\.glb"):
        files.check_output_file("/proc/avatar.glb")
    with (
        pytest.raises(OutputError, match=r"^Cannot write /proc/new/avatar\.glb"),
        files.atomic_write("/proc/new/avatar.glb"),
    ):
        pytest.fail("the work must not begin")


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    files.check_output_file(tmp_path / "a/b/avatar.glb")
    files.check_output_directory(tmp_path / "c/d")
    assert everything_in(tmp_path) == {}


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out" / "fit"
    with files.output_directory(target) as folder:
        (folder / "fit.json").write_bytes(b"{}")
        (folder / "more").mkdir()
        (folder / "more/a.png").write_bytes(b"a")
        assert not target.exists()
    assert everything_in(tmp_path) == {
        "out": None,
        "out/fit": None,
        "out/fit/fit.json": b"{}",
        "out/fit/more": None,
        "out/fit/more/a.png": b"a",
    }


def test_a_folder_that_exists_keeps_its_other_files(tmp_path: Path) -> None:
    target = tmp_path / "fit"
    (target / "more").mkdir(parents=True)
    for name in ("fit.json", "notes.txt", "more/mine.png"):
        (target / name).write_bytes(b"old")
    with files.output_directory(target) as folder:
        (folder / "more").mkdir()
        for name in ("fit.json", "more/a.png"):
            (folder / name).write_bytes(b"new")
    assert everything_in(target) == {
        "fit.json": b"new",
        "more": None,
        "more/a.png": b"new",
        "more/mine.png": b"old",
        "notes.txt": b"old",
    }


def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "fit"
    target.mkdir()
    (target / "fit.json").write_bytes(b"old")
    with pytest.raises(RuntimeError), files.output_directory(target) as folder:
        (folder / "fit.json").write_bytes(b"half")
        raise RuntimeError
    with pytest.raises(RuntimeError), files.output_directory(tmp_path / "x/y"):
        raise RuntimeError
    assert everything_in(tmp_path) == {"fit": None, "fit/fit.json": b"old"}


def test_a_full_disk_while_a_folder_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space is left"), files.output_directory(tmp_path / "fit") as folder:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "fit.json"))
    assert everything_in(tmp_path) == {}


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "fit").write_bytes(b"mine")
    for path in (tmp_path / "fit", tmp_path / "fit/below"):
        with pytest.raises(OutputError, match="Cannot write") as caught:
            files.check_output_directory(path)
        assert is_one_sentence(str(caught.value))
        with pytest.raises(OutputError, match="Cannot write"), files.output_directory(path):
            pytest.fail("the work must not begin")
    assert everything_in(tmp_path) == {"fit": b"mine"}
