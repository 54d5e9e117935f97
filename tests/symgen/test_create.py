"""The thin path from a portrait to an avatar, at debug size."""

import numpy as np
import pytest
import torch

import zero1toa
from zero1toa.config import PRESETS
from zero1toa.errors import InputError
from zero1toa.symgen.initialize import face_density, sample_surface


def psnr(a, b, weight):
    error = (((a - b) ** 2).mean(-1) * weight).sum() / weight.sum()
    return -10 * np.log10(error)


def test_the_avatar_looks_like_the_photo(debug_avatar, demo_portrait):
    portrait = demo_portrait
    picture = debug_avatar.render(portrait.camera, portrait.expression, portrait.pose, background=(0, 0, 0))
    face = np.zeros(portrait.alpha.shape)
    low, high = portrait.landmarks[:, :2].min(0).astype(int), portrait.landmarks[:, :2].max(0).astype(int)
    face[low[1] : high[1], low[0] : high[0]] = 1
    assert psnr(picture, portrait.foreground, face * (portrait.alpha > 0.9)) > 20


def test_opening_the_jaw_and_turning_the_camera_change_the_picture(debug_avatar):
    camera = debug_avatar.front_camera(size=96)
    neutral = debug_avatar.render(camera)
    assert np.abs(debug_avatar.render(camera, {"jawOpen": 0.8}) - neutral).max() > 0.2
    assert np.abs(debug_avatar.render(debug_avatar.front_camera(40, size=96)) - neutral).max() > 0.2
    assert np.abs(debug_avatar.render(camera, pose={"neck": (0, 0.4, 0)}) - neutral).max() > 0.2


def test_a_transparent_picture_over_white_is_the_white_picture(debug_avatar):
    camera = debug_avatar.front_camera(size=96)
    clear = debug_avatar.render(camera, background=None)
    white = debug_avatar.render(camera)
    over = clear[..., :3] * clear[..., 3:] + 1 - clear[..., 3:]
    np.testing.assert_allclose(over, white, atol=0.02)


def test_the_same_seed_gives_the_same_avatar_and_another_seed_another(debug_avatar, demo_portrait):
    again = zero1toa.create(demo_portrait, preset="debug")
    torch.testing.assert_close(again.splats.colors, debug_avatar.splats.colors, atol=2e-3, rtol=0)
    other = zero1toa.create(demo_portrait, preset="debug", seed=1)
    assert not torch.equal(other.splats.means, debug_avatar.splats.means)


def test_an_avatar_survives_its_file(debug_avatar, tmp_path):
    debug_avatar.save(tmp_path / "a.glb")
    again = zero1toa.load(tmp_path / "a.glb")
    camera = debug_avatar.front_camera(20, size=96)
    weights = {"jawOpen": 0.5, "eyeLookUpLeft": 0.4}
    np.testing.assert_allclose(again.render(camera, weights), debug_avatar.render(camera, weights), atol=0.01)
    assert again.provenance["synthetic"] is True and again.provenance["preset"] == "debug"


def test_every_triangle_has_a_splat_and_dense_ones_have_more():
    mass = np.array([1.0, 10.0, 0.0])
    points = sample_surface(mass, 1000, np.random.default_rng(0))
    number = np.bincount(points.triangle, minlength=3)
    assert (number >= 1).all() and abs(number[1] / number[0] - 10) < 1
    np.testing.assert_allclose(points.barycentric.sum(1), 1, atol=1e-6)
    assert points.barycentric.min() >= 0


def test_eyes_and_lips_are_denser_than_the_neck(debug_avatar):
    topology = debug_avatar.head.topology
    density = face_density(topology)
    lips = topology.regions["lips"][topology.faces].mean(1) > 0.9
    neck = topology.regions["neck"][topology.faces].mean(1) > 0.9
    assert density[lips].min() > 2 * density[neck & topology.part_faces("skin")].max()


@pytest.mark.parametrize("bad", [{"noSuchShape": 1.0}, np.zeros(3)])
def test_an_unknown_expression_is_refused(debug_avatar, bad):
    with pytest.raises(InputError):
        debug_avatar.render(debug_avatar.front_camera(size=32), bad)


def test_presets_name_themselves():
    assert all(config.preset == name for name, config in PRESETS.items())
    with pytest.raises(InputError, match="preset"):
        zero1toa.create("demo", preset="none")
