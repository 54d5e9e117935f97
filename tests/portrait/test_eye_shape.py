"""Eyes take the shape that landmarks show."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.heads import JOINTS, arkit, facemesh, load_head
from zero1toa.portrait.eye_shape import fit_eyes
from zero1toa.priors.landmarks import project_landmarks


@pytest.fixture(scope="module")
def head(demo_portrait):
    return load_head("default").personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))


def drawn(head, portrait):
    vertices = head.pose(torch.tensor(portrait.expression).float(), torch.tensor(portrait.pose).float()).numpy()
    return project_landmarks(vertices[None], head.topology, [portrait.camera])[0]


def with_left_eye(head, portrait, matrix, step):
    """The portrait with landmarks of this very head, but for the left eye, which is mapped."""
    landmarks = drawn(head, portrait)
    ring = list(facemesh.EYE_LEFT)
    middle = landmarks[ring, :2].mean(0)
    landmarks[ring, :2] = middle + (landmarks[ring, :2] - middle) @ np.asarray(matrix).T + step
    return replace(portrait, landmarks=landmarks)


def distance(head, portrait, ring):
    return np.linalg.norm((drawn(head, portrait) - portrait.landmarks)[list(ring), :2], axis=1).mean()


@pytest.fixture(scope="module")
def wider(head, demo_portrait):
    portrait = with_left_eye(head, demo_portrait, [[1.15, 0.05], [0, 1.1]], [1.0, -0.5])
    return portrait, fit_eyes(head, portrait)


def test_an_eye_becomes_as_wide_as_in_the_photo_and_the_other_stays(head, wider):
    portrait, fitted = wider
    assert distance(fitted, portrait, facemesh.EYE_LEFT) < 0.25 * distance(head, portrait, facemesh.EYE_LEFT)
    right = head.topology.part_vertices("eyeRight")
    np.testing.assert_allclose(fitted.vertices[right], head.vertices[right], atol=1e-4)
    far = head.topology.regions["lips"] > 0.5
    assert torch.equal(fitted.vertices[far], head.vertices[far])


def test_lids_that_met_still_meet(head, wider):
    _, fitted = wider
    blink = torch.zeros(52)
    blink[arkit.INDEX["eyeBlinkLeft"]] = 1

    def gap(of):
        points = project_landmarks(of.pose(blink).numpy()[None], of.topology, [_front(of)])[0]
        return np.linalg.norm(points[386, :2] - points[374, :2])

    assert gap(fitted) < 1.3 * gap(head) + 0.2


def _front(head):
    from zero1toa.camera import Camera

    return Camera.orbit(distance=0.9, target=tuple(head.vertices.mean(0).tolist()), size=512)


def test_an_eyeball_stays_a_ball_about_its_joint(head, wider):
    _, fitted = wider
    ball = head.topology.part_vertices("eyeLeft")
    joint = JOINTS.index("eyeLeft")
    before = (head.vertices[ball] - head.joints[joint]).norm(dim=-1)
    after = (fitted.vertices[ball] - fitted.joints[joint]).norm(dim=-1)
    ratio = after / before
    assert float(ratio.std()) < 1e-4 and 1.05 < float(ratio.mean()) < 1.2


def test_landmarks_of_the_head_itself_change_nothing(head, demo_portrait):
    portrait = with_left_eye(head, demo_portrait, np.eye(2), [0.0, 0.0])
    torch.testing.assert_close(fit_eyes(head, portrait).vertices, head.vertices, atol=1e-5, rtol=0)


def test_wild_landmarks_move_an_eye_only_so_far(head, demo_portrait):
    portrait = with_left_eye(head, demo_portrait, 3 * np.eye(2), [200.0, 0.0])
    assert float((fit_eyes(head, portrait).vertices - head.vertices).norm(dim=-1).max()) < 0.02
