"""Random expressions are faces that a person could make."""

import numpy as np

from zero1toa.heads import arkit
from zero1toa.heads.sampling import sample_expressions


def test_weights_are_valid_and_seeded():
    weights = sample_expressions(500, np.random.default_rng(3))
    assert weights.shape == (500, 52)
    assert weights.min() >= 0 and weights.max() <= 1
    np.testing.assert_array_equal(weights, sample_expressions(500, np.random.default_rng(3)))


def test_every_shape_but_the_tongue_is_practised():
    weights = sample_expressions(4000, np.random.default_rng(0))
    never = {name for name, column in zip(arkit.NAMES, weights.T, strict=True) if not column.any()}
    assert never == {"tongueOut"}


def test_opposed_movements_exclude_each_other():
    weights = sample_expressions(2000, np.random.default_rng(1))
    for first, second in (("mouthSmileLeft", "mouthFrownLeft"), ("eyeBlinkRight", "eyeWideRight")):
        assert not (weights[:, arkit.INDEX[first]] * weights[:, arkit.INDEX[second]]).any()
    assert (weights[:, arkit.INDEX["mouthClose"]] <= weights[:, arkit.INDEX["jawOpen"]]).all()


def test_both_eyes_look_the_same_way():
    weights = sample_expressions(500, np.random.default_rng(2))
    np.testing.assert_array_equal(weights[:, arkit.INDEX["eyeLookOutLeft"]], weights[:, arkit.INDEX["eyeLookInRight"]])
