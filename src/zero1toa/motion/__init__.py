"""Motions: ARKit weights and head rotation over time, and the procedural ones that come with the package.

Nothing here needs torch or knows an avatar.
"""

from __future__ import annotations

from .builtin import BUILTIN_NAMES as BUILTIN_NAMES
from .builtin import builtin as builtin
from .motion import Motion as Motion
from .sequences import exaggerated as exaggerated
from .sequences import near_neutral as near_neutral
from .sequences import sample_frames as sample_frames
from .sequences import training_clips as training_clips
