import numpy as np
import torch

from zero1toa.heads import arkit, facemesh, load_head
from zero1toa.priors.landmarks import project_landmarks
from zero1toa.priors.solid_noise import SolidNoise
from zero1toa.priors.subject_texture import subject_texture
from zero1toa.priors.subjects import photo_camera, random_subject, single


def test_the_same_seed_is_the_same_person_and_another_seed_another(subject, other_subject):
    random_subject.cache_clear()
    again = random_subject(3, 128)
    assert again is not subject
    assert again.look == subject.look
    np.testing.assert_array_equal(again.identity, subject.identity)
    for first, second in zip(again.textures, subject.textures, strict=True):
        np.testing.assert_array_equal(first, second)
    assert torch.equal(again.head.vertices, subject.head.vertices)
    assert np.abs(other_subject.textures[0] - subject.textures[0]).mean() > 0.02
    assert (other_subject.head.vertices - subject.head.vertices).norm(dim=1).max() > 0.003


def test_shape_and_look_do_not_depend_on_the_size_of_the_texture(subject):
    finer = random_subject(3, 256)
    assert finer.look == subject.look
    assert torch.equal(finer.head.vertices, subject.head.vertices)
    inside = subject.textures[1].mean((0, 1))
    np.testing.assert_allclose(finer.textures[2].mean((0, 1)), inside, atol=0.01)


def test_textures_are_colours_and_halve_down_to_the_coarsest(subject):
    assert [len(t) for t in subject.textures] == [128, 64]
    for texture in subject.textures:
        assert texture.dtype == np.float32
        assert texture.min() >= 0 and texture.max() <= 1
    assert subject.texture_for(512) is subject.textures[0]
    assert subject.texture_for(32) is subject.textures[1]
    assert subject.texture_for(8) is subject.textures[-1]


def test_a_portrait_is_the_truth_before_a_background(subject):
    portrait = subject.portrait(96)
    drive = single(portrait.camera, torch.as_tensor(portrait.expression, dtype=torch.float32))
    truth = subject.video(drive)
    np.testing.assert_allclose(portrait.alpha, truth.alpha[0, 0])
    own = portrait.alpha[..., None] * portrait.foreground
    np.testing.assert_allclose(own, truth.frames[0].permute(1, 2, 0), atol=1e-6)
    solid, empty = portrait.alpha == 1, portrait.alpha == 0
    np.testing.assert_allclose(portrait.image[solid], portrait.foreground[solid], atol=1e-6)
    assert portrait.image[empty].std() > 0.02
    assert portrait.valid.all() and 0.2 < portrait.alpha.mean() < 0.8
    np.testing.assert_array_equal(portrait.identity, subject.identity)


def test_a_portrait_is_the_same_whenever_it_is_asked_for(subject):
    np.testing.assert_array_equal(subject.portrait(64).image, subject.portrait(64).image)


def test_a_portrait_shows_the_expression_asked_for_and_its_landmarks(subject):
    shut, wide = subject.portrait(256, {}), subject.portrait(256, {"jawOpen": 0.8})
    assert wide.expression[arkit.INDEX["jawOpen"]] == 0.8 and not shut.expression.any()

    def gap(portrait):  # between the middles of the inner lips
        return np.linalg.norm(portrait.landmarks[14, :2] - portrait.landmarks[13, :2])

    assert gap(wide) > gap(shut) + 5
    eyes = shut.landmarks[list(facemesh.EYES), :2].mean(0)
    assert abs(eyes[0] - 128) < 20 and 60 < eyes[1] < 140
    nose, ear = shut.landmarks[1, 2], shut.landmarks[234, 2]
    assert nose < 0 < ear  # smaller is nearer


def test_landmarks_are_projected_with_each_frames_own_camera():
    head = load_head()
    vertices = head.template[None].repeat(2, 1, 1)
    points = project_landmarks(vertices.numpy(), head.topology, [photo_camera(0), photo_camera(40)])
    truth = photo_camera(40).project(head.landmarks(vertices)[1].numpy())
    np.testing.assert_allclose(points[1, :, :2], truth[:, :2], atol=1e-3)
    assert np.abs(points[0, :, 0] - points[1, :, 0]).max() > 20


def test_the_look_is_painted_where_it_belongs(subject):
    """Lips are redder than the cheek, pupils black, the white of an eye white, the scalp as dark as the hair."""
    from dataclasses import replace

    model = load_head()
    topology = model.topology
    look = replace(subject.look, skin=(0.8, 0.65, 0.55), lips=(0.7, 0.3, 0.3), hair=(0.1, 0.1, 0.1), stubble=0.0)
    texture = subject_texture(model, subject.head.vertices.numpy(), look, np.random.default_rng(0), 256)

    def color(vertices):
        corner = np.isin(topology.faces, np.flatnonzero(vertices))
        uv = topology.uvs[topology.uv_faces[corner]]
        x, y = (uv[:, 0] * 256).astype(int).clip(0, 255), ((1 - uv[:, 1]) * 256).astype(int).clip(0, 255)
        return np.median(texture[y, x], 0)

    place = model.template.numpy()
    cheek = (np.abs(place - [0.04, -0.04, 0.035]) < 0.012).all(1)
    lips, skin = color(topology.regions["lips"] > 0.9), color(cheek)
    assert lips[0] / lips[1] > 1.3 * skin[0] / skin[1]
    assert color(topology.regions["pupil"] > 0.9).max() < 0.2
    white = topology.part_vertices("eyeLeft") & (topology.regions["iris"] < 0.01) & (place[:, 2] > 0.035)
    assert color(white).min() > 0.6
    assert color(topology.regions["scalp"] > 0.95).max() < 0.25


def test_noise_is_seeded_repeats_nothing_nearby_and_has_unit_variance():
    points = np.random.default_rng(0).uniform(0, 30, (4000, 3))
    noise = SolidNoise(np.random.default_rng(5))
    values = noise(points, 1.0)
    np.testing.assert_array_equal(values, SolidNoise(np.random.default_rng(5))(points, 1.0))
    assert abs(values.std() - 1) < 0.1 and abs(values.mean()) < 0.1
    near = noise(points + 0.01, 1.0)
    assert np.abs(near - values).max() < 0.2  # smooth
    np.testing.assert_allclose(noise(points + 32, 1.0), values, atol=1e-6)  # periodic, so no seam where an angle closes
