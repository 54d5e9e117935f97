"""Lines as OpenCV draws them, pictures as the models' authors drew them."""

import numpy as np
import pytest

from zero1toa.priors.animate_anyone.landmark_image import (
    ANIPORTRAIT_STYLE,
    FOLLOW_YOUR_EMOJI_STYLE,
    STYLES,
    draw_landmarks,
)
from zero1toa.priors.animate_anyone.lines import draw_line, resize


@pytest.mark.parametrize("name", STYLES)
def test_pictures_are_the_published_drawers_byte_by_byte(name):
    pytest.importorskip("diffusers")
    from benchmarks.diffusion_parity import landmark_row

    assert landmark_row(name).error == 0


def test_which_lines_there_are():
    assert len(ANIPORTRAIT_STYLE.edges) == 114
    assert len(FOLLOW_YOUR_EMOJI_STYLE.edges) == 94
    assert all(0 <= index < 468 for style in STYLES.values() for _, *ends in style.edges for index in ends)


def pixels(start, end, thickness, size=9):
    image = np.zeros((size, size, 1), np.uint8)
    draw_line(image, start, end, (1,), thickness)
    return image[..., 0]


@pytest.mark.parametrize("thickness", [1, 2])
@pytest.mark.parametrize(("start", "end"), [((1, 1), (7, 3)), ((2, 7), (3, 1)), ((4, 4), (4, 4)), ((0, 0), (8, 8))])
def test_a_line_has_no_direction(thickness, start, end):
    if thickness == 1 and start != end and abs(end[0] - start[0]) != abs(end[1] - start[1]):
        assert pixels(start, end, 1).sum() == max(abs(end[0] - start[0]), abs(end[1] - start[1])) + 1
    np.testing.assert_array_equal(pixels(start, end, thickness), pixels(end, start, thickness))


def test_a_thick_line_of_no_length_is_a_plus():
    expected = np.zeros((9, 9), np.uint8)
    expected[4, 3:6] = expected[3:6, 4] = 1
    np.testing.assert_array_equal(pixels((4, 4), (4, 4), 2), expected)


def test_a_thick_line_along_the_border_stays_inside():
    assert pixels((0, 0), (8, 0), 2)[0].all()
    assert pixels((0, 0), (8, 0), 2)[2:].sum() == 0


def test_a_picture_of_its_size_is_left_alone_and_a_flat_one_stays_flat():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    assert resize(image, 8, 6) is image
    assert (resize(np.full((6, 8, 3), 77, np.uint8), 5, 11) == 77).all()
    np.testing.assert_array_equal(resize(image, 4, 3)[0, 0], np.round(image[:2, :2].mean((0, 1)) + 1e-6))


def test_what_lies_outside_or_is_unknown_is_not_drawn():
    points = np.full((478, 2), 2.0)
    assert not draw_landmarks(points, ANIPORTRAIT_STYLE).any()
    assert not draw_landmarks(np.full((478, 2), np.nan), FOLLOW_YOUR_EMOJI_STYLE).any()
    assert draw_landmarks(np.full((478, 2), 0.5), FOLLOW_YOUR_EMOJI_STYLE).any()
