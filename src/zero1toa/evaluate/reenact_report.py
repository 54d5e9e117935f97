"""Self-reenactment as a table, JSON, a plot over time, and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..heads import arkit
from ..media import to_uint8, write_png
from ..tracking import Tracking
from .plot import line_plot
from .reenact import AVATAR, BASELINES, LANDMARK_MEASURES, MEASURES, REAL, RIGID, Compared, Comparison

LEAST_FACTOR: Final = 2.0  # by which the avatar's landmark distances shall be smaller than those of the better baseline
LEAST_GAIN: Final = 1.5  # dB by which its PSNR shall be higher
PANEL: Final = 384  # px, side of a picture in the film
_ERROR_SCALE: Final = 4.0  # difference of 1/4 of the range is white in the error map
_BAR: Final = 26  # px above a picture in the film, for its name
_COLUMNS: Final = {
    "psnr": "PSNR, dB", "psnr_face": "PSNR face, dB", "ssim": "SSIM", "lpips": "LPIPS", "akd": "AKD-mp, px",
    "mouth": "mouth, px", "eyes": "eyes, px", "irises": "irises, px", "mouth_gap": "mouth opening, px",
    "eye_gap": "eye opening, px", "aed": "AED-mp", "apd": "APD-mp, deg", "apd_cm": "APD-mp, cm", "jitter": "jitter, px",
    "detected": "face found",
}  # fmt: skip
_DIGITS: Final = {"ssim": 3, "lpips": 3, "aed": 3}
_PLOTTED: Final = ("psnr", "psnr_face", "akd", "mouth", "eyes", "mouth_gap", "eye_gap")


class Summary(NamedTuple):
    """What is said of a comparison besides its numbers."""

    video: str
    frames: int  # of the video
    fps: float
    source: int  # frame that the avatar was made of
    every: int
    preset: str
    notes: tuple[str, ...]  # sentences


def markdown(comparison: Comparison, summary: Summary) -> str:
    """The table, what the measures mean, and whether the targets are met."""
    means = comparison.means()
    shown = [name for name in _COLUMNS if any(math.isfinite(m[name]) or name == "psnr" for m in means.values())]
    head = ["", *(_COLUMNS[name] for name in shown)]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for method, row in means.items():
        lines.append(f"| {' | '.join([method, *(_cell(row[name], _DIGITS.get(name, 2)) for name in shown)])} |")
    lines += ["", f"Jitter of the {REAL} itself: {_cell(comparison.jitter(REAL), 2)} px.", "", "Targets:"]
    lines += [f"* {line}" for line in verdicts(means)]
    lines += [
        "",
        f"{summary.video}, {summary.frames} frames; the avatar (preset {summary.preset}) is made of frame "
        f"{summary.source}; {len(comparison.rows)} other frames compared (every {summary.every}).",
        *(f"{note}" for note in summary.notes),
    ]
    return "\n".join(lines) + "\n"


def verdicts(means: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each target: PSNR and landmark distances against the better of the baselines."""
    lines = []
    for name in ("psnr", "psnr_face"):
        best = max(means[b][name] for b in BASELINES)
        gain = means[AVATAR][name] - best
        lines.append(f"{MEASURES[name]}: {gain:+.2f} (target +{LEAST_GAIN}): {_met(gain >= LEAST_GAIN)}")
    for name in LANDMARK_MEASURES:
        best = min(means[b][name] for b in BASELINES)
        ours = means[AVATAR][name]
        factor = best / ours if ours > 0 else math.inf
        lines.append(f"{MEASURES[name]}: {factor:.2f} times (target {LEAST_FACTOR:g}): {_met(factor >= LEAST_FACTOR)}")
    return lines


