"""The skin with the inside of the mouth, cut off below the shoulders."""

from __future__ import annotations

import numpy as np

from .atlas import magnify
from .mesh import Piece, clip, components, largest_component, mirror_by_place, triangulate
from .source import Source

# The cut: an ellipsoid in source metres that holds the head, the neck and the top of the shoulders.
_CENTRE = np.array([0.0, 0.66, 0.03])
_RADII = np.array([0.19, 0.245, 0.185])
_NOSE_BRIDGE = np.array([0.0, 0.715, 0.15])
_FACE_MAGNIFICATION = 1.2
_HEAD_ABOVE = 0.60  # metres; nothing above this height is cut off


def skin_piece(source: Source) -> Piece:
    """Skin and mouth as one connected piece; the mouth is the island of its own in the source's texture."""
    faces, uv_faces = triangulate(source.groups["body"], source.vertices)
    place = source.vertices - _CENTRE
    inside = 1 - np.linalg.norm(place / _RADII, axis=1)
    above = (source.vertices[:, 1] - _HEAD_ABOVE) / 0.1
    faces, uv_faces, chosen, uvs = clip(faces, uv_faces, np.maximum(inside, above), source.uvs)
    keep = largest_component(faces, chosen.shape[0])
    faces, uv_faces = faces[keep], uv_faces[keep]
    used, flat = np.unique(faces, return_inverse=True)
    chosen, faces = chosen[used], flat.reshape(-1, 3)
    uv_used, uv_flat = np.unique(uv_faces, return_inverse=True)
    uvs, uv_faces = uvs[uv_used], uv_flat.reshape(-1, 3)
    points = chosen @ source.vertices
    uvs = _larger_face(uvs, uv_faces, faces, points)
    return Piece(
        faces=faces,
        face_part=np.where(_mouth_faces(faces, uvs, uv_faces, points), "mouth", "skin"),
        uvs=uvs,
        uv_faces=uv_faces,
        mirror=mirror_by_place(points),
        map=chosen,
    )


def _larger_face(uvs: np.ndarray, uv_faces: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Give the face more of the texture: the head's island is magnified around the bridge of the nose."""
    label = components(uv_faces, len(uvs))
    island = label == np.bincount(label).argmax()
    place = np.zeros((len(uvs), 3))
    place[uv_faces.ravel()] = points[faces.ravel()]
    middle = np.flatnonzero(island)[np.linalg.norm(place[island] - _NOSE_BRIDGE, axis=1).argmin()]
    out = uvs.copy()
    out[island] = magnify(uvs[island], uvs[middle], _FACE_MAGNIFICATION)
    return out


def _mouth_faces(faces: np.ndarray, uvs: np.ndarray, uv_faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T,) the texture island that lies deepest inside the head: its middle is nearest to the throat."""
    island = components(uv_faces, len(uvs))[uv_faces[:, 0]]
    throat = np.array([0.0, 0.665, 0.07])  # source metres, in the middle of the oral cavity
    middle = points[faces].mean(1)
    names = [k for k in np.unique(island) if (island == k).sum() > 100]
    distance = [np.linalg.norm(middle[island == k].mean(0) - throat) for k in names]
    return island == names[int(np.argmin(distance))]
