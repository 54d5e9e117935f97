"""What the AnimateAnyone family is fine-tuned on: a photo, frames of the same person, and their landmark pictures.

Frames and photo share size and background: these models keep the photo's background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...progress import Progress
from ..mini.condition import own_camera
from ..mini.person import random_person
from ..mini.reproject import screen_landmarks
from ..mini.scene import random_background, random_light, random_setup
from ..mini.synthetic import Stage, as_bytes, performance, photo_pose, posed, views
from ..mini.video_folder import VideoReader, follow_video, own_picture
from .landmark_image import STYLES, draw_landmarks

Pixels = NDArray[np.uint8]

_FOV = (
    18.0,
    27.0,
)  # degrees of synthetic cameras: a face alone, to the head and shoulders that an avatar's see
_WIDER = (1.0, 1.5)  # the same as a factor on the own view of videos
_WHITE = 0.5  # share of the synthetic persons before white, as renders of an avatar are shown to the model
_LARGEST_TEXTURE = 512  # px: larger ones take seconds a person
_MOTIONS_FOR = 2000  # persons who share a bank of motions


class PortraitClip(NamedTuple):
    """F frames."""

    frames: Pixels  # (F, S, S, 3)
    landmarks: Pixels  # (F, S, S, 3) lines between landmarks, as the model's authors draw them


class PortraitSitting(NamedTuple):
    """A photo of a person, and clips."""

    seed: int
    photo: Pixels  # (S, S, 3)
    clips: Sequence[PortraitClip]


@dataclass(frozen=True)
class ClipShape:
    """Of which clips are."""

    style: str
    """Whose landmark pictures: a name of `landmark_image.STYLES`."""
    size: int
    """Pixels on a side."""
    frames: int

    def maker(self) -> partial[PortraitSitting]:
        """`synthetic_sitting` of this shape, for a pool of made-up persons."""
        return partial(synthetic_sitting, self)

    def reader(self) -> VideoReader[PortraitSitting]:
        """Videos in this shape."""
        key = f"-{self.style}-{self.size}-{self.frames}"
        return VideoReader(partial(read_portrait_video, self), PortraitSitting, PortraitClip, key)

    def lines(self, points: NDArray[np.floating]) -> Pixels:
        """(S, S, 3) the picture of landmarks (478, 2 or 3), px."""
        return draw_landmarks(points[:, :2] / self.size, STYLES[self.style], self.size, self.size)


def synthetic_sitting(shape: ClipShape, seed: int, clips: int) -> PortraitSitting:
    """Person number `seed` of the mini prior's generator (`mini.person`), a photo of them, and clips."""
    rng = np.random.default_rng([seed, 13])
    size = shape.size
    person = random_person(seed, min(size, _LARGEST_TEXTURE))
    white = np.ones((size, size, 3), np.float32)
    stage = Stage(person, random_light(rng), white if rng.random() < _WHITE else random_background(size, rng))
    setup = replace(random_setup(rng), fov=float(rng.uniform(*_FOV)))
    expression, camera = photo_pose(rng, setup, size)
    photo, _ = _drawn(stage, expression, np.zeros((1, 6, 3)), [camera], shape)
    made = []
    for _ in range(clips):
        expressions, poses, travels = performance(rng, seed // _MOTIONS_FOR, shape.frames)
        cameras, _ = views(rng, travels, setup, size, shape.frames)
        made.append(PortraitClip(*_drawn(stage, expressions, poses, cameras, shape)))
    return PortraitSitting(seed, photo[0], made)


def _drawn(
    stage: Stage,
    expressions: NDArray[np.float64],
    poses: NDArray[np.float64],
    cameras: Sequence[Camera],
    shape: ClipShape,
) -> tuple[Pixels, Pixels]:
    """Frames and landmark pictures."""
    person = stage.person
    geometry = posed(person.head, person.extra, expressions, poses)
    shadows = stage.shadows(geometry.vertices[0], geometry.extra[0])
    frames, lines = [], []
    for vertices, extra, camera in zip(geometry.vertices, geometry.extra, cameras, strict=True):
        image, *_ = stage.draw(vertices, extra, camera, shadows, stage.background)
        frames.append(as_bytes(image))
        lines.append(shape.lines(screen_landmarks(vertices, person.head.topology, camera)))
    return np.stack(frames), np.stack(lines)


def read_portrait_video(shape: ClipShape, video: Path, seed: int, progress: Progress) -> PortraitSitting:
    """A video of one person: squares about the head, as wide as a number drawn from `seed` says.

    Raises:
        InputError: it is no video, or shows no face.
    """
    seen = follow_video(video, progress, shape.frames)
    wider = np.random.default_rng([seed, 17]).uniform(*_WIDER)

    def square(index: int) -> tuple[Pixels, Pixels]:
        camera = _wider(own_camera(seen.cameras[index], shape.size), wider)
        picture = own_picture(seen.images[index], seen.cameras[index], shape.size, camera)
        return as_bytes(picture), shape.lines(screen_landmarks(seen.vertices[index], seen.topology, camera))

    clips = []
    for start in seen.starts:
        frames, lines = zip(*(square(index) for index in range(start, start + shape.frames)))
        clips.append(PortraitClip(np.stack(frames), np.stack(lines)))
    return PortraitSitting(seed, square(seen.frame)[0], clips)


def _wider(camera: Camera, factor: float) -> Camera:
    """A camera that sees so much more to all sides."""
    center_x, center_y = camera.width / 2, camera.height / 2
    return replace(
        camera,
        fx=camera.fx / factor,
        fy=camera.fy / factor,
        cx=center_x + (camera.cx - center_x) / factor,
        cy=center_y + (camera.cy - center_y) / factor,
    )