def write_report(folder: Path, comparison: Comparison, summary: Summary) -> list[Path]:
    """Writes table.md, reenact.json and plot.png."""
    paths = [folder / "table.md", folder / "reenact.json", folder / "plot.png"]
    paths[0].write_text(markdown(comparison, summary), encoding="utf-8")
    paths[1].write_text(json.dumps(as_json(comparison, summary), indent=1) + "\n", encoding="utf-8")
    times = [row.frame / summary.fps for row in comparison.rows]
    plots = []
    for measure in _PLOTTED:
        values = {name: [row.measures[name][measure] for row in comparison.rows] for name in comparison.methods}
        if np.isfinite(np.array(list(values.values()), float)).any():
            plots.append(line_plot(f"{_COLUMNS[measure]}, over seconds", times, values))
    if plots:
        write_png(paths[2], np.concatenate(plots))
    return [path for path in paths if path.exists()]


def as_json(comparison: Comparison, summary: Summary) -> dict[str, Any]:
    """Means and every frame. JSON knows no NaN (null) and no infinity (the word)."""
    return {
        **summary._asdict(),
        "measures": MEASURES,
        "means": {name: {k: _plain(v) for k, v in row.items()} for name, row in comparison.means().items()},
        "jitter_of_the_real_video": _plain(comparison.jitter(REAL)),
        "targets": verdicts(comparison.means()),
        "per_frame": [
            {"frame": row.frame, **{n: {k: _plain(v) for k, v in m.items()} for n, m in row.measures.items()}}
            for row in comparison.rows
        ],
    }


def film_row(compared: Compared) -> NDArray[np.float32]:
    """One frame of the film: real, avatar, error map, rigidly moved photo."""
    avatar = compared.pictures[AVATAR]
    panels = {
        f"{REAL}, frame {compared.frame}": compared.real,
        f"{AVATAR}, {_cell(compared.measures[AVATAR]['psnr'], 1)} dB": avatar,
        f"error of the avatar x {_ERROR_SCALE:g}": error_map(avatar, compared.real, compared.valid),
        f"{RIGID}, {_cell(compared.measures[RIGID]['psnr'], 1)} dB": compared.pictures[RIGID],
    }
    return np.concatenate([_labelled(name, picture) for name, picture in panels.items()], 1)


def error_map(
    picture: NDArray[np.floating], truth: NDArray[np.floating], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(H, W, 3) mean difference of the colours: black, red, yellow, white; grey where nothing is known."""
    heat = np.abs(np.asarray(picture) - truth).mean(-1, keepdims=True) * _ERROR_SCALE
    colors = np.concatenate([heat * 3, heat * 3 - 1, heat * 3 - 2], -1).clip(0, 1)
    return np.where(valid[..., None], colors, 0.3).astype(np.float32)


def telling_frames(tracking: Tracking, frames: Iterable[int]) -> list[int]:
    """Of the frames: rest, the most open mouth, the widest smile, the deepest blink, the largest turn, gaze aside."""
    known = np.array(list(frames))
    weights = tracking.motion.weights[known]

    def total(*starts: str) -> NDArray[np.floating]:
        return weights[:, [k for k, name in enumerate(arkit.NAMES) if name.startswith(starts)]].sum(1)

    turned = np.arccos(np.clip(-tracking.rotation[known][:, 2, 2], -1, 1))
    scores = (-weights.sum(1), total("jawOpen"), total("mouthSmile"), total("eyeBlink"), turned, total("eyeLook"))
    return sorted({int(known[np.argmax(score)]) for score in scores})


def picture_sheet(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Rows of the film, one below the other."""
    return np.concatenate(rows)


def _labelled(name: str, picture: NDArray[np.floating]) -> NDArray[np.float32]:
    small = Image.fromarray(to_uint8(picture)).resize((PANEL, PANEL), Image.Resampling.BOX, reducing_gap=2.0)
    panel = Image.new("RGB", (PANEL, PANEL + _BAR), (255, 255, 255))
    panel.paste(small, (0, _BAR))
    ImageDraw.Draw(panel).text((6, 5), name, (70, 70, 74), ImageFont.load_default(14))
    return np.asarray(panel, np.float32) / 255


def _met(met: bool) -> str:
    return "met" if met else "missed"


def _cell(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.{digits}f}"


def _plain(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return round(float(value), 5) if math.isfinite(value) else "infinite"
