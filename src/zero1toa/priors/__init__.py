"""Video priors: models of how a person's videos look, behind one protocol.

A prior sees a reference, a drive and a video; it knows neither the avatar nor the loop that trains it.
"""

from __future__ import annotations

from ..errors import InputError
from .protocol import Drive as Drive
from .protocol import Mode as Mode
from .protocol import Reference as Reference
from .protocol import Video as Video
from .protocol import VideoPrior as VideoPrior

NAMES = ("reprojection",)
"""What `load_prior` knows without further arguments."""


def load_prior(name: str) -> VideoPrior:
    """A prior by name.

    Raises:
        InputError: there is no prior of that name.
    """
    if name == "reprojection":
        from .reprojection import ReprojectionPrior

        return ReprojectionPrior()
    raise InputError(f"There is no prior '{name}'; choose one of {', '.join(NAMES)}.")
