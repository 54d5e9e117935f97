"""The fast loops against plain NumPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from zero1toa.camera import Camera
from zero1toa.heads import load_head
from zero1toa.heads.mesh_render import rasterize_mesh, vertex_normals
from zero1toa.priors.mini import kernels, photo_kernels
from zero1toa.priors.mini.person import random_person
from zero1toa.priors.mini.reproject import closed_faces, landmark_picture, projected, rays_of, shrunk
from zero1toa.priors.mini.synthetic import as_bytes, posed
from zero1toa.priors.solid_noise import SolidNoise

HEAD = load_head()
VERTICES = np.ascontiguousarray(HEAD.template.numpy(), np.float32)
CAMERA = Camera.orbit(20, 5, distance=0.9, fov=20, size=48)


def test_projection_is_that_of_the_camera():
    np.testing.assert_allclose(projected(VERTICES, CAMERA, 2)[:, :2], 2 * CAMERA.project(VERTICES)[:, :2], atol=2e-3)


def test_normals_are_those_of_the_mesh_renderer():
    out = np.empty_like(VERTICES)
    kernels.normals(VERTICES, HEAD.topology.faces, out)
    expected = vertex_normals(VERTICES, HEAD.topology.faces)
    used = HEAD.topology.part_vertices("skin")  # the two sides of a lash cancel
    assert (out * expected)[used].sum(1).min() > 0.999


def test_rays_meet_what_the_mesh_renderer_draws():
    rays = rays_of(VERTICES, HEAD.topology, CAMERA, 1)
    slow = rasterize_mesh(VERTICES, HEAD.topology.faces, CAMERA)
    assert ((rays.face >= 0) == (slow.face >= 0)).mean() > 0.999
    both = (rays.face >= 0) & (slow.face >= 0)
    np.testing.assert_allclose(rays.depth[both], slow.depth[both], atol=2e-3)


def test_filling_keeps_what_is_known_and_stays_within_it():
    rng = np.random.default_rng(0)
    colors = rng.uniform(0.2, 0.6, (32, 32, 3)).astype(np.float32)
    weight = (rng.random((32, 32)) < 0.3).astype(np.float32)
    filled = colors * weight[..., None]
    photo_kernels.fill(filled, weight)
    np.testing.assert_allclose(filled[weight > 0], colors[weight > 0], atol=1e-5)
    assert filled.min() > 0.19 and filled.max() < 0.61


def test_a_polygon_is_filled():
    image = np.empty((16, 16), np.float32)
    photo_kernels.polygon(np.array([[2.0, 2.0], [10.0, 2.0], [10.0, 6.0], [2.0, 6.0]]), image)
    assert image.sum() == 8 * 4 and image[3, 5] == 1 and image[7, 5] == 0


def test_landmark_lines_are_drawn_where_the_landmarks_are():
    points = np.full((478, 2), 8.0)
    picture = landmark_picture(points, 16)
    assert picture[7:9, 7:9].max() > 0.3 and picture[:4].max() == 0


def test_pictures_shrink_to_means():
    picture = np.arange(4 * 4 * 1, dtype=np.float32).reshape(4, 4, 1)
    np.testing.assert_allclose(shrunk(picture, 2)[..., 0], [[2.5, 4.5], [10.5, 12.5]])


def drawn(points, faces, closed, size):
    """Z-buffer and triangles by plain NumPy, every ray against every triangle."""
    y, x = np.mgrid[:size, :size] + 0.5
    depth, face = np.full((size, size), 1e9), np.full((size, size), -1)
    for f, (a, b, c) in enumerate(points[faces].astype(np.float64)):
        area = np.cross(b[:2] - a[:2], c[:2] - a[:2])
        if abs(area) < 1e-9 or (f < len(closed) and closed[f] and area > 0):
            continue
        wb = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area
        wc = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area
        z = (1 - wb - wc) * a[2] + wb * b[2] + wc * c[2]
        won = (np.minimum(np.minimum(wb, wc), 1 - wb - wc) >= -1e-5) & (z < depth)
        depth[won], face[won] = z[won], f
    return depth, face


def test_large_and_small_triangles_and_backs_are_drawn_as_by_hand():
    rng = np.random.default_rng(3)
    middle = rng.uniform(0, 24, (60, 1, 2))
    corners = middle + rng.normal(size=(60, 3, 2)) * rng.choice([0.5, 2.0, 15.0], (60, 1, 1))
    points = np.concatenate([corners, rng.uniform(1, 2, (60, 3, 1))], -1).reshape(-1, 3).astype(np.float32)
    faces = np.arange(180, dtype=np.int32).reshape(-1, 3)
    closed = (rng.random(40) < 0.5).astype(np.uint8)
    expected_depth, expected = drawn(points, faces, closed, 24)
    depth, face = np.full((24, 24), 1e9, np.float32), np.full((24, 24), -1, np.int32)
    kernels.rasterize(points, faces, 0, closed, depth, face, np.empty((24, 24, 2), np.float32))
    assert (face != expected).sum() <= 1 and (expected >= 0).mean() > 0.5  # a ray may lie on an edge
    np.testing.assert_allclose(depth[face == expected], expected_depth[face == expected], rtol=1e-4)


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (40, 20), (-75, -20), (70, -20)])
@pytest.mark.parametrize("shown", [(), ("eyeBlinkLeft", "eyeBlinkRight"), ("jawOpen", "eyeWideLeft"), ("mouthPucker",)])
def test_no_camera_sees_a_back_that_is_left_out(yaw, pitch, shown):
    person = random_person(3)
    expression = np.zeros((1, 52))
    expression[0, [HEAD.expression_names.index(name) for name in shown]] = 1
    vertices = posed(person.head, person.extra, expression, np.zeros((1, 6, 3))).vertices[0]
    topology, camera = person.head.topology, Camera.orbit(yaw, pitch, distance=0.94, fov=18, size=64)
    rays = rays_of(vertices, topology, camera)
    depth, face = np.full(rays.depth.shape, 1e9, np.float32), np.full(rays.face.shape, -1, np.int32)
    kernels.rasterize(
        projected(vertices, camera, 2),
        topology.faces,
        0,
        np.zeros(0, np.uint8),
        depth,
        face,
        np.empty_like(rays.weights),
    )
    assert closed_faces(topology).mean() > 0.6
    assert ((rays.face >= 0) == (face >= 0)).all()
    assert (abs(rays.depth - depth) > 1e-3).mean() < 3e-4


def test_heads_are_posed_as_the_head_model_poses_them():
    person = random_person(5)
    rng = np.random.default_rng(0)
    expressions, poses = rng.random((3, 52)), 0.2 * rng.normal(size=(3, 6, 3))
    for turns in (poses, 0 * poses):
        expected = person.head.pose(torch.tensor(expressions).float(), torch.tensor(turns).float()).numpy()
        np.testing.assert_allclose(posed(person.head, person.extra, expressions, turns).vertices, expected, atol=2e-6)


def test_normals_of_what_is_seen_are_those_of_the_whole_mesh():
    rays = rays_of(VERTICES, HEAD.topology, CAMERA)
    seen, some, every = np.empty(len(VERTICES), np.bool_), np.empty_like(VERTICES), np.empty_like(VERTICES)
    kernels.normals_of_seen(VERTICES, HEAD.topology.faces, rays.face, seen, some)
    kernels.normals(VERTICES, HEAD.topology.faces, every)
    corners = np.unique(HEAD.topology.faces[np.unique(rays.face[rays.face >= 0])])
    np.testing.assert_array_equal(np.flatnonzero(seen), corners)
    np.testing.assert_allclose(some[seen], every[seen], atol=1e-5)


def test_linear_noise_is_that_of_scipy():
    points = np.random.default_rng(1).normal(size=(50, 3))
    noise = SolidNoise(np.random.default_rng(2), 1)
    expected = map_coordinates(noise._coefficients, (points * (30.0, 7.0, 90.0)).T, order=1, mode="grid-wrap")
    np.testing.assert_allclose(noise(points, (30.0, 7.0, 90.0)), noise._scale * expected, atol=1e-9)


def test_a_star_is_filled_by_its_crossings():
    angle = np.arange(10) * np.pi / 5
    points = 16 + (np.where(np.arange(10) % 2, 5.0, 13.0) * [np.sin(angle), np.cos(angle)]).T
    image = np.empty((32, 32), np.float32)
    photo_kernels.polygon(points, image)
    y, x = np.mgrid[:32, :32] + 0.5
    first, second = points, np.roll(points, -1, 0)
    for row in range(32):
        for column in range(32):
            cut = (first[:, 1] > y[row, 0]) != (second[:, 1] > y[row, 0])
            share = (y[row, 0] - first[cut, 1]) / (second[cut, 1] - first[cut, 1])
            right = first[cut, 0] + share * (second[cut, 0] - first[cut, 0]) > x[0, column]
            assert image[row, column] == right.sum() % 2


def test_bytes_are_rounded_and_kept_in_range():
    np.testing.assert_array_equal(
        as_bytes(np.array([[-0.5, 0.0, 0.4999 / 255], [0.5001 / 255, 1.0, 7.0]])), [[0, 0, 0], [1, 255, 255]]
    )
