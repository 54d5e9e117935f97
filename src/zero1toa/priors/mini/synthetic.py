"""Endless clips of made-up persons with exact truth, and with the condition that a reprojected photo of them gives.

Everything follows from a seed. One `sitting` is a person, a photo of them and some clips; its arrays are 8 bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import Camera
from ...heads import RiggedHead, load_head
from ...heads.sampling import sample_expressions
from ...heads.skinning import gaze_rows, valid_expression
from ...motion.sequences import training_clips
from . import kernels, photo_kernels
from .accessories import HEAD_JOINT, Extra
from .person import Person, random_person
from .reproject import (
    SCALE,
    Lift,
    Photo,
    Rays,
    Source,
    closed_faces,
    landmark_picture,
    projected,
    rays_of,
    reprojection,
    screen_landmarks,
    shrunk,
)
from .scene import (
    MOST_PITCH,
    MOST_YAW,
    Light,
    Setup,
    degraded_photo,
    random_background,
    random_light,
    random_setup,
)

Array32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SIZE = 64
"""Pixels on a side of the pictures of clips."""

FRAMES = 8
"""Frames of a clip."""

PHOTO_SIZE = 128
"""Pixels on a side of the photo that is reprojected: as many as there are rays across a picture."""

_SHADOW_SIZE, _SHADOW_SPAN = 96, 0.62  # px and metres of a light's own picture
_SHADOW_MIDDLE = np.array([0, -0.03, -0.03], np.float32)  # metres
_SHADOW_BIAS = 0.009  # metres
_TWO_SIDED = np.zeros(0, np.uint8)  # no triangle of hair and glasses is closed
_SHADOW_LEFT = 0.25  # share of a light that a shadow leaves
_PHOTO_YAW, _PHOTO_PITCH = 12.0, 6.0  # degrees, standard deviations of the photo's view
_PHOTO_SMILE = 0.5  # factor on the photo's expression
_SWEEP = 0.45  # share of clips in which the camera moves and the face is calm
_BANK = 160  # clips of each style in the bank of motions
# Faults of a fit, so that the network does not lean on a faultless one.
_WRONG_FIT = 0.35  # share of the sittings whose reprojection has faults
_WRONG_IDENTITY = 0.25  # standard deviation, of one
_WRONG_EXPRESSION = 0.15  # standard deviation of weights in use
_STILL_LIFT = 0.12  # share of the clips whose reprojection keeps the photo's own expression
_NO_LIFT = 0.06  # share of the clips without any reprojection


class Clip(NamedTuple):
    """F frames and what the network is told about them; H = W = `SIZE`."""

    frames: Pixels  # (F, H, W, 3) the truth, over the background
    alpha: Pixels  # (F, H, W) its coverage
    condition: Pixels  # (F, H, W, 3) the reprojected photo, completed
    known: Pixels  # (F, H, W, 2) its confidence, and the coverage of the fitted head
    landmarks: Pixels  # (F, H, W, 3) lines between the landmarks
    yaw: Array32  # (F,) degrees
    face: Pixels  # (F, H, W) 255 where the face's skin, eyes and mouth are seen
    features: Pixels  # (F, H, W) 255 about eyes, brows and mouth


class Sitting(NamedTuple):
    """A person, a photo and clips."""

    seed: int
    photo: Pixels  # (H, W, 3) the photo at the clips' size
    photo_landmarks: Pixels  # (H, W, 3)
    clips: list[Clip]


@dataclass(frozen=True, eq=False)
class Stage:
    """A person with light and a background, ready to be drawn."""

    person: Person
    light: Light
    background: Array32  # (PHOTO_SIZE, PHOTO_SIZE, 3)

    @cached_property
    def _geometry(self) -> tuple[NDArray[np.int32], Array32, Array32]:
        """Triangles of head and extras, share of highlights (V + E,), and colours of extras (V + E, 3)."""
        topology, extra = self.person.head.topology, self.person.extra
        count = topology.num_vertices
        faces = np.concatenate([topology.faces, extra.faces + count]).astype(np.int32)
        gloss = np.concatenate([_head_gloss(), extra.shiny])
        return faces, gloss, np.concatenate([np.zeros((count, 3), np.float32), extra.colors])

    def draw(
        self,
        vertices: Array32,
        extra: Array32,
        camera: Camera,
        shadows: Array32,
        background: Array32,
    ) -> tuple[Array32, Array32, Rays, Rays]:
        """(H, W, 3) the picture of posed vertices (V, 3) and extras (E, 3), its coverage (H, W), what its rays meet,
        and what they would meet without the extras."""
        person = self.person
        faces, shiny, colors = self._geometry
        every = np.concatenate([vertices, extra])
        topology = person.head.topology
        bare = rays_of(vertices, topology, camera)
        rays = bare
        if len(extra):
            rays = Rays(bare.depth.copy(), bare.face.copy(), bare.weights.copy())
            kernels.rasterize(projected(every, camera, SCALE), faces, len(topology.faces), _TWO_SIDED, *rays)
        seen, normal = np.empty(len(every), np.bool_), np.empty_like(every)
        kernels.normals_of_seen(every, faces, rays.face, seen, normal)
        middle = camera.position / np.linalg.norm(camera.position)
        light = np.empty((len(every), 4), np.float32)
        kernels.light_vertices(
            seen, normal, middle.astype(np.float32), self.light.directions, self.light.colors, shadows,
            self.light.hemisphere, self.light.ambient, self.light.shine, self.light.gloss, shiny, len(vertices), light,
        )  # fmt: skip
        image = np.empty((camera.height, camera.width, 3), np.float32)
        alpha = np.empty((camera.height, camera.width), np.float32)
        kernels.shade(
            rays.face, rays.weights, faces, _face_uvs(), person.texture, colors, light, background, SCALE, image, alpha,
        )  # fmt: skip
        return image, alpha, rays, bare

    def shadows(self, vertices: Array32, extra: Array32) -> Array32:
        """(L, V + E) share of each light that reaches each vertex."""
        faces = self._geometry[0]
        every = np.concatenate([vertices, extra])
        out = np.ones((len(self.light.directions), len(every)), np.float32)
        for index, direction in enumerate(self.light.directions):
            if self.light.colors[index].max() < 0.05:
                continue
            out[index] = _shadow(every, faces, closed_faces(self.person.head.topology), direction.astype(np.float64))
        return out


@lru_cache(maxsize=1)
def _head_gloss() -> Array32:
    """(V,) share of highlights on the head: skin and eyes shine, cloth and hair less, the mouth little."""
    topology = load_head().topology
    gloss = np.where(topology.part_vertices("skin"), 0.8, 0.3).astype(np.float32)
    gloss *= 1 - 0.9 * np.maximum(topology.regions["shoulders"], 0.6 * topology.regions["scalp"])
    gloss[topology.part_vertices("eyeLeft", "eyeRight")] = 1.0
    return gloss.astype(np.float32)


@lru_cache(maxsize=1)
def _face_uvs() -> Array32:
    """(T, 3, 2) texture coordinates of the default head's triangles."""
    topology = load_head().topology
    return np.ascontiguousarray(topology.uvs[topology.uv_faces], np.float32)


