"""3D Gaussians: how they are held, how they follow a mesh, and how they become a picture."""

from __future__ import annotations

from zero1toa.splats.gaussians import Gaussians as Gaussians
from zero1toa.splats.gaussians import WorldGaussians as WorldGaussians
from zero1toa.splats.rasterize import RasterOutput as RasterOutput
from zero1toa.splats.rasterize import rasterize as rasterize
from zero1toa.splats.rasterize import rasterize_clip as rasterize_clip
from zero1toa.splats.rig import TriangleFrames as TriangleFrames
from zero1toa.splats.rig import position_loss as position_loss
from zero1toa.splats.rig import scale_loss as scale_loss
from zero1toa.splats.rig import to_local as to_local
from zero1toa.splats.rig import to_world as to_world
from zero1toa.splats.rig import triangle_frames as triangle_frames
from zero1toa.splats.statistics import RasterStatistics as RasterStatistics
