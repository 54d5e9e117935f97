"""What `evaluate prior` writes: a table of gates, JSON, a sheet."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..media import write_png
from .prior_gates import YAW_BINS, GateResult

MARKDOWN, NUMBERS, SHEET = "gates.md", "gates.json", "sheet.png"
"""Files in the folder; a row of the sheet is photo, reprojection prior, condition, sample, truth."""

_COLUMNS = ("sample", "condition", "reprojection", "copy", "temporal off", "wrong landmarks", "wrong drive")
_ZOOM = 2
_SHEET_COLUMNS = 3  # of rows, side by side


def write_report(folder: Path, result: GateResult, about: dict[str, Any]) -> list[Path]:
    """Writes table, numbers and sheet into an existing folder.

    Args:
        folder: where.
        result: the measures.
        about: of the weights and the run; JSON values.
    """
    (folder / MARKDOWN).write_text(markdown(result, about), encoding="utf-8")
    (folder / NUMBERS).write_text(json.dumps(numbers(result, about), indent=1) + "\n", encoding="utf-8")
    rows = [np.concatenate(row, 1) for row in result.sheet]
    while len(rows) % _SHEET_COLUMNS:
        rows.append(np.ones_like(rows[0]))
    columns = [np.concatenate(rows[i::_SHEET_COLUMNS], 0) for i in range(_SHEET_COLUMNS)]
    write_png(folder / SHEET, np.concatenate(columns, 1).repeat(_ZOOM, 0).repeat(_ZOOM, 1))
    return [folder / MARKDOWN, folder / NUMBERS, folder / SHEET]


def markdown(result: GateResult, about: dict[str, Any]) -> str:
    """The gates, PSNR by yaw, and the defect tests."""
    lines = [f"{name}: {value}  " for name, value in about.items()]
    lines += ["", "| gate | least | measured | passed |", "|---|---|---|---|"]
    for gate in result.gates():
        least = "> 0" if gate.least < 1e-6 else f"{gate.least:g}"
        lines.append(f"| {gate.name} | {least} | {gate.value:.2f} | {'yes' if gate.passed else 'no'} |")
    lines += ["", f"All passed: {'yes' if result.passed else 'no'}.", ""]
    lines += ["PSNR against the truth, whole picture / face, dB, by the yaw of the camera:", ""]
    lines += ["| yaw | " + " | ".join(_COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for low, high in (*YAW_BINS, (0, 90)):
        cells = [
            f"{_number(result.mean(c, low, high))} / {_number(result.mean(c, low, high, face=True))}" for c in _COLUMNS
        ]
        lines.append(f"| {'all' if high == 90 else f'{low} to {high}'} | " + " | ".join(cells) + " |")
    on, off = (float(np.mean(result.temporal[key])) for key in ("on", "off"))
    lines += ["", f"Error of frame differences: {on:.2f} grey levels with temporal attention, {off:.2f} without.", ""]
    lines += ["| defect | before, full / face, dB | regenerated | helps |", "|---|---|---|---|"]
    for name, measures in result.defects.items():
        before, after, before_face, after_face = (
            float(np.nanmean(measures[k])) for k in ("before", "after", "before_face", "after_face")
        )
        helps = "yes" if after > before else "no"
        lines.append(f"| {name} | {before:.2f} / {before_face:.2f} | {after:.2f} / {after_face:.2f} | {helps} |")
    told = ", ".join(f"{name} {math.sqrt(float(np.mean(v))):.3f}" for name, v in result.residual.items())
    lines += ["", f"Deviation of the truth from the condition, in units of [-1, 1]: {told}."]
    return "\n".join(lines) + "\n"


def numbers(result: GateResult, about: dict[str, Any]) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "zero1toa_prior_gates": 1,
        "about": about,
        "passed": result.passed,
        "gates": [
            {"name": g.name, "least": g.least, "value": round(g.value, 4), "passed": g.passed} for g in result.gates()
        ],
        "frames": [
            {
                "person": f.person,
                "clip": f.clip,
                "held_out_look": f.held_out_look,
                "yaw": round(f.yaw, 2),
                "full": {k: round(v, 3) for k, v in f.full.items()},
                "face": {k: None if math.isnan(v) else round(v, 3) for k, v in f.face.items()},
            }
            for f in result.frames
        ],
        "defects": {n: {k: [_json(x) for x in v] for k, v in m.items()} for n, m in result.defects.items()},
        "temporal": {k: [round(x, 4) for x in v] for k, v in result.temporal.items()},
    }


def _json(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
