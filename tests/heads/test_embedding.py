"""The landmark embedding with a detector that knows the answer, and the nearest point on triangles."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zero1toa.heads import embedding, facemesh
from zero1toa.heads.closest import closest_points


def test_finds_the_landmarks_that_a_perfect_detector_shows(head, monkeypatch):
    current = []

    def remember(*arguments):
        for render in renders(*arguments):
            current[:] = [render]
            yield render

    def detector(image):
        points = head.landmarks(torch.from_numpy(current[0].vertices)[None])[0].numpy()
        return current[0].camera.project(points)

    renders = embedding.random_renders
    monkeypatch.setattr(embedding, "random_renders", remember)
    found = embedding.embed_landmarks(head, detector, renders=16, seed=3)
    assert found.detected == found.rendered == 16
    template = head.template.numpy()
    places = (template[head.topology.faces[found.faces]] * found.barycentrics[..., None]).sum(1)
    truth = head.landmarks(head.template[None])[0].numpy()
    error = np.linalg.norm(places - truth, axis=1)
    assert np.median(error) < 0.0005
    inner = np.isin(np.arange(478), [*facemesh.LIPS, *facemesh.EYES, *facemesh.BROWS, *facemesh.IRISES])
    assert error[inner].max() < 0.004  # metres; a pixel is 0.7 mm, at the lids it may show another layer
    assert (found.spread >= 0).all()


def test_says_which_landmarks_nobody_saw(head):
    with pytest.raises(ValueError, match="0 faces detected"):
        embedding.embed_landmarks(head, lambda image: None, renders=1)


def test_geometric_median_ignores_an_outlier():
    points = np.concatenate([np.random.default_rng(0).normal(0, 0.001, (20, 3)), [[1.0, 1.0, 1.0]]])
    assert np.linalg.norm(embedding.geometric_median(points, np.ones(21))) < 0.002


def test_closest_points_match_a_dense_search():
    rng = np.random.default_rng(1)
    triangles, points = rng.normal(size=(6, 3, 3)), rng.normal(size=(30, 3)) * 1.5
    grid = np.array([(a, b, 1 - a - b) for a in np.linspace(0, 1, 61) for b in np.linspace(0, 1 - a, 61)])
    dense = np.einsum("gk,tkc->tgc", grid, triangles).reshape(-1, 3)
    expected = np.linalg.norm(points[:, None] - dense[None], axis=-1).min(1)
    index, weights = closest_points(points, triangles)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1)
    found = np.linalg.norm(np.einsum("nk,nkc->nc", weights, triangles[index]) - points, axis=1)
    assert (found <= expected + 1e-9).all()
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_closest_point_on_a_flat_triangle_is_on_its_edges():
    line = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]])
    _, weights = closest_points(np.array([[1.5, 1.0, 0.0]]), line)
    np.testing.assert_allclose(weights[0] @ line[0], [1.5, 0, 0])
