"""The fit of the demo portrait: where it sits, what it says of the expression."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.config import FitConfig
from zero1toa.heads import arkit, facemesh, load_head
from zero1toa.heads.mesh_render import rasterize_mesh
from zero1toa.portrait.fit import fit_landmarks


def weight(portrait, name):
    return portrait.expression[arkit.INDEX[name]]


def test_the_demo_is_fitted_to_less_than_two_pixels(demo_portrait):
    assert demo_portrait.errors["mean"] < 1.8
    assert demo_portrait.errors["uncorrected"] < 2.1
    assert demo_portrait.errors["eyes"] < 2
    assert demo_portrait.errors["lips"] < 2


def test_the_smiling_astronaut_smiles_with_open_eyes(demo_portrait):
    assert min(weight(demo_portrait, "mouthSmileLeft"), weight(demo_portrait, "mouthSmileRight")) > 0.35
    assert max(weight(demo_portrait, "eyeBlinkLeft"), weight(demo_portrait, "eyeBlinkRight")) < 0.3
    assert max(weight(demo_portrait, "mouthFrownLeft"), weight(demo_portrait, "mouthPucker")) < 0.2


def test_her_neutral_face_has_closed_lips(demo_portrait):
    head = load_head(demo_portrait.head)
    person = head.personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))
    upper, lower = 13, 14  # the middle of the inner lips
    posed = head.landmarks(person.pose(torch.as_tensor(demo_portrait.expression, dtype=torch.float32))[None])[0]
    neutral = head.landmarks(person.vertices[None])[0]
    open_now = (posed[upper] - posed[lower]).norm()
    assert open_now > 0.004  # her teeth show in the photo
    assert (neutral[upper] - neutral[lower]).norm() < 0.3 * open_now


def test_the_mesh_lies_on_the_person(demo_portrait):
    head = load_head(demo_portrait.head)
    person = head.personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))
    expression = torch.as_tensor(demo_portrait.expression, dtype=torch.float32)
    vertices = person.pose(expression, torch.as_tensor(demo_portrait.pose, dtype=torch.float32)).numpy()
    covered = rasterize_mesh(vertices, head.topology.faces, demo_portrait.camera).face >= 0
    chin = int(demo_portrait.landmarks[152, 1])
    head_part = covered[:chin]
    assert (demo_portrait.alpha[:chin][head_part] > 0.5).mean() > 0.97


def test_the_torso_stands_nearly_upright(demo_portrait):
    up = demo_portrait.camera.viewmat[:3, :3] @ [0, 1, 0]
    assert np.degrees(np.arccos(-up[1])) < 12


def test_fitting_twice_gives_the_same_numbers(demo_portrait):
    import zero1toa

    again = zero1toa.fit("demo")
    np.testing.assert_array_equal(again.identity, demo_portrait.identity)
    np.testing.assert_array_equal(again.expression, demo_portrait.expression)


@pytest.mark.parametrize(
    "name", ["painting_mona", "painting_child", "cartoon_boy", "photo_bw", "open_mouth", "painting_side"]
)
def test_portraits_of_other_kinds_are_fitted(shared_pictures, name):
    import zero1toa

    portrait = zero1toa.fit(shared_pictures / f"{name}.jpg")
    assert portrait.errors["mean"] <= 1.85
    assert np.abs(portrait.identity).max() < 4
    if name == "open_mouth":
        assert weight(portrait, "jawOpen") > 0.6
    else:
        assert weight(portrait, "jawOpen") < 0.45


def test_landmark_groups_cover_both_sides_alike():
    assert len(facemesh.EYE_LEFT) == len(facemesh.EYE_RIGHT) == 16
    assert len(facemesh.BROW_LEFT) == len(facemesh.BROW_RIGHT) == 10
    everything = [*facemesh.LIPS, *facemesh.EYES, *facemesh.BROWS, *facemesh.IRISES, *facemesh.OVAL]
    assert len(set(everything)) == len(everything) and max(everything) < facemesh.NUM_LANDMARKS


def test_a_head_whose_landmarks_lie_elsewhere_does_not_change_the_expression(demo_portrait):
    """The learned prior compares with the head that it was learned on: 3 mm elsewhere are no frown."""
    head = load_head()
    corners = torch.as_tensor(head.topology.regions["lips"]) * (head.template[:, 0].abs() > 0.015)
    moved = replace(head, template=head.template + 0.003 * corners[:, None] * torch.tensor([0.0, 1.0, 0.0]))
    fit = fit_landmarks(moved, demo_portrait.landmarks, len(demo_portrait.image), FitConfig())
    assert abs(fit.solution.expression - demo_portrait.expression).max() < 0.25