def _shadow(
    vertices: Array32, faces: NDArray[np.int32], closed: NDArray[np.uint8], direction: NDArray[np.float64]
) -> Array32:
    """(V,) what a light far away leaves at each vertex."""
    up = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    side = np.cross(up, direction)
    side /= np.linalg.norm(side)
    frame = np.stack([side, np.cross(direction, side), direction]).astype(np.float32)
    points = np.empty_like(vertices)
    scale, center = np.float32(_SHADOW_SIZE / _SHADOW_SPAN), np.float32(_SHADOW_SIZE / 2)
    kernels.project_parallel(vertices, _SHADOW_MIDDLE, frame, scale, center, points)
    shape = (_SHADOW_SIZE, _SHADOW_SIZE)
    depth = np.full(shape, 1e9, np.float32)
    kernels.rasterize(points, faces, 0, closed, depth, np.full(shape, -1, np.int32), np.empty((*shape, 2), np.float32))
    out = np.empty(len(points), np.float32)
    kernels.in_shadow(points, depth, np.float32(_SHADOW_BIAS), np.float32(_SHADOW_LEFT), out)
    return out


class Posed(NamedTuple):
    """A clip's geometry."""

    vertices: Array32  # (F, V, 3)
    extra: Array32  # (F, E, 3)


