"""CLIP scores of an avatar's renders (paper, Table 1): how well they fit a text, and how well the photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..avatar import Avatar
from ..config import ClipConfig
from ..errors import AssetError, InputError, MissingWeights
from ..media import to_uint8
from ..priors.clip_image import clip_pixels
from ..priors.extras import transformers
from ..showcase import EXPRESSIONS

MODELS = {
    "ViT-L/14": "openai/clip-vit-large-patch14",
    "ViT-B/16": "openai/clip-vit-base-patch16",
    "ViT-B/32": "openai/clip-vit-base-patch32",
}
"""Of the paper's Table 1, by their names on the Hugging Face hub."""

HUB = "hub"

PAPER: dict[str, tuple[float, float, float]] = {
    "DreamFusion": (0.244, 0.302, 0.300),
    "LatentNeRF": (0.248, 0.299, 0.303),
    "Fantasia3D": (0.267, 0.304, 0.300),
    "ProlificDreamer": (0.268, 0.320, 0.308),
    "HeadSculpt": (0.264, 0.306, 0.305),
    "HeadArtist": (0.272, 0.318, 0.313),
    "HeadStudio": (0.275, 0.322, 0.317),
    "Zero-1-to-A": (0.285, 0.320, 0.322),
}
"""Table 1: text-image scores with the models of `MODELS`, in their order. Prompts, views and expressions behind them
are not published, so only figures of one protocol can be compared."""

_LONGEST = 77  # tokens of a text

Tokenize = Callable[[str], Mapping[str, Tensor]]


@dataclass(frozen=True, eq=False)
class ClipModel:
    """One CLIP model.

    Args:
        name: as in `MODELS`.
        network: transformers' `CLIPModel`.
        tokenize: a text's ids and mask, each (1, L).
    """

    name: str
    network: Any
    tokenize: Tokenize

    @torch.no_grad()
    def image_embeddings(self, pictures: Sequence[NDArray[np.floating]]) -> Tensor:
        """(N, D) of unit length, of pictures (H, W, 3) in [0, 1]."""
        size = self.network.config.vision_config.image_size
        return torch.cat([self._image(clip_pixels(Image.fromarray(to_uint8(p)), size)) for p in pictures])

    @torch.no_grad()
    def text_embedding(self, text: str) -> Tensor:
        """(1, D) of unit length."""
        return _unit(self.network.text_projection(self.network.text_model(**self.tokenize(text)).pooler_output))

    def _image(self, pixels: Tensor) -> Tensor:
        pooled = self.network.vision_model(pixel_values=pixels.to(self.network.dtype)).pooler_output
        return _unit(self.network.visual_projection(pooled))


def clip_score(first: Tensor, second: Tensor) -> float:
    """Mean over pairs of max(cosine, 0), of unit vectors (N, D) and (1 or N, D): torchmetrics' score over 100."""
    return (first * second).sum(-1).clamp_min(0).mean().item()


def load_models(folder: str, names: Sequence[str] = tuple(MODELS)) -> list[ClipModel]:
    """CLIP models from a folder that holds theirs, or from the hub.

    Args:
        folder: with a folder for each model, named as the second half of its name on the hub; or `HUB`.
        names: of `MODELS`.

    Raises:
        InputError: there is no such model.
        MissingWeights: a folder is missing; the message names its source.
        AssetError: it cannot be read.
        MissingDependency: the extra `diffusion` is not installed.
    """
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise InputError(f"There is no CLIP model '{unknown[0]}'; there are: {', '.join(MODELS)}.")
    sources = {name: _source(folder, name) for name in names}
    return [_load(name, source) for name, source in sources.items()]


def avatar_pictures(avatar: Avatar, config: ClipConfig) -> list[NDArray[np.float32]]:
    """Every expression from every side, in the config's order."""
    unknown = [name for name in config.expressions if name not in EXPRESSIONS]
    if unknown:
        raise InputError(f"There is no expression '{unknown[0]}'; there are: {', '.join(EXPRESSIONS)}.")
    return [
        avatar.render(avatar.front_camera(yaw, size=config.size), EXPRESSIONS[name], background=config.background)
        for name in config.expressions
        for yaw in config.yaws
    ]


@dataclass(frozen=True)
class ClipRow:
    """Scores with one model; None where nothing was given to compare with."""

    model: str
    text: float | None
    image: float | None


def clip_rows(
    models: Sequence[ClipModel],
    pictures: Sequence[NDArray[np.floating]],
    prompt: str,
    photo: NDArray[np.floating] | None,
) -> list[ClipRow]:
    """Scores of renders against a text and a photo (H, W, 3); an empty text and no photo are left out."""
    rows = []
    for model in models:
        seen = model.image_embeddings(pictures)
        text = clip_score(seen, model.text_embedding(prompt)) if prompt else None
        image = None if photo is None else clip_score(seen, model.image_embeddings([photo]))
        rows.append(ClipRow(model.name, text, image))
    return rows


def markdown(rows: Sequence[ClipRow], name: str) -> str:
    """The paper's Table 1 with the user's figures beside it."""
    found = {row.model: row for row in rows}

    def line(title: str, values: Sequence[float | None]) -> str:
        return f"| {title} | " + " | ".join("" if value is None else f"{value:.3f}" for value in values) + " |"

    def column(kind: str) -> list[float | None]:
        return [getattr(found[model], kind) if model in found else None for model in MODELS]

    lines = [f"| | {' | '.join(MODELS)} |", "|---" * (len(MODELS) + 1) + "|"]
    lines += [line(f"{method} (paper, its own protocol)", values) for method, values in PAPER.items()]
    if any(value is not None for value in column("text")):
        lines.append(line(f"**{name}**, text and image", column("text")))
    if any(value is not None for value in column("image")):
        lines.append(line(f"**{name}**, photo and image", column("image")))
    return "\n".join(lines)


def _unit(vectors: Tensor) -> Tensor:
    return vectors.float() / vectors.float().norm(dim=-1, keepdim=True)


def _source(folder: str, name: str) -> str:
    if folder == HUB:
        return MODELS[name]
    path = Path(folder).expanduser() / MODELS[name].rpartition("/")[2]
    if not folder or not (path / "config.json").is_file():
        wanted = ", ".join(f"huggingface.co/{repository}" for repository in MODELS.values())
        where = f"in {folder}" if folder else "given"
        raise MissingWeights(
            f"The CLIP models are not {where}: put the folders of {wanted} (1.7, 0.6 and 0.6 GB; MIT by OpenAI's code,"
            f" check their pages) into one folder and say --weights FOLDER, or --weights {HUB} to have them fetched."
        )
    return str(path)


def _load(name: str, source: str) -> ClipModel:
    library = transformers()
    try:
        network = library.CLIPModel.from_pretrained(source).eval()
        tokenizer = library.CLIPTokenizer.from_pretrained(source)
    except (OSError, ValueError, RuntimeError) as error:
        raise AssetError(f"The CLIP model {source} cannot be read: {str(error).splitlines()[0][:200]}") from error

    def tokenize(text: str) -> Mapping[str, Tensor]:
        found = tokenizer(text, truncation=True, max_length=_LONGEST, return_tensors="pt")
        return {key: found[key] for key in ("input_ids", "attention_mask")}

    return ClipModel(name, network, tokenize)
