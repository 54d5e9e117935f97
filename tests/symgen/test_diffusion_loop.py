"""The whole of SymGEN with diffusion priors whose tiny networks never learned anything: a test of the plumbing."""

import sys
from dataclasses import replace

import pytest
import torch

from zero1toa.api import create
from zero1toa.cli import main
from zero1toa.commands import create_config
from zero1toa.config import PRESETS, CurriculumConfig, DiffusionConfig, SettleConfig
from zero1toa.errors import InputError, MissingWeights
from zero1toa.priors import load_prior
from zero1toa.symgen.create import create_avatar

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

TINY = replace(
    PRESETS["debug"],
    prior="aniportrait",
    size=48,
    texture_size=128,
    iterations=4,
    update_interval=1,
    curriculum=CurriculumConfig(frames=2, spatial_clips=1, synthetic_clips=1, real_clips=1),
    diffusion=DiffusionConfig(random_weights=True, steps=1, landmarks="projected"),
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def never(*_, **__):
    raise AssertionError("the photo was fitted first")


class Stopped(Exception):
    pass


def stop_at(iteration):
    def preview(splats, done):
        if done == iteration:
            raise Stopped

    return preview


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_avatar(demo_portrait, tmp_path, monkeypatch):
    """The clips' noise is drawn from the loop's own generator."""
    whole = create_avatar(demo_portrait, TINY)
    assert whole.provenance["prior"] == "aniportrait (random weights)"
    monkeypatch.setattr("zero1toa.symgen.create.Previewer", lambda *_: stop_at(2))
    with pytest.raises(Stopped):
        create_avatar(demo_portrait, TINY, workspace=tmp_path / "work", preview=tmp_path / "p.png")
    resumed = create_avatar(demo_portrait, TINY, workspace=tmp_path / "work", resume=True)
    for name, values in whole.splats._asdict().items():
        assert torch.isfinite(values).all()
        assert torch.equal(values, getattr(resumed.splats, name)), name


DISTILLED = replace(TINY, iterations=2, photo_share=0.0, settle=SettleConfig(rounds=0))


@pytest.fixture(scope="module")
def prior():
    return load_prior("aniportrait", diffusion=TINY.diffusion, device="cpu")


@pytest.fixture(scope="module")
def before(demo_portrait, prior):
    """The avatar without training."""
    return create_avatar(demo_portrait, replace(DISTILLED, guidance="sds", iterations=0), prior=prior)


@pytest.mark.parametrize("guidance", ["sds", "ism", "nfsd"])
def test_each_distillation_trains_the_avatar(demo_portrait, prior, before, guidance):
    after = create_avatar(demo_portrait, replace(DISTILLED, guidance=guidance), prior=prior)
    assert torch.isfinite(after.splats.colors).all()
    assert (after.splats.colors - before.splats.colors).abs().max() > 1e-4
    assert after.provenance["guidance"] == guidance


def test_distillation_needs_a_score(demo_portrait):
    with pytest.raises(InputError, match="needs a prior with a score"):
        create_avatar(demo_portrait, replace(TINY, prior="reprojection", guidance="ism"))


def test_weights_without_a_prior_that_diffuses_are_refused():
    with pytest.raises(InputError, match="say --prior aniportrait"):
        create_config("debug", 0, "symgen", None, diffusion=DiffusionConfig(weights="w"))


@pytest.mark.parametrize("prior", ["aniportrait", "follow-your-emoji"])
def test_the_command_line_runs_the_whole_method(demo_portrait, tmp_path, prior):
    demo_portrait.save(tmp_path)
    output = tmp_path / "a.glb"
    code = main(
        ["create", str(tmp_path), "-o", str(output), "--prior", prior, "--random-weights", "--preset", "debug"]
        + ["--iterations", "6", "--diffusion.steps", "1", "--dataset", str(tmp_path / "clips"), "-q"]
    )
    assert code == 0 and output.stat().st_size > 10_000
    assert len(list((tmp_path / "clips").glob("clip-*.png"))) == 4


@pytest.mark.parametrize(
    ("prior", "page"), [("aniportrait", "ZJYang/AniPortrait"), ("wan-animate", "Wan-AI/Wan2.2-Animate-14B-Diffusers")]
)
def test_missing_weights_are_exit_code_2_before_the_photo_is_looked_at(tmp_path, capsys, monkeypatch, prior, page):
    monkeypatch.setattr("zero1toa.api.fit", never)
    assert main(["create", "demo", "-o", str(tmp_path / "a.glb"), "--prior", prior, "-q"]) == 2
    said = capsys.readouterr().err
    assert page in said and len(said.strip().splitlines()) == 1
    assert not (tmp_path / "a.glb").exists()
    with pytest.raises(MissingWeights, match=page):
        create("demo", config=replace(TINY, prior=prior, diffusion=DiffusionConfig(weights=str(tmp_path))))


def test_a_missing_extra_is_exit_code_2_before_the_photo_is_looked_at(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("zero1toa.api.fit", never)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    arguments = ["create", "demo", "-o", str(tmp_path / "a.glb"), "--prior", "aniportrait", "--random-weights", "-q"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "zero1toa[diffusion]" in said and len(said.strip().splitlines()) == 1
