"""What a training shows of itself: a table of losses, their curve, sheets of held-out persons, TensorBoard."""

from __future__ import annotations

import csv
import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ...evaluate.plot import line_plot
from ...files import write_whole
from ...media import write_png

TABLE, CURVE, SHEET = "losses.csv", "losses.png", "sheet.png"
"""Files in the training's folder; the sheet shows photo, reprojection, sample and truth of one held-out person a
column."""

_EVERY = 10  # steps whose mean is one row of the table
_ZOOM = 2  # of the sheet


class TrainingReport:
    """Writes into a folder as training goes on. With `resume` the rows of the table up to `step` stay.

    Args:
        folder: of the training.
        step: the step from which it goes on; 0 begins anew.
        board: write TensorBoard's files too, where it is installed.
    """

    def __init__(self, folder: Path, step: int = 0, board: bool = True) -> None:
        self.folder = folder
        self.rows: list[tuple[int, float, float]] = [r for r in _read(folder / TABLE) if r[0] <= step]
        self.looks: list[tuple[int, dict[str, float]]] = []
        self._recent: list[float] = []
        self._board = _tensorboard(folder) if board else None

    def log(self, step: int, figures: dict[str, float]) -> None:
        """Takes the figures of a step."""
        self._recent.append(figures["loss"])
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(f"train/{name}", value, step)
        if step % _EVERY == 0:
            self.rows.append((step, float(np.mean(self._recent)), figures["rate"]))
            self._recent.clear()

    def look(self, step: int, figures: dict[str, float], pictures: Tensor) -> None:
        """Takes a look at held-out persons, and writes table, curve and sheet.

        Args:
            step: of the training.
            figures: by name.
            pictures: (4, B, 3, S, S) photo, reprojection, sample and truth, in [0, 1].
        """
        self.looks.append((step, figures))
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(f"held_out/{name}", value, step)
        rows = [np.concatenate(list(row.permute(0, 2, 3, 1).numpy()), 1) for row in pictures]
        sheet = np.concatenate(rows, 0).clip(0, 1).repeat(_ZOOM, 0).repeat(_ZOOM, 1)
        write_png(self.folder / SHEET, sheet)
        self.write()

    def write(self) -> None:
        """Writes table and curve."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["step", "loss", "rate"])
        writer.writerows([(step, f"{loss:.6f}", f"{rate:.3e}") for step, loss, rate in self.rows])
        write_whole(self.folder / TABLE, text.getvalue().encode())
        if self.rows:
            at = [float(step) for step, _, _ in self.rows]
            write_png(self.folder / CURVE, line_plot("loss", at, {"loss": [r[1] for r in self.rows]}))


def _read(path: Path) -> list[tuple[int, float, float]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [(int(r["step"]), float(r["loss"]), float(r["rate"])) for r in csv.DictReader(file)]


def _tensorboard(folder: Path) -> Any:
    """A writer into the folder, where TensorBoard is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
