"""Video priors: models of how a person's videos look, behind one protocol.

A prior sees a reference, a drive and a video; it knows neither the avatar nor the loop that trains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config import DIFFUSION_PRIORS
from ..errors import InputError
from .protocol import Drive as Drive
from .protocol import Mode as Mode
from .protocol import Reference as Reference
from .protocol import ScorePrior as ScorePrior
from .protocol import Video as Video
from .protocol import VideoPrior as VideoPrior

if TYPE_CHECKING:
    from ..config import DiffusionConfig
    from .oracle import Inconsistency
    from .subjects import Subject

NAMES = ("reprojection", "external", "oracle", *DIFFUSION_PRIORS)
"""What `load_prior` knows."""


def check_prior(name: str, *, diffusion: DiffusionConfig | None = None, device: str = "auto") -> None:
    """Looks in milliseconds whether `load_prior` has what it needs, before the seconds that fitting a photo takes.
    Weights that are to be fetched from the hub are taken to be there, and no file is opened.

    Args:
        name: see `load_prior`; those that do not diffuse need nothing.
        diffusion: the same.
        device: the same.

    Raises:
        InputError: weights and random weights are both asked for, or there is no such device.
        MissingWeights: weights are not there; the message says how to get them.
        MissingDependency: the extra `diffusion` is not installed.
    """
    if name in DIFFUSION_PRIORS:
        from .diffusion import check_diffusion_prior

        check_diffusion_prior(name, diffusion, device)


def load_prior(
    name: str,
    *,
    command: str = "",
    timeout: float | None = None,
    subject: Subject | None = None,
    inconsistency: Inconsistency | None = None,
    diffusion: DiffusionConfig | None = None,
    device: str = "auto",
    seed: int = 0,
) -> VideoPrior:
    """A prior by name.

    Args:
        name: one of `NAMES`.
        command: for "external": what to run for each clip, with {folder} for the folder's path (see `external`).
        timeout: for "external": seconds that a clip may take; by default an hour.
        subject: for "oracle", which is for evaluation only: the person whose true look it knows.
        inconsistency: for "oracle": the size of its errors; by default `Inconsistency()`.
        diffusion: for those of `config.DIFFUSION_PRIORS`: weights and numbers.
        device: for the same: "cpu", "cuda", or "auto", which is a GPU where torch can use one.
        seed: for the same: of random weights.

    Raises:
        InputError: there is no prior of that name, or what it needs is not given.
        MissingWeights: its weights are not there; the message says how to get them.
        AssetError: its weights cannot be used.
        MissingDependency: the extra `diffusion` is not installed.
    """
    if name == "reprojection":
        from .reprojection import ReprojectionPrior

        return ReprojectionPrior()
    if name == "external":
        from .external import ExternalPrior

        return ExternalPrior(command) if timeout is None else ExternalPrior(command, timeout)
    if name == "oracle":
        from .oracle import Inconsistency, OraclePrior

        if subject is None:
            raise InputError("The oracle knows only made-up persons and serves evaluation; choose another prior.")
        return OraclePrior(subject, inconsistency or Inconsistency())
    if name in DIFFUSION_PRIORS:
        from .diffusion import load_diffusion_prior

        return load_diffusion_prior(name, diffusion, device, seed)
    raise InputError(f"There is no prior '{name}'; choose one of {', '.join(NAMES)}.")
