"""Any video model behind a command: what it needs is written to a folder, its frames are read back.

The folder holds, all pictures over one plain background colour:

    reference.png           the photo's crop
    render/00000.png ...    the frames to be made better: the avatar's renders, or the photo's texture on the moved head
    alpha/00000.png ...     their coverage, grey
    landmarks.npz           `frames` (F, 478, 3) and `reference` (478, 3): MediaPipe's points, x and y in pixels
    drive.json              cameras, ARKit weights, poses, mode, strength, background, seed: see `drive_description`
    out/                    empty: here the command writes 00000.png ..., as many as `render` has and of the same size

RGB answers lie over the same background; RGBA answers bring their own coverage, with straight colours.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import InputError, PriorError
from ..heads import JOINTS, arkit
from ..media import DAMAGED_PICTURE, open_picture, to_uint8
from .landmarks import project_landmarks
from .protocol import Drive, Mode, Reference, Video
from .reprojection import head_texture_video

FORMAT = 1
"""Of the folder; raised when what is in it changes its meaning."""

_LONGEST_MESSAGE = 300  # characters of the command's own words in an error


@dataclass(frozen=True, eq=False)
class ExternalState:
    """The person, and what the calls' seeds are drawn from."""

    reference: Reference
    generator: torch.Generator


@dataclass(frozen=True, eq=False)
class ExternalPrior:
    """`VideoPrior` that runs a command of the user's for every clip.

    Raises:
        InputError: the command is empty, has unbalanced quotes or no "{folder}".
    """

    command: str
    """As on a command line, with {folder} where the folder's path belongs; run without a shell."""
    timeout: float = 3600.0
    """Seconds that one clip may take."""
    background: float = 1.0
    """Grey behind all pictures, in [0, 1]."""
    keep: Path | None = None
    """An existing folder in which each call's folder stays; by default they are removed."""
    name: str = "external"
    invents: bool = True

    def __post_init__(self) -> None:
        try:
            arguments = shlex.split(self.command)
        except ValueError as error:
            raise InputError(f"The command of the external prior cannot be read ({error}): {self.command}") from None
        if not arguments:
            raise InputError("The external prior needs a command, such as: python my_model.py {folder}")
        if not any("{folder}" in argument for argument in arguments):
            raise InputError("The command of the external prior must say where {folder} belongs.")

    def prepare(self, reference: Reference, generator: torch.Generator) -> ExternalState:
        return ExternalState(reference, generator)

    def generate(self, state: ExternalState, drive: Drive) -> Video:
        """The command's frames for the photo's texture on the moved head; `mode` is "generate".

        Raises:
            PriorError: the command failed or its frames cannot be used.
            InputError: there is no such command.
        """
        reference = state.reference
        shown = head_texture_video(reference.head, reference.texture, drive.checked())
        return self._run(state, drive, shown, 1.0, "generate")

    def regenerate(self, state: ExternalState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """The command's frames for the avatar's render.

        Raises:
            PriorError: the command failed or its frames cannot be used.
            InputError: there is no such command.
        """
        if mode == "generate":
            return self.generate(state, drive)
        return self._run(state, drive.checked(), video, strength, mode)

    def _run(self, state: ExternalState, drive: Drive, shown: Video, strength: float, mode: Mode) -> Video:
        seed = int(torch.randint(2**31, (1,), generator=state.generator))
        with _call_folder(self.keep) as folder:
            write_call(folder, state.reference, drive, shown, self.background)
            description = drive_description(drive, strength, mode, self.background, seed)
            (folder / "drive.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
            arguments = [a.replace("{folder}", str(folder)) for a in shlex.split(self.command)]
            _execute(arguments, self.timeout)
            return read_answer(folder / "out", shown.alpha, self.background)


def drive_description(drive: Drive, strength: float, mode: Mode, background: float, seed: int) -> dict[str, Any]:
    """What `drive.json` says: one entry for each frame, cameras in OpenCV axes, pixels, metres and radians."""
    frames = [
        {
            "camera": {
                "viewmat": camera.viewmat.tolist(), "fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy,
            },
            "expression": {name: round(float(w), 5) for name, w in zip(arkit.NAMES, weights)},
            "pose": {name: [round(float(x), 6) for x in r] for name, r in zip(JOINTS, pose)},
        }
        for camera, weights, pose in zip(drive.cameras, drive.expressions, drive.poses)
    ]  # fmt: skip
    size = {"width": drive.cameras[0].width, "height": drive.cameras[0].height}
    head = {"zero1toa_drive": FORMAT, "mode": mode, "strength": strength, "background": background, "seed": seed}
    return head | size | {"frames": frames}


def write_call(folder: Path, reference: Reference, drive: Drive, shown: Video, background: float) -> None:
    """Writes all of a call but `drive.json`, and makes the empty folder `out`."""
    portrait = reference.portrait
    matte = portrait.alpha[..., None]
    _write(folder / "reference.png", matte * portrait.foreground + (1 - matte) * background)
    for name, pictures in (("render", shown.over(background)), ("alpha", shown.alpha)):
        (folder / name).mkdir()
        for index, picture in enumerate(pictures):
            _write(folder / name / frame_name(index), picture.permute(1, 2, 0).numpy())
    with torch.no_grad():
        posed = reference.head.pose(drive.expressions, drive.poses).numpy()
    points = project_landmarks(posed, reference.head.topology, drive.cameras)
    landmarks = {"frames": points.astype(np.float32), "reference": portrait.landmarks.astype(np.float32)}
    np.savez(folder / "landmarks.npz", **landmarks)
    (folder / "out").mkdir()


def frame_name(index: int) -> str:
    """File name of a frame."""
    return f"{index:05d}.png"


def read_answer(folder: Path, alpha: Tensor, background: float) -> Video:
    """The frames in a folder as a video.

    Args:
        folder: `out` of a call.
        alpha: (F, 1, H, W) coverage of RGB frames.
        background: grey behind RGB frames.

    Raises:
        PriorError: frames are missing, cannot be read or have another size than `alpha`.
    """
    count, _, height, width = alpha.shape
    written = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    missing = [name for name in map(frame_name, range(count)) if name not in written]
    if missing:
        raise PriorError(
            f"The external prior wrote {count - len(missing)} of {count} frames; out/{missing[0]} is missing."
        )
    pictures = torch.from_numpy(np.stack([_read(folder / frame_name(i), width, height) for i in range(count)]))
    pictures = pictures.permute(0, 3, 1, 2)
    colors, own = pictures[:, :3], pictures[:, 3:]
    transparent = (own < 1).any()
    cover = own if transparent else alpha
    frames = colors * own if transparent else (colors - (1 - alpha) * background).clamp_min(0)
    return Video(torch.minimum(frames, cover).contiguous(), cover.contiguous(), torch.ones_like(cover))


def _read(path: Path, width: int, height: int) -> NDArray[np.float32]:
    try:
        with open_picture(path) as picture:
            if picture.size != (width, height):
                found = f"{picture.size[0]} x {picture.size[1]}"
                raise PriorError(f"The external prior wrote out/{path.name} with {found} px, not {width} x {height}.")
            return np.asarray(picture.convert("RGBA"), np.float32) / 255
    except DAMAGED_PICTURE as error:
        raise PriorError(f"The external prior wrote out/{path.name}, but it is no readable picture.") from error


def _write(path: Path, picture: NDArray[np.floating]) -> None:
    pixels = to_uint8(picture)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


@contextmanager
def _call_folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="zero1toa-") as folder:
            yield Path(folder).resolve()
    else:
        count = len(list(keep.glob("call-*")))
        yield Path(tempfile.mkdtemp(prefix=f"call-{count:05d}-", dir=keep)).resolve()


def _execute(arguments: list[str], timeout: float) -> None:
    """Runs the command to its end. It gets a process group of its own, so that nothing of it outlives a time-out or
    Ctrl-C."""
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
            )
        except FileNotFoundError as error:
            raise InputError(f"The external prior's command '{arguments[0]}' was not found.") from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"The external prior's command '{arguments[0]}' cannot be run: {reason}.") from error
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            _stop(process)
            raise PriorError(f"The external prior took longer than {timeout:g} s for one clip.") from error
        except BaseException:
            _stop(process)
            raise
        if code != 0:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
            last = lines[-1].strip()[:_LONGEST_MESSAGE] if lines else "it said nothing on its error output"
            raise PriorError(f"The external prior's command failed with exit code {code}: {last}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    else:
        process.kill()
    process.wait()
