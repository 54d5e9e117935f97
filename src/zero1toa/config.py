"""Every number that can be tuned, in one tree of frozen dataclasses. Presets are instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class FitConfig:
    """How a head is fitted to landmarks. Energies are in squared pixels of a 512 px crop over `landmark_sigma`
    squared."""

    fov: float = 25.0
    """Vertical field of view assumed for the crop, degrees. 15 to 40 make no visible difference to the residual."""
    identity_components: int = 80
    """How many identity coefficients are fitted; the rest stay 0."""
    landmark_sigma: float = 2.0
    """Standard deviation of a well-defined landmark, px at 512."""
    robust_scale: float = 8.0
    """Residual (px at 512) at which a landmark's weight has fallen to a quarter (Geman-McClure)."""
    identity_weight: float = 1.5
    """Weight of the squared identity coefficients (unit variance each)."""
    expression_weight: float = 100.0
    """Scales the learned prior on the expression (its precision matrix). High, since the prior has read the same
    landmarks and knows their errors: at 1 the solver gives half of a smile back to identity (measured on rendered
    heads)."""
    refined_expression_weight: float = 30.0
    """The same once identity is held: what the landmarks still show can only be expression, so an open mouth opens.
    At 10 the landmarks come 0.03 px closer, at the price of a third more movements that are not there (measured on
    rendered heads)."""
    max_iterations: int = 40
    """Gauss-Newton steps; convergence usually comes after 10 to 15."""


@dataclass(frozen=True)
class CurriculumConfig:
    """Progressive learning: which clips there are, and when."""

    frames: int = 16
    """n_f, frames of a clip. 16 is one window of AniPortrait (the paper does not say)."""
    spatial_clips: int = 20
    """n_s (paper, section 3.4)."""
    synthetic_clips: int = 10
    """n_syn (paper, section 3.4)."""
    real_clips: int = 10
    """n_real (paper, section 3.4); here exaggerated procedural sequences."""
    spatial_until: float = 0.5
    """Share of the run that belongs to the spatial stage alone: iteration 5,000 of 10,000 (paper, section 4)."""
    real_from: float = 0.8
    """Share of the run after which the exaggerated sequences come: iteration 8,000 of 10,000 (paper, section 4)."""
    least_yaw: float = 30.0
    """Smallest yaw at the end of a camera path, degrees."""
    most_yaw: float = 60.0
    """Largest yaw at the end of a camera path, degrees. The paper says "side view"."""
    most_pitch: float = 15.0
    """Largest pitch at the end of a camera path, degrees (CAP4D: 20)."""
    temporal_yaw: float = 8.0
    """Largest yaw of the "near-frontal" cameras of temporal clips, degrees."""
    temporal_pitch: float = 5.0
    """Largest pitch of those cameras, degrees."""
    progressive: bool = True
    """Off: all clips with all cameras from the start (ablation, Fig. 8)."""
    spatial: bool = True
    """Off: no spatial clips (ablation, Fig. 8)."""
    temporal: bool = True
    """Off: no temporal clips (ablation, Fig. 8)."""


@dataclass(frozen=True)
class RatesConfig:
    """Learning rates of Adam. They fall to `final` of themselves along an exponential."""

    means: float = 0.003
    """Local means, in triangle scales (GaussianAvatars: .005)."""
    quats: float = 0.001
    """Quaternions (GaussianAvatars, HeadStudio)."""
    log_scales: float = 0.005
    """Logarithmic scales (HeadStudio; GaussianAvatars' .017 makes streaks seen from the side)."""
    opacity_logits: float = 0.01
    """Opacity logits (HeadStudio)."""
    colors: float = 0.005
    """Colours (between GaussianAvatars' .0025 and HeadStudio's .0125, which freckles lifted colours)."""
    final: float = 0.3
    """Share of the rates that is left at the end. At .1 the last third of a short run hardly moves: with .5 the photo
    comes .4 to 1.7 dB closer in 300 steps on it alone."""


