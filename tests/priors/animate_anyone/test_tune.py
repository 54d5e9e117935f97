"""Fine-tuning: each stage changes what it should and nothing else, and the loader reads what it writes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from zero1toa.config import DiffusionConfig
from zero1toa.errors import AssetError, InputError, MissingWeights
from zero1toa.priors.animate_anyone import tune as tuning
from zero1toa.priors.animate_anyone.checkpoint import load_networks
from zero1toa.priors.animate_anyone.files import FILES
from zero1toa.priors.animate_anyone.motion import MOTION
from zero1toa.priors.animate_anyone.networks import random_networks
from zero1toa.priors.animate_anyone.save import RECIPE, complete_folder, network_files, write_tensors
from zero1toa.priors.animate_anyone.spec import SPECS, tiny
from zero1toa.priors.animate_anyone.training_clips import PortraitClip, PortraitSitting
from zero1toa.priors.animate_anyone.tune import TuneConfig, tune
from zero1toa.priors.animate_anyone.tuning_loss import velocity_loss
from zero1toa.priors.training_run import STATE

SIZE, FRAMES = 64, 3
CONFIG = TuneConfig(
    steps=4, clips=2, frames=FRAMES, rate=1e-3, average=0.5, precision="float32", save_every=2, held_out=1
)
CPU = torch.device("cpu")


class OnePerson:
    """`ClipData` of a coloured square that moves, and of lines that say where it is."""

    description = "a square"

    def __init__(self):
        frames = np.full((FRAMES, SIZE, SIZE, 3), 230, np.uint8)
        lines = np.zeros_like(frames)
        for index in range(FRAMES):
            frames[index, 16:48, 8 + 8 * index : 40 + 8 * index] = (200, 80, 40)
            lines[index, 16:48:31, 8 + 8 * index : 40 + 8 * index] = (10, 200, 10)
        self.sittings = [PortraitSitting(1, frames[1], [PortraitClip(frames, lines)])]

    def at(self, step):
        return self.sittings

    def held_out(self, count):
        return self.sittings[:count]

    def close(self):
        pass


@pytest.fixture(scope="module")
def data():
    return OnePerson()


@pytest.fixture(scope="module")
def small():
    """Both models smaller still than their test versions, at 64 px."""
    patch = pytest.MonkeyPatch()
    for name in tuple(SPECS):
        spec = tiny(SPECS[name])
        patch.setitem(SPECS, name, replace(spec, size=SIZE, network=replace(spec.network, layers=1)))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def folders(needs_diffusers, small, tmp_path_factory):
    """A folder of random weights of each model, in the published layout."""
    made = {}
    for name, spec in SPECS.items():
        folder = made[name] = tmp_path_factory.mktemp(name)
        networks = random_networks(spec, 5)
        for file, tensors in network_files(name, networks).items():
            write_tensors(folder / f"{file}.safetensors", tensors)
        complete_folder(folder, name, networks, {})
        assert all(file.find(folder) for file in FILES[name])
    return made


def loaded(folder, name="aniportrait"):
    networks = load_networks(name, DiffusionConfig(weights=str(folder), dtype="float32"), CPU)
    parts = {"reference": networks.reference, "denoiser": networks.denoiser, "guider": networks.guider}
    parts |= {"vae": networks.vae, "clip": networks.clip}
    return {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}


def changed(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("name", ["aniportrait", "follow-your-emoji"])
@pytest.mark.parametrize("stage", ["images", "motion"])
def test_each_stage_changes_its_own_weights_alone_and_the_loader_reads_them(folders, data, tmp_path, name, stage):
    config = replace(CONFIG, model=name, stage=stage, steps=2)
    tuned = tune(tmp_path / "out", config, str(folders[name]), data=data)
    before, after = loaded(folders[name], name), loaded(tmp_path / "out", name)
    new = changed(before, after)
    assert new and all((MOTION in key) == (stage == "motion") for key in new)
    assert not any(key.startswith(("vae.", "clip.")) for key in new)
    learns = {key for key in before if key.split(".")[0] in ("reference", "denoiser", "guider")}
    if stage == "motion":
        moving = {key for key in learns if MOTION in key and not key.endswith(".pe")}
        assert new == moving
    else:
        assert {key.split(".")[0] for key in new} == {"reference", "denoiser", "guider"}
    held = tuned.networks.denoiser.state_dict()
    assert all(torch.equal(after[f"denoiser.{key}"], value) for key, value in held.items())
    recipe = json.loads((tmp_path / "out" / RECIPE).read_text())
    assert (recipe["model"], recipe["stage"], recipe["steps"], recipe["data"]) == (name, stage, 2, "a square")


@pytest.mark.parametrize(("stage", "steps", "share"), [("images", 16, 0.7), ("motion", 16, 0.8)])
def test_the_loss_falls_on_a_clip_that_is_learned_by_heart(folders, data, tmp_path, stage, steps, share):
    figures = []

    def look(step, numbers, pictures):
        figures.append(numbers)
        assert pictures.shape == (4, 1, 3, SIZE, SIZE)

    config = replace(CONFIG, stage=stage, save_every=1000, rate=2e-3)
    weights = str(folders["aniportrait"])
    tune(tmp_path / "before", replace(config, steps=0), weights, data=data, look=look)
    tune(tmp_path / "after", replace(config, steps=steps), weights, data=data, look=look)
    assert figures[1]["loss"] < share * figures[0]["loss"], figures
    assert figures[1]["photo_psnr"] == figures[0]["photo_psnr"]


class Stopped(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("stage", ["images", "motion"])
def test_a_killed_tuning_ends_as_one_that_was_left_alone(folders, data, tmp_path, stage):
    config, weights = replace(CONFIG, stage=stage), str(folders["aniportrait"])
    tune(tmp_path / "whole", config, weights, data=data)

    def kill(step, figures):
        if step == 3:
            raise Stopped

    with pytest.raises(Stopped):
        tune(tmp_path / "killed", config, weights, data=data, log=kill)
    assert not (tmp_path / "killed" / RECIPE).exists()
    tune(tmp_path / "killed", config, weights, data=data, resume=True)
    assert not changed(loaded(tmp_path / "whole"), loaded(tmp_path / "killed"))


def test_computing_layers_again_changes_no_weight(folders, data, tmp_path):
    weights = str(folders["aniportrait"])
    for recompute in (False, True):
        tune(tmp_path / str(recompute), replace(CONFIG, steps=2, recompute=recompute), weights, data=data)
    first, second = loaded(tmp_path / "False"), loaded(tmp_path / "True")
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=1e-5, rtol=1e-4)


def test_a_tuning_is_not_mixed_with_another_one(folders, data, tmp_path):
    weights = str(folders["aniportrait"])
    tune(tmp_path, replace(CONFIG, steps=0), weights, data=data)
    with pytest.raises(InputError, match="--resume"):
        tune(tmp_path, CONFIG, weights, data=data)
    for other in (replace(CONFIG, stage="motion"), replace(CONFIG, levels="train")):
        with pytest.raises(InputError, match="other options"):
            tune(tmp_path, other, weights, data=data, resume=True)
    with pytest.raises(InputError, match="other options"):  # other weights to begin with
        tune(tmp_path, CONFIG, None, data=data, resume=True)


def test_what_cannot_be_tuned_is_told(folders, data, tmp_path):
    weights = str(folders["aniportrait"])
    with pytest.raises(InputError, match="another folder"):
        tune(folders["aniportrait"], CONFIG, weights, data=data)
    with pytest.raises(InputError, match="1 to 32"):
        tune(tmp_path, replace(CONFIG, frames=33), weights, data=data)
    with pytest.raises(InputError, match="at least 2"):
        tune(tmp_path, replace(CONFIG, frames=1, stage="motion"), weights, data=data)
    with pytest.raises(MissingWeights, match="reference_unet"):
        tune(tmp_path, CONFIG, str(tmp_path / "none"), data=data)
    broken = tmp_path / "broken"
    broken.mkdir()
    for item in folders["aniportrait"].iterdir():
        (broken / item.name).symlink_to(item)
    (broken / "motion_module.safetensors").unlink()
    write_tensors(broken / "motion_module.safetensors", {"foreign": torch.zeros(1)})
    with pytest.raises(AssetError, match="tensors are missing"):
        tune(tmp_path / "out", CONFIG, str(broken), data=data)
    assert not (tmp_path / "out" / STATE).exists()


def test_clips_of_a_batch_do_not_see_each_other(needs_diffusers):
    """Two clips with photos and times of their own, and one without a photo, at once and one by one."""
    spec = tiny(SPECS["aniportrait"])
    networks = random_networks(spec, 3).ready(spec, CPU, torch.float32, None)
    draw = torch.Generator().manual_seed(0)
    noisy = torch.randn(3, 4, 2, 8, 8, generator=draw)
    tokens = torch.randn(3, 1, spec.network.context, generator=draw)
    photos = torch.randn(2, 4, 8, 8, generator=draw)
    lines = torch.rand(3, 2, 3, 64, 64, generator=draw)
    times = torch.tensor([900, 30, 500])
    module = tuning.TuningNetworks(networks, spec)
    with torch.no_grad():
        whole = module(noisy, times, tokens, photos, lines)
        for index in range(3):
            one = slice(index, index + 1)
            alone = module(noisy[one], times[one], tokens[one], photos[max(index - 1, 0) : index], lines[one])
            torch.testing.assert_close(whole[one], alone, atol=2e-5, rtol=1e-4)


def test_motion_modules_are_left_out_of_the_first_stage(needs_diffusers):
    spec = tiny(SPECS["aniportrait"])
    denoiser = random_networks(spec, 3).ready(spec, CPU, torch.float32, None).denoiser
    noisy, tokens = torch.randn(1, 4, 2, 8, 8), torch.zeros(1, 1, spec.network.context)
    with torch.no_grad():
        with_motion = denoiser(noisy, 500, tokens)
        denoiser.temporal = False
        both = denoiser(noisy, 500, tokens)
        single = denoiser(noisy[:, :, :1], 500, tokens)
    assert (with_motion - both).abs().max() > 0.01
    torch.testing.assert_close(both[:, :, :1], single, atol=1e-5, rtol=1e-4)


def test_the_loss_is_that_of_velocities_and_counts_pure_noise():
    draw = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 4, 1, 3, 3, generator=draw)
    kept = torch.tensor([0.0, 0.99])
    alpha, sigma = kept.sqrt()[:, None, None, None, None], (1 - kept).sqrt()[:, None, None, None, None]
    velocity = alpha * noise - sigma * clean
    assert velocity_loss(velocity, clean, noise, kept, 5.0) == 0
    wrong = velocity + torch.tensor([1.0, 2.0])[:, None, None, None, None]
    assert float(velocity_loss(wrong, clean, noise, kept, 0.0)) == pytest.approx((1 + 4) / 2)
    assert float(velocity_loss(wrong, clean, noise, kept, 5.0)) == pytest.approx((1 + 4 * 5 / 100) / 2, rel=1e-4)
