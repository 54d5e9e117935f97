"""The one frame of a video that an avatar is made of, and the square of the video that everything is compared in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..heads import arkit
from ..media import write_png
from ..portrait.crop import Crop, apply_matrix, crop_again, crop_portrait
from ..portrait.fit import fit_portrait
from ..portrait.load import Photo
from ..portrait.plausible import choose_face
from ..portrait.portrait import Portrait
from ..progress import Progress
from ..tracking import TRACKED, FrameSource, Tracking

# Costs of a frame that are alike: a turn of 10 degrees, one whole weight of movement, a third of a blink.
_TURN: Final = 10.0
_BLINK: Final = 3.0
_BLUR: Final = 50.0  # per width of the face that the landmarks move from frame to frame
_UNSURE: Final = 5.0
_SAME_FIT: Final = 1.0  # px by which landmarks of the same frame may differ

_BLINKS: Final = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
_STILL: Final = np.array([not name.startswith(("eyeLook", "eyeBlink")) for name in arkit.NAMES])


@dataclass(frozen=True, eq=False)
class Source:
    """Where the avatar comes from."""

    frame: int
    portrait: Portrait
    matrix: NDArray[np.float64]  # (2, 3) px of the video -> px of the portrait's crop

    def crop(self, image: NDArray[np.uint8]) -> Crop:
        """The same square of a frame (H, W, 3) of the video."""
        return crop_again(_photo(image, ""), self.matrix, self.portrait.camera.width)


def choose_frame(tracking: Tracking) -> int:
    """The frame that shows most of the person: from the front, at rest, eyes open, sharp, and well tracked."""
    weights = tracking.motion.weights
    turned = np.degrees(np.arccos(np.clip(-tracking.rotation[:, 2, 2], -1, 1)))
    width = np.ptp(tracking.landmarks[..., 0], axis=1).clip(1)
    step = np.linalg.norm(np.diff(tracking.landmarks, axis=0), axis=-1).mean(1) / width[1:]
    speed = np.maximum(np.pad(step, (1, 0)), np.pad(step, (0, 1)))
    cost = turned / _TURN + weights[:, _STILL].sum(1) + _BLINK * weights[:, _BLINKS].max(1)
    cost += _BLUR * speed + _UNSURE * (1 - tracking.confidence)
    return int(np.argmin(np.where(tracking.state == TRACKED, cost, np.inf)))


def make_source(
    video: FrameSource, tracking: Tracking, frame: int | None = None, fit: Path | None = None,
    progress: Progress | None = None, *, head: str | None = None,
) -> Source:  # fmt: skip
    """Fits a head to one frame alone, as `zero1toa fit` does to a photo.

    Args:
        video: the frames.
        tracking: of the same frames.
        frame: which; by default the best.
        fit: a folder with the fit of that frame, of an earlier run.
        progress: where to show how far it is; by default nowhere.
        head: the head model; by default the tracking's, or that of the fit.

    Raises:
        InputError: there is no such frame, its face cannot be used, or the fit is another frame's.
    """
    if frame is not None and not 0 <= frame < len(tracking):
        raise InputError(f"There is no frame {frame}; the video has {len(tracking)}, counted from 0.")
    number = choose_frame(tracking) if frame is None else frame
    image = next(f.image for index, f in enumerate(video) if index == number)
    photo = _photo(image, f"frame {number} of {video.path.name}")
    landmarks = choose_face(photo).face.landmarks
    matrix = crop_portrait(photo, landmarks).matrix
    if fit is not None:
        portrait = Portrait.load(fit)
        if head is not None and head != portrait.head:
            raise InputError(f"{fit} was fitted with the head '{portrait.head}'; leave it or --head out.")
    else:
        with tempfile.TemporaryDirectory(prefix="zero1toa-") as folder:
            path = Path(folder) / f"frame-{number:05d}.png"
            write_png(path, image.astype(np.float32) / 255)
            portrait = fit_portrait(path, head or tracking.head, progress=progress)
    if np.abs(apply_matrix(matrix, landmarks) - portrait.landmarks)[:, :2].max() > _SAME_FIT:
        raise InputError(f"{fit} is not a fit of frame {number} of this video; leave it out, or name its --frame.")
    return Source(number, portrait, matrix)


def _photo(image: NDArray[np.uint8], name: str) -> Photo:
    return Photo(image.astype(np.float32) / 255, None, name)
