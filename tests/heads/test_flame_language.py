"""FLAME's parameters to ARKit weights and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from flame_fixtures import flame_file
from zero1toa.heads import arkit, load_head
from zero1toa.heads.flame.file import read_flame
from zero1toa.heads.flame.language import FlameExpression, FlameLanguage
from zero1toa.heads.sampling import sample_expressions
from zero1toa.motion.flame import head_after_neck


@pytest.fixture(scope="module")
def language():
    return FlameLanguage(read_flame(flame_file()), load_head(f"flame:{flame_file()}"))


@pytest.fixture(scope="module")
def weights():
    return sample_expressions(30, np.random.default_rng(3))


def test_arkit_to_flame_and_back(language, weights):
    face = language.to_flame(weights)
    back = language.to_arkit(face)
    neutral = language.error(np.zeros_like(weights), face).mean()
    assert language.error(weights, face).mean() < 0.1 * neutral  # metres: FLAME says what ARKit says
    assert language.error(back, face).mean() < 0.1 * neutral
    assert abs(back - weights).mean() < 0.02
    assert back.min() >= 0 and back.max() <= 1
    strong = weights > 0.5
    assert abs(back - weights)[strong].mean() < 0.05


def test_flame_to_arkit_and_back(language):
    rng = np.random.default_rng(0)
    jaw = np.abs(rng.normal(size=(12, 3))) * [0.1, 0.02, 0]
    face = FlameExpression(rng.normal(size=(12, 100)) * 0.2, jaw, np.zeros((12, 2, 3)))
    once = language.to_arkit(face)
    neutral = language.error(np.zeros_like(once), face).mean()
    assert language.error(once, face).mean() < 0.4 * neutral  # random components are not all faces people make
    twice = language.to_arkit(language.to_flame(once))
    assert abs(twice - once).mean() < 0.03


def test_gaze_goes_by_the_eyes(language):
    weights = np.zeros((2, 52))
    weights[0, arkit.INDEX["eyeLookOutLeft"]] = 0.7
    weights[1, [arkit.INDEX["eyeLookUpLeft"], arkit.INDEX["eyeLookUpRight"]]] = 0.5
    face = language.to_flame(weights)
    np.testing.assert_allclose(face.eyes[0, 0], [0, np.radians(0.7 * 30), 0], atol=1e-6)
    looks = [k for k, name in enumerate(arkit.NAMES) if name.startswith("eyeLook")]
    np.testing.assert_allclose(language.to_arkit(face)[:, looks], weights[:, looks], atol=1e-6)


def test_neutral_is_neutral(language):
    face = language.to_flame(np.zeros(52))
    assert not face.expression.any() and not face.jaw.any() and not face.eyes.any()
    assert language.to_arkit(face).max() < 1e-6


def test_fewer_components_are_enough(language, weights):
    face = language.to_flame(weights[:2])
    short = FlameExpression(face.expression[:, :50], face.jaw, face.eyes)
    assert language.to_arkit(short).shape == (2, 52)


def test_the_roots_turn_goes_into_the_head():
    rng = np.random.default_rng(1)
    root, neck = rng.normal(size=(2, 5, 3)) * 0.4
    ours_neck, ours_head = neck, head_after_neck(root, neck)
    turned = Rotation.from_rotvec(ours_neck) * Rotation.from_rotvec(ours_head)
    expected = Rotation.from_rotvec(root) * Rotation.from_rotvec(neck)
    np.testing.assert_allclose(turned.as_matrix(), expected.as_matrix(), atol=1e-12)
