from dataclasses import replace

import numpy as np
import pytest

from zero1toa.evaluate.acceptance import (
    EXPRESSIONS,
    YAWS,
    Acceptance,
    View,
    accept,
    markdown,
    photo_render,
)
from zero1toa.evaluate.readings import Reading

GOOD = Reading(2.0, {"eyes": 1.0, "lips": 2.0, "brows": 3.0, "oval": 4.0}, 0.0)


def view(name, commanded=0.0, **changes):
    right = GOOD._replace(yaw=commanded)
    return View(name, commanded, right._replace(**changes), right)


PERFECT = Acceptance(
    "someone", 35.0, 36.0, 0.97, GOOD, 1.0,
    tuple(view(f"{yaw:+.0f}", yaw) for yaw in YAWS), tuple(view(name) for name in EXPRESSIONS),
)  # fmt: skip


def test_who_meets_the_bar_fails_nothing():
    assert PERFECT.failures == ()


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"psnr": 31.9}, "PSNR 31.9 dB"),
        ({"psnr": float("nan")}, "PSNR nan dB"),
        ({"iou": 0.94}, "silhouette 0.940"),
        ({"yaws": (view("-30", -30.0, yaw=-24.0),)}, "yaw -30 reads as -24.0"),
        ({"yaws": (replace(view("+45", 45.0), avatar=None),)}, "no face at yaw +45"),
        ({"expressions": (view("smile", distance=6.5),)}, "smile 6.5 px"),
        ({"expressions": (replace(view("blink"), avatar=None),)}, "no face with blink"),
    ],
)
def test_each_part_of_the_bar_can_fail(changes, failure):
    assert replace(PERFECT, **changes).failures == (failure,)


def test_far_yaws_need_only_be_found():
    assert replace(PERFECT, yaws=(view("+45", 45.0, yaw=38.0),)).failures == ()


def test_tables_name_everything():
    text = markdown([PERFECT, replace(PERFECT, name="other", iou=0.5, photo=None)])
    for word in ("someone", "other", "no face", "smile", "+30", "* someone: nothing", "* other: silhouette 0.500"):
        assert word in text
    widths = {line.count("|") for line in text.split("\n\n")[0].splitlines()}
    assert len(widths) == 1


@pytest.mark.slow
def test_a_quick_avatar_of_the_demo_obeys(demo_portrait, debug_avatar):
    result = accept("demo", demo_portrait, debug_avatar, size=384)
    assert result.photo is not None and result.photo.distance < 4
    assert abs(result.photo.yaw - result.photo_yaw) < 4
    assert [v.yaw for v in result.yaws] == pytest.approx(list(YAWS), abs=0.01)
    assert all(v.mesh is not None and abs(v.mesh.yaw - v.yaw) < 6 for v in result.yaws)
    assert result.expressions[0].avatar is not None and result.expressions[0].avatar.distance < 8
    assert 0.5 < result.iou <= 1 and 10 < result.psnr < 60
    picture, alpha = photo_render(demo_portrait, debug_avatar)
    assert picture.shape == demo_portrait.image.shape and alpha.shape == demo_portrait.alpha.shape
    assert np.isfinite(picture).all()
