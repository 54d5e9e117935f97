"""The books of a batch can be read by people, spreadsheets and programs."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from zero1toa.batch.manifest import Events, read_manifest, write_manifest, write_sheets
from zero1toa.errors import OutputError
from zero1toa.media import write_png

ROWS = [
    {
        "name": "a",
        "photo": "=cmd()",
        "state": "done",
        "seconds": {"fit": 1.5},
        "options": {"preset": "fast", "seed": -3},
    },
    {"name": "b", "photo": "b.jpg", "state": "failed", "error": "No face, sorry.", "warnings": ["one", "two"]},
]


def test_rows_come_back(tmp_path):
    write_manifest(tmp_path, ROWS)
    assert read_manifest(tmp_path) == ROWS
    with (tmp_path / "manifest.csv").open(newline="") as file:
        one, two = csv.DictReader(file)
    assert (one["preset"], one["seed"], one["seconds"]) == ("fast", "-3", "fit=1.5")
    assert one["photo"] == "'=cmd()"  # a spreadsheet would run it
    assert (two["error"], two["warnings"]) == ("No face, sorry.", "one | two")


def test_a_manifest_cut_short_is_read_up_to_there(tmp_path):
    assert read_manifest(tmp_path) == []
    (tmp_path / "manifest.jsonl").write_text(json.dumps(ROWS[0]) + '\n{"name"')
    assert read_manifest(tmp_path) == ROWS[:1]


def test_events_are_added(tmp_path):
    for _ in range(2):
        events = Events(tmp_path / "events.jsonl")
        events.add("done", name="a")
        events.close()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["done", "done"]
    with pytest.raises(OutputError):
        Events(tmp_path / "nowhere/events.jsonl")


def test_a_sheet_shows_all_a_hundred_a_page(tmp_path):
    preview = tmp_path / "avatars/a/preview.png"
    preview.parent.mkdir(parents=True)
    write_png(preview, np.tile(np.float32([1, 0, 0]), (128, 384, 1)))
    assert [p.name for p in write_sheets(tmp_path, ROWS)] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert (255, 0, 0) in {color for _, color in sheet.getcolors(1 << 20)}
    many = [{**ROWS[0], "name": f"{n}"} for n in range(101)]
    assert [p.name for p in write_sheets(tmp_path, many)] == ["sheet-0001.png", "sheet-0002.png"]
    assert not (tmp_path / "sheet.png").exists()  # of a run that had fewer
