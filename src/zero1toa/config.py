"""Every number that can be tuned, in one tree of frozen dataclasses. Presets are instances."""

from __future__ import annotations

from dataclasses import dataclass, field


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
class TrainConfig:
    """How the splats are trained on the photo."""

    iterations: int = 200
    """Steps of Adam."""
    color_weight: float = 10.0
    """Weight of the L1 colour and matte losses (paper, section 4: 10 L1)."""
    position_weight: float = 0.1
    """Weight of the position loss (paper, section 4: 0.1 L_pos)."""
    scale_weight: float = 10.0
    """Weight of the scale loss (paper, section 4: 10 L_scale)."""
    position_rate: float = 0.005
    """Learning rate of the local means (GaussianAvatars)."""
    rotation_rate: float = 0.001
    """Learning rate of the quaternions (GaussianAvatars)."""
    scale_rate: float = 0.005
    """Learning rate of the logarithmic scales (HeadStudio; GaussianAvatars' .017 makes streaks seen from the side)."""
    opacity_rate: float = 0.01
    """Learning rate of the opacity logits (HeadStudio)."""
    color_rate: float = 0.005
    """Learning rate of the colours (between GaussianAvatars' .0025 and HeadStudio's .0125, which freckles lifted
    colours)."""

    @property
    def learning_rates(self) -> dict[str, float]:
        """By field of `splats.Gaussians`."""
        return {
            "means": self.position_rate,
            "quats": self.rotation_rate,
            "log_scales": self.scale_rate,
            "opacity_logits": self.opacity_rate,
            "colors": self.color_rate,
        }


@dataclass(frozen=True)
class CreateConfig:
    """How an avatar is made of a portrait."""

    preset: str = "custom"
    """Name under which the provenance records these numbers."""
    splats: int = 50_000
    """About how many Gaussians there are at the start; every triangle has at least one."""
    size: int = 384
    """Side of the training picture, px."""
    seed: int = 0
    """Of every random number."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Losses, rates and number of steps."""


PRESETS: dict[str, CreateConfig] = {
    "debug": CreateConfig("debug", splats=20_000, size=128, train=TrainConfig(iterations=20)),
    "fast": CreateConfig("fast"),
    "balanced": CreateConfig("balanced", splats=80_000, size=512, train=TrainConfig(iterations=1500)),
}
"""By name: debug takes seconds, fast under a minute, balanced a few minutes, each on two CPU cores."""
