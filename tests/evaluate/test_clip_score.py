"""CLIP scores, on tiny random CLIP models."""

import json

import numpy as np
import pytest
import torch

from zero1toa.cli import main
from zero1toa.config import ClipConfig
from zero1toa.errors import InputError, MissingWeights
from zero1toa.evaluate import clip
from zero1toa.evaluate.clip import MODELS, ClipModel, avatar_pictures, clip_rows, clip_score, load_models, markdown


def test_the_score_is_the_mean_of_cosines_that_are_not_negative():
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert clip_score(first, torch.tensor([[1.0, 0.0]])) == pytest.approx(1 / 3)
    assert clip_score(first, first) == 1


@pytest.fixture(scope="module")
def model():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    network = transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config={
                "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                "vocab_size": 99, "max_position_embeddings": 77, "bos_token_id": 1, "eos_token_id": 2,
            },
            vision_config={
                "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                "image_size": 32, "patch_size": 8,
            },
            projection_dim=12,
        )
    )  # fmt: skip

    def tokenize(text):
        ids = torch.tensor([[1, *(3 + ord(letter) % 90 for letter in text[:70]), 2]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    return ClipModel("ViT-B/32", network.eval(), tokenize)


def pictures(seed, count=3):
    return list(np.random.default_rng(seed).random((count, 40, 40, 3)).astype(np.float32))


def test_embeddings_are_those_of_the_model_itself(model):
    """`CLIPModel`'s own forward pass gives the normalised embeddings."""
    from PIL import Image

    from zero1toa.media import to_uint8
    from zero1toa.priors.clip_image import clip_pixels

    shown = pictures(0)
    pixels = torch.cat([clip_pixels(Image.fromarray(to_uint8(p)), 32) for p in shown])
    with torch.no_grad():
        expected = model.network(**model.tokenize("a face"), pixel_values=pixels)
    torch.testing.assert_close(model.image_embeddings(shown), expected.image_embeds, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.text_embedding("a face"), expected.text_embeds, atol=1e-5, rtol=1e-4)


def test_pixels_are_those_of_clips_own_processor():
    transformers = pytest.importorskip("transformers")
    from PIL import Image

    from zero1toa.media import to_uint8
    from zero1toa.priors.clip_image import clip_pixels

    if not hasattr(transformers, "CLIPImageProcessorPil"):
        pytest.skip("this version of transformers resizes with torchvision, which rounds otherwise")
    picture = Image.fromarray(to_uint8(pictures(1, 1)[0])).resize((300, 300))
    theirs = transformers.CLIPImageProcessorPil()(images=picture, return_tensors="pt").pixel_values
    torch.testing.assert_close(clip_pixels(picture, 224), theirs, atol=1e-5, rtol=1e-5)


def test_a_photo_fits_itself_best(model):
    shown = pictures(0, 1)
    (row,) = clip_rows([model], shown, "a portrait", shown[0])
    assert row.image == pytest.approx(1, abs=1e-5)
    (other,) = clip_rows([model], pictures(5, 1), "", shown[0])
    assert other.image < 1 and other.text is None
    assert clip_rows([model], shown, "a portrait", None)[0].image is None


def test_the_papers_figures_stand_beside_the_users(model):
    table = markdown(clip_rows([model], pictures(0), "a portrait", pictures(1)[0]), "me.glb")
    assert "| Zero-1-to-A (paper, its own protocol) | 0.285 | 0.320 | 0.322 |" in table
    lines = table.splitlines()
    assert len(lines) == 2 + 8 + 2 and lines[0] == "| | ViT-L/14 | ViT-B/16 | ViT-B/32 |"
    assert lines[-2].startswith("| **me.glb**, text and image |  |  | 0.")


def test_every_expression_from_every_side_is_scored(debug_avatar):
    protocol = ClipConfig(yaws=(-20.0, 20.0), expressions=("neutral", "blink"), size=48)
    shown = avatar_pictures(debug_avatar, protocol)
    assert len(shown) == 4 and shown[0].shape == (48, 48, 3)
    with pytest.raises(InputError, match="no expression"):
        avatar_pictures(debug_avatar, ClipConfig(expressions=("none",)))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(MissingWeights, match="openai/clip-vit-large-patch14"):
        load_models(str(tmp_path))
    with pytest.raises(InputError, match="no CLIP model"):
        load_models("hub", ["ViT-H"])
    assert len(MODELS) == 3


def test_the_command_writes_a_table_and_its_protocol(model, debug_avatar, demo_portrait, tmp_path, monkeypatch, capsys):
    debug_avatar.save(tmp_path / "a.glb")
    demo_portrait.save(tmp_path)
    monkeypatch.setattr(clip, "load_models", lambda folder, names: [model])
    command = ["evaluate", "clip", str(tmp_path / "a.glb"), "-o", str(tmp_path / "out"), "--photo", str(tmp_path)]
    options = ["--protocol.size", "64", "--protocol.yaws", "0", "--protocol.expressions", "neutral", "blink"]
    assert main([*command, "--prompt", "a portrait", *options]) == 0
    assert "HeadStudio" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "clip.json").read_text())
    assert record["protocol"]["size"] == 64 and record["scores"][0]["text"] is not None
    assert (tmp_path / "out" / "pictures.png").is_file()
    assert main(["evaluate", "clip", str(tmp_path / "a.glb")]) == 2
