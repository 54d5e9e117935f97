"""The photo as a texture of the head: a colour and a confidence for every texel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..heads import HeadTopology
from ..heads.mesh_render import rasterize_triangles
from .carve import matte_share
from .frame import wide_matte
from .hair_colors import continue_hair
from .surface import PhotoSurface, SurfacePoints


@dataclass(frozen=True, eq=False)
class HeadTexture:
    """Colours on the head's own texture coordinates. Row 0 is at v = 1; texels between the islands repeat the nearest
    one inside, so that interpolation at an edge meets no foreign colour."""

    colors: NDArray[np.float32]  # (S, S, 3) sRGB in [0, 1]
    confidence: NDArray[np.float32]  # (S, S) in [0, 1]: how well the photo itself shows the place
    alpha: NDArray[np.float32] | None = None  # (S, S) in [0, 1]: 0 where the matte leaves nothing; None is 1 everywhere

    def __post_init__(self) -> None:
        assert self.colors.shape == (*self.confidence.shape, 3), self.colors.shape
        assert self.alpha is None or self.alpha.shape == self.confidence.shape, self.alpha.shape

    @property
    def channels(self) -> NDArray[np.float32]:
        """(S, S, 5) colours, confidence, alpha; the first four times alpha."""
        alpha = np.ones_like(self.confidence) if self.alpha is None else self.alpha
        planes = np.concatenate([self.colors, self.confidence[..., None]], -1)
        return np.concatenate([planes * alpha[..., None], alpha[..., None]], -1)


class TexelMap(NamedTuple):
    """Which place of the surface each texel shows."""

    points: SurfacePoints  # of the K texels inside an island
    inside: NDArray[np.bool_]  # (S, S)
    nearest: NDArray[np.int64]  # (S, S) flat index of the nearest texel inside


def texel_map(topology: HeadTopology, size: int) -> TexelMap:
    """The surface point under the centre of every texel of a square texture of `size` px."""
    return _texel_map(ByIdentity(topology), size)


T = TypeVar("T")


class ByIdentity(Generic[T]):
    """Topologies and models hold arrays and cannot be compared; one and the same object is enough for a cache."""

    def __init__(self, thing: T) -> None:
        self.thing = thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.thing is self.thing


@lru_cache(maxsize=4)
def _texel_map(key: ByIdentity[HeadTopology], size: int) -> TexelMap:
    topology = key.thing
    uv = topology.uvs.astype(np.float64)
    flat = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, np.ones(len(uv))], -1)
    buffers = rasterize_triangles(flat, topology.uv_faces, (size, size))
    inside = buffers.face >= 0
    rows, columns = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    points = SurfacePoints(buffers.face[inside].astype(np.int64), buffers.barycentric[inside])
    return TexelMap(points, inside, rows.astype(np.int64) * size + columns)


def fill_texture(texels: TexelMap, values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(S, S, C) a texture from values (K, C) of the texels inside, padded between the islands."""
    size = texels.inside.shape[0]
    texture = np.zeros((size, size, values.shape[1]), np.float32)
    texture[texels.inside] = values
    return texture.reshape(size * size, -1)[texels.nearest]


def lift_texture(surface: PhotoSurface, size: int = 1024) -> HeadTexture:
    """The photo on the head, completed where it shows nothing.

    Args:
        surface: the fitted head in its photo.
        size: pixels on a side of the texture.
    """
    texels = texel_map(surface.topology, size)
    colors, confidence = surface.colors(texels.points)
    colors = continue_hair(surface, texels.points, colors, confidence)
    share = matte_share(surface, wide_matte(surface.portrait), texels.points)
    filled = fill_texture(texels, np.concatenate([colors, confidence[:, None], share.clip(0, 1)[:, None]], 1))
    color, sure, alpha = (np.ascontiguousarray(plane) for plane in (filled[..., :3], filled[..., 3], filled[..., 4]))
    return HeadTexture(color, sure, alpha)
