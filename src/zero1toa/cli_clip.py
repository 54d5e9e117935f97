"""The command `zero1toa evaluate clip`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from .config import ClipConfig
from .progress import Progress

AvatarFile = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]


def clip(
    avatar: AvatarFile,
    output: Output = Path("clip"),
    *,
    weights: str = "",
    prompt: str = "",
    photo: str = "",
    models: tuple[str, ...] = ("ViT-L/14", "ViT-B/16", "ViT-B/32"),
    protocol: ClipConfig = ClipConfig(),  # noqa: B008
    head: Head = None,
    quiet: Quiet = False,
) -> None:
    """Score an avatar's renders with CLIP, against a text and against the photo (paper, Table 1).

    Needs the extra `diffusion` and CLIP's weights. Prints the paper's table with your figures beside it, and writes it
    with the protocol (Markdown, JSON) and the pictures that were scored.

    Example: zero1toa evaluate clip avatar.glb --weights hub --prompt "a portrait of an astronaut" --photo demo

    Args:
        avatar: The avatar's file.
        output: Folder for the results.
        weights: A folder with the three CLIP models' folders, or "hub" to fetch them.
        prompt: The text; without one only the photo is compared.
        photo: A picture file, a folder that fit wrote, or "demo"; its crop over the protocol's background is compared.
        models: Which CLIP models.
        protocol: Which pictures of the avatar are scored.
        head: The FLAME that a folder of GaussianAvatars was made on, flame:FILE; other avatars carry their head.
        quiet: Print nothing but warnings and errors.
    """
    import json
    from dataclasses import asdict

    from . import api, files
    from .errors import InputError
    from .evaluate.clip import avatar_pictures, clip_rows, load_models, markdown
    from .media import contact_sheet, write_png

    if not prompt and not photo:
        raise InputError("Give a text (--prompt), a photo (--photo) or both to compare the avatar with.")
    progress = Progress(quiet)
    files.check_output_directory(output)
    networks = load_models(weights, models)
    shown = api.load(avatar, head)
    reference = None
    if photo:
        portrait = api.fit(photo, progress=progress)
        matte = portrait.alpha[..., None]
        reference = matte * portrait.foreground + (1 - matte) * protocol.background
    pictures = avatar_pictures(shown, protocol)
    rows = clip_rows(networks, pictures, prompt, reference)
    table = markdown(rows, avatar.name)
    record = {"avatar": avatar.name, "prompt": prompt, "photo": photo, "protocol": asdict(protocol)}
    labels = [f"{name} {yaw:+g}" for name in protocol.expressions for yaw in protocol.yaws]
    with files.output_directory(output) as folder:
        (folder / "clip.md").write_text(table + "\n", encoding="utf-8")
        scores = [asdict(row) for row in rows]
        (folder / "clip.json").write_text(json.dumps({**record, "scores": scores}, indent=1) + "\n", encoding="utf-8")
        write_png(folder / "pictures.png", contact_sheet(list(zip(labels, pictures)), columns=len(protocol.yaws)))
    progress.say(table)
    progress.say(f"Wrote {output}/: clip.md, clip.json, pictures.png")
