"""The fast player draws what the slow, plain functions draw."""

import numpy as np
import pytest
import torch

from zero1toa.errors import InputError
from zero1toa.heads import arkit
from zero1toa.motion import builtin
from zero1toa.playback import Playback


@pytest.fixture(scope="module")
def lively():
    motion = builtin("talk", 1.0, 10, seed=3)
    eyes = np.random.default_rng(0).normal(0, 0.1, (10, 2, 3)).astype(np.float32)
    return motion.of(10, motion.weights, motion.head * 2, motion.neck, eyes)


def test_the_rig_is_that_of_the_head(debug_avatar, lively):
    for frame in (0, 4, 9):
        part = slice(frame, frame + 1)
        fast = debug_avatar.playback.pose(lively.weights[part], lively.poses[part])
        slow = debug_avatar.head.pose(torch.tensor(lively.weights[frame]), torch.tensor(lively.poses[frame]))
        np.testing.assert_allclose(fast, slow.numpy(), atol=2e-6)


def test_a_mouth_that_closes_more_than_it_opens(debug_avatar):
    weights = np.zeros((1, 52), np.float32)
    weights[0, arkit.INDEX["mouthClose"]] = 0.7
    weights[0, arkit.INDEX["jawOpen"]] = 0.3
    fast = debug_avatar.playback.pose(weights, np.zeros((1, 6, 3)))
    np.testing.assert_allclose(fast, debug_avatar.head.pose(torch.tensor(weights[0])).numpy(), atol=2e-6)


@pytest.mark.parametrize("background", [(0.2, 0.5, 0.9), None])
def test_pictures_are_those_of_render(debug_avatar, lively, background):
    camera = debug_avatar.front_camera(20, size=(96, 128))
    assert (camera.width, camera.height) == (96, 128)
    fast = debug_avatar.playback.draw(lively.weights, lively.poses, [camera] * 10, background)
    assert fast.dtype == np.uint8 and fast.shape == (10, 128, 96, 3 if background else 4)
    for frame in (0, 5, 9):
        slow = debug_avatar.render(camera, lively.expression(frame), lively.pose(frame), background)
        if background is None:  # colour where nothing is has no meaning
            slow, shown = slow * slow[..., 3:], fast[frame] / 255 * (fast[frame][..., 3:] / 255)
        else:
            shown = fast[frame] / 255
        difference = np.abs(shown - slow)
        assert difference.mean() < 0.002 and np.percentile(difference, 99.9) < 0.02


def test_what_is_drawn_does_not_depend_on_the_neighbours(debug_avatar, lively):
    camera = debug_avatar.front_camera(size=64)
    player = Playback(debug_avatar.head, debug_avatar.splats)
    whole = player.draw(lively.weights, lively.poses, [camera] * 10)
    single = [player.draw(lively.weights[i : i + 1], lively.poses[i : i + 1], [camera])[0] for i in range(10)]
    np.testing.assert_array_equal(whole, single)
    other = player.draw(lively.weights[:1], lively.poses[:1], [debug_avatar.front_camera(size=32)])
    assert other.shape == (1, 32, 32, 3)


def test_zoom_and_distance(debug_avatar):
    camera = debug_avatar.front_camera()
    assert debug_avatar.front_camera(zoom=2).fx == pytest.approx(2 * camera.fx)
    near, far = (debug_avatar.front_camera(distance=d) for d in (0.5, 1.5))
    assert np.linalg.norm(far.position - near.position) == pytest.approx(1.0)
    assert near.fx == far.fx == camera.fx


def test_bad_requests(debug_avatar, lively):
    sizes = [debug_avatar.front_camera(size=32), debug_avatar.front_camera(size=48)]
    with pytest.raises(InputError, match="same size"):
        debug_avatar.playback.draw(lively.weights[:2], lively.poses[:2], sizes)
    with pytest.raises(InputError, match="not a number"):
        debug_avatar.playback.draw(np.full((1, 52), np.nan), np.zeros((1, 6, 3)), sizes[:1])
