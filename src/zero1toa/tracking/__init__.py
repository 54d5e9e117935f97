"""A person's video to a motion: `track_video`. Nothing here knows an avatar."""

from __future__ import annotations

from .frames import Frame as Frame
from .frames import FrameSource as FrameSource
from .frames import VideoInfo as VideoInfo
from .result import FILLED as FILLED
from .result import LOST as LOST
from .result import TRACKED as TRACKED
from .result import Tracking as Tracking
from .track import track_video as track_video
