"""The first splats of an avatar."""

import numpy as np
import pytest
import torch

from zero1toa.portrait.strands import hair_fuzz, photo_directions, strand_directions
from zero1toa.portrait.surface import PhotoSurface
from zero1toa.splats import rasterize, to_world
from zero1toa.symgen.create import personal_head
from zero1toa.symgen.initialize import initial_splats

COUNT = 30_000


@pytest.fixture(scope="module")
def made(demo_portrait):
    head = personal_head(demo_portrait)
    surface = PhotoSurface(demo_portrait, head)
    return head, surface, initial_splats(head, surface, COUNT, np.random.default_rng(0))


def test_there_are_as_many_as_asked_for_and_one_on_every_triangle(made):
    head, _, (splats, confidence, loose) = made
    assert abs(len(splats.means) - COUNT) < 0.02 * COUNT
    assert len(confidence) == len(loose) == len(splats.means)
    assert np.bincount(splats.triangle.numpy(), minlength=len(head.topology.faces)).min() >= 1
    assert all(value.isfinite().all() for value in splats[:5])
    assert confidence.min() >= 0 and confidence.max() <= 1
    assert splats.colors.min() >= 0 and splats.colors.max() <= 1


def test_only_what_lies_off_the_mesh_is_loose(made):
    _, _, (splats, _, loose) = made
    reach = splats.means.norm(dim=-1).numpy()
    assert splats.means[loose == 0][:, 1].abs().max() < 1e-4  # on its triangle's plane
    assert (reach <= loose + 1)[loose > 0].all()
    assert 0.1 < (loose > 0).mean() < 0.5


def test_the_untrained_outline_meets_the_matte_at_the_photos_view(made, demo_portrait):
    head, surface, (splats, _, _) = made
    camera = demo_portrait.camera.resized(256, 256)
    world = to_world(splats, torch.tensor(surface.vertices).float(), torch.as_tensor(head.topology.faces))
    shown = rasterize(*world, camera, torch.zeros(3)).alpha.numpy() > 0.5
    inside = demo_portrait.alpha.reshape(256, 2, 256, 2).mean((1, 3)) > 0.5
    valid = demo_portrait.valid.reshape(256, 2, 256, 2).all((1, 3))
    assert (shown & inside & valid).sum() / ((shown | inside) & valid).sum() > 0.95


def test_the_same_seed_gives_the_same_splats(made, demo_portrait):
    head, _, (splats, confidence, loose) = made
    again = initial_splats(head, PhotoSurface(demo_portrait, head), COUNT, np.random.default_rng(0))
    assert all(torch.equal(a, b) for a, b in zip(splats, again.splats, strict=True))
    np.testing.assert_array_equal(confidence, again.confidence)
    np.testing.assert_array_equal(loose, again.loose)


def test_strands_run_down_from_the_crown_along_the_surface(made):
    _, surface, _ = made
    arm = np.random.default_rng(0).standard_normal((500, 3))
    normals = arm / np.linalg.norm(arm, axis=-1, keepdims=True)
    down = strand_directions(surface, surface.scalp_center + 0.1 * normals, normals)
    np.testing.assert_allclose(np.linalg.norm(down, axis=-1), 1, atol=1e-9)
    assert np.abs((down * normals).sum(-1)).max() < 1e-9
    assert (down[:, 1] <= 1e-9).all()
    shown, clarity = photo_directions(surface, surface.vertices, surface.normals)
    assert clarity.min() >= 0 and clarity.max() <= 1
    assert np.abs((shown * surface.normals).sum(-1)).max() < 1e-6
    assert 0.001 < hair_fuzz(surface) < 0.01
