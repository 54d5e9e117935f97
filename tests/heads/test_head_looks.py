"""What must be visible on the default head and what must not, measured on renders."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zero1toa.camera import Camera
from zero1toa.heads import LinearHead, arkit
from zero1toa.heads.mesh_render import rasterize_mesh

EYES = (0.0, 0.0141, 0.04)  # metres: what the close-up cameras look at
MOUTH = (0.0, -0.055, 0.04)
DENTITION = ("teethUpper", "teethLower", "gumsUpper", "gumsLower")


def close_up(target: tuple[float, float, float], yaw: float = 0.0, pitch: float = 0.0) -> Camera:
    return Camera.orbit(yaw, pitch, distance=0.9, target=target, fov=8, size=256)  # 0.5 mm per pixel


def seen(head: LinearHead, vertices: np.ndarray, camera: Camera, *parts: str) -> np.ndarray:
    """(H, W) pixels that show one of the parts."""
    buffers = rasterize_mesh(vertices, head.topology.faces, camera)
    wanted = head.topology.part_faces(*parts)
    return (buffers.face >= 0) & wanted[buffers.face]


def test_closed_lids_cover_the_eyeballs_of_everybody(head, expression, people):
    blink = head.vertices(people(20), expression(eyeBlink=1)).numpy()
    for vertices in blink:
        for yaw, pitch in ((0, 0), (35, 0), (-35, 0), (0, 20), (0, -20)):
            assert not seen(head, vertices, close_up(EYES, yaw, pitch), "eyeLeft", "eyeRight").any()


def test_open_lids_show_the_eyeballs(head, expression):
    for weights in (expression(), expression(eyeWide=1), expression(eyeBlink=0.5)):
        vertices = head.vertices(torch.zeros(1, 1), weights)[0].numpy()
        assert seen(head, vertices, close_up(EYES), "eyeLeft", "eyeRight").sum() > 200


def test_the_lips_of_a_neutral_face_are_closed(head, expression, people):
    for vertices in head.vertices(people(15), expression()).numpy():
        for yaw in (0, 40):
            inside = seen(head, vertices, close_up(MOUTH, yaw), "mouth", "tongue", *DENTITION)
            assert inside.sum() <= 20  # pixels of 0.25 square millimetres


@pytest.mark.parametrize(
    ("weights", "parts", "least"),
    [
        ({"mouthSmile": 1, "mouthUpperUp": 0.4, "mouthLowerDown": 0.3, "jawOpen": 0.25}, ("teethUpper",), 700),
        ({"jawOpen": 1}, ("teethUpper",), 50),
        ({"jawOpen": 1}, ("teethLower",), 300),
        ({"jawOpen": 1}, ("tongue",), 1000),
        ({"mouthFunnel": 1}, ("teethUpper", "teethLower"), 150),
    ],
)
def test_an_open_mouth_shows_teeth_and_tongue(head, expression, weights, parts, least):
    vertices = head.vertices(torch.zeros(1, 1), expression(**weights))[0].numpy()
    assert seen(head, vertices, close_up(MOUTH), *parts).sum() > least


@pytest.mark.slow
def test_teeth_never_come_through_the_skin(head, people):
    """A tooth in front of skin that a head without teeth would show there, except through the open mouth."""
    topology = head.topology
    teeth = topology.part_faces(*DENTITION)
    rest = np.flatnonzero(~teeth)
    outside = topology.part_faces("skin") & ~np.any(topology.regions["lips"][topology.faces] > 0.05, 1)
    for identity in people(3):
        for name in arkit.NAMES:
            weights = torch.zeros(1, 52)
            weights[0, [arkit.INDEX[name], arkit.INDEX["jawOpen"]]] = torch.tensor(
                [1.0, 1.0 if name in ("jawOpen", "mouthClose", "tongueOut") else 0.0]
            )
            vertices = head.vertices(identity[None], weights)[0].numpy()
            for yaw, pitch in ((0, 0), (60, 10)):
                camera = close_up(MOUTH, yaw, pitch)
                whole = rasterize_mesh(vertices, topology.faces, camera).face
                bare = rasterize_mesh(vertices, topology.faces[rest], camera).face
                poking = (whole >= 0) & teeth[whole] & (bare >= 0) & outside[rest[bare]]
                assert not poking.any(), (name, int(poking.sum()))