def moved(head: RiggedHead, expressions: NDArray[np.floating]) -> Tensor:
    """(F, V, 3) by how much expressions (F, 52) move the head's vertices at rest."""
    return torch.tensordot(valid_expression(torch.tensor(expressions, dtype=torch.float32)), head.expression_deltas, 1)


def posed(
    head: RiggedHead,
    extra: Extra,
    expressions: NDArray[np.floating],
    poses: NDArray[np.floating],
    displacement: Tensor | None = None,
) -> Posed:
    """Head and extras along expressions (F, 52) and poses (F, 6, 3).

    Args:
        head: a made-up person's.
        extra: hair and glasses.
        expressions: ARKit weights.
        poses: rotation vectors, radians.
        displacement: (F, V, 3) what `moved` gives, of this head or of one with the same movements, if it is known.
    """
    assert head.pose_correctives is None, "made-up persons have the default head"
    weights = torch.tensor(expressions, dtype=torch.float32)
    turns = torch.tensor(poses, dtype=torch.float32) if poses.any() else None
    transforms = np.ascontiguousarray(head.joint_transforms(weights, turns).numpy(), np.float32)
    vertices = (head.vertices + (moved(head, expressions) if displacement is None else displacement)).numpy()
    skin = head.skin_weights.numpy()
    kernels.skin(_turning() if turns is None else np.arange(len(skin)), skin, transforms, vertices)
    matrix = transforms[:, HEAD_JOINT]
    carried = np.einsum("fab,eb->fea", matrix[:, :3, :3], extra.vertices) + matrix[:, None, :3, 3]
    return Posed(vertices, np.ascontiguousarray(carried, np.float32))


@lru_cache(maxsize=1)
def _turning() -> NDArray[np.int64]:
    """The eyes' vertices, which alone move with the joints of a head that does not."""
    return gaze_rows(load_head().skin_weights).numpy()


