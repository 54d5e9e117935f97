"""Held-out made-up persons with a photo and true clips: what the mini prior is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..heads import JOINTS
from ..heads.sampling import sample_expressions
from ..motion.sequences import training_clips
from ..portrait.portrait import ERRORS, Portrait
from ..portrait.surface import PhotoSurface
from ..portrait.texture import lift_texture
from ..priors.mini.condition import own_camera
from ..priors.mini.person import HELD_OUT_FROM, random_person
from ..priors.mini.reproject import screen_landmarks
from ..priors.mini.scene import random_light
from ..priors.mini.synthetic import FRAMES, Stage, face_masks, posed
from ..priors.protocol import Drive, Reference, Video
from ..priors.subjects import photo_camera

PHOTO_SIZE, TEXTURE_SIZE = 256, 512
"""Pixels on a side of the photos, and of the textures that are lifted from them."""

_FIRST = HELD_OUT_FROM + 100_000  # training looks at the persons before these
_PHOTO_YAW, _PHOTO_PITCH = 6.0, 4.0  # degrees, standard deviations
_NEARLY_NEUTRAL = 0.3  # factor on the photo's expression
_SWEEP = 70.0  # degrees to either side in a sweep
_SIDE = (40.0, 60.0)  # degrees of the clip from the side


@dataclass(frozen=True, eq=False)
class PriorClip:
    """A drive and what it truly looks like."""

    name: str
    drive: Drive  # of the prior's own view
    yaw: NDArray[np.float32]  # (F,) degrees
    truth: Video
    face: Tensor  # (F, S, S) bool: where the face is seen


@dataclass(frozen=True, eq=False)
class PriorCase:
    """A held-out person."""

    number: int
    held_out_look: bool  # hair, dye or skin of a kind that training never shows
    reference: Reference
    clips: list[PriorClip]
    stage: Stage

    def render(self, drive: Drive, background: float) -> Video:
        """The truth along a drive."""
        return _truth(self.stage, drive, background)[0]


def prior_case(number: int, size: int, background: float) -> PriorCase:
    """Person `number`: a photo from the front, a sweep, talking from the front and from the side.

    Args:
        number: of the person.
        size: px of the clips.
        background: grey behind all pictures, in [0, 1].
    """
    person = random_person(_FIRST + number, TEXTURE_SIZE)
    rng = np.random.default_rng([_FIRST + number, 13])
    plain = np.full((PHOTO_SIZE, PHOTO_SIZE, 3), background, np.float32)
    stage = Stage(person, random_light(rng), plain)
    reference = _reference(stage, number, rng)
    talk = training_clips("exaggerated", 2, rng, count=FRAMES)
    still = np.zeros((FRAMES, len(JOINTS), 3))
    sweep = np.repeat(_NEARLY_NEUTRAL * sample_expressions(1, rng), FRAMES, 0)
    side = rng.uniform(*_SIDE) * rng.choice([-1, 1])
    plans = (
        ("sweep", np.linspace(-_SWEEP, _SWEEP, FRAMES), sweep, still),
        ("front", np.full(FRAMES, rng.uniform(-15, 15)), talk[0].weights, talk[0].poses),
        ("side", np.full(FRAMES, side), talk[1].weights, talk[1].poses),
    )
    clips = []
    for name, yaws, expressions, poses in plans:
        cameras = [own_camera(photo_camera(float(yaw), 0.0, size), size) for yaw in yaws]
        drive = Drive(
            cameras,
            torch.tensor(expressions, dtype=torch.float32),
            torch.tensor(poses, dtype=torch.float32),
        ).checked()
        truth, face = _truth(stage, drive, background)
        clips.append(PriorClip(name, drive, yaws.astype(np.float32), truth, face))
    return PriorCase(number, person.held_out_look, reference, clips, stage)


def _reference(stage: Stage, number: int, rng: np.random.Generator) -> Reference:
    """A photo with a faultless fit of the head; hair and glasses beyond the head are in the photo alone."""
    person = stage.person
    camera = photo_camera(float(rng.normal(0, _PHOTO_YAW)), float(rng.normal(0, _PHOTO_PITCH)), PHOTO_SIZE)
    weights = _NEARLY_NEUTRAL * sample_expressions(1, rng)
    pose = np.zeros((len(JOINTS), 3))
    geometry = posed(person.head, person.extra, weights, pose[None])
    vertices = geometry.vertices[0]
    shadows = stage.shadows(vertices, geometry.extra[0])
    image, alpha, _, _ = stage.draw(vertices, geometry.extra[0], camera, shadows, stage.background)
    share = alpha[..., None]
    straight = np.where(share > 0, (image - (1 - share) * stage.background) / np.maximum(share, 1e-3), 0).clip(0, 1)
    landmarks = screen_landmarks(vertices, person.head.topology, camera)
    portrait = Portrait(
        image=image,
        valid=np.ones(alpha.shape, bool),
        alpha=alpha,
        foreground=np.ascontiguousarray(straight, np.float32),
        landmarks=landmarks,
        target_landmarks=landmarks[:, :2].copy(),
        fitted_landmarks=landmarks[:, :2].copy(),
        identity=person.identity,
        expression=weights[0],
        pose=pose,
        camera=camera,
        head="default",
        source=f"held-out person {number}",
        errors=dict.fromkeys(ERRORS, 0.0),
    )
    return Reference(portrait, person.head, lift_texture(PhotoSurface(portrait, person.head), TEXTURE_SIZE))


def _truth(stage: Stage, drive: Drive, background: float) -> tuple[Video, Tensor]:
    person = stage.person
    geometry = posed(person.head, person.extra, drive.expressions.numpy(), drive.poses.numpy())
    shadows = stage.shadows(geometry.vertices[0], geometry.extra[0])
    frames, alphas, faces = [], [], []
    for vertices, extra, camera in zip(geometry.vertices, geometry.extra, drive.cameras):
        plain = np.full((camera.height, camera.width, 3), background, np.float32)
        image, alpha, rays, _ = stage.draw(vertices, extra, camera, shadows, plain)
        points = screen_landmarks(vertices, person.head.topology, camera)
        frames.append(image - (1 - alpha[..., None]) * background)
        alphas.append(alpha)
        faces.append(face_masks(points, rays.depth)[0] > 0)
    colors = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float().clamp(0, 1)
    cover = torch.from_numpy(np.stack(alphas))[:, None].float()
    return Video(colors, cover, torch.ones_like(cover)), torch.from_numpy(np.stack(faces))
