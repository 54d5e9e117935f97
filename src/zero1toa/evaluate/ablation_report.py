"""The ablation as a table, a plot and pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..media import contact_sheet, write_png
from .ablation import TRUTH, VARIANTS, VIDEO, AblationResult, Row
from .plot import dot_plot

COLUMNS: dict[str, tuple[str, bool]] = {
    "psnr": ("PSNR, dB", True),
    "psnr_front": ("front, dB", True),
    "psnr_side": ("side, dB", True),
    "ssim": ("SSIM", True),
    "iou": ("silhouette IoU", True),
    "found": ("face found", True),
    "landmarks": ("landmarks, px", False),
    "landmarks_truth": ("landmarks from truth's, px", False),
    "spread": ("spatial inconsistency", False),
    "flicker": ("temporal inconsistency", False),
}
"""Measure -> heading, and whether more is better."""

_DIGITS = {"ssim": 4, "iou": 4, "spread": 4, "flicker": 4}  # 2 for the others
_COMPARED = "full"


class Summary(NamedTuple):
    """One measure of one variant."""

    mean: float  # over subjects and seeds
    deviation: float  # over the seeds: standard deviation of the means over subjects; NaN for one seed
    gain: float  # mean difference from the full method on the same subject and seed
    error: float  # standard error of that difference; NaN for one pair


def summarize(rows: Sequence[Row]) -> dict[str, dict[str, Summary]]:
    """By variant and measure. Values that are NaN are left out."""
    table: dict[str, dict[tuple[int, int], Row]] = {}
    for row in rows:
        table.setdefault(row.variant, {})[row.subject, row.seed] = row
    return {v: {m: _summary(table, v, m) for m in COLUMNS} for v in sorted(table, key=_order)}


def _summary(table: dict[str, dict[tuple[int, int], Row]], variant: str, measure: str) -> Summary:
    own = {key: row.measures[measure] for key, row in table[variant].items()}
    own = {key: value for key, value in own.items() if np.isfinite(value)}
    seeds = sorted({seed for _, seed in own})
    means = [float(np.mean([v for (_, seed), v in own.items() if seed == s])) for s in seeds]
    full = {key: row.measures[measure] for key, row in table.get(_COMPARED, {}).items()}
    pairs = [value - full[key] for key, value in own.items() if np.isfinite(full.get(key, float("nan")))]
    none = float("nan")
    return Summary(
        float(np.mean(list(own.values()))) if own else none,
        float(np.std(means, ddof=1)) if len(means) > 1 else none,
        float(np.mean(pairs)) if pairs else none,
        float(np.std(pairs, ddof=1) / np.sqrt(len(pairs))) if len(pairs) > 1 else none,
    )


def markdown(rows: Sequence[Row]) -> str:
    """The table of means, with the spread over seeds, and the table of paired differences from the full method."""
    summary = summarize(rows)
    subjects, seeds = len({r.subject for r in rows}), len({r.seed for r in rows})
    head = "| variant | " + " | ".join(h for h, _ in COLUMNS.values()) + " |\n|---|" + "---|" * len(COLUMNS)
    lines = [f"Means over {subjects} subjects and {seeds} seeds; ± is the standard deviation over seeds.", "", head]
    for variant, measures in summary.items():
        cells = [_cell(s.mean, s.deviation, _DIGITS.get(m, 2)) for m, s in measures.items()]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    lines += ["", f"Difference from '{_COMPARED}' on the same subject and seed; ± is the standard error.", "", head]
    for variant, measures in summary.items():
        if variant != _COMPARED:
            cells = [_cell(s.gain, s.error, _DIGITS.get(m, 2), sign=True) for m, s in measures.items()]
            lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float, spread: float, digits: int, *, sign: bool = False) -> str:
    if not np.isfinite(value):
        return "-"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return f"{text} ± {spread:.{digits}f}" if np.isfinite(spread) else text


def comma_separated(rows: Sequence[Row]) -> str:
    """Every row, one line each; what was not measured is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["subject", "variant", "seed", *COLUMNS])
    for row in rows:
        values = [row.measures[m] for m in COLUMNS]
        writer.writerow([row.subject, row.variant, row.seed, *(f"{v:.6g}" if np.isfinite(v) else "" for v in values)])
    return text.getvalue()


def plot(rows: Sequence[Row]) -> NDArray[np.float32]:
    """(H, W, 3) one panel a measure: a dot for each subject and seed, a bar for the mean."""
    panels = []
    for measure, (heading, more) in COLUMNS.items():
        values = {v: [r.measures[measure] for r in rows if r.variant == v] for v in summarize(rows)}
        finite = {v: [x for x in column if np.isfinite(x)] for v, column in values.items()}
        if any(finite.values()):
            panels.append(("", dot_plot(f"{heading} ({'more' if more else 'less'} is better)", finite)))
    return contact_sheet(panels, columns=2)


def sheet(subject: int, pictures: Mapping[str, Sequence[NDArray[np.float32]]]) -> NDArray[np.float32]:
    """(H, W, 3) the held-out views of one subject: a row for each variant, the truth first."""
    rows = sorted(pictures.items(), key=lambda item: _order(item[0]))
    labelled = [(name if k == 0 else "", picture) for name, row in rows for k, picture in enumerate(row)]
    columns = max(len(row) for _, row in rows)
    return contact_sheet(labelled, columns=columns, title=f"Subject {subject}: views that were not trained on")


def write_report(folder: Path, result: AblationResult) -> list[Path]:
    """Writes table.md, rows.csv, rows.json, plot.png and a sheet for each subject; returns their paths.

    Args:
        folder: an existing folder.
        result: what was measured; at least one row.
    """
    texts = {
        "table.md": markdown(result.rows),
        "rows.csv": comma_separated(result.rows),
        "rows.json": json.dumps([_as_json(r) for r in result.rows], indent=1) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    pictures = {"plot.png": plot(result.rows)}
    pictures |= {f"subject-{s}.png": sheet(s, p) for s, p in result.pictures.items()}
    for name, picture in pictures.items():
        write_png(folder / name, picture)
    return [folder / name for name in (*texts, *pictures)]


def _as_json(row: Row) -> dict[str, object]:
    measures = {m: (v if np.isfinite(v) else None) for m, v in row.measures.items()}
    return {"subject": row.subject, "variant": row.variant, "seed": row.seed, **measures}


def _order(variant: str) -> int:
    names = (TRUTH, *VARIANTS, VIDEO)
    return names.index(variant) if variant in names else len(names)