@lru_cache(maxsize=4)
def _motions(seed: int, frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expressions (B, F, 52) and poses (B, F, 6, 3) of many short clips of both styles."""
    rng = np.random.default_rng([seed, 11])
    clips = training_clips("near_neutral", _BANK // 4, rng, count=frames)
    clips += training_clips("exaggerated", _BANK, rng, count=frames)
    return np.stack([c.weights for c in clips]), np.stack([c.poses for c in clips])


def performance(
    rng: np.random.Generator, bank: int, frames: int = FRAMES
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Expressions (F, 52), poses (F, 6, 3), and whether the camera travels; from a bank of motions."""
    if rng.random() < _SWEEP:
        ends = sample_expressions(2, rng)
        share = (0.5 - 0.5 * np.cos(np.linspace(0, 1, frames) * np.pi * rng.uniform(0, 1)))[:, None]
        return ends[0] + share * (ends[1] - ends[0]), np.zeros((frames, 6, 3)), True
    expressions, poses = _motions(bank, frames)
    index = rng.integers(len(expressions))
    return expressions[index], poses[index], bool(rng.random() < 0.3)


def views(
    rng: np.random.Generator, travels: bool, setup: Setup, size: int = SIZE, frames: int = FRAMES
) -> tuple[list[Camera], Array32]:
    """Cameras of a clip's frames, of `size` px, and their yaw (F,), degrees."""
    start = rng.uniform(-MOST_YAW, MOST_YAW)
    end = np.clip(start + rng.uniform(-50, 50), -MOST_YAW, MOST_YAW) if travels else start
    low = rng.uniform(-MOST_PITCH, MOST_PITCH) * (0.4 + 0.6 * rng.random())
    high = np.clip(low + rng.uniform(-10, 10), -MOST_PITCH, MOST_PITCH) if travels else low
    yaws, pitches = np.linspace(start, end, frames), np.linspace(low, high, frames)
    return [setup.camera(float(y), float(p), size) for y, p in zip(yaws, pitches)], yaws.astype(np.float32)


def sitting(seed: int, clips: int = 4, *, faultless: bool = False, motions: int = 0) -> Sitting:
    """Person number `seed`, a photo of them, and clips.

    Args:
        seed: everything follows from it; `person.HELD_OUT_FROM` and above are held out.
        clips: how many.
        faultless: whether all reprojections come from the true head; training wants some that do not.
        motions: which bank of motions.
    """
    rng = np.random.default_rng([seed, 7])
    person = random_person(seed)
    stage = Stage(person, random_light(rng), random_background(PHOTO_SIZE, rng))
    setup = random_setup(rng)
    wrong = not faultless and rng.random() < _WRONG_FIT
    fitted = _wrong_head(person, rng) if wrong else person.head
    photo, picture, lines = _take_photo(stage, fitted, setup, rng)
    source = Lift(fitted.topology).read(photo, SIZE)
    small = shrunk(stage.background, SIZE)
    made = [_clip(stage, fitted, source, setup, small, rng, faultless, motions) for _ in range(clips)]
    return Sitting(seed, picture, lines, made)


def photo_pose(rng: np.random.Generator, setup: Setup, size: int) -> tuple[NDArray[np.float64], Camera]:
    """(1, 52) how a person looks into a photo of `size` px, and its camera: from about the front, half smiling."""
    expression = _PHOTO_SMILE * sample_expressions(1, rng) * (rng.random() < 0.7)
    return expression, setup.camera(rng.normal(0, _PHOTO_YAW), rng.normal(0, _PHOTO_PITCH), size)


def _take_photo(
    stage: Stage, fitted: RiggedHead, setup: Setup, rng: np.random.Generator
) -> tuple[Photo, Pixels, Pixels]:
    person = stage.person
    expression, camera = photo_pose(rng, setup, PHOTO_SIZE)
    still = np.zeros((1, 6, 3))
    true = posed(person.head, person.extra, expression, still)
    shadows = stage.shadows(true.vertices[0], true.extra[0])
    image, alpha, _, _ = stage.draw(true.vertices[0], true.extra[0], camera, shadows, stage.background)
    image = degraded_photo(image, rng)
    if fitted is not person.head:
        expression = (expression + _WRONG_EXPRESSION * expression * rng.normal(size=expression.shape)).clip(0, 1)
    vertices = posed(fitted, person.extra, expression, still).vertices[0]
    photo = Photo(image, alpha, vertices, camera, expression[0])
    small = camera.resized(SIZE, SIZE)
    lines = landmark_picture(screen_landmarks(true.vertices[0], fitted.topology, small), SIZE)
    return photo, as_bytes(shrunk(image, SIZE)), as_bytes(lines)


def _clip(
    stage: Stage,
    fitted: RiggedHead,
    source: Source,
    setup: Setup,
    background: Array32,
    rng: np.random.Generator,
    faultless: bool,
    motions: int,
) -> Clip:
    person = stage.person
    expressions, poses, travels = performance(rng, motions)
    cameras, yaw = views(rng, travels, setup)
    displacement = moved(person.head, expressions)  # a fitted head moves as the true one does
    true = posed(person.head, person.extra, expressions, poses, displacement)
    told = true.vertices
    chance = rng.random()
    if fitted is not person.head:
        told = posed(fitted, person.extra, expressions, poses, displacement).vertices
    if not faultless and chance < _STILL_LIFT:
        still = source.photo.expression[None]
        expressions = np.repeat(still, FRAMES, 0)
        told = posed(fitted, person.extra, expressions, poses, moved(fitted, still).expand(FRAMES, -1, -1)).vertices
    blind = not faultless and _STILL_LIFT <= chance < _STILL_LIFT + _NO_LIFT
    shadows = stage.shadows(true.vertices[0], true.extra[0])
    columns: list[tuple[NDArray, ...]] = []
    topology = person.head.topology
    for index, camera in enumerate(cameras):
        image, alpha, rays, bare = stage.draw(true.vertices[index], true.extra[index], camera, shadows, background)
        color, known = reprojection(
            source, told[index], camera, rays=bare if told is true.vertices else None, blind=blind
        )
        points = screen_landmarks(true.vertices[index], topology, camera)
        face, features = face_masks(points, rays.depth)
        lines = landmark_picture(points, SIZE)
        columns.append(tuple(map(as_bytes, (image, alpha, color, known, lines, face, features))))
    frames, cover, centers, sure, drawn, faces, boxes = (np.stack(column) for column in zip(*columns))
    return Clip(frames, cover, centers, sure, drawn, yaw, faces, boxes)


def _wrong_head(person: Person, rng: np.random.Generator) -> RiggedHead:
    """The person's head as a fit would have it: a little wrong in shape, hair's volume included."""
    model = load_head()
    delta = torch.as_tensor(rng.normal(0, _WRONG_IDENTITY, model.num_identity), dtype=torch.float32)
    head = person.head
    moved = head.vertices + torch.tensordot(delta, model.identity_basis, 1)
    joints = head.joints + torch.tensordot(delta, model.joint_identity_basis, 1)
    return RiggedHead(moved, head.expression_deltas, joints, head.skin_weights, head.topology, head.pose_correctives)


_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
         150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip  # MediaPipe's face oval
_FEATURE_GROUPS = (
    (61, 291, 0, 17, 37, 267, 84, 314),  # mouth
    (33, 133, 159, 145, 70, 107),  # right eye and brow
    (263, 362, 386, 374, 300, 336),  # left eye and brow
)


def face_masks(points: NDArray[np.floating], depth: Array32) -> tuple[Array32, Array32]:
    """(H, W) the face inside its oval of landmarks and what is seen of it; boxes about its features.

    Args:
        points: (478, 3) landmarks, px.
        depth: (scale H, scale W) of the rays, H = W.
    """
    side = len(depth) // SCALE
    inside = np.empty((side, side), np.float32)
    photo_kernels.polygon(points[list(_OVAL), :2], inside)
    near = np.zeros((side, side), np.float32)
    for group in _FEATURE_GROUPS:
        box = points[list(group), :2]
        x0, y0 = np.floor(box.min(0) - 0.5).astype(int).clip(0, side)
        x1, y1 = np.ceil(box.max(0) + 0.5).astype(int).clip(0, side)
        near[y0:y1, x0:x1] = 1
    hit = (depth[::SCALE, ::SCALE] < 1e8).astype(np.float32)
    return inside * hit, near * hit


def as_bytes(values: NDArray[np.floating]) -> Pixels:
    """[0, 1] to 0..255."""
    out = np.empty(values.shape, np.uint8)
    kernels.to_bytes(np.ascontiguousarray(values, np.float32).reshape(-1), out.reshape(-1))
    return out


def stream(first: int, clips: int = 4, *, step: int = 1, faultless: bool = False) -> Iterator[Sitting]:
    """Sittings of the persons `first`, `first + step`, ... without end."""
    seed = first
    while True:
        yield sitting(seed, clips, faultless=faultless, motions=seed // 2000)
        seed += step
