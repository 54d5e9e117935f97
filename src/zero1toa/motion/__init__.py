"""Motions: ARKit weights and head rotation over time, where they come from, and what can be done with them.

Nothing here needs torch or knows an avatar.
"""

from __future__ import annotations

from .builtin import BUILTIN_NAMES as BUILTIN_NAMES
from .builtin import builtin as builtin
from .filters import smoothed as smoothed
from .live_link import read_live_link as read_live_link
from .live_link import write_live_link as write_live_link
from .motion import Motion as Motion
from .read import MotionSource as MotionSource
from .read import read_motion as read_motion
from .retarget import calibrated as calibrated
from .retarget import neutral_of as neutral_of
from .retarget import range_adapted as range_adapted
from .sequences import exaggerated as exaggerated
from .sequences import near_neutral as near_neutral
from .sequences import sample_frames as sample_frames
from .sequences import training_clips as training_clips
