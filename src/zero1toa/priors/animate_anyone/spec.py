"""The numbers of each model of the family, as its authors published them, and of tiny ones that only run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ...config import DiffusionConfig

Guider = Literal["multi_scale", "single_scale"]
BetaSchedule = Literal["linear", "scaled_linear"]


@dataclass(frozen=True)
class NetworkSpec:
    """Sizes of both UNets and of the pose guider. The defaults are Stable Diffusion 1.5's."""

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    """Of the four resolutions; each a multiple of 32 (the groups of the normalisation) and of `heads`."""
    layers: int = 2
    """Residual blocks of a resolution on the way down; one more on the way up."""
    heads: int = 8
    """Attention heads at every resolution, whose widths are then 40, 80, 160 and 160. SD 1.5's configuration calls this
    number `attention_head_dim`, and diffusers reads it as a number of heads; heads 8 wide would have weights of
    the same shapes and be another function."""
    context: int = 768
    """Width of the tokens that cross-attention reads."""
    clip_tokens: int | None = None
    """Width of CLIP's hidden states, where both UNets project them to `context` (`clip_fc`); None: there is one token,
    CLIP's projected embedding."""
    motion_length: int = 32
    """Frames that the motion modules' positional encoding knows."""
    motion_norm: Literal["frame", "clip"] = "frame"
    """Over what a motion module's group normalisation takes its statistics: each "frame" by itself (AnimateDiff's and
    AniPortrait's code), or the whole "clip" (diffusers' AnimateDiff)."""
    pose_in_skips: bool = False
    """Whether the lower four pose maps also reach the skip connections of the place where they are added. The published
    code stores the skips before."""
    last_reference_block_is_whole: bool = True
    """Whether the last block of the reference UNet is complete. Follow-Your-Emoji keeps only its first normalisation,
    since nothing after it is ever read."""
    guider: Guider = "multi_scale"
    """"multi_scale": AniPortrait's pose guider, five feature maps; "single_scale": Follow-Your-Emoji's, one."""
    guider_channels: tuple[int, ...] = (16, 32, 96, 256)
    """Of the single-scale guider."""
    guider_heads: int = 16
    """Of the multi-scale guider's attention."""
    guider_head_width: int = 88
    """Channels of a head there."""


@dataclass(frozen=True)
class NoiseSpec:
    """The noise schedule, as the published inference code has it."""

    beta_schedule: BetaSchedule = "linear"
    """AniPortrait was trained with "scaled_linear" (`train_stage_2.py`) and is sampled with "linear"
    (`inference_v2.yaml`); the samples its authors show were made so."""
    trained_schedule: BetaSchedule = "scaled_linear"
    """Of the training (both models)."""
    beta_start: float = 0.00085
    beta_end: float = 0.012
    train_timesteps: int = 1000


@dataclass(frozen=True)
class ModelSpec:
    """A model and how it is sampled."""

    name: str
    network: NetworkSpec = NetworkSpec()
    noise: NoiseSpec = NoiseSpec()
    size: int = 512
    """Side of its pictures, px; a multiple of 64."""
    steps: int = 25
    """Denoising steps."""
    guidance: float = 3.5
    """Scale of classifier-free guidance; 1 leaves the unconditional half out."""
    window: int = 16
    """Frames that the network sees at a time."""
    overlap: int = 4
    """Frames that two neighbouring windows share."""
    last_window: Literal["cyclic", "clamp"] = "cyclic"
    """What a window that reaches beyond the clip does: "cyclic" goes on with the first frames (the published code),
    "clamp" takes the last frames again."""
    pose_norm: Literal["batch", "running"] = "batch"
    """Statistics of the pose guider's batch normalisation: "batch" takes those of the window (the published code never
    leaves training mode), "running" those stored with the weights."""
    pose_range: Literal["peer", "train"] = "peer"
    """What the pose guider is fed: "peer" is 2 x - 1 of 0..255 for AniPortrait, as its inference code does by not
    dividing by 255; "train" is [-1, 1], as its training code does. Follow-Your-Emoji is fed [0, 1] either way."""
    bank_half: bool = True
    """Whether the reference features are rounded to half precision, as AniPortrait's code does in any run."""
    null_condition: Literal["pose", "nothing", "pose_and_bank"] = "pose"
    """What the unconditional half of guidance sees beside tokens of zero: the "pose" alone (the published code),
    "nothing", so that guidance also exaggerates the pose, or "pose_and_bank", so that it exaggerates CLIP's token
    alone."""
    noise_dtype: Literal["network", "float32"] = "network"
    """In which precision the first noise is drawn. The same seed gives other numbers in another: "network" is the
    published script's choice, "float32" gives the same noise to runs of any precision."""
    reference_latents: Literal["mean", "sample"] = "mean"
    """Whether the reference UNet reads the mean of the VAE's distribution (the published code) or a sample of it."""
    reference_timestep: int = 0
    """The time that the reference UNet is told: 0, a picture without noise, in the published code."""
    landmark_channels: Literal["drawn", "reversed"] = "drawn"
    """Order of the landmark picture's channels: as it was "drawn" (the published code feeds the array that it drew,
    whatever it calls it), or "reversed", for weights trained on the other order."""
    latent_scale: float = 0.18215
    """Of the VAE's latents."""


ANIPORTRAIT = ModelSpec("aniportrait")
"""Zejun-Yang/AniPortrait, commit 7f6593f."""

FOLLOW_YOUR_EMOJI = ModelSpec(
    "follow-your-emoji",
    NetworkSpec(clip_tokens=1024, last_reference_block_is_whole=False, guider="single_scale"),
    NoiseSpec("scaled_linear"),
    steps=30,
    window=24,
    overlap=0,  # the signature says 4, but the windows are made with 0
    bank_half=False,
)
"""mayuelala/FollowYourEmoji, commit 8e42c5f: facts of its interface; the repository carries no licence."""

SPECS = {spec.name: spec for spec in (ANIPORTRAIT, FOLLOW_YOUR_EMOJI)}


def tiny(spec: ModelSpec) -> ModelSpec:
    """The same model with networks that a CPU runs in milliseconds, for random weights only."""
    network = replace(
        spec.network,
        channels=(32, 64, 128, 128),
        context=24,
        clip_tokens=None if spec.network.clip_tokens is None else 40,
        guider_channels=(8, 8, 16, 16),
        guider_heads=4,
        guider_head_width=8,
    )
    return replace(spec, network=network, size=128, steps=2)


_OF_MODEL = (
    "steps",
    "pose_norm",
    "pose_range",
    "last_window",
    "bank_half",
    "null_condition",
    "noise_dtype",
    "reference_latents",
    "reference_timestep",
    "landmark_channels",
)
"""Fields of `ModelSpec` that the configuration has under the same name."""


def configured(spec: ModelSpec, config: DiffusionConfig) -> ModelSpec:
    """A model with what the configuration changes about it; None there leaves the model's own."""
    changes = {name: getattr(config, name) for name in _OF_MODEL} | {"guidance": config.guidance_scale}
    changed = replace(spec, **{name: value for name, value in changes.items() if value is not None})
    network = replace(spec.network, motion_norm=config.motion_norm, pose_in_skips=config.pose_in_skips)
    return replace(
        changed,
        network=network,
        noise=replace(spec.noise, beta_schedule=config.beta_schedule or spec.noise.beta_schedule),
    )
