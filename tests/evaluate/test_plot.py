import numpy as np
import pytest

from zero1toa.evaluate.plot import dot_plot, line_plot


def dark_columns(picture, row):
    """Columns of a row's middle where something blue is drawn, right of the names."""
    band = picture[56 + 34 * row + 4 : 56 + 34 * row + 30, 170:560]
    return np.flatnonzero((band[..., 2] - band[..., 0] > 0.15).any(0))


def test_larger_values_lie_farther_to_the_right():
    picture = dot_plot("things", {"small": [1.0, 1.2], "large": [3.0], "none": []})
    assert picture.shape == (56 + 3 * 34 + 36, 640, 3) and picture.min() >= 0 and picture.max() <= 1
    small, large = dark_columns(picture, 0), dark_columns(picture, 1)
    assert small.max() < large.min()
    assert len(dark_columns(picture, 2)) == 0


def test_one_value_alone_can_be_drawn_and_what_is_no_number_cannot():
    assert len(dark_columns(dot_plot("one", {"a": [2.0]}), 0)) > 0
    with pytest.raises(AssertionError, match="finite"):
        dot_plot("bad", {"a": [float("nan")]})


def test_a_line_lies_where_its_values_are_and_breaks_where_there_are_none():
    picture = line_plot("things", [0, 1, 2, 3], {"low": [0, 0, float("nan"), 0], "high": [1, 1, 1, 1]})
    blue = (picture[..., 2] - picture[..., 0] > 0.2)[56:206, 62:445]
    orange = (picture[..., 0] - picture[..., 2] > 0.2)[56:206, 62:445]
    assert np.nonzero(orange)[0].max() < np.nonzero(blue)[0].min()
    assert orange.any(0).mean() > 0.9 and 0.2 < blue.any(0).mean() < 0.5


def test_lines_need_a_number_for_each_place():
    with pytest.raises(AssertionError, match="each place"):
        line_plot("bad", [0, 1], {"a": [1.0]})
