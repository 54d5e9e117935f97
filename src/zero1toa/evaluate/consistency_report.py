"""Consistency as a table, JSON and a plot."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..media import write_png
from .consistency_run import MEASURES, ClipResult
from .plot import dot_plot

_HEADINGS = {"spread": "spread", "flicker": "flicker", "warping": "warping error", "small_step": "small step"}
_PLOTTED = (("spread", "Spatial: each frame from the mean"), ("warping", "Temporal: each frame from the one before"))


def markdown(results: Sequence[ClipResult]) -> str:
    """A row for each clip; thousandths of the range of colours, lower is better."""
    lines = [
        "| clip | " + " | ".join(_HEADINGS[name] for name in MEASURES) + " |",
        "| --- |" + " --- |" * len(MEASURES),
    ]
    for result in results:
        cells = [_cell(result.measures[name]) for name in MEASURES]
        lines.append(f"| {result.name} | " + " | ".join(cells) + " |")
    notes = "\n".join(f"* {_HEADINGS[name]}: {text}" for name, text in MEASURES.items())
    return (
        "\n".join(lines) + f"\n\nRoot mean square, thousandths of the range of sRGB colours; less is better.\n{notes}\n"
    )


def write_report(folder: Path, source: str, results: Sequence[ClipResult]) -> list[Path]:
    """Writes table.md, consistency.json and, if there is something to plot, plot.png."""
    written = [folder / "table.md", folder / "consistency.json"]
    written[0].write_text(markdown(results), encoding="utf-8")
    content = {
        "source": source,
        "measures": MEASURES,
        "clips": [
            {
                "name": result.name,
                **{name: _plain(value) for name, value in result.measures.items()},
                "frames": {
                    "spread": [_plain(v) for v in result.spread],
                    "flicker": [_plain(v) for v in result.flicker],
                    "warping": [_plain(v) for v in result.warping],
                },
            }
            for result in results
        ],
    }
    written[1].write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    plots = []
    for name, title in _PLOTTED:
        values = {r.name[-20:]: [float(v) for v in getattr(r, name) if math.isfinite(v)] for r in results}
        if any(values.values()):
            plots.append(dot_plot(title, values))
    if plots:
        written.append(folder / "plot.png")
        write_png(written[-1], np.concatenate(plots))
    return written


def _cell(value: float) -> str:
    return f"{1000 * value:.1f}" if math.isfinite(value) else "-"


def _plain(value: float) -> float | None:
    """JSON knows no NaN."""
    return round(float(value), 6) if math.isfinite(value) else None
