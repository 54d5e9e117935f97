"""A torso is found again where it was moved to, and not where it is not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from zero1toa.evaluate.torso import Torso

SIZE = 512


@pytest.fixture(scope="module")
def clothes():
    noise = np.random.default_rng(0).random((SIZE, SIZE, 3)).astype(np.float32)
    coarse = gaussian_filter(noise, (12, 12, 0)) * 14
    return (0.5 + (coarse - coarse.mean()) + 0.2 * (gaussian_filter(noise, (2, 2, 0)) - 0.5)).clip(0, 1)


@pytest.fixture(scope="module")
def landmarks(demo_portrait):
    return demo_portrait.landmarks * SIZE / len(demo_portrait.image)


def torso_of(image, landmarks):
    everywhere = np.ones((SIZE, SIZE))
    return Torso(image, everywhere.astype(np.float32), landmarks, everywhere > 0)


@pytest.mark.parametrize("moved", [(0.0, 0.0), (3.3, -1.6), (-22.0, 9.5)])
def test_it_is_found_where_it_went(clothes, landmarks, moved):
    other = np.stack([shift(clothes[..., c], moved[::-1], order=1, mode="reflect") for c in range(3)], -1)
    assert torso_of(clothes, landmarks).shift(other) == pytest.approx(moved, abs=0.25)


def test_what_happens_above_the_chin_does_not_matter(clothes, landmarks):
    other = clothes.copy()
    other[: int(landmarks[152, 1])] = 0
    assert torso_of(clothes, landmarks).shift(other) == pytest.approx([0, 0], abs=0.1)


def test_plain_clothes_and_no_clothes_are_not_followed(landmarks):
    plain = np.full((SIZE, SIZE, 3), 0.4, np.float32)
    torso = torso_of(plain, landmarks)
    assert not torso.seen and torso.shift(plain) is None
    low = landmarks + [0, SIZE, 0]
    assert not torso_of(plain, low).seen


def test_other_clothes_are_not_taken_for_the_same(clothes, landmarks):
    assert torso_of(clothes, landmarks).shift(clothes[::-1, ::-1]) is None
