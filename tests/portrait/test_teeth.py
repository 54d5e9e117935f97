"""How far the upper teeth come down, read from pictures of a head whose teeth are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.camera import Camera
from zero1toa.heads import arkit, load_head
from zero1toa.heads.appearance import default_colors
from zero1toa.heads.mesh_render import rasterize_mesh, shade
from zero1toa.portrait.teeth import place_teeth, teeth_offsets
from zero1toa.symgen.create import personal_head

SMILE = {
    "mouthSmileLeft": 0.9,
    "mouthSmileRight": 0.9,
    "jawOpen": 0.5,
    "mouthUpperUpLeft": 0.3,
    "mouthUpperUpRight": 0.3,
}


@pytest.fixture(scope="module")
def head(demo_portrait):
    return load_head(demo_portrait.head).personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))


@pytest.fixture(scope="module")
def picture(demo_portrait, head):
    """A function that makes the portrait of the head with its upper teeth lower by some metres."""
    model, topology = load_head(demo_portrait.head), head.topology

    def take(lower=0.0, weights=SMILE, colors=None, pose=demo_portrait.pose):
        expression = torch.zeros(52)
        for name, weight in weights.items():
            expression[arkit.INDEX[name]] = weight
        moved = head.vertices.clone()
        moved[torch.as_tensor(topology.part_vertices("teethUpper", "gumsUpper")), 1] -= lower
        vertices = replace(head, vertices=moved).pose(expression, torch.as_tensor(pose, dtype=torch.float32))
        camera = demo_portrait.camera
        points = camera.project(model.landmarks(vertices[None])[0].numpy())
        image = shade(vertices.numpy(), topology, camera, colors)
        return replace(
            demo_portrait, image=image, landmarks=points, pose=pose, expression=expression.numpy().astype(np.float64)
        )

    return take


def edge_fall(head, offsets):
    """Metres that the incisors' edge comes down."""
    rest = head.vertices.numpy()
    front = np.flatnonzero(head.topology.part_vertices("teethUpper") & (np.abs(rest[:, 0]) < 0.008))
    return rest[front, 1].min() - (rest + offsets)[front, 1].min()


@pytest.mark.parametrize("lower", [-0.0015, 0.0, 0.0015, 0.003, 0.0045])
def test_a_known_height_of_the_teeth_is_recovered(head, picture, lower):
    assert edge_fall(head, teeth_offsets(head, picture(lower))) == pytest.approx(lower, abs=0.0008)


def test_brightness_alone_tells_teeth_in_a_picture_without_colour(head, picture):
    taken = picture(0.003)
    grey = np.repeat(taken.image.mean(-1, keepdims=True), 3, -1)
    assert edge_fall(head, teeth_offsets(head, replace(taken, image=grey))) == pytest.approx(0.003, abs=0.001)


@pytest.mark.parametrize(("lower", "bound"), [(0.008, 0.005), (-0.004, -0.002)])
def test_teeth_move_no_farther_than_their_bounds(head, picture, lower, bound):
    assert edge_fall(head, teeth_offsets(head, picture(lower))) == pytest.approx(bound, abs=1e-4)


def test_only_upper_teeth_and_gums_move_and_the_teeth_grow_first(head, picture):
    offsets = teeth_offsets(head, picture(0.0045))
    moved = np.linalg.norm(offsets, axis=-1)
    assert (moved[~head.topology.part_vertices("teethUpper", "gumsUpper")] == 0).all()
    assert (offsets[:, [0, 2]] == 0).all()
    gums = moved[head.topology.part_vertices("gumsUpper")].max()
    assert 0.002 < gums < edge_fall(head, offsets) - 0.001
    behind = (
        head.vertices.numpy()[:, 2] < head.vertices.numpy()[head.topology.part_vertices("teethUpper"), 2].max() - 0.045
    )
    assert (moved[behind] == 0).all()


@pytest.mark.parametrize("case", ["closed", "wide open", "no teeth", "tongue", "turned away"])
def test_a_picture_without_upper_teeth_leaves_the_head_as_it_is(head, picture, demo_portrait, case):
    colors = default_colors(head.topology)
    if case == "closed":
        taken = picture(0.003, {})
    elif case == "wide open":
        taken = picture(-0.02, {"jawOpen": 1.0})
    elif case == "turned away":
        pose = demo_portrait.pose.copy()
        pose[1:3, 1] += 0.3
        taken = picture(0.003, pose=pose)
    else:
        like = {"no teeth": (0.2, 0.1, 0.1), "tongue": (0.85, 0.45, 0.45)}[case]
        colors[head.topology.part_vertices("teethUpper", "teethLower", "gumsUpper", "tongue", "mouth")] = like
        taken = picture(0.003, colors=colors)
    assert not teeth_offsets(head, taken).any()
    assert place_teeth(head, taken) is head


def test_the_demo_s_teeth_come_down_and_stay_behind_closed_lips(head, demo_portrait):
    refined = personal_head(demo_portrait)
    assert 0.003 < edge_fall(head, (refined.vertices - head.vertices).numpy()) <= 0.005
    topology = head.topology
    teeth = topology.part_faces("teethUpper", "gumsUpper")
    lips = refined.vertices[torch.as_tensor(topology.regions["lips"] > 0.5)].mean(0)
    for weights in ({}, {"mouthPucker": 1.0}, {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}, {"mouthRollLower": 1.0}):
        expression = torch.zeros(52)
        for name, weight in weights.items():
            expression[arkit.INDEX[name]] = weight
        shown = []
        for whose in (head, refined):
            vertices = whose.pose(expression).numpy()
            for yaw in (0, 45):
                camera = Camera.orbit(yaw, distance=0.9, target=tuple(lips.tolist()), fov=8, size=256)
                face = rasterize_mesh(vertices, topology.faces, camera).face
                shown.append(int(((face >= 0) & teeth[face]).sum()))
        assert max(shown[2:]) <= max(shown[:2]) + 20, weights  # pixels of 0.25 square millimetres
