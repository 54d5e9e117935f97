"""Portraits are found in folders, globs and lists, and each gets a name of its own."""

import json

import pytest

from zero1toa.batch.options import Job, Options, avatar_key, extras_key, photo_hash
from zero1toa.batch.plan import find_portraits
from zero1toa.errors import InputError


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in ("b.jpg", "a.PNG", "a.jpg", "sub/c.webp", "notes.txt", ".hidden/d.jpg", ".e.jpg", "fit/fit.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "fit/crop.png").touch()
    return folder


def names(*sources):
    return [entry.name for entry in find_portraits([str(s) for s in sources])]


def test_a_folder_gives_its_pictures_and_fits(photos):
    assert names(photos) == ["a.PNG", "a.jpg", "b", "fit", "sub/c"]


def test_a_glob_a_file_and_the_demo(photos):
    assert names(photos / "*.jpg", "demo", photos / "sub/c.webp") == ["a", "b", "demo", "c"]


def test_the_same_photo_counts_once(photos):
    assert names(photos / "b.jpg", photos / "b.*") == ["b"]


def test_lists_are_relative_to_themselves_and_give_options(photos, tmp_path):
    (tmp_path / "list.txt").write_text("# people\nphotos/a.jpg\n\nphotos/b.jpg\n")
    assert names(tmp_path / "list.txt") == ["a", "b"]
    (tmp_path / "list.csv").write_text("\ufeffphoto,name,seed,force\nphotos/a.jpg,Dr. Ann,7,yes\nphotos/b.jpg,,,\n")
    one, two = find_portraits([str(tmp_path / "list.csv")])
    assert (one.name, two.name) == ("Dr. Ann", "b")
    assert Options().changed(one.columns) == Options(seed=7, force=True)
    assert Options().changed(two.columns) == Options()
    (tmp_path / "list.jsonl").write_text(json.dumps({"photo": "photos/a.jpg", "seed": 3}) + "\n")
    (row,) = find_portraits([str(tmp_path / "list.jsonl")])
    assert Options().changed(row.columns).seed == 3


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/root", "root"),
        ("a\nb?*", "a_b__"),
        ("..", "portrait"),
        ("x" * 300, "x" * 120),
    ],
)
def test_no_name_leads_out_of_the_folder(tmp_path, name, safe):
    (tmp_path / "list.jsonl").write_text(json.dumps({"photo": "demo", "name": name}))
    assert names(tmp_path / "list.jsonl") == [safe]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("list.csv", b"picture\na.jpg\n", "no column 'photo'"),
        ("list.jsonl", b"[1]", "no JSON object"),
        ("list.jsonl", b"{", "cannot be read"),
        ("list.jsonl", b"[" * 100000, "cannot be read"),
        ("list.txt", b"\xff\xfe\x00", "cannot be read"),
        ("list.txt", b"", "no portrait"),
        ("list.csv", b"photo\n\n,x\n", "names no photo|no portrait"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_sentence(tmp_path, file, content, says):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=says):
        names(tmp_path / file)


@pytest.mark.parametrize("sources", [[], ["nowhere"], ["nowhere/*.jpg"]])
def test_no_portraits_are_an_error(sources):
    with pytest.raises(InputError):
        names(*sources)


@pytest.mark.parametrize("columns", [{"seed": "x"}, {"colour": "red"}, {"force": "perhaps"}])
def test_a_column_that_cannot_be_followed_is_an_error(columns):
    with pytest.raises(InputError):
        Options().changed(columns)


def test_the_key_is_of_photo_and_options(photos):
    one = photo_hash(str(photos / "a.jpg"))
    assert one != photo_hash(str(photos / "b.jpg"))
    assert avatar_key(one, Options()) == avatar_key(one, Options(motions=("talk",), size=64))
    assert extras_key("k", Options()) != extras_key("k", Options(motions=("talk",)))
    different = [Options(), Options(seed=1), Options(preset="debug"), Options(iterations=5), Options(force=True)]
    assert len({avatar_key(one, o) for o in different}) == len(different)
    before = photo_hash(str(photos / "fit"))
    (photos / "fit/crop.png").write_bytes(b"other")
    assert photo_hash(str(photos / "fit")) != before


def test_a_job_survives_json():
    job = Job("a", "a.jpg", "/out", Options(motions=("talk", "nod"), iterations=4))
    assert Job.of(json.loads(json.dumps(job.as_dict()))) == job
