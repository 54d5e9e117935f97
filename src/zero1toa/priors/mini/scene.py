"""Where a synthetic portrait is taken: light, camera, background, and what a lens and a file do to the picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from ...camera import Camera

Array32 = NDArray[np.float32]

FOV, DISTANCE, TARGET = 18.0, 0.943, (0.0, -0.012, -0.01)
"""The prior's own view: degrees, metres, world axes. Narrower than a photo's crop, so that 64 px show more of a face;
`condition.own_camera` brings other cameras to it."""

MOST_YAW, MOST_PITCH = 75.0, 20.0
"""Degrees to which cameras of clips go."""

# Chosen by eye on sheets of portraits.
_PLAIN = 0.6  # share of plain or graded backgrounds; the others are cluttered
_SHAPES = (4, 14)  # rectangles and discs of a cluttered background
_COARSE = 32  # px on a side in which backgrounds are painted
_DEGRADED = 0.35  # share of the photos that are blurred or compressed
_QUALITY = (25, 80)  # of JPEG
_CLOSE = (0.93, 1.08)  # factor on the distance
_SHIFT = 0.008  # metres, standard deviation of the point looked at


@dataclass(frozen=True, eq=False)
class Light:
    """Lights that stay with the head at rest."""

    directions: Array32  # (L, 3) unit vectors towards the lights
    colors: Array32  # (L, 3)
    ambient: Array32  # (3,)
    hemisphere: np.float32  # how much more of the ambient light comes from above
    shine: np.float32
    gloss: np.float32


@dataclass(frozen=True)
class Setup:
    """What stays the same in all clips of a sitting but the direction from which they are seen."""

    distance: float
    target: tuple[float, float, float]
    fov: float

    def camera(self, yaw: float, pitch: float, size: int) -> Camera:
        """The view from an angle in degrees."""
        return Camera.orbit(yaw, pitch, distance=self.distance, target=self.target, fov=self.fov, size=size)


def random_light(rng: np.random.Generator) -> Light:
    """A key light from anywhere in front, a weaker fill, sometimes a rim light from behind, light from all sides."""
    strengths = [rng.uniform(0.15, 0.7), rng.uniform(0, 0.3), rng.uniform(0, 0.5) * (rng.random() < 0.3)]
    azimuths = [rng.uniform(-80, 80), rng.uniform(-90, 90), rng.choice([-1, 1]) * rng.uniform(110, 160)]
    heights = [rng.uniform(-15, 60), rng.uniform(-30, 40), rng.uniform(0, 50)]
    a, h = np.radians(azimuths), np.radians(heights)
    directions = np.stack([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)], -1)
    colors = np.array(strengths)[:, None] * (1 + 0.1 * rng.normal(size=(3, 3)))
    ambient = (1.02 - 0.6 * strengths[0]) * rng.uniform(0.75, 1.05) * (1 + 0.05 * rng.normal(size=3))
    return Light(
        directions.astype(np.float32),
        colors.clip(0).astype(np.float32),
        ambient.clip(0.2).astype(np.float32),
        np.float32(rng.uniform(0, 0.25)),
        np.float32(rng.uniform(0, 0.35) ** 1.5),
        np.float32(rng.uniform(6, 30)),
    )


def random_setup(rng: np.random.Generator) -> Setup:
    """A camera about `TARGET`."""
    x, y, z = np.array(TARGET) + rng.normal(0, _SHIFT, 3)
    return Setup(DISTANCE * float(rng.uniform(*_CLOSE)), (float(x), float(y), float(z)), FOV)


def random_background(size: int, rng: np.random.Generator) -> Array32:
    """(S, S, 3) one colour, a gradient, or coloured shapes out of focus."""
    base = np.full(3, rng.uniform(0, 1)) if rng.random() < 0.4 else rng.uniform(0, 1, 3)
    ramp = np.linspace(-1, 1, _COARSE)
    picture = base + 0.08 * rng.normal(size=3) * ramp[:, None, None] + 0.08 * rng.normal(size=3) * ramp[:, None]
    if rng.random() > _PLAIN:
        rows, columns = np.mgrid[:_COARSE, :_COARSE]
        for _ in range(rng.integers(*_SHAPES)):
            y, x, h, w = rng.uniform(-4, _COARSE + 4, 2).tolist() + rng.uniform(2, 14, 2).tolist()
            if rng.random() < 0.6:
                inside = (abs(rows - y) < h) & (abs(columns - x) < w)
            else:
                inside = ((rows - y) / h) ** 2 + ((columns - x) / w) ** 2 < 1
            picture[inside] = 0.35 * picture[inside] + 0.65 * rng.uniform(0, 1, 3)
        picture = gaussian_filter(picture, (*[rng.uniform(0.3, 2.5)] * 2, 0), mode="nearest")
    enlarge = _enlargement(size)
    large = np.stack([enlarge @ picture[..., c] @ enlarge.T for c in range(3)], -1)
    return np.ascontiguousarray(large.clip(0, 1), np.float32)


@lru_cache(maxsize=4)
def _enlargement(size: int) -> NDArray[np.float64]:
    """(S, C) linear interpolation of `_COARSE` pixels at the middles of `size`; the last ones go on beyond the edge."""
    place = ((np.arange(size) + 0.5) * _COARSE / size - 0.5).clip(0, _COARSE - 1)
    return np.maximum(1 - abs(place[:, None] - np.arange(_COARSE)), 0)


def degraded_photo(picture: Array32, rng: np.random.Generator) -> Array32:
    """A photo (R, R, 3) as lenses and files leave it: some are blurred, some compressed, some noisy."""
    if rng.random() > _DEGRADED:
        return picture
    kind = rng.integers(3)
    if kind == 0:
        sigma = rng.uniform(0.5, 2.0)
        return np.asarray(gaussian_filter(picture, (sigma, sigma, 0), mode="nearest"), np.float32)
    if kind == 1:
        file = io.BytesIO()
        pixels = (picture * 255 + 0.5).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(*_QUALITY)))
        return np.asarray(Image.open(file), np.float32) / 255
    return (picture + rng.normal(0, rng.uniform(0.01, 0.05), picture.shape)).clip(0, 1).astype(np.float32)
