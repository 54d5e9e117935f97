"""Whether avatars look like their photos and do what they are told: `python -m benchmarks.avatar [PHOTO or FIT ...]`.

Makes an avatar of the demo, of every picture and fit given, and of all in folders given, and prints how far each is
from the bar: likeness at the photo's own view, and what the landmark detector reads in renders from seven yaws and with
seven expressions, next to what it reads in a plain mesh of the same head. With --avatars, GLB files of the same names
as the photos in that folder are measured instead of new avatars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import tyro

import zero1toa
from zero1toa.config import PRESETS
from zero1toa.errors import Zero1toaError
from zero1toa.evaluate.acceptance import Acceptance, accept, markdown, photo_render
from zero1toa.media import contact_sheet, write_png
from zero1toa.portrait.portrait import FILE_NAME

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def sources_in(paths: tuple[Path, ...]) -> Iterator[str | Path]:
    """The demo, pictures, fits, and all pictures and fits in folders."""
    yield "demo"
    for path in paths:
        if path.is_dir() and not (path / FILE_NAME).is_file():
            for item in sorted(path.iterdir()):
                if item.suffix.lower() in PICTURES or (item / FILE_NAME).is_file():
                    yield item
        else:
            yield path


def main(
    photos: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    preset: str = "fast",
    seed: int = 0,
    avatars: Path | None = None,
    demo: bool = True,
    pictures: Path | None = None,
) -> None:
    """Prints the tables as Markdown.

    Args:
        photos: picture files, folders that fit wrote, or folders of such.
        preset: of the avatars that are made.
        seed: of the same.
        avatars: a folder of avatars to measure instead, named like the photos.
        demo: measure the demo too.
        pictures: a folder for photo and render side by side.
    """
    torch.set_num_threads(min(2, torch.get_num_threads()))
    results: list[Acceptance] = []
    for source in sources_in(photos):
        name = Path(source).stem
        if source == "demo" and (not demo or any(Path(p).name == "demo" for p in sources_in(photos) if p != "demo")):
            continue
        try:
            portrait = zero1toa.fit(source, force=True)
            if avatars is None:
                avatar = zero1toa.create(portrait, config=replace(PRESETS[preset], seed=seed))
            else:
                avatar = zero1toa.load(avatars / f"{name}.glb")
        except Zero1toaError as error:
            print(f"{name}: {error}\n")
            continue
        results.append(accept(name, portrait, avatar))
        print(f"{name}: {'; '.join(results[-1].failures) or 'passed'}", flush=True)
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            pair = [("photo", portrait.image), ("avatar", photo_render(portrait, avatar)[0])]
            write_png(pictures / f"{name}.png", contact_sheet(pair, columns=2))
    print("\n" + markdown(results))


if __name__ == "__main__":
    tyro.cli(main)
