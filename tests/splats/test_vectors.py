"""The choice between vector and plain kernels, and that they agree."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest
import raster_reference as reference
import torch
from raster_scenes import Scene, random_scene

from zero1toa.splats import RasterOutput, rasterize
from zero1toa.splats.cpu import simd_check, vectors


@pytest.fixture
def anew() -> Iterator[None]:
    """Forgets whether the vector kernels can be built, before and after."""
    vectors._built.cache_clear()
    yield
    vectors._built.cache_clear()


@pytest.mark.usefixtures("anew")
def test_the_environment_switches_them_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(vectors.SWITCH, raising=False)
    assert vectors.vector_kernels() is not None
    monkeypatch.setenv(vectors.SWITCH, "off")
    assert vectors.vector_kernels() is None


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("error", [ImportError("no such thing"), RuntimeError("wrong result"), TypeError("changed")])
def test_where_they_cannot_be_built_the_plain_ones_draw(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.delenv(vectors.SWITCH, raising=False)
    monkeypatch.setattr(simd_check, "check", fail)
    scene = random_scene(20, (20, 20))
    with caplog.at_level(logging.WARNING):
        draw(scene)
        draw(scene)
    assert len([record for record in caplog.records if str(error) in record.message]) == 1


def test_a_type_that_computes_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    simd_check.check()
    monkeypatch.setattr(simd_check, "_try", lambda given, result, words: result.fill(0) or 0)
    with pytest.raises(RuntimeError, match="computes something else"):
        simd_check.check()


def draw(scene: Scene) -> RasterOutput:
    return rasterize(*scene.inputs(), scene.camera, scene.background)


def test_both_differ_by_more_than_rounding_only_where_a_threshold_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = random_scene(1500, (120, 100), seed=21, radius=(0.5, 6))
    with_vectors = draw(scene)
    monkeypatch.setenv(vectors.SWITCH, "off")
    plain = draw(scene)
    exact = reference.render(
        *(tensor.detach() for tensor in scene.inputs(torch.float64)), scene.camera, scene.background.double()
    )
    assert exact.sure.double().mean() > 0.8
    for one, other, truth in zip(with_vectors, plain, exact):
        assert (one - other).abs()[exact.sure].max() < 5e-6
        assert (one - truth).abs()[exact.sure].max() < 1e-5
    # What a flip can do: a Gaussian of alpha 1/255 more or less, or one after a pixel was finished at 1e-4.
    assert (with_vectors.image - plain.image).abs().max() < 1 / 255 + 1e-4


def test_large_pictures_keep_their_digits() -> None:
    """Far from the corner a float32 has few digits left for where in a pixel something is."""
    scene = random_scene(60, (1900, 24), seed=22, radius=(0.3, 2.0))
    exact = reference.render(
        *(tensor.detach() for tensor in scene.inputs(torch.float64)), scene.camera, scene.background.double()
    )
    for got, truth in zip(draw(scene), exact):
        assert np.abs((got.detach() - truth).numpy())[exact.sure.numpy()].max() < 1e-5
