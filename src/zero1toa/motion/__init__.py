"""Motions: ARKit weights and head rotation over time, and the procedural ones that come with the package.

Nothing here needs torch or knows an avatar.
"""

from __future__ import annotations

from .motion import Motion as Motion
