"""Video priors: models of how a person's videos look, behind one protocol.

A prior sees a reference, a drive and a video; it knows neither the avatar nor the loop that trains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from .protocol import Drive as Drive
from .protocol import Mode as Mode
from .protocol import Reference as Reference
from .protocol import Video as Video
from .protocol import VideoPrior as VideoPrior

if TYPE_CHECKING:
    from .oracle import Inconsistency
    from .subjects import Subject

NAMES = ("reprojection", "external", "oracle")
"""What `load_prior` knows."""


def load_prior(
    name: str,
    *,
    command: str = "",
    timeout: float | None = None,
    subject: Subject | None = None,
    inconsistency: Inconsistency | None = None,
) -> VideoPrior:
    """A prior by name.

    Args:
        name: one of `NAMES`.
        command: for "external": what to run for each clip, with {folder} for the folder's path (see `external`).
        timeout: for "external": seconds that a clip may take; by default an hour.
        subject: for "oracle", which is for evaluation only: the person whose true look it knows.
        inconsistency: for "oracle": the size of its errors; by default `Inconsistency()`.

    Raises:
        InputError: there is no prior of that name, or what it needs is not given.
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
    raise InputError(f"There is no prior '{name}'; choose one of {', '.join(NAMES)}.")
