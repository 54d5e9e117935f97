"""Mixed faces are settled into ones that a person can make."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero1toa.heads import arkit
from zero1toa.motion.shapes import columns, mirrored, settle, shape


def test_a_name_without_a_side_stands_for_both():
    both = shape({"mouthSmile": 0.5, "jawOpen": 0.2, "mouthLeft": 0.1})
    named = {name: value for name, value in zip(arkit.NAMES, both, strict=True) if value}
    assert named == {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "jawOpen": 0.2, "mouthLeft": 0.1}
    with pytest.raises(KeyError):
        columns("mouthSmil")


def test_mirroring_twice_changes_nothing():
    weights = np.random.default_rng(0).random((3, 52))
    np.testing.assert_array_equal(mirrored(mirrored(weights)), weights)
    np.testing.assert_array_equal(mirrored(shape({"jawLeft": 1, "browDownRight": 0.5})),
                                  shape({"jawRight": 1, "browDownLeft": 0.5}))  # fmt: skip


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_any_mixture_becomes_a_face(seed):
    weights = settle(np.random.default_rng(seed).uniform(-0.5, 2, (20, 52)))
    assert weights.min() >= 0 and weights.max() <= 1
    assert (weights[:, arkit.INDEX["mouthClose"]] <= weights[:, arkit.INDEX["jawOpen"]]).all()
    for first, second in (("mouthSmileLeft", "mouthFrownLeft"), ("browDownRight", "browOuterUpRight")):
        assert not (weights[:, arkit.INDEX[first]] * weights[:, arkit.INDEX[second]]).any()


def test_the_stronger_of_two_opposed_movements_is_seen():
    smile, frown = arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthFrownLeft"]
    settled = settle(shape({"mouthSmile": 0.7, "mouthFrown": 0.3})[None])[0]
    assert settled[smile] == pytest.approx(0.4) and settled[frown] == 0


def test_rounded_lips_cannot_smile_broadly():
    settled = settle(shape({"mouthSmile": 0.8, "mouthPucker": 1.0})[None])[0]
    assert settled[arkit.INDEX["mouthSmileLeft"]] < 0.4
