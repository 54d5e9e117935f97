"""Splats as the PLY of 3D Gaussian Splatting: one element, the properties that every splat program knows.

Written as `gaussian-splatting` writes it: float32, little endian, logarithms of the standard deviations, opacity before
the sigmoid, the coefficient of the spherical harmonic of degree 0, and axes with y down and z into the picture, which
programs turn upright when they load a PLY.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zero1toa._version import __version__
from zero1toa.avatar_io import schema
from zero1toa.avatar_io.posed import PosedSplats

COMMENT = f"zero1toa {__version__}, synthetic"
"""Stands in every file: who made it, and that no camera saw this person so."""

PROPERTIES: tuple[str, ...] = (
    "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
    "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
)  # fmt: skip


def encode_ply(splats: PosedSplats) -> bytes:
    """The whole file, 68 bytes a splat. Splats of no size or no opacity are kept, as small as float32 can say."""
    turned = splats.turned_down()
    values = np.concatenate(
        [
            turned.means,
            np.zeros_like(turned.means),  # no normals; the properties are there because some programs count them
            harmonic(turned.colors),
            logit(turned.opacities)[:, None],
            np.log(np.maximum(turned.scales, schema.SMALLEST_SCALE)),
            turned.quats,
        ],
        1,
    )
    return table(PROPERTIES, values)


def table(properties: Sequence[str], values: NDArray[np.floating], comment: str = COMMENT) -> bytes:
    """A PLY of one element `vertex` whose float32 properties are the columns of values (N, P)."""
    assert values.shape[1:] == (len(properties),), (values.shape, len(properties))
    lines = ["ply", "format binary_little_endian 1.0", f"comment {comment}", f"element vertex {len(values)}"]
    lines += [f"property float {name}" for name in properties]
    return "\n".join([*lines, "end_header", ""]).encode("ascii") + np.ascontiguousarray(values, "<f4").tobytes()


def harmonic(colors: NDArray[np.floating]) -> NDArray[np.float32]:
    """The coefficient of the spherical harmonic of degree 0 for display colours: colour = 0.5 + SH_C0 * coefficient."""
    return ((colors.astype(np.float64) - 0.5) / schema.SH_C0).astype(np.float32)


def logit(opacities: NDArray[np.floating]) -> NDArray[np.float32]:
    """Opacities before the sigmoid, finite also for 0 and 1."""
    inside = opacities.astype(np.float64).clip(schema.OPACITY_MARGIN, 1 - schema.OPACITY_MARGIN)
    return np.log(inside / (1 - inside)).astype(np.float32)
