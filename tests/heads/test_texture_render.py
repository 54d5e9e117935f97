"""A textured head against a straightforward look-up."""

import numpy as np

from zero1toa.camera import Camera
from zero1toa.heads import load_head
from zero1toa.heads.mesh_render import interpolate, rasterize_mesh, rasterize_triangles
from zero1toa.heads.texture_render import render_texture


def test_a_texture_of_its_own_coordinates_gives_the_coordinates_back():
    head = load_head()
    size = 256
    centre = (np.arange(size, dtype=np.float32) + 0.5) / size
    texture = np.stack(np.broadcast_arrays(centre[None, :], 1 - centre[:, None]), -1).astype(np.float32)
    camera = Camera.orbit(25, size=64)
    vertices = head.template.numpy()
    values, cover = render_texture(vertices, head.topology, np.ascontiguousarray(texture), camera, supersample=1)
    buffers = rasterize_mesh(vertices, head.topology.faces, camera)
    uv = interpolate(head.topology.uvs, buffers, head.topology.uv_faces)
    np.testing.assert_array_equal(cover, buffers.face >= 0)
    inside = (uv > 1 / size).all(-1) & (uv < 1 - 1 / size).all(-1) & (cover > 0)
    assert inside.sum() > 500
    np.testing.assert_allclose(values[inside], uv[inside], atol=1e-4)


def test_several_rays_a_pixel_soften_the_outline_only():
    head = load_head()
    texture = np.full((8, 8, 1), 0.3, np.float32)
    values, cover = render_texture(head.template.numpy(), head.topology, texture, Camera.orbit(0, size=48), 3)
    np.testing.assert_allclose(values[cover > 0], 0.3, atol=1e-6)
    assert ((cover > 0) & (cover < 1)).any()
    assert set(np.unique(np.round(cover * 9)).astype(int)) <= set(range(10))


def test_flat_triangles_fill_the_pixels_whose_centres_they_hold():
    points = np.array([[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]])
    buffers = rasterize_triangles(points, np.array([[0, 1, 2]]), (4, 4))
    expected = np.array([[x + 0.5 + y + 0.5 <= 4 for x in range(4)] for y in range(4)])
    np.testing.assert_array_equal(buffers.face == 0, expected)
