"""What is kept of a batch: a manifest with one row a portrait, events as they come, a contact sheet."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image

from .. import files
from ..media import contact_sheet, open_picture, write_png
from .work import AVATAR, PREVIEW, Row

MANIFEST, TABLE, EVENTS = "manifest.jsonl", "manifest.csv", "events.jsonl"
_COLUMNS = ("name", "photo", "state", "kind", "error", "warnings", "seconds", "attempts", "resumed", "files", "bytes",
            "peak_memory_mb", "preset", "seed", "version", "key", "host", "finished")  # fmt: skip
_SHEET_ROWS, _SHEET_COLUMNS = 25, 4  # of previews on one page
_CELL = (128, 384)  # height and width of a preview on the sheet, px
_MISSING_GREY = 0.9


class Events:
    """A file of JSON lines to which a line is added for everything that happens. Opened once; a line cut short by a
    power cut is the last one of its run."""

    def __init__(self, path: Path) -> None:
        with files.os_errors_as_output_errors(path, path):
            self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)
        self._path = path

    def add(self, event: str, **values: Any) -> None:
        """One line. Raises OutputError."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with files.os_errors_as_output_errors(self._path):
            self._file.write(json.dumps({"time": stamp, "event": event, **values}) + "\n")

    def close(self) -> None:
        """Ends the file."""
        try:
            self._file.close()
        except OSError:  # what could not be written was told when it was added
            pass


def write_manifest(folder: Path, rows: Iterable[Row]) -> None:
    """The same rows as JSON lines and as a table for spreadsheets. Raises OutputError."""
    lines, table = io.StringIO(), io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        lines.write(json.dumps(row) + "\n")
        flat = {**row, **{k: row.get("options", {}).get(k, "") for k in ("preset", "seed")}}
        writer.writerow({name: _cell(flat.get(name, "")) for name in _COLUMNS})
    files.write_whole(folder / MANIFEST, lines.getvalue().encode())
    files.write_whole(folder / TABLE, table.getvalue().encode())


def read_manifest(folder: Path) -> list[Row]:
    """The rows of an earlier run's manifest, as far as they can be read."""
    rows = []
    try:
        for line in (folder / MANIFEST).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if isinstance(row, dict):
                rows.append(row)
    except (OSError, ValueError, RecursionError):
        pass
    return rows


def write_sheets(folder: Path, rows: list[Row]) -> list[Path]:
    """Pages with every portrait's preview, a hundred a page; those that failed are grey. Raises OutputError."""
    shown = [row for row in rows if row["state"] in ("done", "failed")]
    a_page = _SHEET_ROWS * _SHEET_COLUMNS
    pages = [shown[i : i + a_page] for i in range(0, len(shown), a_page)]
    names = ["sheet.png"] if len(pages) == 1 else [f"sheet-{n + 1:04d}.png" for n in range(len(pages))]
    for old in folder.glob("sheet*.png"):
        if old.name not in names:
            old.unlink(missing_ok=True)
    for name, page in zip(names, pages):
        write_png(folder / name, contact_sheet(list(_labelled(folder, page)), _SHEET_COLUMNS))
    return [folder / name for name in names]


def _labelled(folder: Path, rows: list[Row]) -> Iterator[tuple[str, np.ndarray]]:
    for row in rows:
        picture = np.full((*_CELL, 3), _MISSING_GREY, np.float32)
        label = row["name"]
        if row["state"] == "failed":
            label += ": failed"  # the reason is too long for a label
        else:
            try:
                with open_picture(folder / "avatars" / row["name"] / PREVIEW) as file:
                    small = file.convert("RGB").resize(_CELL[::-1], Image.Resampling.LANCZOS)
                    picture = np.asarray(small, np.float32) / 255
            except (OSError, ValueError):  # made without previews
                label += f" ({AVATAR})"
        yield label, picture


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items())
    if isinstance(value, list):
        return " | ".join(map(str, value))
    text = str(value)
    # A cell that begins so would be run as a formula by spreadsheets, and names of files come from anywhere.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not isinstance(value, (int, float)) else value
