"""Irises are found, eyeballs aimed at them, and eyes have a white that no lash or lid has coloured."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.heads import JOINTS, load_head
from zero1toa.portrait.eye_aim import aim_eyes
from zero1toa.portrait.eyes import PARTS, EyeLook, across_axis, eye_looks, front_of_eyes
from zero1toa.portrait.iris import IRISES, RINGS, find_iris
from zero1toa.portrait.surface import PhotoSurface
from zero1toa.symgen.create import personal_head

SKIN, WHITE, IRIS = (0.7, 0.55, 0.45), (0.85, 0.83, 0.8), (0.25, 0.18, 0.1)


def drawn_eye(middle, radius, lids=(-7.0, 8.0)):
    """A picture (64, 96, 3) of an eye between two lids around (48, 32), and landmarks that are off by up to 2 px."""
    y, x = np.mgrid[:64, :96] + 0.5
    picture = np.full((64, 96, 3), SKIN, np.float32)
    half = 24 * np.sqrt(np.maximum(0, 1 - ((x - 48) / 26) ** 2)) / 24
    opening = (y > 32 + lids[0] * half) & (y < 32 + lids[1] * half)
    picture[opening] = WHITE
    picture[opening & (np.hypot(x - middle[0], y - middle[1]) < radius)] = IRIS
    landmarks = np.zeros((478, 3), np.float32)
    turn = np.linspace(0, 2 * np.pi, 17)[:16]
    landmarks[list(RINGS["Left"]), 0] = 48 + 26 * np.cos(turn)
    edge = np.where(np.sin(turn) > 0, lids[1], -lids[0])
    landmarks[list(RINGS["Left"]), 1] = 32 + edge * np.sin(turn)
    guess = np.add(middle, (1.0, 1.3))
    offsets = np.array([(0, 0), (1, 0), (0, -1), (-1, 0), (0, 1)]) * radius * 1.05
    landmarks[list(IRISES["Left"]), :2] = guess + offsets
    return picture, landmarks


@pytest.mark.parametrize("middle", [(48.0, 32.0), (44.0, 31.0), (52.5, 33.0)])
def test_an_iris_between_lids_is_found_closer_than_its_landmarks(middle):
    picture, landmarks = drawn_eye(middle, 10.0)
    found = find_iris(picture, landmarks, "Left")
    assert np.linalg.norm(found.middle - middle) < 1.0 < np.hypot(1.0, 1.3)
    assert found.radius == pytest.approx(10, abs=0.7)


def test_where_no_edge_is_seen_the_landmarks_are_believed():
    picture, landmarks = drawn_eye((48.0, 32.0), 10.0)
    found = find_iris(np.full_like(picture, 0.5), landmarks, "Left")
    assert found.middle == pytest.approx([49, 33.3]) and found.radius == pytest.approx(10.5)


def test_an_aimed_eye_looks_where_the_photos_does(demo_portrait):
    model = load_head()
    head = model.personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))
    aimed = aim_eyes(head, demo_portrait)
    expression, pose = (torch.as_tensor(a, dtype=torch.float32) for a in (demo_portrait.expression, demo_portrait.pose))
    for side in ("Left", "Right"):
        ball = head.topology.part_vertices(f"eye{side}")
        iris = np.argmin(np.where(ball, across_axis(head.topology, aimed.vertices.numpy(), f"eye{side}"), np.inf))
        place = demo_portrait.camera.project(aimed.pose(expression, pose).numpy()[[iris]].astype(np.float64))[0, :2]
        found = find_iris(demo_portrait.image, demo_portrait.landmarks, side)
        assert np.linalg.norm(place - found.middle) < 1.0
        joint = head.joints[JOINTS.index(f"eye{side}")]
        before, after = ((of.vertices[ball] - joint).norm(dim=-1) for of in (head, aimed))
        torch.testing.assert_close(before, after, atol=1e-6, rtol=0)
    rest = ~head.topology.part_vertices(*PARTS)
    assert torch.equal(head.vertices[rest], aimed.vertices[rest])


def test_a_closed_or_averted_eye_is_not_aimed(demo_portrait):
    head = load_head().personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))
    shut = demo_portrait.expression.copy()
    shut[[0, 7]] = 1  # eyeBlink of both sides, ARKit's order
    assert torch.equal(aim_eyes(head, replace(demo_portrait, expression=shut)).vertices, head.vertices)


def test_a_look_is_an_iris_in_white_and_trusts_no_lash():
    look = EyeLook(np.array([0.8, 0.78, 0.76]), np.tile([[0.1, 0.1, 0.1]], (14, 1)), 0.0056)
    colors = look.colors(np.array([0.0, 0.004, 0.009]))
    assert colors[:2] == pytest.approx(0.1) and colors[2] == pytest.approx(look.white)
    dark, light = np.full((1, 3), 0.2), np.full((1, 3), 0.95)
    outside, inside = np.array([0.009]), np.array([0.003])
    assert look.trust(outside, dark) == 0 and look.trust(outside, light) == 1
    assert look.trust(inside, dark) == 1 and look.trust(inside, light) == 1  # a reflected lamp


def test_eyes_of_the_demo_have_dark_irises_and_a_white_brighter_than_the_skin(demo_portrait):
    surface = PhotoSurface(demo_portrait, personal_head(demo_portrait))
    for look in surface.eyes.values():
        assert look.rings[:5].mean() < 0.5 < 0.65 < look.white.mean() < 0.95
        assert 0.005 < look.radius < 0.009
    hidden = eye_looks(demo_portrait, surface.topology, surface.rest, surface.buffers._replace(
        face=np.full_like(surface.buffers.face, -1)), np.array(SKIN))  # fmt: skip
    for look in hidden.values():
        assert look.white.mean() > np.mean(SKIN) and look.rings[0].mean() < 0.2


def test_what_no_turn_of_an_eye_shows_needs_no_splats(demo_portrait):
    head = personal_head(demo_portrait)
    front = front_of_eyes(head.topology, head.vertices.numpy())
    ball = head.topology.part_vertices("eyeLeft")
    iris = ball & (head.topology.regions["iris"] > 0.5)
    assert (
        (front[iris] == 1).all()
        and 0.2 < front[ball].mean() < 0.9
        and (front[~head.topology.part_vertices(*PARTS)] == 1).all()
    )
