"""What the network is told of a person and a drive: the same arrays that training sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...heads import RiggedHead
from ..protocol import Drive
from ..protocol import Reference as PersonReference
from .reproject import Lift, Photo, Source, landmark_picture, reprojection, screen_landmarks
from .scene import DISTANCE, FOV, TARGET
from .synthetic import PHOTO_SIZE

_SPAN = float(2 * DISTANCE * np.tan(np.radians(FOV) / 2))  # metres across the prior's own view, at `TARGET`
_FINE = 4  # samples along each side of a pixel where a picture is brought to the own view


@dataclass(frozen=True, eq=False)
class Told:
    """A clip's condition."""

    center: Tensor  # (F, 3, S, S) the reprojected photo, in [-1, 1]
    known: Tensor  # (F, 2, S, S) its confidence, and the head's coverage
    landmarks: Tensor  # (F, 3, S, S) in [0, 1]

    @property
    def channels(self) -> Tensor:
        """(F, 8, S, S) as the network takes it."""
        return torch.cat([self.center, self.known, self.landmarks], 1)

    def without_photo(self) -> Told:
        """The same landmarks, and nobody's photo."""
        return replace(self, center=torch.zeros_like(self.center), known=torch.zeros_like(self.known))

    def part(self, frames: slice) -> Told:
        """Some of the frames."""
        return Told(self.center[frames], self.known[frames], self.landmarks[frames])


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """A person's photo in the own view."""

    head: RiggedHead
    source: Source
    pictures: Tensor  # (1, 6, S, S) the photo in [-1, 1] and its landmark picture


def own_camera(camera: Camera, size: int) -> Camera:
    """The prior's own square view of what a camera sees: the same place, turned lens, `_SPAN` across at `TARGET`."""
    x, y, depth = camera.project(np.array(TARGET))
    scale = size * depth / _SPAN / camera.fx
    return replace(
        camera,
        fx=camera.fx * scale,
        fy=camera.fy * scale,
        cx=(camera.cx - x) * scale + size / 2,
        cy=(camera.cy - y) * scale + size / 2,
        width=size,
        height=size,
    )


def to_own(pictures: Tensor, cameras: list[Camera], size: int, owns: list[Camera] | None = None) -> Tensor:
    """(F, C, size, size) pictures (F, C, H, W) of cameras in their own views, with a low pass; differentiable.

    `owns` are other views of the same places with the same turn.
    """
    owns = owns or [own_camera(camera, size) for camera in cameras]
    grids = torch.stack([_grid(camera, own, size * _FINE) for camera, own in zip(cameras, owns)])
    fine = functional.grid_sample(
        pictures, grids.to(pictures), mode="bilinear", padding_mode="border", align_corners=False
    )
    return functional.avg_pool2d(fine, _FINE)


def from_own(pictures: Tensor, cameras: list[Camera]) -> Tensor:
    """(F, C, H, W) pictures (F, C, S, S) of own views as the cameras see them; zero beyond the own view."""
    size = pictures.shape[-1]
    first = cameras[0]
    grids = [_grid(own_camera(camera, size), camera, (first.height, first.width)) for camera in cameras]
    return functional.grid_sample(
        pictures, torch.stack(grids).to(pictures), mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _grid(source: Camera, target: Camera, size: int | tuple[int, int]) -> Tensor:
    """(H, W, 2) places, in [-1, 1], in the source's picture of the target's pixels; both look the same way."""
    height, width = (size, size) if isinstance(size, int) else size
    scale = source.fx / target.fx
    x = (torch.arange(width) + 0.5) * target.width / width
    y = (torch.arange(height) + 0.5) * target.height / height
    u = ((x - target.cx) * scale + source.cx) / source.width * 2 - 1
    v = ((y - target.cy) * scale + source.cy) / source.height * 2 - 1
    return torch.stack(torch.meshgrid(u, v, indexing="xy"), -1).float()


def read_photo(reference: PersonReference, background: float, size: int) -> ReadPhoto:
    """The person's photo before a grey, with what it shows of the head.

    Args:
        reference: the person.
        background: grey, in [0, 1].
        size: side of the own view, px.
    """
    portrait, head = reference.portrait, reference.head
    matte = torch.from_numpy(np.ascontiguousarray(portrait.alpha[None, None], np.float32))
    colors = torch.from_numpy(np.ascontiguousarray(portrait.foreground.transpose(2, 0, 1)[None], np.float32))
    pixels = torch.cat([matte * colors + (1 - matte) * background, matte], 1)
    picture = to_own(pixels, [portrait.camera], PHOTO_SIZE)[0].permute(1, 2, 0).numpy()
    with torch.no_grad():
        vertices = head.pose(
            torch.as_tensor(portrait.expression, dtype=torch.float32),
            torch.as_tensor(portrait.pose, dtype=torch.float32),
        ).numpy()
    photo = Photo(
        np.ascontiguousarray(picture[..., :3]),
        np.ascontiguousarray(picture[..., 3]),
        np.ascontiguousarray(vertices, np.float32),
        own_camera(portrait.camera, PHOTO_SIZE),
        np.asarray(portrait.expression, np.float64),
    )
    lines = landmark_picture(screen_landmarks(vertices, head.topology, own_camera(portrait.camera, size)), size)
    small = functional.avg_pool2d(torch.from_numpy(photo.image).permute(2, 0, 1)[None], PHOTO_SIZE // size)
    pictures = torch.cat([small * 2 - 1, _planes(lines)[None]], 1)
    return ReadPhoto(head, Lift(head.topology).read(photo, size), pictures)


def told(person: ReadPhoto, drive: Drive) -> Told:
    """The condition of a drive, in the own view of each camera."""
    size = person.pictures.shape[-1]
    with torch.no_grad():
        posed = person.head.pose(drive.expressions, drive.poses).numpy()
    centers, knowns, lines = [], [], []
    for vertices, camera in zip(posed, drive.cameras):
        own = own_camera(camera, size)
        color, known = reprojection(person.source, np.ascontiguousarray(vertices, np.float32), own)
        centers.append(_planes(color) * 2 - 1)
        knowns.append(_planes(known))
        lines.append(_planes(landmark_picture(screen_landmarks(vertices, person.head.topology, own), size)))
    return Told(torch.stack(centers), torch.stack(knowns), torch.stack(lines))


def _planes(picture: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))