@dataclass(frozen=True)
class LossConfig:
    """L = 10 L1 + 10 LPIPS + 0.1 L_pos + 10 L_scale (paper, section 4)."""

    color: float = 10.0
    """Weight of the L1 distance of colours (paper)."""
    matte: float = 10.0
    """Weight of the L1 distance of mattes. Ours: the paper's clips have plain backgrounds, which do the same."""
    structure: float = 10.0
    """Weight of the perceptual term (paper: LPIPS). Without LPIPS' weights it is `losses.gradient_distance`."""
    position: float = 0.1
    """Weight of the position loss (paper)."""
    scale: float = 10.0
    """Weight of the scale loss (paper)."""


@dataclass(frozen=True)
class DensityConfig:
    """When Gaussians are cloned, split and pruned (3D Gaussian Splatting, section 5.2)."""

    interval: int = 100
    """Iterations between two looks; 0 never changes the number."""
    begin: float = 0.1
    """Share of the run before the first look."""
    end: float = 0.7
    """Share of the run after which the number is left alone, so that the last steps settle."""
    growth: float = 0.03
    """Share of the Gaussians, those with the largest screen-space gradients, that is cloned or split at a look. A share
    and not 3DGS' absolute threshold, since gradients grow with the number of pixels."""
    most: float = 1.5
    """Largest number of Gaussians over that at the start."""
    split_above: float = 0.8
    """Largest local scale, in triangle scales, above which a Gaussian is split and not cloned."""
    least_opacity: float = 0.02
    """Opacity below which a Gaussian is pruned (3DGS: .005; ours start at .95)."""


DIFFUSION_PRIORS = ("aniportrait", "follow-your-emoji", "wan-animate", "mini")
"""Priors that diffuse; they need weights, and all but "mini", which is our own, the extra `diffusion`."""


