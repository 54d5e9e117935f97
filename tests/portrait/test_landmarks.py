"""Laws of the landmark algebra."""

import numpy as np

from zero1toa.heads import facemesh
from zero1toa.portrait.landmarks import MIRROR, apply_matrix, invert_matrix, mirrored


def test_mirroring_twice_is_nothing():
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(facemesh.NUM_LANDMARKS))
    points = np.random.default_rng(0).normal(size=(2, 478, 3))
    np.testing.assert_allclose(mirrored(mirrored(points, 192), 192), points)


def test_groups_mirror_onto_each_other():
    for left, right in (
        (facemesh.EYE_LEFT, facemesh.EYE_RIGHT),
        (facemesh.BROW_LEFT, facemesh.BROW_RIGHT),
        (facemesh.IRIS_LEFT, facemesh.IRIS_RIGHT),
        (facemesh.LIPS, facemesh.LIPS),
        (facemesh.OVAL, facemesh.OVAL),
    ):
        assert {int(i) for i in MIRROR[list(left)]} == set(right)


def test_a_similarity_is_undone_by_its_inverse_and_scales_depth():
    angle, scale = 0.4, 2.5
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.concatenate([linear, [[3.0], [-7.0]]], 1)
    points = np.random.default_rng(1).normal(size=(478, 3))
    moved = apply_matrix(matrix, points)
    np.testing.assert_allclose(moved[:, 2], points[:, 2] * scale)
    np.testing.assert_allclose(apply_matrix(invert_matrix(matrix), moved), points, atol=1e-12)
