"""The z-buffer against a slow reference, and the laws of what is built on it."""

from __future__ import annotations

import numpy as np
import pytest

from zero1toa.camera import Camera
from zero1toa.heads.mesh_render import interpolate, rasterize_mesh, shade, vertex_normals, visible_vertices

SQUARE = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])


def cast_rays(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, face and barycentric weights by cutting every pixel's ray with every triangle."""
    points = camera.to_camera(vertices)
    depth = np.full((camera.height, camera.width), np.inf)
    face = np.full(depth.shape, -1)
    weights = np.zeros((*depth.shape, 3))
    for y in range(camera.height):
        for x in range(camera.width):
            ray = np.array([(x + 0.5 - camera.cx) / camera.fx, (y + 0.5 - camera.cy) / camera.fy, 1.0])
            for f, corners in enumerate(points[faces]):
                if abs(np.linalg.det(corners.T)) < 1e-14:
                    continue
                w = np.linalg.solve(corners.T, ray)  # ray = sum of w times corners, up to a positive factor
                if (w >= 0).all() and 1 / w.sum() < depth[y, x]:
                    depth[y, x], face[y, x], weights[y, x] = 1 / w.sum(), f, w / w.sum()
    return depth, face, weights


@pytest.mark.parametrize("seed", range(3))
def test_matches_ray_casting(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.normal(0, 0.15, (12, 3))
    faces = rng.permutation(12).reshape(4, 3)
    camera = Camera.orbit(20, -10, distance=1.0, fov=30, size=(37, 29))
    buffers = rasterize_mesh(vertices, faces, camera)
    depth, face, weights = cast_rays(vertices, faces, camera)
    assert (face >= 0).sum() > 50
    np.testing.assert_array_equal(buffers.face, face)
    np.testing.assert_allclose(buffers.depth, depth, rtol=1e-6)
    np.testing.assert_allclose(buffers.barycentric, weights, atol=1e-5)


def test_two_triangles_of_a_square_leave_no_gap():
    camera = Camera.orbit(distance=3.0, fov=30, size=64)
    buffers = rasterize_mesh(SQUARE, SQUARE_FACES, camera)
    assert (buffers.face >= 0).all()
    np.testing.assert_allclose(buffers.depth, 3.0, rtol=1e-6)


def test_triangles_behind_the_camera_are_not_drawn():
    camera = Camera.orbit(distance=3.0, size=32)
    assert (rasterize_mesh(SQUARE + [0, 0, 4.0], SQUARE_FACES, camera).face == -1).all()
    across = SQUARE.copy()
    across[0, 2] = 5.0
    assert (rasterize_mesh(across, SQUARE_FACES, camera).face == -1).all()


def test_interpolation_gives_back_the_place():
    camera = Camera.orbit(25, 15, distance=3.0, fov=30, size=48)
    buffers = rasterize_mesh(SQUARE, SQUARE_FACES, camera)
    places = interpolate(SQUARE, buffers, SQUARE_FACES)
    seen = buffers.face >= 0
    rows, columns = np.nonzero(seen)
    projected = camera.project(places[seen].astype(float))
    np.testing.assert_allclose(projected[:, :2], np.stack([columns, rows], 1) + 0.5, atol=1e-3)
    np.testing.assert_allclose(projected[:, 2], buffers.depth[seen], rtol=1e-5)
    assert (places[~seen] == 0).all()


def test_normals_of_a_sphere_point_outwards(head):
    rows = head.topology.part_vertices("eyeLeft")
    points = head.template.numpy().astype(float)
    normals = vertex_normals(points, head.topology.faces)[rows]
    outwards = points[rows] - head.joint_template[4].numpy()
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert (normals * outwards).sum(1).min() > 0.98
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert (vertex_normals(np.zeros((4, 3)), np.zeros((0, 3), int)) == 0).all()


def test_visibility_behind_a_wall():
    wall = np.concatenate([SQUARE, SQUARE * 0.5 - [0, 0, 1.0], [[5.0, 0, 0]]])
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES + 4])
    front = visible_vertices(wall, faces, Camera.orbit(distance=5.0, fov=40, size=64))
    np.testing.assert_array_equal(front, [1, 1, 1, 1, 0, 0, 0, 0, 0])
    back = visible_vertices(wall, faces, Camera.orbit(180, distance=5.0, fov=40, size=64))
    assert back[4:8].all()


def test_a_picture_of_the_head(head):
    camera = Camera.orbit(distance=0.9, fov=25, size=96)
    image = shade(head.template.numpy(), head.topology, camera, background=(0.0, 0.0, 1.0))
    assert image.shape == (96, 96, 3)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 1
    np.testing.assert_allclose(image[0, 0], [0, 0, 1])
    assert image[60, 48, 0] > image[60, 48, 2]  # skin
    only_eyes = head.topology.part_faces("eyeLeft", "eyeRight")
    eyes = shade(head.template.numpy(), head.topology, camera, faces=only_eyes, background=(0.0, 0.0, 1.0))
    assert 0 < (np.abs(eyes - [0, 0, 1]).sum(-1) > 0.1).mean() < 0.02
