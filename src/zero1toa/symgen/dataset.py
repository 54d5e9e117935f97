"""The updatable dataset (paper, section 3.3): clips that the prior makes better again and again."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..errors import InputError
from ..files import write_whole
from ..priors import Video
from .drives import ClipPlan

_CHANNELS = 5  # RGB premultiplied, alpha, confidence


@dataclass(frozen=True, eq=False)
class Clip:
    """One video of the dataset. Pixels are kept in 8 bits, so a saved dataset is the dataset."""

    plan: ClipPlan
    opened: int  # cameras of the path that were open when the video was made
    pixels: NDArray[np.uint8]  # (F, 5, H, W) RGB premultiplied, alpha, confidence
    made_at: int  # iteration of the last update
    updates: int  # how often it was made again

    @classmethod
    def of(cls, plan: ClipPlan, opened: int, video: Video, made_at: int, updates: int = 0) -> Clip:
        """Keeps a prior's video."""
        channels = torch.cat([video.frames, video.alpha, video.confidence], 1)
        pixels = (channels.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()
        return cls(plan, opened, pixels, made_at, updates)

    @property
    def video(self) -> Video:
        """The whole clip."""
        values = torch.from_numpy(np.array(self.pixels)).float() / 255
        return Video(values[:, :3], values[:, 3:4], values[:, 4:])

    def sample(self, frame: int) -> Sample:
        """One frame with what it shows."""
        values = torch.from_numpy(np.array(self.pixels[frame])).float() / 255
        drive = self.plan.drive(self.opened)
        return Sample(
            values[:3].permute(1, 2, 0).contiguous(),
            values[3],
            values[4],
            drive.cameras[frame],
            drive.expressions[frame],
            drive.poses[frame],
        )


class Sample(NamedTuple):
    """One picture that the avatar should reproduce."""

    image: Tensor  # (H, W, 3) colours times alpha, [0, 1]
    alpha: Tensor  # (H, W) [0, 1]
    confidence: Tensor  # (H, W) how much a pixel's colour counts, [0, 1]
    camera: Camera
    expression: Tensor  # (52,)
    pose: Tensor  # (6, 3)
    matte_weight: Tensor | None = None  # (H, W) how much a pixel's alpha counts; as its colour if absent

    def to(self, device: torch.device) -> Sample:
        """The same with its pixels on a device."""
        return self._replace(
            image=self.image.to(device),
            alpha=self.alpha.to(device),
            confidence=self.confidence.to(device),
            matte_weight=None if self.matte_weight is None else self.matte_weight.to(device),
        )


class Dataset:
    """All clips of a run, by number. Those of stages that have not begun are absent.

    Args:
        plans: what each clip shows.
        folder: where the pixels are kept, one file a version; None keeps them in memory.
    """

    def __init__(self, plans: list[ClipPlan], folder: Path | None = None) -> None:
        self.plans = plans
        self._folder = folder
        self._clips: dict[int, Clip] = {}

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, number: int) -> Clip:
        return self._clips[number]

    @property
    def numbers(self) -> list[int]:
        """Numbers of the clips that are there, rising."""
        return sorted(self._clips)

    def oldest(self, among: list[int]) -> int:
        """The clip among these numbers that was made first; the lowest number where several were."""
        return min(among, key=lambda number: (self._clips[number].made_at, number))

    def replace(self, number: int, clip: Clip) -> None:
        """Puts a clip in, or a new version in the place of the old one."""
        if self._folder is not None:
            path = self._file(number, clip.updates)
            buffer = io.BytesIO()
            np.save(buffer, clip.pixels, allow_pickle=False)
            write_whole(path, buffer)
            clip = replace(clip, pixels=np.load(path, mmap_mode="r", allow_pickle=False))
        self._clips[number] = clip

    def index(self) -> list[dict[str, int]]:
        """What `restore` needs beside the folder."""
        return [
            {"number": n, "opened": c.opened, "made_at": c.made_at, "updates": c.updates}
            for n, c in sorted(self._clips.items())
        ]

    def restore(self, index: list[dict[str, int]]) -> None:
        """Takes up the clips that an earlier run left in the folder.

        Raises:
            InputError: a file is missing or has the wrong shape.
        """
        assert self._folder is not None
        for entry in index:
            number, plan = entry["number"], self.plans[entry["number"]]
            camera = plan.path[0]
            path = self._file(number, entry["updates"])
            try:
                pixels = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise InputError(
                    f"The saved state is incomplete ({path.name}); start again without --resume."
                ) from error
            if pixels.shape != (len(plan.path), _CHANNELS, camera.height, camera.width) or pixels.dtype != np.uint8:
                raise InputError(f"The saved state does not fit ({path.name}); start again without --resume.")
            self._clips[number] = Clip(plan, entry["opened"], pixels, entry["made_at"], entry["updates"])

    def forget_older(self) -> None:
        """Removes files of versions that were replaced. Call it when the newer ones are safely recorded."""
        if self._folder is None:
            return
        kept = {self._file(number, clip.updates).name for number, clip in self._clips.items()}
        for path in self._folder.glob("*.npy"):  # and what a killed run was writing
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def write_pictures(self, folder: Path) -> None:
        """Writes the dataset to look at and to measure: for each clip a strip of frames over grey, and a folder of its
        frames with `cameras.json`; and `clips.json`."""
        from ..media import write_png
        from ..priors.clip_files import write_clip

        for number in self.numbers:
            clip = self._clips[number]
            frames = folder / f"clip-{number:03d}"
            frames.mkdir(exist_ok=True)
            write_clip(frames, clip.plan.drive(clip.opened), clip.video)
            strip = self._clips[number].video.over(0.5).permute(2, 0, 3, 1)  # (H, F, W, 3)
            write_png(folder / f"clip-{number:03d}.png", strip.flatten(1, 2).numpy())
        text = [{**entry, "stage": self.plans[entry["number"]].stage} for entry in self.index()]
        (folder / "clips.json").write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")

    def _file(self, number: int, version: int) -> Path:
        assert self._folder is not None
        return self._folder / f"clip-{number:03d}-{version}.npy"
