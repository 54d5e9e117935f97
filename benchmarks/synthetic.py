"""How many frames of synthetic portraits a core makes in a second, and a sheet of them.

    python -m benchmarks.synthetic --sittings 12 --sheet sheet.png

Counts the process' own CPU time, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from zero1toa.media import write_png
from zero1toa.priors.mini.synthetic import FRAMES, Sitting, sitting

_CLIPS = 6
_SHOWN = (0, 4, 7)  # frames of a clip on the sheet
_ZOOM = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sittings", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="seed of the first person")
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sitting(arguments.first, 1)  # compiles
    begun = time.process_time()
    made = [sitting(arguments.first + index, _CLIPS) for index in range(arguments.sittings)]
    seconds = time.process_time() - begun
    frames = arguments.sittings * _CLIPS * FRAMES
    print(f"{frames} frames of 64 px with photo, condition, landmarks and masks: {frames / seconds:.0f} a second")
    if arguments.sheet:
        write_png(arguments.sheet, _sheet(made))


def _sheet(made: list[Sitting]) -> np.ndarray:
    """A row for each person: photo, then of some frames the truth, the condition and the landmark lines."""
    rows = []
    for one in made:
        cells = [one.photo]
        for index in _SHOWN:
            clip = one.clips[index % len(one.clips)]
            cells += [clip.frames[index], clip.condition[index], clip.landmarks[index]]
        rows.append(np.concatenate(cells, 1))
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    sheet = np.concatenate([np.concatenate(rows[:half], 0), np.concatenate(rows[half:], 0)], 1)
    return (sheet.astype(np.float32) / 255).repeat(_ZOOM, 0).repeat(_ZOOM, 1)


if __name__ == "__main__":
    main()
