"""From a portrait to an avatar, at debug size."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import zero1toa
from zero1toa.config import PRESETS
from zero1toa.errors import InputError
from zero1toa.motion.builtin import builtin
from zero1toa.portrait.surface import PhotoSurface
from zero1toa.portrait.texture import lift_texture
from zero1toa.priors import Reference
from zero1toa.symgen.allocation import face_density, sample_surface
from zero1toa.symgen.create import personal_head, photo_sample
from zero1toa.symgen.initialize import initial_splats
from zero1toa.symgen.limits import splat_limits


def psnr(a, b, weight):
    error = (((a - b) ** 2).mean(-1) * weight).sum() / weight.sum()
    return -10 * np.log10(error)


def test_the_avatar_looks_like_the_photo(debug_avatar, demo_portrait):
    portrait = demo_portrait
    untrained = zero1toa.create(portrait, config=replace(PRESETS["debug"], iterations=0))
    face = np.zeros(portrait.alpha.shape)
    low, high = portrait.landmarks[:, :2].min(0).astype(int), portrait.landmarks[:, :2].max(0).astype(int)
    face[low[1] : high[1], low[0] : high[0]] = 1

    def likeness(avatar):
        picture = avatar.render(portrait.camera, portrait.expression, portrait.pose, background=(0, 0, 0))
        return psnr(picture, portrait.foreground, face * (portrait.alpha > 0.9))

    assert likeness(debug_avatar) > max(20, likeness(untrained) + 0.3)


def test_opening_the_jaw_and_turning_the_camera_change_the_picture(debug_avatar):
    camera = debug_avatar.front_camera(size=96)
    neutral = debug_avatar.render(camera)
    opened = np.abs(debug_avatar.render(camera, {"jawOpen": 0.8}) - neutral).max(-1)
    assert opened.max() > 0.2
    assert opened[: opened.shape[0] // 3].max() < 0.02  # the forehead stays
    assert np.abs(debug_avatar.render(debug_avatar.front_camera(40, size=96)) - neutral).max() > 0.2
    assert np.abs(debug_avatar.render(camera, pose={"neck": (0, 0.4, 0)}) - neutral).max() > 0.2


def test_a_motion_becomes_frames(debug_avatar):
    motion = builtin("talk", 0.2, 25, seed=1)
    camera = debug_avatar.front_camera(size=64)
    frames = list(debug_avatar.animate(motion, camera))
    assert len(frames) == len(motion) == 5
    np.testing.assert_array_equal(frames[3], debug_avatar.render(camera, motion.expression(3), motion.pose(3)))
    assert not np.array_equal(frames[0], frames[3])


def test_a_transparent_picture_over_white_is_the_white_picture(debug_avatar):
    camera = debug_avatar.front_camera(size=96)
    clear = debug_avatar.render(camera, background=None)
    white = debug_avatar.render(camera)
    over = clear[..., :3] * clear[..., 3:] + 1 - clear[..., 3:]
    np.testing.assert_allclose(over, white, atol=0.02)


def test_the_same_seed_gives_the_same_avatar_and_another_seed_another(debug_avatar, demo_portrait):
    again = zero1toa.create(demo_portrait, preset="debug")
    for name in again.splats._fields:
        assert torch.equal(getattr(again.splats, name), getattr(debug_avatar.splats, name)), name
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
    shoulders = topology.regions["shoulders"][topology.faces].mean(1) > 0.9
    assert density[lips].min() > 2 * density[shoulders].max()


@pytest.mark.parametrize("bad", [{"noSuchShape": 1.0}, np.zeros(3)])
def test_an_unknown_expression_is_refused(debug_avatar, bad):
    with pytest.raises(InputError):
        debug_avatar.render(debug_avatar.front_camera(size=32), bad)


def test_presets_name_themselves():
    assert all(config.preset == name for name, config in PRESETS.items())
    with pytest.raises(InputError, match="preset"):
        zero1toa.create("demo", preset="none")


def test_what_holds_a_splat_depends_on_where_it_is(demo_portrait):
    head = personal_head(demo_portrait)
    surface = PhotoSurface(demo_portrait, head)
    first = initial_splats(head, surface, 20_000, np.random.default_rng(0))
    splats = first.splats
    limits = splat_limits(first, head, hold_unseen=True)

    def on(name, part=False, least=0.9):
        share = head.topology.part_faces(name) if part else head.topology.regions[name][head.topology.faces].mean(1)
        return torch.as_tensor(share > least)[splats.triangle]

    assert (limits.geometry[on("teethUpper", part=True)] == 0).all()
    assert (limits.geometry[on("eyeLeft", part=True)] == 0).all()
    assert (limits.geometry[on("lips")] < 0.1).all()
    assert (limits.geometry[on("nose")] > 0.9).all()
    assert limits.reach[on("scalp")].min() > 2 * limits.reach[on("nose")].min()
    assert limits.position_loss(splats) < 1e-9  # nothing is pushed where it starts
    assert limits.scale_loss(splats) < 1e-9
    unseen = on("neck", least=0.6) & torch.as_tensor(first.confidence == 0)
    assert unseen.any()
    assert (limits.color[unseen] == 0).all()
    assert (limits.color[on("nose") & torch.as_tensor(first.confidence > 0.99)] > 0.9).all()
    eye = on("eyeLeft", part=True)
    known = torch.as_tensor(first.confidence)[eye]
    torch.testing.assert_close(limits.color[eye], known)  # what is not seen to be the eye keeps its colour
    assert (limits.color[on("tongue", part=True) & torch.as_tensor(first.confidence == 0)] == 0).all()
    assert (limits.reach >= torch.as_tensor(first.loose)).all()
    assert (splat_limits(first, head, hold_unseen=False).color == 1).all()
    half = torch.arange(0, len(limits.color), 2)
    assert all(torch.equal(a, b[half]) for a, b in zip(limits.of(half), limits, strict=True))


def test_the_photo_counts_where_splats_can_show_it_and_the_texture_is_sure(demo_portrait):
    head = personal_head(demo_portrait)
    surface = PhotoSurface(demo_portrait, head)
    splats, _, _ = initial_splats(head, surface, 20_000, np.random.default_rng(0))
    sample = photo_sample(Reference(demo_portrait, head, lift_texture(surface, 256)), splats, 96)
    assert sample.image.shape == (96, 96, 3)
    assert (sample.image <= sample.alpha[..., None] + 1e-5).all()
    assert sample.matte_weight is not None
    assert (sample.confidence <= sample.matte_weight + 1e-6).all()
    face = (demo_portrait.landmarks[[1, 151], :2] * 96 / 512).astype(int)  # nose and forehead
    assert (sample.confidence[face[:, 1], face[:, 0]] > 0.9).all()
    top = int(demo_portrait.valid.any(1).argmax() * 96 / 512) + 1
    assert sample.alpha[top, 48] == 0
    assert sample.confidence[top, 48] > 0.9  # the background is sure


def test_a_portrait_that_is_almost_transparent_is_refused(demo_portrait):
    faint = replace(demo_portrait, alpha=demo_portrait.alpha * 0.5)
    with pytest.raises(InputError, match="too little"):
        zero1toa.create(faint, preset="debug")


def test_a_black_bar_over_the_eyes_is_no_traceback(demo_portrait):
    image = demo_portrait.foreground.copy()
    eyes = demo_portrait.landmarks[[33, 263], 1].astype(int)
    image[eyes.min() - 25 : eyes.max() + 25] = 0
    covered = replace(demo_portrait, foreground=image)
    config = replace(PRESETS["debug"], iterations=1)
    assert torch.isfinite(zero1toa.create(covered, config=config).splats.colors).all()
