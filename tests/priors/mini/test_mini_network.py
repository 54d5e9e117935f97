"""The network and its file."""

import json

import pytest
import torch

from zero1toa.errors import AssetError, InputError, MissingWeights
from zero1toa.priors.mini.network import CONDITION_CHANNELS, REFERENCE_CHANNELS, WIDTHS, Network
from zero1toa.priors.mini.weights import PACKAGED, load_network, save_network, weights_path


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = Network(WIDTHS["tiny"])
    for parameter in net.parameters():  # what begins at zero would hide mistakes
        if not parameter.detach().any():
            torch.nn.init.normal_(parameter, std=0.1)
    return net.eval()


def inputs(clips=1, frames=4):
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(clips, frames, 3, 64, 64, generator=generator)
    condition = torch.randn(clips, frames, CONDITION_CHANNELS, 64, 64, generator=generator)
    photo = torch.randn(clips, REFERENCE_CHANNELS, 64, 64, generator=generator)
    return noisy, condition, torch.full((clips, frames), 0.7), photo


def test_an_untrained_network_answers_nothing():
    noisy, condition, time, photo = inputs()
    net = Network(WIDTHS["tiny"])
    with torch.no_grad():
        assert not net(noisy, condition, time, (photo, torch.ones(1))).any()


@torch.no_grad()
def test_frames_see_each_other_with_temporal_attention_alone(network):
    noisy, condition, time, photo = inputs()
    reference = network.read(photo, torch.ones(1))
    changed = noisy.clone()
    changed[:, 3] += 1
    for temporal in (True, False):
        first = network(noisy, condition, time, reference, temporal)
        second = network(changed, condition, time, reference, temporal)
        assert bool((first[:, 0] - second[:, 0]).abs().max() > 1e-6) is temporal


@torch.no_grad()
def test_clips_do_not_see_each_other(network):
    noisy, condition, time, photo = inputs(clips=2)
    both = network(noisy, condition, time, network.read(photo, torch.ones(2)))
    one = network(noisy[:1], condition[:1], time[:1], network.read(photo[:1], torch.ones(1)))
    torch.testing.assert_close(both[:1], one, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_photo_counts_unless_it_is_forgotten(network):
    noisy, condition, time, photo = inputs()
    other = photo.flip(-1)
    seen = [network(noisy, condition, time, network.read(p, torch.ones(1))) for p in (photo, other)]
    blind = [network(noisy, condition, time, network.read(p, torch.zeros(1))) for p in (photo, other)]
    assert (seen[0] - seen[1]).abs().max() > 1e-4
    torch.testing.assert_close(blind[0], blind[1])


def test_a_file_gives_the_network_back(network, tmp_path):
    path = tmp_path / "mini.safetensors"
    sha = save_network(path, network, {"steps": 3}, torch.float32)
    again, recipe = load_network(path)
    assert recipe == {"steps": 3} and len(sha) == 64
    for (name, first), (_, second) in zip(network.state_dict().items(), again.state_dict().items()):
        torch.testing.assert_close(first, second, msg=name)


def test_the_file_is_what_safetensors_reads(network, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "mini.safetensors"
    save_network(path, network, {})
    tensors = safetensors.load_file(path)
    torch.testing.assert_close(tensors["enter.weight"].float(), network.enter.weight.detach(), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"\xff" * 100, (10).to_bytes(8, "little") + b"{}        "])
def test_other_files_are_told_apart(content, tmp_path):
    path = tmp_path / "mini.safetensors"
    path.write_bytes(content)
    with pytest.raises(AssetError, match="no weights of the mini prior"):
        load_network(path)


def test_a_cut_file_is_told_apart(network, tmp_path):
    path = tmp_path / "mini.safetensors"
    save_network(path, network, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(AssetError):
        load_network(path)


def test_weights_are_found_or_missed_in_one_sentence(tmp_path):
    with pytest.raises(MissingWeights, match="train-prior"):
        weights_path(str(tmp_path / "none.safetensors"))
    with pytest.raises(MissingWeights):
        weights_path(str(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(InputError, match="safetensors"):
        weights_path(str(tmp_path / "a.bin"))
    if not PACKAGED.is_file():
        with pytest.raises(MissingWeights, match="passed its gates"):
            weights_path("")


def test_packaged_weights_tell_their_recipe():
    if not PACKAGED.is_file():
        pytest.skip("no weights have passed the gates")
    _, recipe = load_network(PACKAGED)
    assert json.dumps(recipe) and recipe["frames"] > 0
