"""Colours lifted from the photo, and hair that follows the matte."""

from dataclasses import replace

import numpy as np
import pytest

from zero1toa.heads.mesh_render import rasterize_mesh
from zero1toa.portrait.hair import hair_offsets
from zero1toa.portrait.hair_colors import continue_hair
from zero1toa.portrait.spread import mesh_laplacian, spread_over_mesh
from zero1toa.portrait.surface import PhotoSurface, SurfacePoints
from zero1toa.symgen.create import personal_head


@pytest.fixture(scope="module")
def surface(demo_portrait):
    return PhotoSurface(demo_portrait, personal_head(demo_portrait))


def test_what_the_photo_shows_has_the_photos_colour(surface, demo_portrait):
    topology = surface.topology
    nose = np.argmax(topology.regions["nose"] * topology.part_vertices("skin"))
    triangle = np.flatnonzero((topology.faces == nose).any(1))[:1]
    point = SurfacePoints(triangle, np.full((1, 3), 1 / 3, np.float32))
    color, confidence = surface.colors(point)
    x, y, _ = demo_portrait.camera.project(point.interpolate(surface.vertices, topology.faces))[0]
    assert confidence[0] > 0.6
    np.testing.assert_allclose(color[0], demo_portrait.foreground[int(y), int(x)], atol=0.12)


def test_the_back_of_the_head_is_not_seen_but_has_a_colour(surface):
    back = np.argmin(surface.vertices[:, 2] + 10 * (surface.vertices[:, 1] < 0))
    triangle = np.flatnonzero((surface.topology.faces == back).any(1))[:1]
    color, confidence = surface.colors(SurfacePoints(triangle, np.full((1, 3), 1 / 3, np.float32)))
    assert confidence[0] == 0
    assert 0.05 < color.mean() < 0.9


def test_spreading_keeps_known_values_and_fills_the_rest_between_them():
    faces = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]])
    values = np.array([[0.0], [0], [0], [0], [0], [1]])
    weight = np.array([1.0, 0, 0, 0, 0, 1])
    out = spread_over_mesh(values, 1e6 * weight, mesh_laplacian(faces, 6), np.full((6, 1), 0.5))[:, 0]
    np.testing.assert_allclose(out[[0, 5]], [0, 1], atol=1e-4)
    assert (out[1:5] > 0).all() and (out[1:5] < 1).all()
    assert np.abs(mesh_laplacian(faces, 6).sum(1)).max() == 0
    nothing = spread_over_mesh(values, 0 * weight, mesh_laplacian(faces, 6), np.full((6, 1), 0.5))
    np.testing.assert_allclose(nothing, 0.5, atol=1e-6)


def test_hair_moves_the_scalp_alone_and_fills_the_matte(demo_portrait):
    import torch

    from zero1toa.heads import load_head

    head = load_head(demo_portrait.head).personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))
    offsets = hair_offsets(head, demo_portrait)
    assert not offsets[head.topology.regions["scalp"] == 0].any()
    assert np.linalg.norm(offsets, axis=1).max() < 0.1

    def overlap(person):
        expression, pose = (
            torch.as_tensor(x, dtype=torch.float32) for x in (demo_portrait.expression, demo_portrait.pose)
        )
        covered = (
            rasterize_mesh(person.pose(expression, pose).numpy(), person.topology.faces, demo_portrait.camera).face >= 0
        )
        brow = int(demo_portrait.landmarks[9, 1])
        inside = demo_portrait.alpha[:brow] > 0.5
        return (covered[:brow] & inside).sum() / (covered[:brow] | inside).sum()

    assert overlap(personal_head(demo_portrait)) > max(0.85, overlap(head) + 0.1)


def test_hair_does_not_end_where_the_photo_does(demo_portrait):
    import torch

    from zero1toa.heads import load_head

    head = load_head(demo_portrait.head).personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))
    crown = head.topology.regions["scalp"] > 0.9
    rows = np.flatnonzero((demo_portrait.alpha > 0.5).any(1))
    cut = int(rows[0] + 0.3 * (demo_portrait.landmarks[10, 1] - rows[0]))  # through the hair, above the forehead
    valid, alpha = demo_portrait.valid.copy(), demo_portrait.alpha.copy()
    valid[:cut], alpha[:cut] = False, 0
    whole = np.linalg.norm(hair_offsets(head, demo_portrait)[crown], axis=1).mean()
    cropped = np.linalg.norm(hair_offsets(head, replace(demo_portrait, valid=valid, alpha=alpha))[crown], axis=1).mean()
    assert whole > 0.01
    assert cropped > 0.7 * whole


