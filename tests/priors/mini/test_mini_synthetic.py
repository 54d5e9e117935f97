"""Synthetic portraits: the same from the same seed, exact truth, held-out persons apart."""

import numpy as np
import pytest

from zero1toa.priors.mini.accessories import HELD_OUT_HAIR, hair_shell
from zero1toa.priors.mini.person import HELD_OUT_FROM, random_person, varied_look
from zero1toa.priors.mini.synthetic import FRAMES, SIZE, sitting


@pytest.fixture(scope="module")
def one():
    return sitting(3, 2, faultless=True)


def test_a_sitting_has_the_shapes_it_promises(one):
    assert one.photo.shape == (SIZE, SIZE, 3) and one.photo.dtype == np.uint8
    for clip in one.clips:
        assert clip.frames.shape == clip.condition.shape == clip.landmarks.shape == (FRAMES, SIZE, SIZE, 3)
        assert clip.known.shape == (FRAMES, SIZE, SIZE, 2)
        assert clip.yaw.shape == (FRAMES,) and np.abs(clip.yaw).max() <= 75


def test_the_same_seed_gives_the_same_pictures(one):
    again = sitting(3, 2, faultless=True)
    np.testing.assert_array_equal(again.photo, one.photo)
    for first, second in zip(again.clips, one.clips):
        np.testing.assert_array_equal(first.frames, second.frames)
        np.testing.assert_array_equal(first.condition, second.condition)


def test_other_seeds_are_other_persons(one):
    other = sitting(4, 1, faultless=True)
    assert np.abs(other.photo.astype(int) - one.photo).mean() > 10


def test_a_sure_pixel_of_the_reprojection_is_near_the_truth(one):
    wrong, right = [], []
    for clip in one.clips:
        error = np.abs(clip.frames.astype(float) - clip.condition).mean(-1)
        sure, unsure = clip.known[..., 0] > 242, clip.known[..., 0] < 10
        right.append(error[sure])
        wrong.append(error[unsure & (clip.alpha > 0)])
    assert np.concatenate(right).mean() < 12
    assert np.concatenate(right).mean() < np.concatenate(wrong).mean()


def test_the_background_stands_still_beside_the_person(one):
    clip = one.clips[0]
    free = (clip.alpha == 0).all(0)
    assert free.sum() > 200
    assert np.ptp(clip.frames[:, free].astype(int), axis=0).max() <= 1


def test_landmark_lines_lie_on_the_face(one):
    clip = one.clips[0]
    drawn = clip.landmarks.max(-1) > 60
    assert drawn.any() and (clip.alpha[drawn] > 0).mean() > 0.95


def test_reserved_looks_are_seen_in_held_out_persons_only():
    rng = np.random.default_rng(0)
    trained = [varied_look(rng, held_out=False) for _ in range(150)]
    held = [varied_look(rng, held_out=True) for _ in range(60)]
    assert not any(kind in HELD_OUT_HAIR for _, kind in trained)
    assert not any(0.42 < np.mean(look.skin) < 0.52 for look, _ in trained)
    assert any(kind in HELD_OUT_HAIR for _, kind in held)
    assert all(0.41 < np.mean(look.skin) < 0.53 for look, _ in held)


def test_held_out_persons_begin_at_their_own_seeds():
    assert any(random_person(HELD_OUT_FROM + i).held_out_look for i in range(6))
    assert not any(random_person(i).held_out_look for i in range(3))


@pytest.mark.parametrize("kind", ["long", "bob", "fringe", "bun"])
def test_hair_is_a_surface_about_the_head(kind):
    extra = hair_shell(kind, np.array([0.3, 0.2, 0.1]), np.ones(3), np.random.default_rng(1))
    assert len(extra.faces) > 50 and extra.faces.max() < len(extra.vertices)
    assert np.isfinite(extra.vertices).all()
    assert extra.colors.min() >= 0 and extra.colors.max() <= 1
    assert np.abs(extra.vertices[:, 0]).max() < 0.2