@dataclass(frozen=True)
class DiffusionConfig:
    """How a diffusion prior is run. None leaves a number as the model's authors have it."""

    weights: str = ""
    """A folder with the model's files, or "hub" to fetch them from the Hugging Face hub; for "mini" a file."""
    random_weights: bool = False
    """Tiny networks that never learned anything instead: shows that everything runs, and makes no pictures."""
    steps: int | None = None
    """Denoising steps (AniPortrait: 25, Follow-Your-Emoji: 30, Wan-Animate: 20, mini: 4)."""
    guidance_scale: float | None = None
    """Scale of classifier-free guidance (AniPortrait and Follow-Your-Emoji: 3.5, Wan-Animate and mini: 1)."""
    temperature: float | None = None
    """Of mini alone: factor, on the way down, on the deviation from its mean that the network answers."""
    inversion_guidance: float = 1.0
    """The same on the way up. With the value of the way down an exact inversion returns its input, and nothing is
    corrected."""
    inversion_condition: Literal["full", "null"] = "full"
    """What the way up sees: "full" the photo and the landmarks, "null" the landmarks alone (more is changed)."""
    inversion_refinements: int = 0
    """Fixed-point iterations of an upward step; 0 is DDIM's plain inverse. On a mixture of two broad Gaussians 2 come
    back ten times closer to where they began than 0, and so change less; on one of two narrow ones more than 2 do not
    converge."""
    landmarks: Literal["detected", "projected"] = "detected"
    """Of the avatar's renders: "detected" by MediaPipe (paper), and projected where it finds no face; or "projected"
    from the posed head."""
    background: float = 1.0
    """Grey behind the person in what the model sees."""
    dtype: str = "auto"
    """"float32", "float16", "bfloat16", or "auto": float16 on a GPU, on a CPU bfloat16 where it computes in it."""
    attention_rows: int | None = None
    """Rows of a batch that an attention layer takes at a time: 1 to 8 fit a small card. None takes all."""
    solver: Literal["ddim", "dpmpp"] = "ddim"
    """Of clips made from noise alone: "ddim" (published), or "dpmpp", DPM-Solver++ of second order, which needs fewer
    steps. What is inverted always comes back by DDIM, whose way up is known."""
    batched_guidance: bool = True
    """Both halves of guidance in one batch; off: one after the other, half the batch at a time."""
    channels_last: bool = False
    """Lays the UNets' and the VAE's pictures out with their channels last, which GPUs convolve faster."""
    compile: bool = False
    """Compiles the denoising network with torch.compile; where that fails, it says so and runs as it is."""
    score_schedule: Literal["inference", "train"] = "inference"
    """Noise levels of score distillation: those with which clips are sampled, so that it compares with SymGEN, or those
    of the training (AniPortrait: "scaled_linear")."""
    pose_norm: Literal["batch", "running"] = "batch"
    """AniPortrait's pose guider: "batch" statistics of the clip, as its authors run it, or the "running" ones."""
    pose_range: Literal["peer", "train"] = "peer"
    """What that guider is fed: "peer" the 0 to 255 of its inference code, "train" the -1 to 1 of its training."""
    last_window: Literal["cyclic", "clamp"] = "cyclic"
    """Of a clip longer than a window: "cyclic" wraps to the first frames, as published, "clamp" does not."""
    beta_schedule: Literal["linear", "scaled_linear"] | None = None
    """Noise levels of sampling. AniPortrait is published with "linear" and was trained with "scaled_linear"."""
    bank_half: bool | None = None
    """Whether reference features are rounded to half precision (AniPortrait: in any run, Follow-Your-Emoji: never)."""
    null_condition: Literal["pose", "nothing", "pose_and_bank"] = "pose"
    """What the unconditional half sees: the landmarks (published), nothing, or landmarks and reference features."""
    noise_dtype: Literal["network", "float32"] = "network"
    """Precision in which noise is drawn: the network's (published), or one, so that seeds agree across precisions."""
    reference_latents: Literal["mean", "sample"] = "mean"
    """What the reference network reads of the VAE's distribution of the photo; "mean" as published."""
    reference_timestep: int = 0
    """The time that the reference network is told; 0 as published."""
    landmark_channels: Literal["drawn", "reversed"] = "drawn"
    """Order of the landmark pictures' channels; "drawn" as published."""
    motion_norm: Literal["frame", "clip"] = "frame"
    """What a motion module normalises over; each "frame" as published, the "clip" as diffusers' AnimateDiff."""
    pose_in_skips: bool = False
    """Whether the lower pose features also reach the skip connections; as published they do not."""


@dataclass(frozen=True)
class DistillConfig:
    """Score distillation (the paper's baselines), for priors that have a score. Times are those of Stable Diffusion's
    schedule, in [0, 1], and are translated to the prior's by their signal-to-noise ratio."""

    scale: float | None = None
    """Guidance; None is the method's own: SDS 100, ISM and NFSD 7.5 (DreamFusion, LucidDreamer, Katzir 2023)."""
    least_time: float = 0.02
    """Smallest time that is drawn."""
    most_time: float = 0.98
    """Largest time that is drawn (LucidDreamer: 0.5 at the start, growing)."""
    ism_interval: float = 0.08
    """ISM's delta_T: between the two noise levels that it compares."""
    ism_step: float = 0.2
    """ISM's delta_S: step of the inversion that leads to the lower level."""
    ism_most_weight: float = 10.0
    """Largest weight sqrt((1 - a) / a) of ISM. Models whose last level is pure noise make it infinite."""
    nfsd_small_time: float = 0.2
    """Time below which NFSD takes the unconditional answer for the domain's direction."""
    weight: float = 1.0
    """Of the loss: half the squared length of the gradient on the latents, mean over frames."""


@dataclass(frozen=True)
class ClipConfig:
    """Which pictures of an avatar `evaluate clip` scores: every expression from every side."""

    yaws: tuple[float, ...] = (-30.0, 0.0, 30.0)
    """Degrees to the subject's left."""
    expressions: tuple[str, ...] = ("neutral", "smile", "jaw open", "blink")
    """Of `showcase.EXPRESSIONS`."""
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """RGB behind the avatar."""
    size: int = 512
    """Side of a picture, px; CLIP sees 224."""


