"""Names and shapes at full size, and what the networks do with bank, pose and frames."""

from dataclasses import replace

import pytest
import torch

from zero1toa.priors.animate_anyone.networks import fill
from zero1toa.priors.animate_anyone.pose_guider import MultiScaleGuider, pose_guider
from zero1toa.priors.animate_anyone.spec import ANIPORTRAIT, FOLLOW_YOUR_EMOJI, tiny
from zero1toa.priors.animate_anyone.unet import DenoisingUNet, ReferenceUNet

SMALL = replace(tiny(ANIPORTRAIT).network, channels=(32, 32, 32, 32), heads=4)

# Tensors and parameters. The names and shapes of the tiny networks were compared with
# the published classes' (golden/README.md); these are the same classes at full size.
FULL = {
    ("aniportrait", "reference"): (682, 859_508_800),
    ("aniportrait", "denoiser"): (1274, 1_312_730_244),
    ("aniportrait", "guider"): (184, 167_518_523),
    ("follow-your-emoji", "reference"): (666, None),
    ("follow-your-emoji", "denoiser"): (1276, 1_312_730_244 + 1024 * 768 + 768),
    ("follow-your-emoji", "guider"): (16, None),
}


@pytest.fixture(scope="module")
def full_size():
    with torch.device("meta"):
        return {
            (spec.name, part): build(spec.network)
            for spec in (ANIPORTRAIT, FOLLOW_YOUR_EMOJI)
            for part, build in (("reference", ReferenceUNet), ("denoiser", DenoisingUNet), ("guider", pose_guider))
        }


@pytest.mark.parametrize("key", FULL)
def test_the_full_size_has_the_published_number_of_tensors(full_size, key):
    tensors, parameters = FULL[key]
    module = full_size[key]
    assert len(module.state_dict()) == tensors
    if parameters is not None:
        assert sum(p.numel() for p in module.parameters()) == parameters


def test_names_and_shapes_of_the_full_size(full_size):
    denoiser = full_size["aniportrait", "denoiser"].state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in denoiser.items()}
    motion = "up_blocks.3.motion_modules.2.temporal_transformer.transformer_blocks.0.attention_blocks.1"
    assert shapes["conv_in.weight"] == (320, 4, 3, 3)
    assert shapes["down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k.weight"] == (1280, 768)
    assert shapes["up_blocks.0.resnets.2.conv1.weight"] == (1280, 2560, 3, 3)
    assert shapes["mid_block.attentions.0.proj_in.weight"] == (1280, 1280, 1, 1)
    assert shapes[f"{motion}.pos_encoder.pe"] == (1, 32, 320) and shapes[f"{motion}.to_out.0.bias"] == (320,)
    assert sum("motion_modules" in name for name in shapes) == 21 * 28
    spatial = {name for name in shapes if "motion_modules" not in name}
    reference = set(full_size["aniportrait", "reference"].state_dict())
    assert spatial - reference == {
        f"{name}.{kind}" for name in ("conv_norm_out", "conv_out") for kind in ("weight", "bias")
    }
    assert reference <= spatial
    guider = full_size["aniportrait", "guider"].state_dict()
    assert guider["cross_attn3.transformer_blocks.0.attn1.to_q.weight"].shape == (1408, 1408)
    assert guider["scale"].shape == (1,)


def test_the_spatial_names_are_those_of_diffusers(needs_diffusers, full_size):
    """SD 1.5's own UNet, whose names every checkpoint of the family uses."""
    import diffusers

    with torch.device("meta"):
        theirs = diffusers.UNet2DConditionModel(
            cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)
        ).state_dict()
    ours = full_size["aniportrait", "denoiser"].state_dict()
    assert {n: t.shape for n, t in theirs.items()} == {n: t.shape for n, t in ours.items() if "motion_modules" not in n}


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    reference, denoiser = ReferenceUNet(SMALL), DenoisingUNet(SMALL)
    for seed, module in enumerate((reference, denoiser)):
        fill(module, seed)
    return reference.eval(), denoiser.eval()


@torch.no_grad()
def test_only_the_conditional_half_sees_the_bank(small):
    reference, denoiser = small
    tokens, latents = torch.randn(1, 1, SMALL.context), torch.randn(1, 4, 3, 16, 16)
    bank = reference(torch.randn(1, 4, 16, 16), tokens)
    assert len(bank) == 16
    null, cond = denoiser(
        latents.expand(2, -1, -1, -1, -1), 500, torch.cat([0 * tokens, tokens]), None, bank, plain=1
    ).split(1)
    torch.testing.assert_close(null, denoiser(latents, 500, 0 * tokens), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(cond, denoiser(latents, 500, tokens, None, bank), atol=1e-5, rtol=1e-4)
    assert (cond - denoiser(latents, 500, tokens)).abs().max() > 1e-3


@torch.no_grad()
def test_motion_modules_join_frames_and_know_their_order(small):
    _, denoiser = small
    tokens, latents = torch.zeros(1, 1, SMALL.context), torch.randn(1, 4, 3, 16, 16)
    whole = denoiser(latents, 500, tokens)
    assert (whole[:, :, :1] - denoiser(latents[:, :, :1], 500, tokens)).abs().max() > 1e-3
    assert (whole.flip(2) - denoiser(latents.flip(2), 500, tokens)).abs().max() > 1e-3


@torch.no_grad()
def test_attention_in_chunks_is_the_same(small):
    reference, denoiser = small
    tokens, latents = torch.randn(1, 1, SMALL.context), torch.randn(1, 4, 3, 16, 16)
    bank = reference(torch.randn(1, 4, 16, 16), tokens)
    whole = denoiser(latents, 10, tokens, None, bank)
    denoiser.chunk_attention(2)
    try:
        torch.testing.assert_close(denoiser(latents, 10, tokens, None, bank), whole, atol=1e-5, rtol=1e-4)
    finally:
        denoiser.chunk_attention(None)


@torch.no_grad()
def test_batch_statistics_depend_on_the_window_and_stored_ones_do_not():
    guider = MultiScaleGuider(SMALL)
    fill(guider, 3)
    pictures = torch.rand(4, 3, 64, 64) * 510 - 1
    alone, together = [], []
    for by_window in (True, False):
        guider.normalize_by_window(by_window)
        alone.append(guider(pictures[:2])[0])
        together.append(guider(pictures)[0][:2])
    assert (alone[0] - together[0]).abs().max() > 1e-3
    torch.testing.assert_close(alone[1], together[1])


def test_random_weights_depend_on_seed_name_and_shape_alone():
    """The golden numbers rest on it."""
    layer, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    fill(layer, 7)
    fill(other, 7)
    expected = [[-0.65592, -0.06474, -0.07101], [-0.13962, 0.94986, -0.56564]]
    assert torch.equal(layer.weight, other.weight)
    torch.testing.assert_close(layer.weight.detach(), torch.tensor(expected), atol=1e-4, rtol=0)
