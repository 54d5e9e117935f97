"""The head's outline against the matte."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.heads import load_head
from zero1toa.heads.mesh_render import rasterize_mesh
from zero1toa.portrait.outline import refine_geometry, skin_offsets, tuck_in


@pytest.fixture(scope="module")
def plain(demo_portrait):
    return load_head(demo_portrait.head).personalize(torch.as_tensor(demo_portrait.identity, dtype=torch.float32))


def posed(head, portrait):
    expression, pose = (torch.as_tensor(x, dtype=torch.float32) for x in (portrait.expression, portrait.pose))
    return head.pose(expression, pose).numpy().astype(np.float64)


def overlap(head, portrait):
    covered = rasterize_mesh(posed(head, portrait), head.topology.faces, portrait.camera).face >= 0
    chin = int(portrait.landmarks[152, 1])
    covered, inside = covered[:chin], portrait.alpha[:chin] > 0.5
    return (covered & inside).sum() / (covered | inside).sum()


def test_the_features_stay_where_the_landmarks_put_them(plain, demo_portrait):
    refined = refine_geometry(plain, demo_portrait)
    topology = plain.topology
    moved = (refined.vertices - plain.vertices).norm(dim=-1).numpy()
    for name in ("nose", "lips", "lidsLeft", "lidsRight", "iris"):
        assert moved[topology.regions[name] > 0.5].max() < 1e-6, name
    for part in ("eyeLeft", "eyeRight", "teethUpper", "teethLower", "tongue"):
        assert moved[topology.part_vertices(part)].max() < 1e-6, part
    assert moved.max() < 0.12
    assert overlap(refined, demo_portrait) > max(0.87, overlap(plain, demo_portrait) + 0.2)


def test_a_wider_matte_of_the_same_colour_widens_the_ears_and_one_of_another_colour_does_not(plain, demo_portrait):
    side = len(demo_portrait.alpha)
    covered = rasterize_mesh(posed(plain, demo_portrait), plain.topology.faces, demo_portrait.camera).face >= 0
    grown = np.zeros_like(covered)
    for step in range(-6, 7):
        grown |= np.roll(covered, step, axis=1)
    skin = np.full((side, side, 3), 0.6, np.float32)
    alike = replace(demo_portrait, alpha=grown.astype(np.float32), foreground=skin, valid=np.ones_like(grown))
    other = replace(alike, foreground=np.where(covered[..., None], skin, 0.1).astype(np.float32))
    ears = plain.topology.regions["ears"] > 0.9
    out = skin_offsets(plain, alike)
    width = np.abs(plain.vertices.numpy() + out)[ears, 0].mean() - np.abs(plain.vertices.numpy())[ears, 0].mean()
    assert width > 0.002
    assert np.linalg.norm(skin_offsets(plain, other), axis=-1).max() < 0.35 * np.linalg.norm(out, axis=-1).max()


def test_what_stands_before_the_background_is_tucked_in(plain, demo_portrait):
    covered = rasterize_mesh(posed(plain, demo_portrait), plain.topology.faces, demo_portrait.camera).face >= 0
    top = np.flatnonzero(covered.any(1))[0]
    alpha = covered.astype(np.float32)
    alpha[: top + 12] = 0  # the crown is 12 px too high
    lower = replace(demo_portrait, alpha=alpha, valid=np.ones_like(covered))
    offsets = tuck_in(plain, lower)
    after = replace(plain, vertices=plain.vertices + torch.as_tensor(offsets))
    now = rasterize_mesh(posed(after, lower), plain.topology.faces, demo_portrait.camera).face >= 0
    assert abs(int(np.flatnonzero(now.any(1))[0]) - (top + 12)) <= 3
    unseen = replace(lower, valid=np.arange(len(alpha))[:, None] + 0 * alpha.astype(int) >= top + 12)
    length = np.linalg.norm(offsets, axis=1)
    crown = length > 0.5 * length.max()
    left = np.linalg.norm(tuck_in(plain, unseen), axis=1)
    assert left[crown].mean() < 0.2 * length[crown].mean()  # beyond the photo nothing is known
