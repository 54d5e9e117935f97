"""Made-up persons whose true look is known from every side and with every expression.

They measure the method where no photo could: nobody knows how the person in a single photo looks from the side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..camera import Camera
from ..heads import JOINTS, HeadModel, RiggedHead, arkit, load_head
from ..heads.texture_render import render_texture
from ..portrait.portrait import ERRORS, Portrait
from ..splats.cpu.threads import thread_count
from .landmarks import project_landmarks
from .protocol import Drive, Video
from .reprojection import halved
from .solid_noise import SolidNoise
from .subject_look import Look, random_look
from .subject_texture import head_laplacian, quick_normals, subject_texture

_IDENTITY = 0.75  # standard deviations: of 120 random coefficients; at 1 some heads look strange
_HAIR_SMOOTHING = 15  # rounds of averaging of the normals along which hair stands off
_TEXELS = 3.0  # texels per pixel of picture height above which a coarser texture is taken
_COARSEST = 64  # px
_FOV, _DISTANCE, _TARGET = 25.0, 0.943, (0.0, -0.026, 0.0)  # degrees, metres: as a fitted portrait is seen
_PHOTO_YAW, _PHOTO_PITCH = 4.0, 3.0  # degrees, standard deviations of the photo's view


@dataclass(frozen=True, eq=False)
class Subject:
    """A person with a known head and a known texture."""

    seed: int  # everything follows from it
    identity: NDArray[np.float64]  # (I,) coefficients of the default head
    look: Look
    head: RiggedHead  # with the hair's volume
    textures: tuple[NDArray[np.float32], ...]  # (S, S, 3), then half the size each

    def texture_for(self, height: int) -> NDArray[np.float32]:
        """The texture whose texels suit a picture of `height` pixels: neighbouring rays skip none."""
        fine = [t for t in self.textures if len(t) <= _TEXELS * height]
        return fine[0] if fine else self.textures[-1]

    def video(self, drive: Drive) -> Video:
        """The truth: what cameras would see. Its confidence is 1 everywhere."""
        drive.checked()
        with torch.no_grad():
            posed = self.head.pose(drive.expressions, drive.poses).numpy()
        frames, alpha = draw(posed, self.head, self.texture_for(drive.cameras[0].height), drive.cameras)
        return Video(frames * alpha, alpha, torch.ones_like(alpha))

    def portrait(self, size: int = 512, expression: Mapping[str, float] | None = None) -> Portrait:
        """A photo from the front with a faultless fit: nothing was detected or estimated.

        Args:
            size: pixels on a side.
            expression: ARKit weights by name; by default nearly neutral, by the seed.
        """
        rng = np.random.default_rng([self.seed, 1])
        yaw, pitch = rng.normal(0, _PHOTO_YAW), rng.normal(0, _PHOTO_PITCH)
        camera = photo_camera(float(yaw), float(pitch), size)
        weights = np.zeros(len(arkit.NAMES))
        smile = float(rng.uniform(0, 0.25))
        named = {"mouthSmileLeft": smile, "mouthSmileRight": smile} if expression is None else expression
        for name, value in named.items():
            weights[arkit.INDEX[name]] = value
        pose = np.zeros((len(JOINTS), 3))
        drive = single(camera, torch.as_tensor(weights, dtype=torch.float32))
        with torch.no_grad():
            vertices = self.head.pose(drive.expressions, drive.poses)
        straight, alpha = draw(vertices.numpy(), self.head, self.texture_for(size), [camera])
        foreground, matte = straight[0].permute(1, 2, 0).numpy(), alpha[0, 0].numpy()
        image = matte[..., None] * foreground + (1 - matte[..., None]) * _background(size, rng)
        landmarks = project_landmarks(vertices.numpy(), self.head.topology, [camera])[0]
        return Portrait(
            image=image.astype(np.float32),
            valid=np.ones((size, size), bool),
            alpha=matte,
            foreground=np.ascontiguousarray(foreground),
            landmarks=landmarks,
            target_landmarks=landmarks[:, :2].copy(),
            fitted_landmarks=landmarks[:, :2].copy(),
            identity=self.identity,
            expression=weights,
            pose=pose,
            camera=camera,
            head="default",
            source=f"synthetic subject {self.seed}",
            errors=dict.fromkeys(ERRORS, 0.0),
        )


def photo_camera(yaw: float = 0.0, pitch: float = 0.0, size: int = 512) -> Camera:
    """A camera that sees a head as the crop of a fitted photo does; degrees, positive yaw to the subject's left."""
    return Camera.orbit(yaw, pitch, distance=_DISTANCE, target=_TARGET, fov=_FOV, size=size)


