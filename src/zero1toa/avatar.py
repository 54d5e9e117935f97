"""The avatar: a person's rigged head with its splats. It renders, moves, saves and loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .avatar_io import AvatarData, load_any, save_glb
from .camera import Camera
from .errors import InputError
from .heads import JOINTS, RiggedHead, arkit
from .motion import Motion
from .playback import Playback
from .splats import Gaussians, rasterize, to_world

Expression = Mapping[str, float] | Tensor | NDArray[np.floating]
_MIDDLE_FROM_EYES = np.array([0.0, -0.042, -0.062])  # metres, as in the default head

Pose = Mapping[str, tuple[float, float, float]] | Tensor | NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Avatar:
    """An animatable 3D head. World: metres, x to the subject's left, y up, z out of the face."""

    head: RiggedHead
    splats: Gaussians
    identity: Tensor  # (I,) coefficients of the head model
    photo_expression: Tensor  # (52,) the expression in the photo
    photo_pose: Tensor  # (6, 3) the pose in the photo, rotation vectors in radians
    photo_camera: Camera  # the view of the photo
    head_model: str = "default"
    provenance: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def render(
        self,
        camera: Camera | None = None,
        expression: Expression | None = None,
        pose: Pose | None = None,
        background: tuple[float, float, float] | None = (1.0, 1.0, 1.0),
    ) -> NDArray[np.float32]:
        """A picture of the avatar.

        Args:
            camera: the view; by default from the front.
            expression: ARKit weights by name, or all 52; by default neutral.
            pose: rotation vectors in radians by joint name, or all (6, 3); by default at rest.
            background: RGB in [0, 1], or None for a transparent picture.

        Returns:
            (H, W, 3) float32 sRGB in [0, 1]; (H, W, 4) with straight alpha when the background is None.

        Raises:
            InputError: an expression or joint name is unknown, or an array has the wrong shape.
        """
        camera = camera or self.front_camera()
        with torch.no_grad():
            vertices = self.head.pose(expression_weights(expression), joint_rotations(pose))
            world = to_world(self.splats, vertices, torch.as_tensor(self.head.topology.faces))
            color = torch.zeros(3) if background is None else torch.tensor(background)
            out = rasterize(*world, camera, color)
        if background is not None:
            return out.image.clamp(0, 1).numpy()
        straight = (out.image / out.alpha.clamp_min(1e-4)[..., None]).clamp(0, 1)
        return torch.cat([straight, out.alpha[..., None].clamp(0, 1)], -1).numpy()

    def animate(
        self,
        motion: Motion,
        camera: Camera | None = None,
        background: tuple[float, float, float] | None = (1.0, 1.0, 1.0),
    ) -> Iterator[NDArray[np.float32]]:
        """The frames of a motion, one after the other; each is drawn when it is asked for.

        Args:
            motion: expression and pose over time; `motion.fps` is the rate at which to show the frames.
            camera: the view; by default from the front.
            background: as for `render`.

        Yields:
            (H, W, 3) float32 sRGB in [0, 1]; (H, W, 4) with straight alpha when the background is None. Exactly what
            `render` gives; `playback` gives the same in 8 bits, faster.
        """
        camera = camera or self.front_camera()
        for frame in range(len(motion)):
            yield self.render(camera, motion.expression(frame), motion.pose(frame), background)

    @cached_property
    def playback(self) -> Playback:
        """Draws frame after frame in 8 bits, several times as fast as `render`."""
        return Playback(self.head, self.splats)

    def front_camera(
        self,
        yaw: float = 0.0,
        pitch: float = 0.0,
        size: int | tuple[int, int] = 512,
        zoom: float = 1.0,
        distance: float | None = None,
    ) -> Camera:
        """A camera around the head, as far away as the photo's.

        Args:
            yaw: degrees to the subject's left.
            pitch: degrees upwards.
            size: pixels, of a square or (width, height).
            zoom: focal length as a multiple of the photo's.
            distance: metres; by default the photo's.
        """
        return head_camera(self.head, self.photo_camera, yaw, pitch, size, zoom, distance)

    def save(self, path: str | Path) -> None:
        """Writes the avatar as one GLB; an older file is replaced only when the new one is whole.

        Raises:
            OutputError: the file cannot be written.
        """
        data = AvatarData.pack(
            self.head,
            self.splats,
            identity=self.identity,
            expression=self.photo_expression,
            pose=self.photo_pose,
            camera=self.photo_camera,
            head_model=self.head_model,
            provenance=self.provenance,
        )
        save_glb(path, data)

    @classmethod
    def load(cls, path: str | Path, head: str | None = None) -> Avatar:
        """Reads an avatar: a file of ours, a folder of GaussianAvatars, or a zip of LAM.

        Args:
            path: the file or folder.
            head: `flame:FILE` for a folder of GaussianAvatars; by default the file that ZERO1TOA_FLAME names. An avatar
                that carries its own head must have been made on this one.

        Raises:
            InputError: it is missing, broken or no avatar, or needs a head model that was not given.
            AssetError: the head model's file cannot be used.
        """
        data = load_any(path, head)
        return cls(
            head=data.head(),
            splats=data.gaussians(),
            identity=torch.tensor(data.identity),
            photo_expression=torch.tensor(data.photo_expression),
            photo_pose=torch.tensor(data.photo_pose),
            photo_camera=data.photo_camera,
            head_model=data.head_model,
            provenance=data.provenance,
        )


