from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from zero1toa.tracking.fill import Curves, fill
from zero1toa.tracking.result import FILLED, LOST, TRACKED


def _curves(known: np.ndarray) -> Curves:
    """Weights that rise with the frame's number, a head that turns a degree a frame and moves a centimetre."""
    weights = np.tile(known[:, None] / 100, (1, 52))
    rotation = Rotation.from_euler("y", known[:, None], degrees=True).as_matrix()
    return Curves(weights, rotation, np.stack([known / 100.0] * 3, 1))


def test_a_short_gap_is_interpolated() -> None:
    known = np.array([0, 1, 2, 8, 9])
    curves, state = fill(10, known, _curves(known), 25)
    assert state.tolist() == [TRACKED] * 3 + [FILLED] * 5 + [TRACKED] * 2
    whole = _curves(np.arange(10))
    for filled, expected in zip(curves, whole, strict=True):
        assert filled == pytest.approx(expected)


def test_in_a_long_gap_the_face_comes_to_rest() -> None:
    known = np.array([0, 1, 60, 61])
    curves, state = fill(62, known, _curves(known), 25)
    assert (state[2:60] == LOST).all()
    assert curves.weights[30] == pytest.approx(0)
    assert curves.weights[59, 0] > 0.5  # near the frame in which the face is seen again
    assert np.abs(np.diff(curves.weights[45:62, 0])).max() < 0.15


def test_before_and_after_the_head_keeps_still() -> None:
    known = np.array([30, 31])
    curves, state = fill(60, known, _curves(known), 25)
    assert (state[:30] == LOST).all()
    assert (state[32:] == LOST).all()
    assert curves.rotation[0] == pytest.approx(_curves(known).rotation[0])
    assert curves.translation[59] == pytest.approx(_curves(known).translation[1])


def test_one_known_frame_is_enough() -> None:
    known = np.array([2])
    curves, state = fill(5, known, _curves(known), 25)
    assert (state == TRACKED).tolist() == [False, False, True, False, False]
    assert np.isfinite(curves.weights).all()
    assert np.isfinite(curves.rotation).all()
