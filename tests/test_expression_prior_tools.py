"""What trains the expression prior: mirrored heads and the calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zero1toa.heads import arkit
from zero1toa.portrait.landmarks import mirrored
from zero1toa.portrait.solver import Pinhole

TOOLS = Path(__file__).resolve().parent.parent / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def test_mirrored_features_are_those_of_the_mirrored_picture():
    from expression_samples import SIZE, draw_scene, landmarks_of_default, mirror_features
    from zero1toa.portrait.expression_prior import frontal_features

    model, pinhole = landmarks_of_default(), Pinhole.from_fov(25, SIZE)
    scene = draw_scene(np.random.default_rng(5), 45.0)
    seen = scene.camera.project(model.points(scene.identity, scene.expression))
    features, other = (frontal_features(model, points, pinhole) for points in (seen, mirrored(seen, SIZE)))
    difference = np.abs(mirror_features(features[None]) - other)
    assert difference.mean() < 1e-3 < 1e-1 < np.abs(features).mean()  # centimetres


def test_the_calibration_recovers_its_target_on_both_sides_and_leaves_unseen_shapes_alone():
    from train_expression_prior import TARGETS, calibrate

    rng = np.random.default_rng(0)
    truth = np.zeros((4000, 52), np.float32)
    smile = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
    truth[:1000, smile] = rng.uniform(0, 1, (1000, 1))
    noisy = 0.5 * truth + np.abs(rng.normal(0, 0.03, truth.shape))
    threshold, gain = calibrate(noisy.astype(np.float32), truth)
    assert threshold[smile[0]] == threshold[smile[1]] > 0.02  # the noise is taken away
    found = ((noisy - threshold) * gain).clip(0, 1)[:, smile]
    assert (found * truth[:, smile]).sum() / (truth[:, smile] ** 2).sum() == pytest.approx(
        TARGETS["mouthSmile"], abs=0.03
    )
    assert gain[arkit.INDEX["mouthPucker"]] == 1 and threshold[arkit.INDEX["mouthPucker"]] == 0
