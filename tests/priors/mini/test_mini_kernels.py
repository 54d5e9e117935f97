"""The fast loops against plain NumPy."""

import numpy as np

from zero1toa.camera import Camera
from zero1toa.heads import load_head
from zero1toa.heads.mesh_render import rasterize_mesh, vertex_normals
from zero1toa.priors.mini import kernels, photo_kernels
from zero1toa.priors.mini.reproject import landmark_picture, projected, rays_of, shrunk

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