def head_camera(
    head: RiggedHead,
    photo_camera: Camera,
    yaw: float,
    pitch: float,
    size: int | tuple[int, int],
    zoom: float = 1.0,
    distance: float | None = None,
) -> Camera:
    """A camera around a head; see `Avatar.front_camera`."""
    neck, joint, left, right = (head.joints[JOINTS.index(n)].numpy() for n in ("neck", "head", "eyeLeft", "eyeRight"))
    middle = joint + [0.0, 0.0, 0.02]
    if np.allclose(neck, joint):  # FLAME turns the head at the neck's root
        middle = (left + right) / 2 + _MIDDLE_FROM_EYES
    fov = float(np.degrees(2 * np.arctan(photo_camera.height / 2 / photo_camera.fy / zoom)))
    head_depth = float(photo_camera.to_camera(middle)[2]) if distance is None else distance
    return Camera.orbit(yaw, pitch, distance=head_depth, target=tuple(middle), fov=fov, size=size)


def expression_weights(expression: Expression | None) -> Tensor:
    """(52,) ARKit weights from names, an array or None (neutral).

    Raises:
        InputError: a name is unknown or the array has the wrong shape.
    """
    if expression is None:
        return torch.zeros(len(arkit.NAMES))
    if isinstance(expression, Mapping):
        weights = torch.zeros(len(arkit.NAMES))
        for name, value in expression.items():
            if name not in arkit.INDEX:
                raise InputError(f"There is no expression '{name}'; use ARKit names such as jawOpen or mouthSmileLeft.")
            weights[arkit.INDEX[name]] = float(value)
        return _finite(weights, "expression")
    weights = _floats(expression)
    if weights.shape != (len(arkit.NAMES),):
        raise InputError(f"An expression has 52 weights, not an array of shape {tuple(weights.shape)}.")
    return _finite(weights, "expression")


def joint_rotations(pose: Pose | None) -> Tensor | None:
    """(6, 3) rotation vectors from joint names, an array or None (rest).

    Raises:
        InputError: a joint name is unknown or the array has the wrong shape.
    """
    if pose is None:
        return None
    if isinstance(pose, Mapping):
        rotations = torch.zeros(len(JOINTS), 3)
        for name, value in pose.items():
            if name not in JOINTS:
                raise InputError(f"There is no joint '{name}'; there are {', '.join(JOINTS)}.")
            if len(value) != 3:
                raise InputError(f"The rotation of joint '{name}' has 3 numbers (a rotation vector), not {len(value)}.")
            rotations[JOINTS.index(name)] = torch.tensor(value, dtype=torch.float32)
        return _finite(rotations, "pose")
    rotations = _floats(pose)
    if rotations.shape != (len(JOINTS), 3):
        raise InputError(f"A pose has 6 rotation vectors, not an array of shape {tuple(rotations.shape)}.")
    return _finite(rotations, "pose")


def _floats(values: Tensor | NDArray[np.floating]) -> Tensor:
    """As a float32 tensor; arrays are copied, for some may not be written to."""
    return values.float() if isinstance(values, Tensor) else torch.tensor(values, dtype=torch.float32)


def _finite(values: Tensor, what: str) -> Tensor:
    if not values.isfinite().all():
        raise InputError(f"The {what} holds a value that is not a number.")
    return values
