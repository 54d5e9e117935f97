"""Progressive learning (paper, Fig. 4): first space, then time. Pure functions of the iteration.

*Spatial consistency learning*: clips of one fixed expression, on camera paths from the front to a side view that open
gradually. *Temporal consistency learning*: clips from the front, first synthetic sequences near the neutral face, then
real, exaggerated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..config import CurriculumConfig

Stage = Literal["spatial", "synthetic", "real"]
STAGES: tuple[Stage, ...] = ("spatial", "synthetic", "real")


def spatial_iterations(config: CurriculumConfig, iterations: int) -> int:
    """k_s: how many of the `iterations` belong to the spatial stage alone."""
    return round(config.spatial_until * iterations)


def active_stages(config: CurriculumConfig, iteration: int, iterations: int) -> tuple[Stage, ...]:
    """Whose clips are in the dataset at an iteration.

    The stages add up: spatial clips stay when the synthetic sequences come, those stay when the real ones come. Without
    progressive learning all are there from the start. Where the spatial stage is switched off, the synthetic sequences
    begin at once.
    """
    if config.progressive:
        begins = {
            "spatial": 0,
            "synthetic": spatial_iterations(config, iterations),
            "real": round(config.real_from * iterations),
        }
    else:
        begins = dict.fromkeys(STAGES, 0)
    wanted = [stage for stage in STAGES if (config.spatial if stage == "spatial" else config.temporal)]
    first = min((begins[stage] for stage in wanted), default=0)
    return tuple(stage for stage in wanted if iteration >= begins[stage] or begins[stage] == first)


def opening(config: CurriculumConfig, iteration: int, iterations: int, frames: int) -> int:
    """j = min(floor(k / d_s) + 1, n_f): how many cameras of a path of n_f = `frames` are open, with d_s = k_s / n_f."""
    if not config.progressive:
        return frames
    total = spatial_iterations(config, iterations)
    return min(iteration * frames // total + 1, frames) if total else frames


def open_path(path: Sequence, opened: int) -> list:
    """The path that a clip really takes: p_i = p_hat[min(i, j)], counted from 1; the last open camera is held."""
    assert 1 <= opened <= len(path), (opened, len(path))
    return [path[min(i, opened - 1)] for i in range(len(path))]
