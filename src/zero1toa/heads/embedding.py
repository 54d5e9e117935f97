"""Where a head model carries MediaPipe's 478 landmarks, found by looking: render, detect, cast back, take the median.

Works for any `HeadModel` whose face a detector can find, so no third-party embedding file is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa.camera import Camera

from . import arkit, facemesh
from .appearance import default_colors
from .closest import closest_points
from .mesh_render import MeshBuffers, interpolate, rasterize_mesh, shade, vertex_normals
from .model import HeadModel
from .topology import NUM_LANDMARKS, HeadTopology

Array = NDArray[np.float64]

Detector = Callable[[NDArray[np.float32]], "NDArray[np.floating] | None"]
"""Picture (H, W, 3) in [0, 1] to landmarks (478, >= 2) in pixels, first pixel's centre at 0.5; None without a face."""

PICTURE = 512  # pixels along each side of a rendered picture
_VIEW_WIDTH = 0.34  # metres of the world across the picture, at the face
_DISTANCE = 1.2  # metres from camera to face
_FACE_BELOW_EYES = 0.035  # metres from the middle of the eyes down to the middle of the picture
_YAWS, _PITCHES = (-35.0, -18.0, 0.0, 18.0, 35.0), (-12.0, 0.0, 12.0)  # degrees; detection is sure in this range
_JITTER = (6.0, 4.0)  # degrees, uniform, so that pixels do not repeat
_IDENTITY = 0.6  # standard deviations of the random people; stranger faces drag points along
_LIDS_UP_TO_YAW = 30.0  # degrees; beyond it the far eye's points slide along the lids
_MIN_FACING = 0.25  # cosine between surface and view; grazing hits are noise
_OPEN = 0.4  # weight of jawOpen on the head where votes are gathered
_REACH = 4  # pixels: a point beside the surface (a contour) is taken to the nearest pixel of it


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Each landmark as a point in a triangle of the head."""

    faces: NDArray[np.int32]  # (478,)
    barycentrics: NDArray[np.float32]  # (478, 3)
    spread: NDArray[np.float32]  # (478,) metres: median distance of the votes from their centre
    asymmetry: NDArray[np.float32]  # (478,) metres between the two sides before they were averaged
    votes: NDArray[np.int32]  # (478,) how many renders voted
    rendered: int
    detected: int


@dataclass(frozen=True)
class Render:
    """One picture of a random head, with what is needed to cast its pixels back."""

    image: NDArray[np.float32]  # (H, W, 3)
    buffers: MeshBuffers
    vertices: Array  # (V, 3)
    camera: Camera
    yaw: float  # degrees
    mouth_open: bool


def face_camera(head: HeadModel, yaw: float, pitch: float, size: int = PICTURE) -> Camera:
    """A camera that looks at the middle of the mean head's face, from `_DISTANCE` metres."""
    eyes = head.joint_template[-2:].mean(0).tolist()
    fov = float(2 * np.degrees(np.arctan(_VIEW_WIDTH / 2 / _DISTANCE)))
    target = (eyes[0], eyes[1] - _FACE_BELOW_EYES, eyes[2])
    return Camera.orbit(yaw, pitch, distance=_DISTANCE, target=target, fov=fov, size=size)


def random_renders(head: HeadModel, count: int, rng: np.random.Generator) -> Iterator[Render]:
    """Pictures of random people over a grid of views; the first round of views shows the mean head, every second
    picture has an open mouth (else the inner lips cannot be told apart)."""
    views = [(yaw, pitch) for yaw in _YAWS for pitch in _PITCHES]
    colors = default_colors(head.topology)
    for k in range(count):
        identity = torch.zeros(1, head.num_identity)
        if k >= len(views):
            identity[0] = torch.from_numpy(rng.normal(0, _IDENTITY, head.num_identity))
        expression = torch.zeros(1, len(arkit.NAMES))
        mouth_open = k % 2 == 1
        if mouth_open:
            expression[0, arkit.INDEX["jawOpen"]] = rng.uniform(0.25, 0.6)
        vertices = head.vertices(identity, expression)[0].double().numpy()
        yaw, pitch = (angle + rng.uniform(-j, j) for angle, j in zip(views[k % len(views)], _JITTER, strict=True))
        camera = face_camera(head, yaw, pitch)
        image = shade(vertices, head.topology, camera, colors, background=(0.78, 0.80, 0.82), light=(0.1, 0.35, 0.9))
        yield Render(image, rasterize_mesh(vertices, head.topology.faces, camera), vertices, camera, yaw, mouth_open)


