"""Heads of other makers go through fit and create as the default head does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import zero1toa
from flame_fixtures import flame_embedding, flame_file
from ict_fixtures import ict_folder
from zero1toa.cli import main
from zero1toa.errors import InputError
from zero1toa.heads import facemesh
from zero1toa.heads.embedding import face_camera
from zero1toa.heads.flame.file import read_flame
from zero1toa.heads.flame.head import bare_flame
from zero1toa.heads.mesh_render import shade
from zero1toa.portrait.open_head import detector


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "shown", "least"), [("flame", "flame (2023)", 9976), ("ict", "ict", 30_000)])
def test_create_with_another_head(kind, shown, least, tmp_path, demo_portrait):
    """The path of the default head: fit, create, save, load, render."""
    name = f"{kind}:{flame_file() if kind == 'flame' else ict_folder()}"
    folder, output = tmp_path / "fit", tmp_path / "avatar.glb"
    assert main(["fit", "demo", "--head", name, "-o", str(folder), "-q"]) == 0
    portrait = zero1toa.fit(folder)
    assert portrait.head == name
    assert portrait.errors["mean"] < 1.5 * demo_portrait.errors["mean"]
    with pytest.raises(InputError, match="was fitted with the head"):
        zero1toa.fit(folder, head="default")
    assert main(["create", str(folder), "--preset", "debug", "-o", str(output), "-q"]) == 0
    avatar = zero1toa.load(output)
    assert avatar.head_model == shown  # the name, and no path of the maker's machine
    assert len(avatar.head.topology.faces) > least  # with our mouth or its own
    camera = avatar.front_camera(size=160)
    still = avatar.render(camera)
    for weights in ({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, {"jawOpen": 0.7}, {"eyeLookOutLeft": 1.0}):
        assert abs(avatar.render(camera, weights) - still).max() > 0.05, weights
    assert np.isfinite(still).all() and (still < 0.9).any(-1).mean() > 0.3


def test_a_head_that_cannot_be_used_gets_a_sentence(tmp_path, capsys):
    for head, said in (("flame:" + str(tmp_path / "none.pkl"), "flame.is.tue.mpg.de"), ("nobody", "no head model")):
        assert main(["fit", "demo", "--head", head, "-o", str(tmp_path / "fit"), "-q"]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not (tmp_path / "fit").exists()


def test_the_detector_finds_a_bare_head():
    """Uncoloured, without brows and lips: so are the heads of others when their landmarks are first sought."""
    bare = bare_flame(read_flame(flame_file()))
    head, truth = bare.as_linear(), flame_embedding()
    camera = face_camera(head, 10.0, 0.0)
    found = detector(shade(bare.template, head.topology, camera))
    assert found is not None
    points = (bare.template[bare.faces[truth.faces]] * truth.barycentrics[..., None]).sum(1)
    error = np.linalg.norm(found[:, :2] - camera.project(points)[:, :2], axis=1)
    assert error[list(facemesh.EYES)].mean() < 4  # px of 0.7 mm
    assert error[list(facemesh.LIPS)].mean() < 8


@pytest.mark.slow
def test_reenactment_with_another_head(tmp_path):
    """`--head` of `evaluate reenact`: the avatar is made on that head, and driven by what the default head tracked."""
    frames = tmp_path / "frames"
    frames.mkdir()
    picture = astronaut()
    for i in range(4):
        Image.fromarray(np.roll(picture, 2 * i, axis=1)).save(frames / f"{i}.png")
    output = tmp_path / "out"
    options = ["--head", f"flame:{flame_file()}", "--preset", "debug", "--every", "1", "-o", str(output), "-q"]
    assert main(["evaluate", "reenact", str(frames), *options]) == 0
    assert zero1toa.load(output / "avatar.glb").head_model == "flame (2023)"
    avatar = json.loads((output / "reenact.json").read_text(encoding="utf-8"))["means"]["avatar"]
    assert avatar["detected"] == 1 and avatar["akd"] < 6
