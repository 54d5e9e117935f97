"""What the matte shows beyond the mesh becomes a closed volume."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from zero1toa.heads import JOINTS
from zero1toa.heads.mesh_render import farthest_depth, rasterize_mesh
from zero1toa.portrait.beyond import relief
from zero1toa.portrait.doubt import background_like
from zero1toa.portrait.frame import wide_matte
from zero1toa.portrait.surface import PhotoSurface
from zero1toa.splats import WorldGaussians, quaternion, to_local, to_world
from zero1toa.symgen.create import personal_head

HOLE = 12  # px, radius


@pytest.fixture(scope="module")
def scene(demo_portrait):
    """The demo with a slab of hair to the right of the face, with a hole in it."""
    head = personal_head(demo_portrait)
    bare = PhotoSurface(demo_portrait, head)
    covered = bare.buffers.face >= 0
    alpha, foreground = demo_portrait.alpha.copy(), demo_portrait.foreground.copy()
    rows = slice(int(demo_portrait.landmarks[10, 1]), int(demo_portrait.landmarks[152, 1]))
    edge = np.flatnonzero(covered[rows].any(0))[-1]
    slab = np.zeros_like(covered)
    slab[rows, edge - 60 : edge + 70] = True
    slab &= ~covered
    y, x = np.mgrid[: len(alpha), : len(alpha)]
    center = (rows.start + rows.stop) // 2, edge + 40
    hole = np.hypot(y - center[0], x - center[1]) < HOLE
    alpha[slab], alpha[hole] = 1.0, 0.0
    foreground[slab] = (0.2, 0.12, 0.08)
    portrait = replace(
        demo_portrait, alpha=alpha, foreground=foreground, image=np.where(slab[..., None], foreground, 1)
    )
    surface = PhotoSurface(portrait, head)
    return head, surface, relief(head, surface, wide_matte(portrait), 20_000, np.random.default_rng(0)), slab & ~hole


def test_it_covers_the_matte_and_leaves_holes_open(scene):
    _, surface, out, slab = scene
    portrait = surface.portrait
    column, row = portrait.camera.project(out.points)[:, :2].T.astype(int)
    hit = np.zeros(portrait.alpha.shape, bool)
    hit[row, column] = True
    solid = distance_transform_edt(slab) > 4
    assert (distance_transform_edt(~hit)[solid] < 4).mean() > 0.99
    assert (portrait.alpha[row, column] > 0.02).mean() > 0.97


def test_front_and_back_meet_at_the_edge_and_part_inside(scene):
    _, surface, out, slab = scene
    camera = surface.portrait.camera
    pixels = camera.project(out.points)
    column, row = pixels[:, 0].astype(int), pixels[:, 1].astype(int)
    # points of the two sheets come in pairs on the same ray
    front, back = out.confidence > 0, out.confidence == 0
    inside = distance_transform_edt(slab)[row, column]
    deep, rim = inside > 14, (inside > 0) & (inside < 2)
    thickness = np.median(pixels[back & deep, 2]) - np.median(pixels[front & deep, 2])
    assert 0.01 < thickness < 0.08
    assert np.median(pixels[back & rim, 2]) - np.median(pixels[front & rim, 2]) < 0.6 * thickness


def test_axes_are_rotations_that_look_outwards(scene):
    _, surface, out, _ = scene
    identity = np.einsum("nab,nac->nbc", out.axes, out.axes)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(out.axes), 1, atol=1e-9)
    toward = ((surface.portrait.camera.position - out.points) * out.axes[:, :, 2]).sum(-1)
    assert (toward[out.confidence > 0] > 0).mean() > 0.95
    assert (out.scales > 0).all() and out.scales.max() < 0.01


def test_it_turns_with_the_head(scene):
    head, surface, out, slab = scene
    column, row = surface.portrait.camera.project(out.points)[:, :2].T.astype(int)
    hair = slab[row, column]
    faces = torch.as_tensor(head.topology.faces)
    local = to_local(
        WorldGaussians(
            torch.tensor(out.points).float(),
            quaternion.from_matrix(torch.tensor(out.axes).float()),
            torch.tensor(out.scales).float(),
            torch.full((len(out.points),), 0.5),
            torch.tensor(out.colors),
        ),
        torch.tensor(out.triangle),
        torch.tensor(surface.vertices).float(),
        faces,
    )
    pose = torch.zeros(len(JOINTS), 3)
    pose[JOINTS.index("head"), 1] = 0.3
    before = to_world(local, head.pose(torch.zeros(52)), faces).means.double()
    after = to_world(local, head.pose(torch.zeros(52), pose), faces).means.double()
    transform = head.joint_transforms(torch.zeros(52), pose)[JOINTS.index("head")].double()
    rigid = before @ transform[:3, :3].T + transform[:3, 3]
    error = (after - rigid).norm(dim=-1)[torch.tensor(hair)]
    assert (error < 0.004).float().mean() > 0.9
    smile = torch.zeros(52)
    smile[17] = 1.0
    still = to_world(local, head.pose(smile), faces).means.double()
    assert (still - before).norm(dim=-1)[torch.tensor(hair)].max() < 0.004


def test_a_person_who_is_all_mesh_has_none(demo_portrait):
    head = personal_head(demo_portrait)
    surface = PhotoSurface(demo_portrait, head)
    covered = (surface.buffers.face >= 0).astype(np.float32)
    surface.portrait = replace(demo_portrait, alpha=covered)
    out = relief(head, surface, wide_matte(surface.portrait), 1000, np.random.default_rng(0))
    assert len(out.points) == 0 and out.axes.shape == (0, 3, 3)


def test_the_farthest_surface_lies_behind_the_nearest(scene):
    _, surface, _, _ = scene
    camera, faces = surface.portrait.camera, surface.topology.faces
    near = rasterize_mesh(surface.vertices, faces, camera)
    far = farthest_depth(surface.vertices, faces, camera)
    drawn = near.face >= 0
    assert (np.isfinite(far) == drawn).all()
    thickness = far[drawn] - near.depth[drawn]
    assert thickness.min() > -1e-4 and np.median(thickness) > 0.05
    assert far[drawn].max() <= camera.to_camera(surface.vertices)[:, 2].max() + 1e-3


def test_a_rim_that_looks_like_the_background_is_doubted(demo_portrait):
    side = 200
    image = np.full((side, side, 3), 0.8, np.float32)
    image[:, :100] = 0.2
    alpha = np.zeros((side, side), np.float32)
    alpha[:, :104] = 1.0  # four columns of background taken for the person
    sample = replace(demo_portrait, image=image, alpha=alpha, valid=np.ones((side, side), bool))
    doubtful, person = background_like(sample)
    assert doubtful[:, 100:104].all()
    assert not doubtful[:, :100].any() and not doubtful[:, 104:].any()
    assert (person[50, 99] < 0.5).all()