def single(camera: Camera, expression: Tensor | None = None) -> Drive:
    """A drive of one frame at rest; the expression (52,) is neutral by default."""
    expression = torch.zeros(len(arkit.NAMES)) if expression is None else expression
    return Drive([camera], expression[None], torch.zeros(1, len(JOINTS), 3))


def draw(
    posed: NDArray[np.floating], head: RiggedHead, texture: NDArray[np.float32], cameras: Sequence[Camera]
) -> tuple[Tensor, Tensor]:
    """Straight colours (F, C, H, W) and coverage (F, 1, H, W) of posed heads (F, V, 3) with a texture (S, S, C)."""

    def one(index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return render_texture(posed[index], head.topology, texture, cameras[index])

    with ThreadPoolExecutor(thread_count()) as threads:
        values, cover = zip(*threads.map(one, range(len(cameras))))
    return torch.from_numpy(np.stack(values)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(cover))[:, None]


@lru_cache(maxsize=32)
def random_subject(seed: int, size: int = 1024) -> Subject:
    """Person number `seed`. The shape and the look are the same for every texture size (a power of two, px)."""
    assert size >= _COARSEST and size & (size - 1) == 0, size
    model = load_head()
    rng = np.random.default_rng([seed, 0])
    identity = rng.normal(0, _IDENTITY, model.num_identity)
    look = random_look(rng)
    bald = model.personalize(torch.as_tensor(identity, dtype=torch.float32))
    offsets = hair_offsets(model, bald, look, rng)
    head = replace(bald, vertices=bald.vertices + torch.as_tensor(offsets, dtype=torch.float32))
    textures = [subject_texture(model, head.vertices.numpy(), look, rng, size)]
    while len(textures[-1]) > _COARSEST:
        textures.append(halved(textures[-1]))
    return Subject(seed, identity, look, head, tuple(textures))


def hair_offsets(model: HeadModel, head: RiggedHead, look: Look, rng: np.random.Generator) -> NDArray[np.float64]:
    """(V, 3) metres by which hair stands off the scalp, a little uneven."""
    topology = head.topology
    vertices = head.vertices.numpy().astype(np.float64)
    laplacian = head_laplacian(topology, skin=True)
    degree = np.maximum(laplacian.diagonal(), 1)[:, None]
    normals = quick_normals(vertices, topology.faces)
    amount = (topology.regions["scalp"] * topology.part_vertices("skin")).astype(np.float64)[:, None]
    for _ in range(_HAIR_SMOOTHING):
        normals = normals - 0.7 * (laplacian @ normals) / degree
    for _ in range(2):
        amount = amount - 0.5 * (laplacian @ amount) / degree
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    hairy = amount[:, 0] != 0
    uneven = np.ones(len(vertices))
    uneven[hairy] += 0.25 * SolidNoise(rng)(model.template.numpy()[hairy], 18.0)
    offsets = look.hair_volume * uneven.clip(0.3, 1.7)[:, None] * amount * normals
    offsets[~topology.part_vertices("skin")] = 0
    return offsets


def _background(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(S, S, 3) a blurred room."""
    colors = rng.uniform(0.25, 0.85, (5, 5, 3)) * 0.5 + 0.5 * rng.uniform(0.3, 0.8, 3)
    large = np.repeat(np.repeat(colors, -(-size // 5), 0), -(-size // 5), 1)[:size, :size]
    return gaussian_filter(large, (size / 10, size / 10, 0), mode="nearest")
