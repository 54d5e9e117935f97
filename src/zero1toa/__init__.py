"""zero1toa: one portrait picture in, one animatable 3D head avatar out.

    import zero1toa
    avatar = zero1toa.create("portrait.jpg")
    avatar.save("avatar.glb")
    picture = avatar.render(expression={"jawOpen": 0.6})

Importing this package loads neither torch nor MediaPipe; each name below loads what it needs when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .animation import AnimateConfig as AnimateConfig
    from .animation import animate as animate
    from .api import create as create
    from .api import fit as fit
    from .api import load as load
    from .avatar import Avatar as Avatar
    from .camera import Camera as Camera
    from .config import CreateConfig as CreateConfig
    from .config import FitConfig as FitConfig
    from .errors import Zero1toaError as Zero1toaError
    from .motion import Motion as Motion
    from .portrait.portrait import Portrait as Portrait

_HOMES = {
    "animate": ".animation",
    "AnimateConfig": ".animation",
    "create": ".api",
    "fit": ".api",
    "load": ".api",
    "Avatar": ".avatar",
    "Camera": ".camera",
    "CreateConfig": ".config",
    "FitConfig": ".config",
    "Motion": ".motion",
    "Portrait": ".portrait.portrait",
    "Zero1toaError": ".errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
