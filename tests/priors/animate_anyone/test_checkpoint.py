"""Weight files: what is missing, broken or foreign is said in one sentence."""

import re
from dataclasses import replace

import pytest
import torch

from zero1toa.config import DiffusionConfig
from zero1toa.errors import AssetError, InputError, MissingWeights
from zero1toa.priors import load_prior
from zero1toa.priors.animate_anyone import checkpoint
from zero1toa.priors.animate_anyone.checkpoint import fill_from, read_tensors
from zero1toa.priors.animate_anyone.files import FILES, located
from zero1toa.priors.animate_anyone.networks import random_networks
from zero1toa.priors.animate_anyone.precision import chosen_dtype
from zero1toa.priors.animate_anyone.spec import SPECS, tiny


@pytest.fixture
def layer():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def test_missing_weights_are_one_sentence_with_all_that_is_needed(tmp_path):
    (tmp_path / "pose_guider.safetensors").touch()
    with pytest.raises(MissingWeights) as caught:
        load_prior("aniportrait", diffusion=DiffusionConfig(weights=str(tmp_path)))
    text = str(caught.value)
    for part in ("reference_unet.pth (3.44 GB)", "ZJYang/AniPortrait", "OpenRAIL", "--weights", "sd-vae-ft-mse", "hub"):
        assert part in text
    assert "pose_guider" not in text and "\n" not in text
    with pytest.raises(MissingWeights, match="none stated"):
        load_prior("follow-your-emoji")
    with pytest.raises(MissingWeights, match=r"Wan2\.2-Animate"):
        load_prior("wan-animate")


def test_weights_and_random_weights_exclude_each_other(tmp_path):
    with pytest.raises(InputError, match="leave one"):
        load_prior("aniportrait", diffusion=DiffusionConfig(weights=str(tmp_path), random_weights=True))


def test_a_file_is_found_by_any_ending(tmp_path):
    file = FILES["aniportrait"][0]
    assert file.find(tmp_path) is None
    (tmp_path / "reference_unet.pth").touch()
    assert file.find(tmp_path).suffix == ".pth"
    (tmp_path / "reference_unet.safetensors").touch()
    assert file.find(tmp_path).suffix == ".safetensors"


def test_tensors_of_both_formats_come_back(tmp_path, layer):
    safetensors = pytest.importorskip("safetensors.torch")
    state = layer.state_dict()
    torch.save(state, tmp_path / "a.pth")
    torch.save({"state_dict": state, "step": 3}, tmp_path / "b.ckpt")
    safetensors.save_file(state, tmp_path / "c.safetensors")
    for name in ("a.pth", "b.ckpt", "c.safetensors"):
        other = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
        fill_from(other, [tmp_path / name])
        assert torch.equal(other[0].weight, layer[0].weight), name


def test_a_later_file_wins_and_an_unread_part_may_be_there(tmp_path, layer):
    with torch.device("meta"):
        empty = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    state = layer.state_dict()
    torch.save({**state, "conv_out.bias": torch.zeros(4)}, tmp_path / "a.pth")
    torch.save({"0.bias": torch.ones(2)}, tmp_path / "b.pth")
    with pytest.raises(AssetError, match=r"1 of 8 tensors are unexpected \(conv_out.bias\)"):
        fill_from(empty, [tmp_path / "a.pth"])
    fill_from(empty, [tmp_path / "a.pth", tmp_path / "b.pth"], torch.float16, unread=("conv_out.",))
    assert torch.equal(empty[0].bias, torch.ones(2, dtype=torch.float16))
    assert empty[1].num_batches_tracked.dtype == torch.int64


def test_what_does_not_fit_is_named(tmp_path, layer):
    state = layer.state_dict()
    del state["1.weight"], state["1.bias"]
    state["0.weight"], state["foreign"] = torch.zeros(2, 4), torch.zeros(1)
    torch.save(state, tmp_path / "a.pth")
    expected = (
        "a.pth cannot be used: 2 of 7 tensors are missing (1.weight, 1.bias); 1 of 6 tensors are unexpected (foreign);"
        " 1 of 7 tensors have another shape (0.weight (2, 4), not (2, 3))."
    )
    with pytest.raises(AssetError, match=re.escape(expected)):
        fill_from(layer, [tmp_path / "a.pth"])


class Attack:
    def __reduce__(self):
        return (print, ("this code must not run",))


def test_a_file_that_carries_code_is_not_run(tmp_path, capsys):
    torch.save({"weight": Attack()}, tmp_path / "a.pth")
    with pytest.raises(AssetError, match="cannot be read as weights"):
        read_tensors(tmp_path / "a.pth")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content"), [("a.pth", b"no weights"), ("a.safetensors", b"no weights"), ("a.pth", b"")]
)
def test_a_broken_file_is_no_traceback(tmp_path, name, content):
    pytest.importorskip("safetensors")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AssetError, match="cannot be read"):
        read_tensors(tmp_path / name)


def test_something_else_than_tensors_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "a.pth")
    with pytest.raises(AssetError, match="something else"):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("name", SPECS)
def test_a_whole_folder_loads_and_answers_as_the_networks_that_were_saved(needs_diffusers, tmp_path, monkeypatch, name):
    """The published layout, at tiny size."""
    spec = tiny(SPECS[name])
    saved = random_networks(spec, 5)
    parts = {"reference_unet": saved.reference, "pose_guider": saved.guider}
    if name == "follow-your-emoji":
        parts = {"referencenet": saved.reference, "lmk_guider": saved.guider, "unet": saved.denoiser}
    else:
        whole = saved.denoiser.state_dict()
        motion = {key: value for key, value in whole.items() if "motion_modules" in key}
        torch.save(motion, tmp_path / "motion_module.pth")
        torch.save({k: v for k, v in whole.items() if k not in motion}, tmp_path / "denoising_unet.pth")
    for part, module in parts.items():
        torch.save(module.state_dict(), tmp_path / f"{part}.pth")
    saved.vae.save_pretrained(tmp_path / "sd-vae-ft-mse")
    saved.clip.save_pretrained(tmp_path / "image_encoder")
    monkeypatch.setitem(checkpoint.SPECS, name, spec)
    assert set(located(name, str(tmp_path))) == {file.name for file in FILES[name]}
    loaded = checkpoint.load_networks(
        name, DiffusionConfig(weights=str(tmp_path), dtype="float32"), torch.device("cpu")
    )
    assert not loaded.random and not loaded.guider.training
    for ours, theirs in zip(loaded.parts(), saved.parts()):
        held = ours.state_dict()
        for key, value in theirs.state_dict().items():
            assert torch.equal(held[key], value), key
    running = DiffusionConfig(weights=str(tmp_path), dtype="bfloat16", pose_norm="running")
    half = checkpoint.load_networks(name, running, torch.device("cpu"))
    assert half.dtype == torch.bfloat16
    if name == "aniportrait":
        assert loaded.guider.conv_layers[1].of_window and not half.guider.conv_layers[1].of_window


def test_number_types():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert chosen_dtype("auto", gpu) == torch.float16
    assert chosen_dtype("auto", cpu) in (torch.float32, torch.bfloat16)
    assert chosen_dtype("bfloat16", cpu) == torch.bfloat16
    with pytest.raises(InputError, match="number type"):
        chosen_dtype("int8", cpu)


def test_tiny_models_are_smaller_versions_of_the_same(needs_diffusers):
    for spec in SPECS.values():
        assert replace(tiny(spec), network=spec.network, size=spec.size, steps=spec.steps) == spec
