"""The photo as a texture."""

import numpy as np
import torch

from zero1toa.heads import load_head
from zero1toa.heads.texture_render import render_texture
from zero1toa.portrait.surface import PhotoSurface
from zero1toa.portrait.texture import fill_texture, lift_texture, texel_map
from zero1toa.symgen.create import personal_head


def test_each_texel_inside_an_island_knows_its_place():
    topology = load_head().topology
    texels = texel_map(topology, 64)
    uv = np.einsum("nk,nkc->nc", texels.points.barycentric, topology.uvs[topology.uv_faces[texels.points.triangle]])
    row, column = np.nonzero(texels.inside)
    np.testing.assert_allclose(uv[:, 0] * 64, column + 0.5, atol=1e-3)
    np.testing.assert_allclose((1 - uv[:, 1]) * 64, row + 0.5, atol=1e-3)
    assert texel_map(topology, 64) is texels  # kept


def test_between_the_islands_the_nearest_texel_is_repeated():
    texels = texel_map(load_head().topology, 64)
    values = np.arange(texels.inside.sum(), dtype=float)[:, None]
    texture = fill_texture(texels, values)[..., 0]
    np.testing.assert_array_equal(texture[texels.inside], values[:, 0])
    inside = np.argwhere(texels.inside)
    for row, column in np.argwhere(~texels.inside)[::97]:
        distance = ((inside - [row, column]) ** 2).sum(1)
        assert distance[texture[row, column].astype(int)] == distance.min()


def test_the_texture_shows_the_photo_where_it_is_sure(demo_portrait):
    head = personal_head(demo_portrait)
    texture = lift_texture(PhotoSurface(demo_portrait, head), 512)
    vertices = head.pose(
        torch.as_tensor(demo_portrait.expression, dtype=torch.float32),
        torch.as_tensor(demo_portrait.pose, dtype=torch.float32),
    )
    seen, _ = render_texture(vertices.numpy(), head.topology, texture.channels, demo_portrait.camera)
    sure = seen[..., 3] > 0.99
    assert sure.mean() > 0.1
    assert np.abs(seen[..., :3] - demo_portrait.foreground)[sure].mean() < 0.02
    assert texture.colors.min() >= 0
    assert texture.colors.max() <= 1
