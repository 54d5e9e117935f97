"""A person's video to a motion: `track_video`. Nothing here knows an avatar."""

from __future__ import annotations

from .frames import Frame as Frame
from .frames import FrameSource as FrameSource
from .frames import VideoInfo as VideoInfo
from .report import quality_report as quality_report
from .report import write_check_video as write_check_video
from .report import write_report as write_report
from .result import FILLED as FILLED
from .result import LOST as LOST
from .result import TRACKED as TRACKED
from .result import Tracking as Tracking
from .save import save_motion as save_motion
from .track import track_video as track_video