def test_the_back_of_the_head_gets_hair_and_not_skin(surface):
    topology = surface.topology
    scalp = topology.regions["scalp"][topology.faces].mean(1) > 0.95
    middle = surface.vertices[topology.faces].mean(1)
    back = np.flatnonzero(scalp & (middle[:, 2] < np.median(middle[scalp, 2])))
    points = SurfacePoints(back, np.full((len(back), 3), 1 / 3, np.float32))
    colors, confidence = surface.colors(points)
    hair = continue_hair(surface, points, colors, confidence)
    seen, seen_confidence = surface.seen(surface.vertices, surface.normals, topology.part_vertices("skin"))
    skin = np.median(seen[(topology.regions["face"] > 0.9) & (seen_confidence > 0.8)], axis=0)
    top = np.median(seen[(topology.regions["scalp"] > 0.95) & (seen_confidence > 0.8)], axis=0)
    nearer = np.linalg.norm(hair - top, axis=1) < np.linalg.norm(hair - skin, axis=1)
    assert nearer.mean() > 0.9
    assert hair.std(0).mean() > 1.5 * colors.std(0).mean()  # texture, not a flat fill


def test_a_head_without_visible_hair_is_left_as_it_is(surface, demo_portrait):
    blind = PhotoSurface(replace(demo_portrait, alpha=0 * demo_portrait.alpha), personal_head(demo_portrait))
    points = SurfacePoints(np.arange(50), np.full((50, 3), 1 / 3, np.float32))
    colors, confidence = blind.colors(points)
    np.testing.assert_array_equal(continue_hair(blind, points, colors, confidence), colors)
    assert colors.mean() > 0.2  # the default skin, not black


def test_mirrored_colours_take_the_light_of_the_other_side(demo_portrait):
    side = len(demo_portrait.alpha)
    middle = demo_portrait.landmarks[1, 0]
    light = np.clip(1 - 1.6 * (np.arange(side) - middle) / side, 0.5, 1.5)[None, :, None].astype(np.float32)
    lit = replace(demo_portrait, foreground=(0.6 * demo_portrait.foreground * light).clip(0, 1))
    surface = PhotoSurface(lit, personal_head(demo_portrait))
    topology = surface.topology
    np.testing.assert_allclose(surface.mirror_gain * surface.mirror_gain[topology.mirror], 1, atol=0.02)
    seen, confidence = surface.vertices_seen
    both = np.minimum(confidence, confidence[topology.mirror]) * (topology.regions["face"] > 0.5) > 0.8
    both &= surface.rest[:, 0] > 0.01  # one half of the face
    plain = np.log(seen[topology.mirror][both] / seen[both]).mean()
    mended = np.log((seen[topology.mirror] * surface.mirror_gain)[both] / seen[both]).mean()
    assert abs(plain) > 0.1
    assert abs(mended) < 0.35 * abs(plain)


def test_a_speck_on_the_skin_is_cleaned_and_an_eye_is_not(demo_portrait):
    foreground = demo_portrait.foreground.copy()
    cheek, iris = demo_portrait.landmarks[50, :2].astype(int), demo_portrait.landmarks[468, :2].astype(int)
    for x, y in (cheek, iris):
        foreground[y, x] = (0, 1, 0)
    surface = PhotoSurface(replace(demo_portrait, foreground=foreground), personal_head(demo_portrait))
    clean = surface._pictures[0]
    assert np.abs(clean[cheek[1], cheek[0]] - (0, 1, 0)).max() > 0.2
    np.testing.assert_array_equal(clean[iris[1], iris[0]], (0, 1, 0))


def test_closed_lids_are_nearly_as_light_as_the_skin_around_a_deep_set_eye(demo_portrait):
    side = len(demo_portrait.alpha)
    y, x = np.mgrid[:side, :side]
    dark = np.ones((side, side, 1), np.float32)
    for iris in (468, 473):
        distance = np.hypot(x - demo_portrait.landmarks[iris, 0], y - demo_portrait.landmarks[iris, 1])
        dark[distance < 30] = 0.4
    shadowed = replace(demo_portrait, foreground=demo_portrait.foreground * dark)
    surface = PhotoSurface(shadowed, personal_head(demo_portrait))
    seen, _ = surface.vertices_seen
    cheeks = np.median(surface.vertex_colors[surface.topology.regions["face"] > 0.9].mean(1))
    assert seen[surface.lids > 0.9].mean() < 0.5 * cheeks  # what the photo shows there
    assert surface.vertex_colors[surface.lids > 0.9].mean() > 0.7 * cheeks
