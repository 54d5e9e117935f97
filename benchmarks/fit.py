"""How long a fit takes and how close it comes: `python -m benchmarks.fit [PHOTO ...]`.

Prints, for the demo and for every picture given (or every portrait in a folder given), the seconds of each stage after
a warm-up, and the landmark errors in px at 512. A picture that is refused is listed with its sentence.
"""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import tyro

from zero1toa.errors import Zero1toaError
from zero1toa.portrait.fit import fit_portrait
from zero1toa.progress import Progress, Stage

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
REGIONS = ("mean", "median", "eyes", "irises", "lips", "brows", "oval", "uncorrected")


class StageClock(Progress):
    """Collects seconds by stage instead of showing them."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        start = time.perf_counter()
        with super().stage(name, total) as stage:
            yield stage
        self.seconds[name] += time.perf_counter() - start


def main(photos: Annotated[tuple[Path, ...], tyro.conf.Positional] = (), repeats: int = 3) -> None:
    """Prints two Markdown tables: seconds (fastest of the repeats) and errors."""
    sources: list[Path | str] = ["demo"]
    for photo in photos:
        sources += sorted(p for p in photo.iterdir() if p.suffix.lower() in PICTURES) if photo.is_dir() else [photo]
    fit_portrait("demo")  # loads the networks and compiles
    times: dict[str, dict[str, float]] = {}
    errors: dict[str, dict[str, float]] = {}
    refused: dict[str, str] = {}
    for source in sources:
        name = Path(source).stem
        try:
            for _ in range(repeats):
                clock = StageClock()
                portrait = fit_portrait(source, progress=clock)
                best = times.setdefault(name, dict(clock.seconds))
                times[name] = {stage: min(best[stage], clock.seconds[stage]) for stage in best}
            errors[name] = portrait.errors
        except Zero1toaError as error:
            refused[name] = str(error)
    stages = list(next(iter(times.values())))
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, fastest of {repeats}\n")
    print("| seconds | " + " | ".join(stages) + " | all |\n|---|" + "---|" * (len(stages) + 1))
    for name, row in times.items():
        print(f"| {name} | " + " | ".join(f"{row[s]:.3f}" for s in stages) + f" | {sum(row.values()):.3f} |")
    print("\n| px at 512 | " + " | ".join(REGIONS) + " |\n|---|" + "---|" * len(REGIONS))
    for name, row in errors.items():
        print(f"| {name} | " + " | ".join(f"{row[r]:.2f}" for r in REGIONS) + " |")
    for name, sentence in refused.items():
        print(f"\n{name}: refused. {sentence}")


if __name__ == "__main__":
    tyro.cli(main)
