"""Which skin around an eye a blink unfolds."""

import numpy as np
import pytest
import torch

from zero1toa.heads import facemesh, load_head
from zero1toa.portrait.lids import lid_margins, upper_lids


@pytest.fixture(scope="module")
def head():
    model = load_head("default")
    return model.personalize(torch.zeros(model.num_identity))


def near_landmarks(head, rows):
    """(V,) skin within 2 mm of some landmarks."""
    rest = head.vertices.numpy()
    topology = head.topology
    corners = rest[topology.faces[topology.landmark_faces[rows]]]
    points = np.einsum("nk,nkc->nc", topology.landmark_barycentrics[rows], corners)
    distance = np.linalg.norm(rest[:, None] - points[None], axis=-1).min(1)
    return (distance < 0.002) & topology.part_vertices("skin")


def test_upper_lids_unfold_and_lower_ones_do_not(head):
    """A lower lid sinks a little in a blink too; it shows the same skin before and after."""
    lids = upper_lids(head)
    for ring in (facemesh.EYE_LEFT, facemesh.EYE_RIGHT):
        assert lids[near_landmarks(head, list(ring[11:14]))].mean() > 0.9
        assert lids[near_landmarks(head, list(ring[3:6]))].max() < 0.1
    assert lids[head.topology.regions["browLeft"] > 0.5].max() == 0


def test_margins_are_an_even_line_along_the_edge_of_the_upper_lids(head):
    """Not the middle alone, which moves farthest in a blink and would close to a dark blot."""
    margins, lids, places = lid_margins(head), upper_lids(head), head.vertices.numpy()
    assert lids[margins > 0.5].mean() > 0.8
    for ring, side in ((facemesh.EYE_LEFT, 1), (facemesh.EYE_RIGHT, -1)):
        edge = (margins > 0.5) & (side * places[:, 0] > 0)
        assert 5 < edge.sum() < 100
        assert near_landmarks(head, list(ring[9:]))[edge].mean() > 0.7
        width = np.ptp(places[near_landmarks(head, list(ring)), 0])
        assert np.ptp(places[edge, 0]) > 0.7 * width
