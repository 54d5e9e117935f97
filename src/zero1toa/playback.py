"""Frames of an avatar as fast as this machine can draw them: the rig without autograd, a thread for each frame.

What does not change from frame to frame is computed once, and each thread keeps its memory. The pictures are those of
`Avatar.render` up to rounding, in 8 bits.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .camera import Camera
from .errors import InputError
from .heads import RiggedHead
from .heads.skinning import head_transforms, valid_expression
from .splats import Gaussians, quaternion
from .splats.cpu import frames as cpu_frames
from .splats.cpu import morph, pipeline, place
from .splats.cpu.threads import Run, alone, share, thread_count

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Background = tuple[float, float, float]


@dataclass(frozen=True)
class _Room:
    """Memory of one thread."""

    vertices: Floats  # (V, 3)
    frames: Floats  # (T, FRAME)
    means: Floats  # (N, 3)
    quats: Floats  # (N, 4)
    scales: Floats  # (N, 3)
    picture: pipeline.Picture


class Playback:
    """Draws frames of a rigged head with its splats.

    Args:
        head: whom to pose.
        splats: Gaussians bound to its triangles, on the CPU.
    """

    def __init__(self, head: RiggedHead, splats: Gaussians) -> None:
        self._head = head
        self._vertices = _array(head.vertices)
        self._bones = _array(head.skin_weights)
        self._faces = head.topology.faces.astype(np.int64)
        deltas = _array(head.expression_deltas)
        moved = [np.flatnonzero(shape.any(1)) for shape in deltas]
        self._starts = np.cumsum([0, *map(len, moved)])
        self._rows = np.concatenate(moved).astype(np.int32)
        self._deltas = np.ascontiguousarray(np.concatenate([shape[rows] for shape, rows in zip(deltas, moved)]))
        self._triangle = splats.triangle.detach().to(torch.int64).contiguous().numpy()
        if len(self._triangle) and not 0 <= self._triangle.min() <= self._triangle.max() < len(self._faces):
            raise IndexError(f"a triangle is not between 0 and {len(self._faces) - 1}")
        self._means = _array(splats.means)
        self._quats = _array(quaternion.normalize(splats.quats))
        self._scales = _array(splats.log_scales.exp())
        self._opacities = _array(splats.opacity_logits.sigmoid())
        self._colors = _array(splats.colors)
        self._rooms = threading.local()

    @property
    def batch(self) -> int:
        """How many frames are best drawn at once: enough for all threads, few enough to be shown soon."""
        return 4 * thread_count()

    def draw(
        self,
        weights: NDArray[np.floating],
        poses: NDArray[np.floating],
        cameras: Sequence[Camera],
        background: Background | None = (1.0, 1.0, 1.0),
    ) -> Pixels:
        """Pictures of B frames.

        Args:
            weights: (B, 52) ARKit weights.
            poses: (B, 6, 3) rotation vectors in radians, order `heads.JOINTS`.
            cameras: B views of one size.
            background: RGB in [0, 1], or None for transparent pictures.

        Returns:
            (B, H, W, 3) uint8 sRGB; (B, H, W, 4) with straight alpha when the background is None.

        Raises:
            InputError: the cameras differ in size, or something holds a number that is not finite.
        """
        if len({(camera.width, camera.height) for camera in cameras}) != 1:
            raise InputError("The cameras of frames that are drawn together must all have the same size.")
        height, width = cameras[0].height, cameras[0].width
        shapes, transforms = self._driven(weights, poses)
        behind = np.array(background or (0.0, 0.0, 0.0), np.float32)
        pixels = np.empty((len(cameras), height, width, 3 if background is not None else 4), np.uint8)

        def work(number: int, how: Run) -> None:
            room = self._room(height, width)
            self._place(room, shapes[number], transforms[number])
            inputs = pipeline.Inputs(room.means, room.quats, room.scales, self._opacities, self._colors)
            pipeline.forward(inputs, cameras[number], behind, room.picture, way_back=False, how=how)
            if background is None:
                morph.to_straight_bytes(room.picture.image, room.picture.alpha, pixels[number])
            else:
                morph.to_bytes(room.picture.image, pixels[number])

        try:
            share(work, len(cameras))
        except pipeline.NotFinite:
            raise InputError("The avatar or its motion holds a value that is not a number.") from None
        except pipeline.TooManyPairs:
            raise InputError(
                "The picture is too large for so many Gaussians this near; choose a smaller one."
            ) from None
        return pixels

    def pose(self, weights: NDArray[np.floating], poses: NDArray[np.floating]) -> Floats:
        """Vertices (V, 3) of one frame, and the Gaussians with them: the rig without a picture; arguments as in `draw`
        for B = 1."""
        shapes, transforms = self._driven(weights, poses)
        room = self._room(1, 1)
        self._place(room, shapes[0], transforms[0])
        return room.vertices.copy()

    def _driven(self, weights: NDArray[np.floating], poses: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Weights (B, 52) that move the vertices, and transforms (B, 6, 3, 4) of the joints."""
        expression = torch.as_tensor(np.array(weights, np.float32))
        pose = torch.as_tensor(np.array(poses, np.float32))
        with torch.no_grad():
            joints = self._head.joints.expand(len(expression), -1, -1)
            transforms = head_transforms(joints, expression, pose).contiguous().numpy()
            shapes = valid_expression(expression).contiguous().numpy()
        return shapes, transforms

    def _place(self, room: _Room, weights: Floats, transforms: Floats) -> None:
        """The rig of one frame: vertices, frames of the triangles, Gaussians in the world."""
        shapes = (self._starts, self._rows, self._deltas, weights)
        morph.morph_and_skin(self._vertices, *shapes, transforms, self._bones, room.vertices)
        alone(cpu_frames.frame_triangles, 1, room.vertices, self._faces, room.frames)
        local = (self._triangle, self._means, self._quats, self._scales)
        place.follow(room.frames, *local, room.means, room.quats, room.scales)

    def _room(self, height: int, width: int) -> _Room:
        room = getattr(self._rooms, "room", None)
        if room is None or room.picture.alpha.shape != (height, width):
            count = len(self._means)
            image, alpha, depth = (np.empty((height, width, *more), np.float32) for more in ((3,), (), ()))
            means, quats, scales = (np.empty((count, columns), np.float32) for columns in (3, 4, 3))
            room = _Room(
                np.empty_like(self._vertices),
                np.empty((len(self._faces), cpu_frames.FRAME), np.float32),
                means,
                quats,
                scales,
                pipeline.Picture(image, alpha, depth),
            )
            self._rooms.room = room
        return room


def _array(tensor: torch.Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)
