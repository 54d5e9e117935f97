"""What the eyeballs look like all around, from the part of them that an open eye shows.

A photo shows a slit of each eyeball, with lashes and the lids' shadow on it, and the fit of the slit is good to a pixel
or two. Painted as it is, the white of narrow eyes would be lid and lash, and be seen as soon as the gaze turns. So an
eye is thought of as a round iris, with one colour at each distance from its middle, in a plain white.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ..heads import HeadTopology
from ..heads.mesh_render import MeshBuffers, interpolate
from .iris import find_iris
from .portrait import Portrait
from .spread import smooth_step

PARTS = ("eyeLeft", "eyeRight")
"""Of the head."""
_USUAL_RADIUS = 0.0059  # metres of an iris: adults' are 11.8 mm across
_MOST_RADIUS = (0.85, 1.5)  # of the usual one; cartoons have the greatest
_RING = 0.0004  # metres, width of the rings whose colours are measured, and of the iris' soft edge
_OUTER = 1.15  # radii of the iris from which on it is white
_LEAST_PIXELS = 6  # of a ring, and four times as many of the white
_BRIGHT = 70  # percentile of the brightness of what should be white: the rest has lash or shadow on it
_WHITE_OF_SKIN = (1.1, 1.4)  # brightness of the white over that of the skin around the eye, least and most
_BRIGHTEST = 0.9  # sRGB
_BARE_WHITE = 0.95  # sRGB of white in full light; where none is seen it is taken to lie between that and the skin
_SKIN_TINT = 0.25  # share of the skin's hue in the white: the light's, and the vessels'
_SHADED = (0.5, 0.75)  # brightness over the white's below which it is lash or lid, and above which it is white in shade
_PLAIN_IRIS = np.array([[0.05, 0.05, 0.05]] * 5 + [[0.3, 0.22, 0.16]] * 10)  # sRGB of rings, where none is seen
_FRONT = 0.35  # cosine to the eye's axis from which on it can be seen


class EyeLook(NamedTuple):
    """One eye's colours."""

    white: NDArray[np.float64]  # (3,) sRGB
    rings: NDArray[np.float64]  # (B, 3) sRGB of the iris, every `_RING` metres from the middle
    radius: float  # metres of the iris

    def colors(self, across: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) at distances (N,) in metres from the eye's axis."""
        place = np.clip(across / _RING - 0.5, 0, len(self.rings) - 1)
        below = place.astype(int)
        above = np.minimum(below + 1, len(self.rings) - 1)
        share = (place - below)[:, None]
        iris = (1 - share) * self.rings[below] + share * self.rings[above]
        outside = smooth_step(across, self.radius - _RING, self.radius + _RING)[:, None]
        return np.asarray(iris + outside * (self.white - iris))

    def trust(self, across: NDArray[np.floating], seen: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) in [0, 1]: whether colours (N, 3) that the photo shows there are the eye's.

        In the iris, where lights are reflected, all are; in the white those that are not far darker.
        """
        outside = smooth_step(across, self.radius, _OUTER * self.radius)
        bright = smooth_step(seen.mean(1) / max(self.white.mean(), 1e-3), *_SHADED)
        return np.asarray(1 - outside * (1 - bright))


def across_axis(topology: HeadTopology, rest: NDArray[np.floating], part: str) -> NDArray[np.float64]:
    """(V,) metres from the eye's axis to each vertex at rest, on its front; on its back as far as its middle and more.

    0 on other parts.
    """
    ball = topology.part_vertices(part)
    offset = rest[ball] - _middle(rest[ball])
    along = offset @ _axis(topology, offset, ball)
    across = np.sqrt(np.maximum(np.square(offset).sum(1) - along**2, 0))
    out = np.zeros(len(rest))
    out[ball] = np.where(along > 0, across, 2 * np.linalg.norm(offset, axis=1) - across)
    return out


def front_of_eyes(topology: HeadTopology, rest: NDArray[np.floating]) -> NDArray[np.float64]:
    """(V,) 1 on what can be seen of an eyeball when it turns as far as eyes do, 0 behind; 1 on other parts."""
    out = np.ones(len(rest))
    for part in PARTS:
        if part in topology.part_names:
            ball = topology.part_vertices(part)
            offset = rest[ball] - _middle(rest[ball])
            out[ball] = offset @ _axis(topology, offset, ball) > _FRONT * np.linalg.norm(offset, axis=1)
    return out


def _axis(topology: HeadTopology, offset: NDArray[np.floating], ball: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(3,) unit vector from the middle of an eyeball to that of its iris; straight ahead where it has none."""
    iris = topology.regions["iris"][ball] > 0.5 if "iris" in topology.regions else np.zeros(len(offset), bool)
    toward = offset[iris].mean(0) if iris.any() else np.array([0.0, 0.0, 1.0])
    return np.asarray(toward / np.linalg.norm(toward), np.float64)


