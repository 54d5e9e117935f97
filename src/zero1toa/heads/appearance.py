"""Plain colours for a head without a photo: by part and by region, per vertex, so that they move with the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .topology import HeadTopology

# sRGB in [0, 1]. Chosen by eye for a neutral, readable picture; the landmark detector finds a face in all of them.
_PARTS: dict[str, tuple[float, float, float]] = {
    "skin": (0.84, 0.66, 0.56),
    "mouth": (0.45, 0.17, 0.16),
    "eyeLeft": (0.95, 0.94, 0.93),
    "eyeRight": (0.95, 0.94, 0.93),
    "teethUpper": (0.94, 0.91, 0.84),
    "teethLower": (0.92, 0.89, 0.81),
    "gumsUpper": (0.80, 0.47, 0.46),
    "gumsLower": (0.78, 0.45, 0.44),
    "tongue": (0.72, 0.36, 0.37),
    "lashesLeft": (0.13, 0.10, 0.09),
    "lashesRight": (0.13, 0.10, 0.09),
}

# Region, colour, strength at membership 1; painted in this order, each over the last.
_REGIONS: tuple[tuple[str, tuple[float, float, float], float], ...] = (
    ("scalp", (0.62, 0.50, 0.44), 0.35),
    ("lips", (0.68, 0.34, 0.33), 1.0),
    ("browLeft", (0.27, 0.18, 0.14), 0.9),
    ("browRight", (0.27, 0.18, 0.14), 0.9),
    ("iris", (0.37, 0.25, 0.17), 1.0),
    ("pupil", (0.04, 0.03, 0.03), 1.0),
)


def default_colors(topology: HeadTopology) -> NDArray[np.float32]:
    """(V, 3) sRGB colours in [0, 1]; parts and regions the model lacks are passed over."""
    colors = np.full((topology.num_vertices, 3), 0.7, np.float32)
    for name, color in _PARTS.items():
        if name in topology.part_names:
            colors[topology.part_vertices(name)] = color
    for name, region_color, strength in _REGIONS:
        if name in topology.regions:
            share = strength * topology.regions[name][:, None]
            colors = colors * (1 - share) + share * np.asarray(region_color, np.float32)
    return colors.astype(np.float32)
