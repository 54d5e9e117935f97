"""Colours lifted from the photo, and hair that follows the matte."""

import numpy as np
import pytest

from zero1toa.heads.mesh_render import rasterize_mesh
from zero1toa.portrait.hair import hair_offsets
from zero1toa.portrait.surface import PhotoSurface, SurfacePoints, mesh_laplacian, spread_over_mesh
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
    out = spread_over_mesh(values, 1e6 * weight, faces, np.full((6, 1), 0.5))[:, 0]
    np.testing.assert_allclose(out[[0, 5]], [0, 1], atol=1e-4)
    assert (out[1:5] > 0).all() and (out[1:5] < 1).all()
    assert np.abs(mesh_laplacian(faces, 6).sum(1)).max() == 0
    nothing = spread_over_mesh(values, 0 * weight, faces, np.full((6, 1), 0.5))
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
