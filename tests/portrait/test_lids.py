"""Which skin around an eye a blink unfolds."""

import numpy as np
import pytest
import torch

from zero1toa.heads import arkit, facemesh, load_head
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


def test_margins_are_the_edge_of_the_upper_lids(head):
    margins = lid_margins(head)
    down = -head.expression_deltas[arkit.INDEX["eyeBlinkLeft"], :, 1].numpy()
    edge = margins * (head.vertices.numpy()[:, 0] > 0) > 0.5
    assert 5 < edge.sum() < 400
    assert down[edge].min() > 0.8 * down.max()
    assert upper_lids(head)[margins > 0.5].min() > 0.9
