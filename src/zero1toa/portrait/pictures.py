"""The pictures with which `fit` shows its work."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..camera import Camera
from ..heads import HeadModel, facemesh
from ..heads.appearance import default_colors
from ..heads.mesh_render import rasterize_mesh, shade
from .open_head import open_head
from .portrait import Portrait

Picture = NDArray[np.float32]

_MEASURED, _FITTED = (60, 220, 90), (250, 60, 60)
_MATTE_BACKGROUND = (0.16, 0.62, 0.36)  # a green that shows every halo
_DRAW_SCALE = 2  # lines are drawn at twice the size and reduced
_MESH_STRENGTH = 0.6


def fit_pictures(portrait: Portrait) -> dict[str, Picture]:
    """Pictures of a fit by name, each (S, S, 3) in [0, 1]: photo, matte, landmarks, mesh, wireframe, neutral."""
    head = open_head(portrait.head)
    fitted = _vertices(head, portrait, neutral=False)
    return {
        "photo": portrait.image,
        "matte": _over(portrait.foreground, portrait.alpha, _MATTE_BACKGROUND),
        "landmarks": draw_landmarks(portrait),
        "mesh": mesh_over(portrait.image, fitted, head, portrait.camera),
        "wireframe": wireframe_over(portrait.image, fitted, head, portrait.camera),
        "neutral": neutral_head(portrait),
    }


def neutral_head(portrait: Portrait, yaw: float = 0.0) -> Picture:
    """The fitted person at rest, without expression or colour, from a camera as far away as the photo's."""
    head = open_head(portrait.head)
    vertices = _vertices(head, portrait, neutral=True)
    middle = head.landmarks(torch.as_tensor(vertices)[None])[0].mean(0).numpy()
    distance = float(portrait.camera.to_camera(middle)[2])
    fov = float(np.degrees(2 * np.arctan(portrait.camera.height / 2 / portrait.camera.fy)))
    camera = Camera.orbit(yaw, distance=distance, target=tuple(middle), fov=fov, size=portrait.camera.height)
    return shade(vertices, head.topology, camera)


def draw_landmarks(portrait: Portrait) -> Picture:
    """Measured landmarks, less the detector's bias, in green, those of the fitted head in red, a line between each
    pair."""
    canvas = _enlarged(portrait.image)
    draw = ImageDraw.Draw(canvas)
    for measured, fitted in zip(portrait.target_landmarks, portrait.fitted_landmarks, strict=True):
        draw.line([*(measured * _DRAW_SCALE), *(fitted * _DRAW_SCALE)], fill=(255, 220, 60), width=1)
    for points, color, radius in (
        (portrait.target_landmarks, _MEASURED, 2.0),
        (portrait.fitted_landmarks, _FITTED, 1.5),
    ):
        for x, y in points[:, :2] * _DRAW_SCALE:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)
    for ring in (facemesh.LIPS_OUTER, facemesh.LIPS_INNER, facemesh.EYE_LEFT, facemesh.EYE_RIGHT):
        outline = portrait.fitted_landmarks[list(ring)] * _DRAW_SCALE
        draw.line([tuple(p) for p in (*outline, outline[0])], fill=_FITTED, width=1)
    return _reduced(canvas)


def mesh_over(image: Picture, vertices: NDArray, head: HeadModel, camera: Camera) -> Picture:
    """A grey head laid over a picture."""
    grey = np.full((head.topology.num_vertices, 3), 0.75, np.float32)
    colors = 0.6 * grey + 0.4 * default_colors(head.topology)
    drawn = shade(vertices, head.topology, camera, colors, light=(0.3, 0.4, 0.8))
    covered = (rasterize_mesh(vertices, head.topology.faces, camera).face >= 0)[..., None]
    return np.where(covered, (1 - _MESH_STRENGTH) * image + _MESH_STRENGTH * drawn, image).astype(np.float32)


def wireframe_over(image: Picture, vertices: NDArray, head: HeadModel, camera: Camera) -> Picture:
    """The visible edges of the skin and the eyes over a picture."""
    topology = head.topology
    pixels = camera.project(vertices)
    corners = pixels[topology.faces]
    a, b, c = corners[:, 0, :2], corners[:, 1, :2], corners[:, 2, :2]
    front = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0  # y points down in a picture
    depth = rasterize_mesh(vertices, topology.faces, camera).depth
    middle = corners.mean(1)
    column = middle[:, 0].clip(0, camera.width - 1).astype(int)
    row = middle[:, 1].clip(0, camera.height - 1).astype(int)
    shown = front & (middle[:, 2] < depth[row, column] + 0.003) & topology.part_faces("skin", "eyeLeft", "eyeRight")
    edges = np.unique(np.sort(topology.faces[shown][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    canvas = _enlarged(image)
    draw = ImageDraw.Draw(canvas, "RGBA")
    for start, end in pixels[edges][..., :2] * _DRAW_SCALE:
        draw.line([*start, *end], fill=(90, 230, 255, 110), width=1)
    return _reduced(canvas)


def _vertices(head: HeadModel, portrait: Portrait, *, neutral: bool) -> NDArray[np.float32]:
    identity = torch.as_tensor(portrait.identity, dtype=torch.float32)
    expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
    pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
    person = head.personalize(identity)
    return (person.vertices if neutral else person.pose(expression, pose)).numpy()


def _over(colors: Picture, alpha: Picture, background: tuple[float, float, float]) -> Picture:
    share = alpha[..., None]
    return (colors * share + np.asarray(background, np.float32) * (1 - share)).astype(np.float32)


def _enlarged(image: Picture) -> Image.Image:
    picture = Image.fromarray((image.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    return picture.resize((picture.width * _DRAW_SCALE, picture.height * _DRAW_SCALE), Image.Resampling.BICUBIC)


def _reduced(canvas: Image.Image) -> Picture:
    size = (canvas.width // _DRAW_SCALE, canvas.height // _DRAW_SCALE)
    return np.asarray(canvas.resize(size, Image.Resampling.BOX), np.float32)[..., :3] / 255