def embed_landmarks(head: HeadModel, detector: Detector, *, renders: int = 120, seed: int = 1) -> LandmarkEmbedding:
    """Find the 478 landmarks on a head model.

    The template must be symmetric about x = 0, as world axes ask. Iris points are sought on the eyeballs, all others
    on the skin; a model without such parts is searched whole.

    Args:
        head: any head model.
        detector: finds the landmarks in a picture.
        renders: number of pictures; 120 take about half a minute.
        seed: of the random people and views.

    Raises:
        ValueError: a landmark got no vote (the detector found no face in most pictures).
    """
    topology = head.topology
    template = _open_mouthed(head)
    allowed = _allowed_faces(topology)
    votes: list[list[Array]] = [[] for _ in range(NUM_LANDMARKS)]
    rng = np.random.default_rng(seed)
    detected = 0
    for render in random_renders(head, renders, rng):
        found = detector(render.image)
        if found is None:
            continue
        detected += 1
        _cast_votes(render, np.asarray(found, float), topology, template, allowed, votes)
    counts = np.array([len(v) for v in votes])
    if counts.min() == 0:
        raise ValueError(f"no vote for landmarks {np.flatnonzero(counts == 0).tolist()}, {detected} faces detected")
    points, spread = np.zeros((NUM_LANDMARKS, 3)), np.zeros(NUM_LANDMARKS)
    for i, rows in enumerate(votes):
        table = np.array(rows)
        points[i] = geometric_median(table[:, :3], table[:, 3])
        spread[i] = np.median(np.linalg.norm(table[:, :3] - points[i], axis=1))
    mirrored = points * [-1, 1, 1]
    partner = _mirror_pairs(points, mirrored)
    asymmetry = np.linalg.norm(points - mirrored[partner], axis=1)
    points, spread = (points + mirrored[partner]) / 2, (spread + spread[partner]) / 2
    faces, barycentrics = _snap(points, template, topology.faces, allowed)
    return LandmarkEmbedding(
        faces=faces.astype(np.int32),
        barycentrics=barycentrics.astype(np.float32),
        spread=spread.astype(np.float32),
        asymmetry=asymmetry.astype(np.float32),
        votes=counts.astype(np.int32),
        rendered=renders,
        detected=detected,
    )


def _open_mouthed(head: HeadModel) -> Array:
    """(V, 3) the mean head on which votes are gathered: with closed lips the upper and the lower one would coincide."""
    return (head.template + _OPEN * head.expression_deltas[arkit.INDEX["jawOpen"]]).double().numpy()


def geometric_median(points: Array, weights: Array, iterations: int = 50) -> Array:
    """(3,) the point with the least weighted sum of distances to points (N, 3): Weiszfeld's iteration."""
    centre = np.average(points, 0, weights)
    for _ in range(iterations):
        distance = np.linalg.norm(points - centre, axis=1).clip(1e-4)  # metres; finer than any detection
        centre = np.average(points, 0, weights / distance)
    return centre


def _allowed_faces(topology: HeadTopology) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Triangles (T,) that may carry skin landmarks and iris landmarks."""
    everything = np.ones(len(topology.faces), bool)
    names = topology.part_names
    skin = topology.part_faces("skin") if "skin" in names else everything
    eyes = topology.part_faces("eyeLeft", "eyeRight") if {"eyeLeft", "eyeRight"} <= set(names) else everything
    return skin, eyes


def _cast_votes(
    render: Render,
    found: Array,
    topology: HeadTopology,
    template: Array,
    allowed: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    votes: list[list[Array]],
) -> None:
    buffers = render.buffers
    at = interpolate(template, buffers, topology.faces)
    normals = interpolate(vertex_normals(render.vertices, topology.faces), buffers, topology.faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    facing = -normals @ render.camera.viewmat[2, :3]
    seen = buffers.face >= 0
    surfaces = [seen & allowed[k][np.where(seen, buffers.face, 0)] for k in range(2)]
    for i, (x, y) in enumerate(found[:, :2]):
        if i in facemesh.LIPS_INNER and not render.mouth_open:
            continue
        if i in facemesh.EYES and abs(render.yaw) > _LIDS_UP_TO_YAW:
            continue
        pixel = _nearest_pixel(surfaces[i in facemesh.IRISES], x, y)
        if pixel is None or facing[pixel] < _MIN_FACING:
            continue
        votes[i].append(np.append(at[pixel].astype(float), facing[pixel] ** 2))


def _nearest_pixel(mask: NDArray[np.bool_], x: float, y: float) -> tuple[int, int] | None:
    """Row and column of the pixel of a mask nearest to a point, within `_REACH` pixels."""
    height, width = mask.shape
    row, column = int(np.floor(y)), int(np.floor(x))
    if 0 <= row < height and 0 <= column < width and mask[row, column]:
        return row, column
    top, left = max(row - _REACH, 0), max(column - _REACH, 0)
    window = np.argwhere(mask[top : max(row + _REACH + 1, 0), left : max(column + _REACH + 1, 0)])
    if len(window) == 0:
        return None
    distance = np.hypot(window[:, 0] + top + 0.5 - y, window[:, 1] + left + 0.5 - x)
    best = int(distance.argmin())
    return (int(window[best, 0]) + top, int(window[best, 1]) + left) if distance[best] <= _REACH else None


def _mirror_pairs(points: Array, mirrored: Array) -> NDArray[np.int64]:
    """(478,) the landmark on the other side, by the cheapest one-to-one matching; skin and irises apart."""
    from scipy.optimize import linear_sum_assignment

    partner = np.zeros(len(points), np.int64)
    first_iris = min(facemesh.IRISES)
    for part in (np.arange(first_iris), np.arange(first_iris, len(points))):
        cost = np.linalg.norm(points[part][:, None] - mirrored[part][None], axis=-1)
        partner[part] = part[linear_sum_assignment(cost)[1]]
    unpaired = partner[partner] != np.arange(len(points))
    partner[unpaired] = np.flatnonzero(unpaired)
    return partner


def _snap(
    points: Array, template: Array, faces: NDArray[np.int32], allowed: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> tuple[NDArray[np.int64], Array]:
    triangle, barycentric = np.zeros(len(points), np.int64), np.zeros((len(points), 3))
    iris = np.isin(np.arange(len(points)), facemesh.IRISES)
    for rows, mask in ((~iris, allowed[0]), (iris, allowed[1])):
        candidates = np.flatnonzero(mask)
        nearest, weights = closest_points(points[rows], template[faces[candidates]])
        triangle[rows], barycentric[rows] = candidates[nearest], weights
    return triangle, barycentric
