"""What a worker makes of one portrait: once, whole, and again only what has changed."""

import errno
import os

import pytest

from zero1toa import api, files
from zero1toa.batch import work
from zero1toa.batch.options import Job, Options
from zero1toa.batch.work import read_row, work_on
from zero1toa.locks import exclusive

TINY = Options(preset="debug", iterations=3, size=32)


@pytest.fixture(scope="module")
def made(tmp_path_factory, demo_portrait):
    """A job that is done, and its row."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "fit").mkdir()
    demo_portrait.save(folder / "fit")
    job = Job("person", str(folder / "fit"), str(folder / "out"), TINY, "cpu")
    shares = []
    row = work_on(job, lambda stage, share: shares.append(share))
    assert shares == sorted(shares)
    return job, row


def changed(job, **options):
    return Job(job.name, job.photo, job.output, Options(**{**TINY.__dict__, **options}), "cpu")


def test_an_avatar_its_preview_and_its_row(made):
    job, row = made
    assert row["state"] == "done", row
    assert {p.name for p in job.folder.iterdir()} == {"avatar.glb", "preview.png", "row.json"}
    assert read_row(job.folder) == row
    assert set(row["seconds"]) == {"fit", "create", "preview"}
    assert api.load(job.folder / "avatar.glb").provenance["iterations"] == 3


def test_what_is_done_and_unchanged_is_left_alone(made):
    job, row = made
    before = (job.folder / "avatar.glb").stat().st_mtime_ns
    again = work_on(job)
    assert again == {**row, "unchanged": True}
    assert (job.folder / "avatar.glb").stat().st_mtime_ns == before


def test_what_else_is_wanted_is_made_without_training_again(made, monkeypatch):
    job, _ = made
    monkeypatch.setattr(api, "create", lambda *_, **__: pytest.fail("it trained again"))
    more = work_on(changed(job, exports=("ply",)))
    assert more["state"] == "done", more
    assert (job.folder / "avatar.ply").is_file()
    (job.folder / "avatar.ply").unlink()
    work_on(changed(job, exports=("ply",)))
    assert (job.folder / "avatar.ply").is_file()


@pytest.mark.parametrize(("name", "value"), [("seed", 1), ("iterations", 4)])
def test_other_options_train_again(made, monkeypatch, name, value):
    job, _ = made
    asked = []
    monkeypatch.setattr(api, "create", lambda *_, **more: asked.append(more["config"]) or _fail())
    work_on(changed(job, **{name: value}))
    assert getattr(asked[0], name) == value


def _fail():
    raise MemoryError


def test_a_photo_that_cannot_be_used_is_refused_once(tmp_path, monkeypatch):
    photo = tmp_path / "photo.png"
    photo.write_text("no picture")
    job = Job("bad", str(photo), str(tmp_path / "out"), TINY)
    row = work_on(job)
    assert (row["state"], row["kind"]) == ("failed", "input")
    assert "not a picture" in row["error"]
    assert [p.name for p in job.folder.iterdir()] == ["row.json"]
    calls = []
    monkeypatch.setattr(api, "fit", lambda *_, **__: calls.append(1) or _fail())
    assert work_on(job)["unchanged"]
    assert not calls
    photo.write_text("another")
    assert work_on(job)["kind"] == "resource"
    assert calls


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "resource"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "resource"),
        (ValueError("a mistake of ours\nwith details"), "other"),
    ],
)
def test_any_failure_is_a_row(tmp_path, monkeypatch, error, kind):
    def fit(*_, **__):
        raise error

    monkeypatch.setattr(api, "fit", fit)
    row = work_on(Job("a", "demo", str(tmp_path), TINY))
    assert (row["state"], row["kind"]) == ("failed", kind)
    assert "\n" not in row["error"]
    assert read_row(tmp_path / "avatars/a")["error"] == row["error"]


def test_a_full_disk_is_a_row_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_to_disk", full)
    row = work_on(Job("a", "demo", str(tmp_path), TINY))
    assert (row["kind"], "no space is left" in row["error"]) == ("output", True)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_portrait_that_another_run_works_on_is_left_to_it(tmp_path):
    job = Job("a", "demo", str(tmp_path), TINY)
    with exclusive(job.folder / work.AVATAR):
        row = work_on(job)
    assert row["kind"] == "busy"
    assert not list(tmp_path.rglob("row.json"))


def test_a_row_that_cannot_be_read_counts_for_nothing(tmp_path):
    for text in ("", "{", "[]", '{"state": 1}', "[" * 100000):
        (tmp_path / "row.json").write_text(text)
        assert read_row(tmp_path) is None


def test_a_short_stage_after_a_long_one_does_not_take_the_share_back(monkeypatch):
    monkeypatch.setattr(work, "_SECONDS_BETWEEN_REPORTS", 0.0)
    told = []
    progress = work._Reporting(lambda stage, share: told.append(share), "create")
    with progress.stage("training", 4) as stage:
        stage.advance(3)
    with progress.stage("settling"):
        pass
    assert told == sorted(told) and told[-1] == told[-2] > told[0]
