"""The first splats of an avatar: spread over the fitted mesh, coloured from the photo."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..heads import RiggedHead
from ..heads.mesh_render import vertex_normals
from ..portrait.beyond import Relief, relief, single_opacity
from ..portrait.carve import matte_share
from ..portrait.frame import WideMatte, wide_matte
from ..portrait.hair_colors import continue_hair
from ..portrait.spread import smooth_step
from ..portrait.strands import hair_fuzz, photo_directions, strand_directions
from ..portrait.surface import PhotoSurface, SurfacePoints
from ..splats import Gaussians, WorldGaussians, quaternion, to_local, triangle_frames
from ..splats.rig import POSITION_THRESHOLD
from .allocation import sample_surface, splat_mass

_PHOTO_SHARE = 0.5  # of the splats on the mesh that goes by the photo's detail
_COVER = 0.8  # standard deviation along the surface over the mean distance between splats
_THICKNESS = 0.25  # standard deviation across the surface over that along it
_OPACITY = 0.95
_LASH_OPACITY = 0.2
_STRANDS_SHOWN = (0.05, 0.3)  # confidence times clarity at which strands begin to follow the photo, and do
_STRAND_STRETCH = 1.7  # how much longer than wide, as a factor and its inverse, a splat on the scalp is
_SHELL_FROM = 0.7  # membership of the scalp from which there is loose hair: it must not hang into the face
_SHELL_SHARE = 0.18  # of the splats to spare, for loose hair
_SHELL_LENGTH, _SHELL_WIDTH = 0.004, 0.0007  # metres, standard deviations
_SHELL_TURN, _SHELL_LIFT = 0.25, 0.5  # radians by which strands stray, and slope by which the outer ones rise
_SHELL_FADE = 0.75  # of the opacity that the outermost have lost
_SHELL_CONTRAST = 0.08  # relative spread of brightness from strand to strand
_LAYERS = 3.0  # splats of the mesh that one looks through at its outline
_LEAST_OPACITY = 0.005  # of a splat that the matte has carved away; a logit must be finite
_RELIEF_SHARE = 0.45  # of the splats to spare, at most, for what lies beyond the mesh
_SLACK = 1.0  # triangle scales that a splat off the mesh may stray from where it began


class InitialSplats(NamedTuple):
    """The splats before training, and what the trainer should know of each."""

    splats: Gaussians
    confidence: NDArray[np.float32]  # (N,) in [0, 1]: how well the photo shows its colour
    loose: NDArray[np.float32]  # (N,) triangle scales by which the limits on its place are wider than on the face


def initial_splats(head: RiggedHead, surface: PhotoSurface, count: int, rng: np.random.Generator) -> InitialSplats:
    """Samples about `count` splats: on the head, at least one on every triangle, and on what the matte shows beyond it.

    The photo's matte carves them: where it shows the background nothing is left, and below the photo the bust fades.
    """
    matte = wide_matte(surface.portrait)
    spare = max(count - len(head.topology.faces), count // 8)  # every triangle has one
    outside = relief(head, surface, matte, int(_RELIEF_SHARE * spare), rng)
    loose_hair = int(_SHELL_SHARE * spare)
    on_mesh, confidence = _mesh_splats(head, surface, matte, count - len(outside.points) - loose_hair, rng)
    shell, shell_confidence = hair_shell(head, surface, matte, loose_hair, rng)
    beyond = _relief_splats(outside, surface)
    splats = Gaussians(*(torch.cat(parts) for parts in zip(on_mesh, shell, beyond, strict=True)))
    loose = np.zeros(len(splats.means), np.float32)
    reach = splats.means[len(confidence) :].norm(dim=-1).numpy()
    loose[len(confidence) :] = np.maximum(reach - POSITION_THRESHOLD, 0) + _SLACK
    return InitialSplats(splats, np.concatenate([confidence, shell_confidence, outside.confidence]), loose)


def _mesh_splats(
    head: RiggedHead, surface: PhotoSurface, matte: WideMatte, count: int, rng: np.random.Generator
) -> tuple[Gaussians, NDArray[np.float32]]:
    topology = head.topology
    vertices = head.vertices
    corners = vertices.numpy().astype(np.float64)[topology.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1) / 2
    points = sample_surface(splat_mass(surface, _PHOTO_SHARE), count, rng)
    number = np.bincount(points.triangle, minlength=len(area))
    spacing = np.sqrt(area / number)[points.triangle]
    colors, confidence = surface.colors(points)
    colors = continue_hair(surface, points, colors, confidence)
    place = points.interpolate(vertices.numpy(), topology.faces)
    means = torch.tensor(place, dtype=torch.float32)
    triangle = torch.tensor(points.triangle)
    faces = torch.as_tensor(topology.faces)
    rotation = triangle_frames(vertices, faces).rotation[triangle].numpy().astype(np.float64)
    hair = points.interpolate(topology.regions["scalp"][:, None], topology.faces)[:, 0]
    strands = hair > 0.5
    normal = rotation[strands, :, 1]
    some = SurfacePoints(points.triangle[strands], points.barycentric[strands])
    down = hair_directions(surface, some, place[strands], normal, confidence[strands])
    rotation[strands] = np.stack([down, normal, np.cross(down, normal)], -1)
    frame = quaternion.from_matrix(torch.tensor(rotation, dtype=torch.float32))
    along = spacing * _COVER
    stretch = 1 + (_STRAND_STRETCH - 1) * strands
    scales = torch.tensor(
        np.stack([along * stretch, along * _THICKNESS, along / stretch], -1), dtype=torch.float32
    )  # the frame's second axis is the normal
    lashes = np.isin(
        topology.face_part[points.triangle], [topology.part_index(n) for n in ("lashesLeft", "lashesRight")]
    )
    share = matte_share(surface, matte, points)
    opacities = torch.tensor(
        (np.where(lashes, _LASH_OPACITY, _OPACITY) * single_opacity(share, _LAYERS)).clip(_LEAST_OPACITY, 1)
    ).float()
    world = WorldGaussians(means, frame, scales, opacities, torch.tensor(colors))
    return to_local(world, triangle, vertices, faces), confidence * share.astype(np.float32)


def hair_directions(
    surface: PhotoSurface,
    points: SurfacePoints,
    place: NDArray[np.floating],
    normal: NDArray[np.floating],
    confidence: NDArray[np.floating],
) -> NDArray[np.float64]:
    """(N, 3) unit vectors at rest along the strands: as the photo shows them, else down from the crown."""
    faces = torch.as_tensor(surface.topology.faces)
    down = strand_directions(surface, place, normal)
    posed = points.interpolate(surface.vertices, surface.topology.faces)
    frames = (
        triangle_frames(torch.tensor(vertices), faces).rotation[torch.tensor(points.triangle)].numpy()
        for vertices in (surface.rest, surface.vertices)
    )
    to_posed = np.einsum("nab,ncb->nca", *frames)
    shown, clarity = photo_directions(surface, posed, np.einsum("nab,nb->na", to_posed, normal))
    shown = np.einsum("nab,na->nb", to_posed, shown)
    shown *= np.where((shown * down).sum(-1) < 0, -1, 1)[:, None]
    mixed = down + (smooth_step(confidence * clarity, *_STRANDS_SHOWN)[:, None]) * (shown - down)
    mixed -= (mixed * normal).sum(-1, keepdims=True) * normal
    return mixed / np.maximum(np.linalg.norm(mixed, axis=-1, keepdims=True), 1e-9)


def hair_shell(
    head: RiggedHead, surface: PhotoSurface, matte: WideMatte, count: int, rng: np.random.Generator
) -> tuple[Gaussians, NDArray[np.float32]]:
    """Loose hair above the scalp, with its confidence: thin splats along the strands, fewer and fainter farther out."""
    topology, faces = head.topology, torch.as_tensor(head.topology.faces)
    vertices = head.vertices.numpy().astype(np.float64)
    corners = vertices[topology.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1) / 2
    scalp = topology.regions["scalp"][topology.faces].min(1) * topology.part_faces("skin")
    mass = area * np.clip((scalp - _SHELL_FROM) / (1 - _SHELL_FROM), 0, 1)
    triangle = rng.choice(len(mass), count, p=mass / mass.sum())
    weights = rng.dirichlet([1, 1, 1], count).astype(np.float32)
    points = SurfacePoints(triangle, weights)
    colors, confidence = surface.colors(points)
    colors = continue_hair(surface, points, colors, confidence)
    colors = (colors * (1 + _SHELL_CONTRAST * rng.standard_normal((count, 1)))).clip(0, 1).astype(np.float32)
    normal = points.interpolate(vertex_normals(vertices, topology.faces), topology.faces)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    height = rng.random(count) ** 2  # most lie close
    fuzz = hair_fuzz(surface)
    place = points.interpolate(vertices, topology.faces) + (height * fuzz)[:, None] * normal
    down = hair_directions(surface, points, place, normal, confidence)
    turn = _SHELL_TURN * rng.standard_normal((count, 1))
    down = np.cos(turn) * down + np.sin(turn) * np.cross(normal, down)
    down -= (_SHELL_LIFT * height * rng.random(count))[:, None] * -normal  # outer ones point away a little
    down /= np.linalg.norm(down, axis=-1, keepdims=True)
    across = np.cross(down, normal)
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    axes = np.stack([down, np.cross(across, down), across], -1)
    length = _SHELL_LENGTH * (0.6 + 0.8 * rng.random(count))
    scales = np.stack([length, np.full(count, _SHELL_WIDTH), np.full(count, _SHELL_WIDTH)], -1)
    share = matte_share(surface, matte, points, height * fuzz)
    opacities = (_OPACITY * (1 - _SHELL_FADE * height) * single_opacity(share, _LAYERS)).clip(_LEAST_OPACITY, 1)
    world = WorldGaussians(
        torch.tensor(place, dtype=torch.float32),
        quaternion.from_matrix(torch.tensor(axes, dtype=torch.float32)),
        torch.tensor(scales, dtype=torch.float32),
        torch.tensor(opacities, dtype=torch.float32),
        torch.tensor(colors),
    )
    return to_local(world, torch.tensor(triangle), head.vertices, faces), confidence * share.astype(np.float32)


def _relief_splats(outside: Relief, surface: PhotoSurface) -> Gaussians:
    world = WorldGaussians(
        torch.tensor(outside.points, dtype=torch.float32),
        quaternion.from_matrix(torch.tensor(outside.axes, dtype=torch.float32)),
        torch.tensor(outside.scales, dtype=torch.float32),
        torch.tensor(_OPACITY * outside.opacity).clamp(_LEAST_OPACITY, _OPACITY),
        torch.tensor(outside.colors),
    )
    posed = torch.tensor(surface.vertices, dtype=torch.float32)
    return to_local(world, torch.tensor(outside.triangle), posed, torch.as_tensor(surface.topology.faces))
