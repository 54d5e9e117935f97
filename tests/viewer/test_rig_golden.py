"""The Python rig against the golden vectors that the viewer's rig is tested with too (web/tests)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from tools import rig_golden

from zero1toa.heads import arkit


@pytest.fixture(scope="module")
def golden():
    return json.loads(rig_golden.GOLDEN.read_text())


@pytest.fixture(scope="module")
def found(golden, tmp_path_factory: pytest.TempPathFactory):
    path: Path = tmp_path_factory.mktemp("golden") / "rig.glb"
    path.write_bytes(base64.b64decode(golden["glb"]))
    return rig_golden.evaluate(path)


def test_the_rig_gives_the_golden_vectors(golden, found) -> None:
    assert [case["name"] for case in found] == [case["name"] for case in golden["cases"]]
    for now, then in zip(found, golden["cases"], strict=True):
        for path in (
            ("vertices",),
            ("frames", "origin"),
            ("frames", "scale"),
            ("splats", "means"),
            ("splats", "scales"),
        ):
            a, b = now, then
            for key in path:
                a, b = a[key], b[key]
            np.testing.assert_allclose(a, b, atol=3e-7, err_msg=f"{now['name']}: {path}")
        for room, key in (("frames", "rotation"), ("splats", "rotations")):
            dot = np.abs((np.array(now[room][key]) * np.array(then[room][key])).sum(-1))
            np.testing.assert_allclose(dot, 1, atol=1e-5, err_msg=f"{now['name']}: {room}")  # q and -q are the same


def test_the_names_and_the_motion_are_those_of_now(golden) -> None:
    assert golden["names"] == list(arkit.NAMES)
    assert golden["motion"] == rig_golden.packed_motion()
