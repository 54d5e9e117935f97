"""What tracking a video gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..motion import Motion

TRACKED: Final = 0
FILLED: Final = 1  # a short gap, interpolated between the frames around it
LOST: Final = 2  # no face for longer: the expression eases to neutral, the head stays where it was


@dataclass(frozen=True, eq=False)
class Tracking:
    """One person's motion in a video, with what it was read from. Frame `i` is that of `FrameSource` `i`."""

    motion: Motion
    """F frames: ARKit weights less the person's own rest, and the head's turn from the torso, shared between neck and
    head joint. The torso is held: what it does in the video is in the cameras."""
    confidence: NDArray[np.float32]
    """(F,) in [0, 1]: how sure the landmarks are and how well the head explains them; 0 where there is no face."""
    state: NDArray[np.int8]
    """(F,) `TRACKED`, `FILLED` or `LOST`."""
    landmarks: NDArray[np.float32]
    """(F, 478, 2) px of the video, as measured; where none were, those of the fitted head."""
    errors: NDArray[np.float32]
    """(F,) mean distance of measured landmarks from those of the head, px at a face width of 225; NaN without face."""
    frame_times: NDArray[np.float64]
    """(F,) seconds from the first frame of the file at which each frame is shown."""
    size: tuple[int, int]
    """Width and height of the video, px."""
    identity: NDArray[np.float64]
    """(I,) coefficients of the head model, for `HeadModel.personalize`."""
    head: str
    """Name of the head model."""
    rest_expression: NDArray[np.float64]
    """(52,) what was read in the calmest frames, nearly 0: subtracted from every frame of the motion."""
    cameras: tuple[Camera, ...]
    """F cameras, torso axes (the head model's world) to px of the video: the same lens and the same rotation in all.
    `cameras[i].project` of the head posed by `motion.expression(i)` and `motion.pose(i)` lies on the face of frame
    `i`."""
    rotation: NDArray[np.float64]
    """(F, 3, 3) head axes (x to the subject's left, y up, z out of the face) to camera axes (x right, y down, z
    forward)."""
    translation: NDArray[np.float64]
    """(F, 3) metres: where the origin of the head's axes lies before the camera. A lens is assumed, so distances are
    right up to a factor that is the same in all frames."""
    segments: NDArray[np.int64]
    """(F,) number of the run of frames without cut or loss; -1 where there is no face."""
    warnings: tuple[str, ...] = ()
    """Sentences about what was found on the way."""
    seconds: float = 0.0
    """How long tracking took."""

    def __len__(self) -> int:
        """How many frames."""
        return len(self.confidence)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.motion.fps