@dataclass(frozen=True)
class SettleConfig:
    """The last step: the best colours for everything else as it is. Ours; the paper ends with the last iteration."""

    rounds: int = 20
    """Conjugate gradients' rounds; 0 leaves the colours as they were trained."""
    frames: int = 8
    """Frames of clips, drawn at random, that count beside the photo."""
    clips: float = 0.4
    """How much all those frames count together, with the photo at 1. They are blurred, and the photo is what the
    avatar is held against."""
    hold: float = 0.1
    """A Gaussian of which the pictures show fewer pixels than this keeps the colour that it had."""
    field_spacing: float = 0.02
    """Metres between the nodes of the smooth change that even held skin takes. From .01 to .03 a man with a collar and
    a cartoon come 1.6 to 2.8 dB closer to their photos, each most at .02."""
    field_hold: float = 5.0
    """A node of which the pictures show fewer pixels than this changes nothing."""
    tolerance: float = 0.4
    """sRGB by which a held colour may change beyond that, times how large the photo shows it beside the view that shows
    it largest: little is no smear. Brings the man with a collar 1.3 dB closer to his photo, and the demo 1.1 dB."""
    again: int = 4
    """Rounds for that, and as many for what is free to make up for it."""


@dataclass(frozen=True)
class CreateConfig:
    """How an avatar is made of a portrait."""

    preset: str = "custom"
    """Name under which the provenance records these numbers."""
    prior: str = "reprojection"
    """The video prior, by the name that `priors.load_prior` knows."""
    prior_command: str = ""
    """For the prior "external": what to run for each clip, with {folder} for the folder's path."""
    guidance: str = "symgen"
    """"symgen": an updatable dataset; "once": the dataset is made once and never updated; "sds", "ism", "nfsd": no
    dataset, score distillation from a diffusion prior. Without a score "sds" follows the answer to each render."""
    splats: int = 50_000
    """About how many Gaussians there are at the start; every triangle has at least one."""
    size: int = 384
    """Side of the training pictures, px."""
    texture_size: int = 1024
    """Side of the lifted texture, px."""
    iterations: int = 600
    """Training steps (paper: 10,000)."""
    update_interval: int = 10
    """Iterations between two updates of the dataset; each update regenerates one clip (paper: 30)."""
    strength: float = 1.0
    """How much of a clip the prior makes anew, in (0, 1]."""
    mode: str = "ddim_inversion"
    """How it makes it anew: "ddim_inversion", "sdedit" or "generate"."""
    photo_share: float = 0.4
    """Share of the steps that train on the photo itself. Ours: the paper does not train on it."""
    seed: int = 0
    """Of every random number."""
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    rates: RatesConfig = field(default_factory=RatesConfig)
    density: DensityConfig = field(default_factory=DensityConfig)
    settle: SettleConfig = field(default_factory=SettleConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)


_SHORT = CurriculumConfig(frames=8, spatial_clips=6, synthetic_clips=3, real_clips=3)

PRESETS: dict[str, CreateConfig] = {
    "debug": CreateConfig(
        "debug",
        splats=20_000,
        size=128,
        texture_size=512,
        iterations=24,
        update_interval=4,
        curriculum=CurriculumConfig(frames=4, spatial_clips=2, synthetic_clips=1, real_clips=1),
        density=DensityConfig(interval=0),
    ),
    "fast": CreateConfig("fast", curriculum=_SHORT),
    "balanced": CreateConfig(
        "balanced", splats=80_000, size=512, iterations=1800, update_interval=20, curriculum=CurriculumConfig(frames=8)
    ),
    "paper": CreateConfig("paper", splats=100_000, size=512, iterations=10_000, update_interval=30),
}
"""By name: debug takes seconds, fast under a minute, balanced a few minutes, each on two CPU cores; paper has the
paper's numbers and is meant for a GPU."""