def eye_looks(
    portrait: Portrait, topology: HeadTopology, rest: NDArray[np.floating], buffers: MeshBuffers,
    skin: NDArray[np.floating] | None,
) -> dict[str, EyeLook]:  # fmt: skip
    """The colours of both eyes, by part. An eye of which too little is seen looks like the other one.

    Args:
        portrait: the photo.
        topology: the head's.
        rest: (V, 3) its vertices at rest.
        buffers: the posed head drawn as in the photo.
        skin: (3,) sRGB of the skin around the eyes; None where that is not seen.
    """
    parts = [part for part in PARTS if part in topology.part_names]
    drawn = np.where(buffers.face >= 0, topology.face_part[buffers.face], -1)
    gathered = {part: _pixels(portrait, topology, rest, buffers, drawn, part) for part in parts}
    looks = {}
    for part in parts:
        radius = _iris_radius(portrait, topology, buffers, drawn, part)
        across, colors = gathered[part]
        both = [np.concatenate([pixels[i] for pixels in gathered.values()]) for i in (0, 1)]
        enough = (across > _OUTER * radius).sum() >= 4 * _LEAST_PIXELS
        white = _white(across, colors, radius, skin) if enough else _white(both[0], both[1], radius, skin)
        rings = _rings(across, colors, radius)
        if rings is None:
            rings = _rings(both[0], both[1], radius)
        if rings is None:
            rings = _PLAIN_IRIS
        looks[part] = EyeLook(white, rings, radius)
    return looks


def _middle(ball: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3,) of the sphere on which vertices (N, 3) lie, by least squares."""
    design = np.concatenate([2 * ball, np.ones((len(ball), 1))], 1)
    return np.asarray(np.linalg.lstsq(design, np.square(ball).sum(1), rcond=None)[0][:3], np.float64)


def _pixels(
    portrait: Portrait, topology: HeadTopology, rest: NDArray[np.floating], buffers: MeshBuffers,
    drawn: NDArray[np.integer], part: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Distances from the axis (P,) and colours (P, 3) of the pixels that show the eye, but for the outermost."""
    eye = binary_erosion(drawn == topology.part_index(part))
    eye &= portrait.valid & (portrait.alpha > 0.5)
    across = interpolate(across_axis(topology, rest, part)[:, None], buffers, topology.faces)[..., 0]
    return across[eye].astype(np.float64), portrait.foreground[eye].astype(np.float64)


def _iris_radius(
    portrait: Portrait, topology: HeadTopology, buffers: MeshBuffers, drawn: NDArray[np.integer], part: str
) -> float:
    """Metres on the head."""
    eye = drawn == topology.part_index(part)
    if not eye.any():
        return _USUAL_RADIUS
    metre = float(np.median(buffers.depth[eye])) / portrait.camera.fx
    radius = find_iris(portrait.image, portrait.landmarks, part.removeprefix("eye")).radius * metre
    return float(np.clip(radius, _MOST_RADIUS[0] * _USUAL_RADIUS, _MOST_RADIUS[1] * _USUAL_RADIUS))


def _white(
    across: NDArray[np.float64], colors: NDArray[np.float64], radius: float, skin: NDArray[np.floating] | None
) -> NDArray[np.float64]:
    """(3,) sRGB. The brighter part of what is seen, or a guess from the skin, whose light it shares."""
    white = colors[across > _OUTER * radius]
    seen = None
    if len(white) >= 4 * _LEAST_PIXELS:
        brightness = white.mean(1)
        seen = np.median(white[brightness >= np.percentile(brightness, _BRIGHT)], axis=0)
    if skin is None:
        return np.full(3, 0.75) if seen is None else seen
    tint = skin / max(float(skin.mean()), 1e-3)
    guess = (skin.mean() + _BARE_WHITE) / 2 * (1 + _SKIN_TINT * (tint - 1))
    least, most = (min(_BRIGHTEST, factor * float(skin.mean())) for factor in _WHITE_OF_SKIN)
    if seen is None or seen.mean() < least:  # none was seen, or lids and lashes
        seen = guess
    return np.asarray((seen * min(1.0, most / max(float(seen.mean()), 1e-3))).clip(0, 1))


def _rings(across: NDArray[np.float64], colors: NDArray[np.float64], radius: float) -> NDArray[np.float64] | None:
    """(B, 3) medians over rings of the iris; None where hardly any of it is seen."""
    count = max(int(np.ceil(radius / _RING)), 1)
    ring = (across / _RING).astype(int)
    known = np.array([(ring == b).sum() >= _LEAST_PIXELS for b in range(count)])
    if not known.any():
        return None
    medians = np.array([np.median(colors[ring == b], axis=0) if known[b] else np.zeros(3) for b in range(count)])
    places = np.arange(count)
    return np.stack([np.interp(places, places[known], medians[known, c]) for c in range(3)], -1)
