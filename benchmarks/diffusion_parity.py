"""How close our networks and sampling are to the published code of AniPortrait and Follow-Your-Emoji.

    python -m benchmarks.diffusion_parity

The published code was run outside this repository, on weights and inputs that are functions of a seed, with the sizes
of `spec.tiny`. What it answered is in `tests/priors/golden`; here the same weights and inputs go through our classes.
`tests/priors/golden/README.md` says how the numbers were made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zero1toa.priors.animate_anyone import condition as conditions
from zero1toa.priors.animate_anyone.landmark_image import STYLES, draw_landmarks
from zero1toa.priors.animate_anyone.networks import Networks, random_networks
from zero1toa.priors.animate_anyone.prior import decode_latents
from zero1toa.priors.animate_anyone.sampler import Condition, Sampler
from zero1toa.priors.animate_anyone.spec import SPECS, ModelSpec, tiny

GOLDEN = Path(__file__).parents[1] / "tests" / "priors" / "golden"

MOST_NETWORK_ERROR = 1e-5
"""Relative: length of the difference over that of the answer, in single precision."""
MOST_VIDEO_ERROR = 1e-4
"""Absolute, of pixels in [0, 1]."""

_WINDOW, _OVERLAP, _FRAMES, _STEPS, _GUIDANCE = 8, 2, 11, 3, 3.5
_TIMESTEP = 480


class Row(NamedTuple):
    """One line of the table."""

    model: str
    part: str
    error: float
    most: float

    @property
    def passed(self) -> bool:
        """Whether it is as close as was asked."""
        return self.error <= self.most


def inputs(seed: int, *shape: int) -> Tensor:
    """Uniform numbers of unit variance."""
    values = (np.random.default_rng(seed).random(shape) * 2 - 1).astype(np.float32)
    return torch.from_numpy(values * np.float32(3**0.5))


def bytes_of(seed: int, *shape: int) -> np.ndarray:
    """Random pictures of 8 bits."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def difference(found: Tensor, golden: dict[str, Any]) -> tuple[float, float]:
    """Largest absolute difference at the places that were kept, and the length of all differences there over that of
    the golden values."""
    assert list(found.shape) == golden["shape"], (tuple(found.shape), golden["shape"])
    values = found.float().contiguous().flatten().numpy()
    places = np.linspace(0, values.size - 1, len(golden["values"])).astype(int)
    kept = np.array(golden["values"])
    apart = values[places].astype(np.float64) - kept
    rms = float(np.sqrt((values.astype(np.float64) ** 2).mean()))
    relative = max(np.linalg.norm(apart) / np.linalg.norm(kept), abs(rms / golden["rms"] - 1))
    return float(np.abs(apart).max()), float(relative)


def golden(model: str) -> dict[str, Any]:
    """The committed numbers of a model."""
    return json.loads((GOLDEN / f"{model}.json").read_text())


def model(name: str) -> tuple[ModelSpec, Networks, dict[str, Any]]:
    """The tiny model on the golden numbers' weights, and the numbers."""
    numbers = golden(name)
    spec = replace(tiny(SPECS[name]), window=_WINDOW, overlap=min(_OVERLAP, SPECS[name].overlap))
    networks = random_networks(spec, numbers["seed"])
    return spec, networks.ready(spec, torch.device("cpu"), torch.float32, None), numbers


@torch.no_grad()
def network_rows(name: str) -> Iterator[Row]:
    """Each network by itself."""
    spec, networks, numbers = model(name)
    tokens = spec.network.clip_tokens
    token = inputs(2, 1, 1, spec.network.context) if tokens is None else inputs(2, 1, 17, tokens)
    maps = networks.guider(conditions.pose_pixels(list(bytes_of(4, 6, 128, 128, 3)), spec))
    error = max(difference(found, kept)[1] for found, kept in zip(maps, numbers["pose_guider"], strict=True))
    yield Row(name, "pose guider", error, MOST_NETWORK_ERROR)
    bank = networks.reference(inputs(1, 1, 4, 16, 16), token)
    assert set(bank) == set(numbers["reference_unet"])
    error = max(difference(bank[key], kept)[1] for key, kept in numbers["reference_unet"].items())
    yield Row(name, "reference UNet, 16 banks", error, MOST_NETWORK_ERROR)
    if spec.bank_half:
        bank = {key: values.half().float() for key, values in bank.items()}
    latents = inputs(3, 1, 4, 6, 16, 16)
    both = networks.denoiser(
        latents.expand(2, -1, -1, -1, -1), _TIMESTEP, torch.cat([0 * token, token]), maps, bank, plain=1
    )
    for branch, found in zip(("null", "cond"), both.split(1)):
        error = difference(found, numbers["denoising_unet"][branch])[1]
        yield Row(name, f"denoising UNet, {branch}", error, MOST_NETWORK_ERROR)


def pipeline_row(name: str) -> Row:
    """A whole clip: CLIP, VAE, reference, pose, windows that overlap, guidance, DDIM, decoding."""
    spec, networks, numbers = model(name)
    picture = Image.fromarray(bytes_of(5, 96, 96, 3)).resize((80, 80), Image.Resampling.BICUBIC)
    token = conditions.clip_tokens(networks, picture)
    bank = conditions.reference_bank(networks, spec, picture, token)
    poses = list(bytes_of(6, _FRAMES, 128, 128, 3))
    condition: Condition = conditions.clip_condition(networks, spec, token, bank, poses)
    noise = inputs(8, 1, 4, _FRAMES, 16, 16)
    latents = Sampler(networks.denoiser, spec).denoise(condition, noise, _STEPS, _GUIDANCE)
    video = decode_latents(networks, spec, latents)
    return Row(name, "whole clip, pixels", difference(video, numbers["pipeline"])[0], MOST_VIDEO_ERROR)


def landmark_row(name: str) -> Row:
    """Share of landmark pictures that are not the published drawer's, byte by byte."""
    kept = golden(f"landmarks-{name}")
    wrong = 0
    for case in kept["pictures"]:
        points = landmark_points(case["seed"])
        picture = draw_landmarks(points, STYLES[name], case["size"], case["size"])
        wrong += hashlib.sha256(picture.tobytes()).hexdigest()[:16] != case["sha256"]
    return Row(name, f"landmark picture, {len(kept['pictures'])} of them", wrong / len(kept["pictures"]), 0.0)


def landmark_points(seed: int) -> np.ndarray:
    """(478, 2) made-up landmarks: a disc of points, sometimes beyond the picture's edge."""
    rng = np.random.default_rng(seed)
    spread = (0.1, 0.3, 0.6, 1.1)[seed % 4]
    return (0.5 + (rng.random((478, 2)) - 0.5) * spread + (rng.random(2) - 0.5) * 0.2).astype(np.float32)


def rows(names: Sequence[str] = tuple(SPECS)) -> Iterator[Row]:
    """The whole table."""
    for name in names:
        yield landmark_row(name)
        yield from network_rows(name)
        yield pipeline_row(name)


def main() -> None:
    """Prints the table. One thread, so that sums come out the same whatever the number of cores."""
    torch.set_num_threads(1)
    print("| model | part | difference | at most |\n|---|---|---|---|")
    for row in rows():
        mark = "" if row.passed else " **too much**"
        print(f"| {row.model} | {row.part} | {row.error:.1e}{mark} | {row.most:.0e} |")


if __name__ == "__main__":
    main()
