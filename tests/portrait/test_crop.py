"""The crop is the photo, moved and scaled by its matrix."""

import numpy as np
import pytest

from zero1toa.portrait.crop import CROP_PER_FACE, RAISE, apply_matrix, crop_portrait
from zero1toa.portrait.load import Photo


def ramp(width=400, height=300):
    """A picture whose colours are its coordinates: linear, so that any resampling keeps them."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([x / width, y / height, np.full_like(x, 0.25)], -1).astype(np.float32)


def landmarks_in(left, top, side):
    points = np.zeros((478, 3))
    rng = np.random.default_rng(0)
    points[:, :2] = [left, top] + rng.random((478, 2)) * side
    points[0, :2], points[1, :2] = (left, top), (left + side, top + side)
    points[:, 2] = rng.normal(size=478)
    return points


@pytest.mark.parametrize(("left", "top", "side"), [(150.3, 120.7, 60.2), (120, 60, 130), (5, 10, 80), (330, 200, 90)])
@pytest.mark.parametrize("size", [512, 128])
def test_every_pixel_comes_from_where_the_matrix_says(left, top, side, size):
    photo = Photo(ramp(), None, "a")
    crop = crop_portrait(photo, landmarks_in(left, top, side), size)
    y, x = np.mgrid[:size, :size] + 0.5
    inverse = np.linalg.inv(np.vstack([crop.matrix, [0, 0, 1]]))
    source_x, source_y = x * inverse[0, 0] + inverse[0, 2], y * inverse[1, 1] + inverse[1, 2]
    inside = (source_x > 0) & (source_x < 400) & (source_y > 0) & (source_y < 300)
    near_edge = (np.minimum(abs(source_x), abs(source_x - 400)) < 1e-6 + 1 / crop.matrix[0, 0]) | (
        np.minimum(abs(source_y), abs(source_y - 300)) < 1e-6 + 1 / crop.matrix[1, 1]
    )
    np.testing.assert_array_equal(crop.valid[~near_edge], inside[~near_edge])
    reach = 3 * max(1, 1 / crop.matrix[0, 0])  # the resampling filter bends the ramp where the border repeats
    deep = (source_x > reach) & (source_x < 400 - reach) & (source_y > reach) & (source_y < 300 - reach)
    np.testing.assert_allclose(crop.image[deep][:, 0], source_x[deep] / 400, atol=2e-4)
    np.testing.assert_allclose(crop.image[deep][:, 1], source_y[deep] / 300, atol=2e-4)
    np.testing.assert_allclose(crop.image[..., 2], 0.25, atol=1e-5)


def test_the_face_has_its_place_and_size():
    points = landmarks_in(150, 100, 60)
    crop = crop_portrait(Photo(ramp(), None, "a"), points)
    moved = apply_matrix(crop.matrix, points)
    low, high = moved[:, :2].min(0), moved[:, :2].max(0)
    np.testing.assert_allclose(high - low, 512 / CROP_PER_FACE)
    np.testing.assert_allclose((low + high) / 2, [256, 256 + RAISE * 512])
    np.testing.assert_allclose(moved[:, 2], points[:, 2] * crop.matrix[0, 0])


def test_transparency_is_cropped_too():
    alpha = np.ones((300, 400), np.float32)
    alpha[:, 200:] = 0
    crop = crop_portrait(Photo(ramp(), alpha, "a"), landmarks_in(170, 120, 60))
    edge = 200 * crop.matrix[0, 0] + crop.matrix[0, 2]
    assert crop.alpha is not None
    row = crop.alpha[256]
    assert row[: int(edge) - 8].min() > 0.99
    assert row[int(edge) + 8 :].max() < 0.01
    assert crop.alpha[~crop.valid].max(initial=0) <= 0.5
