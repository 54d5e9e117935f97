"""The matte: whole where the face is, nothing where nobody is, free of the background's colour between."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from zero1toa.heads import facemesh
from zero1toa.portrait.crop import apply_matrix, crop_portrait
from zero1toa.portrait.detect import detect_faces
from zero1toa.portrait.load import Photo, load_photo
from zero1toa.portrait.matte import make_trimap, matte_portrait, person_probability

GREEN = np.array([0.05, 0.85, 0.1], np.float32)


@pytest.fixture(scope="module")
def demo():
    photo = load_photo("demo")
    (face,) = detect_faces(photo.image)
    crop = crop_portrait(photo, face.landmarks)
    landmarks = apply_matrix(crop.matrix, face.landmarks)
    return crop, landmarks, matte_portrait(crop, landmarks)


def oval(landmarks, size=512):
    canvas = Image.new("1", (size, size))
    ImageDraw.Draw(canvas).polygon([tuple(map(float, p)) for p in landmarks[list(facemesh.OVAL), :2]], fill=1)
    return np.asarray(canvas)


def parts(mask):
    """How many connected parts of more than 20 px there are; single strands of hair may stand apart."""
    labels, _ = ndimage.label(mask)
    return int((np.bincount(labels[mask]) > 20).sum())


def test_shapes_and_ranges(demo):
    _, _, matte = demo
    assert matte.alpha.shape == (512, 512)
    assert matte.foreground.shape == (512, 512, 3)
    assert matte.alpha.dtype == matte.foreground.dtype == np.float32
    assert matte.alpha.min() == 0
    assert matte.alpha.max() == 1
    assert matte.foreground.min() >= 0
    assert matte.foreground.max() <= 1


def test_the_face_is_whole_and_the_surroundings_empty(demo):
    crop, landmarks, matte = demo
    assert matte.alpha[oval(landmarks)].min() > 0.9
    assert matte.alpha[:40].max() == 0
    assert matte.alpha[:250, :80].max() == 0
    assert matte.alpha[:250, -80:].max() == 0
    assert matte.alpha[470:, 200:300].min() > 0.95  # the dark suit below the chin
    assert matte.alpha[~crop.valid].max() == 0


def test_nothing_hangs_in_the_air_and_nothing_is_pierced(demo):
    _, _, matte = demo
    assert parts(matte.alpha > 0.5) == 1
    assert parts(np.pad(matte.alpha < 0.5, 1, constant_values=True)) == 1


def test_only_a_narrow_band_is_half_transparent(demo):
    _, _, matte = demo
    assert 0.003 < ((matte.alpha > 0.05) & (matte.alpha < 0.95)).mean() < 0.04


def test_person_and_background_make_the_picture(demo):
    """alpha F + (1 - alpha) B = I: where alpha is 1 the colours are the picture's."""
    crop, _, matte = demo
    solid = matte.alpha > 0.999
    np.testing.assert_allclose(matte.foreground[solid], crop.image[solid], atol=0.03)


def test_the_same_person_before_green_gets_the_same_matte_and_no_green(demo):
    crop, landmarks, matte = demo
    alpha = matte.alpha[..., None]
    before_green = dataclasses.replace(crop, image=matte.foreground * alpha + GREEN * (1 - alpha))
    again = matte_portrait(before_green, landmarks)
    assert np.abs(again.alpha - matte.alpha).mean() < 0.01
    edge = (again.alpha > 0.2) & (again.alpha < 0.9)
    seen = again.foreground[edge]
    greener = (seen[:, 1] - seen[:, [0, 2]].max(1)).clip(0)
    mixed = before_green.image[edge]
    assert greener.mean() < 0.2 * (mixed[:, 1] - mixed[:, [0, 2]].max(1)).clip(0).mean()


def test_a_cut_out_photo_keeps_its_own_matte(demo):
    _, landmarks, matte = demo
    alpha = matte.alpha[..., None]
    cut = Photo(matte.foreground * alpha + 0.5 * (1 - alpha), matte.alpha, "cut")
    again_crop = crop_portrait(cut, landmarks)
    again = matte_portrait(again_crop, apply_matrix(again_crop.matrix, landmarks))
    assert again_crop.alpha is not None
    np.testing.assert_allclose(again.alpha[again_crop.valid], again_crop.alpha[again_crop.valid], atol=1e-6)


def test_rounded_corners_are_no_cut_out(demo):
    crop, landmarks, matte = demo
    corners = np.ones((512, 512), np.float32)
    corners[:60, :60] = 0
    again = matte_portrait(dataclasses.replace(crop, alpha=corners), landmarks)
    np.testing.assert_allclose(again.alpha, matte.alpha * corners, atol=1e-6)


def test_trimap_knows_the_face_and_asks_at_the_hair(demo):
    crop, landmarks, _ = demo
    trimap = make_trimap(person_probability(crop.image, landmarks), landmarks)
    assert set(np.unique(trimap)) == {0.0, 0.5, 1.0}
    top = landmarks[10]
    column = trimap[: int(top[1]), int(top[0])]
    assert (column == 0.5).sum() > 15  # above the forehead
    chin = landmarks[152].astype(int)
    assert trimap[chin[1] - 10, chin[0]] == 1


def test_a_speck_that_looks_like_a_person_is_no_part_of_the_trimap():
    landmarks = np.zeros((478, 3))
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    landmarks[list(facemesh.OVAL), :2] = 256 + 60 * np.stack([np.sin(angle), -np.cos(angle)], 1)
    probability = np.zeros((512, 512))
    probability[150:400, 150:360] = 1
    probability[30:60, 30:60] = 1
    trimap = make_trimap(probability, landmarks)
    assert trimap[45, 45] != 1
    assert trimap[300, 250] == 1
