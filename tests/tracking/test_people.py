from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from zero1toa.camera import FRONTAL
from zero1toa.config import FitConfig
from zero1toa.heads import load_head
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.solver import Pinhole
from zero1toa.tracking import people
from zero1toa.tracking.person import movements, solve_person

PINHOLE = Pinhole(1100.0, 250.0, 250.0)


def _seen(seed: int) -> np.ndarray:
    """(8, 478, 2) px: a person with small movements of the face and the head."""
    rng = np.random.default_rng(seed)
    model = landmark_model(load_head(), 80)
    weights = np.zeros((8, 52))
    weights[:, [17, 23, 24]] = rng.uniform(0, 0.4, (8, 3))
    shapes = model.points(rng.normal(0, 1, 80), np.zeros(52)) + np.einsum("fk,kva->fva", weights, model.expression)
    turns = FRONTAL @ Rotation.from_euler("YX", rng.normal(0, 8, (8, 2)), degrees=True).as_matrix()
    local = np.einsum("fab,fvb->fva", turns, shapes) + [0, 0, 0.9]
    return PINHOLE.focal * local[..., :2] / local[..., 2:] + 250 + rng.normal(0, 0.5, (8, 478, 2))


@pytest.mark.parametrize("seed", range(3))
def test_others_are_stranger_than_the_person(seed: int) -> None:
    mine = _seen(seed)
    person = solve_person(load_head(), mine, np.zeros((8, 52)), PINHOLE, FitConfig(), np.ones(8))
    for other, same in ((mine, True), (_seen(seed + 50), False), (_seen(seed + 80), False)):
        offsets, poses = movements(person, other, PINHOLE)
        strange = people.strangeness(person, offsets, poses.rotation[:, 2, :2])
        assert (strange < people.SAME_PERSON) == same


def test_the_longest_and_largest_is_followed() -> None:
    segments = np.array([0] * 10 + [-1] * 3 + [1] * 6 + [2] * 9)
    width = np.where(segments == 2, 300.0, 100.0)
    assert people.longest_segment(segments, width) == 2
    assert people.some_frames(segments, 1).tolist() == list(range(13, 19))
