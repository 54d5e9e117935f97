"""Collects arrays into one glTF buffer, and makes the bytes of the GLB. The same calls give the same bytes."""

from __future__ import annotations

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

_COMPONENT = {
    np.dtype(np.float32): gltf.FLOAT,
    np.dtype(np.uint8): gltf.UNSIGNED_BYTE,
    np.dtype(np.uint16): gltf.UNSIGNED_SHORT,
    np.dtype(np.uint32): gltf.UNSIGNED_INT,
}
_TYPE = {1: gltf.SCALAR, 2: gltf.VEC2, 3: gltf.VEC3, 4: gltf.VEC4, 16: gltf.MAT4}
_VERTEX_STRIDE = 4  # bytes: glTF 2.0, 3.6.2.4: the rows of a vertex attribute start at multiples of four
_SPARSE_SHARE = 0.6  # above this share of non-zero rows a float triple costs more with its index than without


class GltfWriter:
    """Adds accessors one by one; `document` is filled by the caller with nodes, meshes and so on."""

    def __init__(self, generator: str) -> None:
        self.document = gltf.GLTF2(asset=gltf.Asset(version="2.0", generator=generator))
        self._blob = bytearray()

    def attribute(self, values: NDArray, *, bounds: bool = False, normalized: bool = False) -> int:
        """A vertex attribute (rows,) or (rows, components); rows of less than four bytes are padded to four."""
        rows = values.reshape(len(values), -1)
        stride = rows.itemsize * rows.shape[1]
        padded = stride + -stride % _VERTEX_STRIDE
        data = np.zeros((len(rows), padded // rows.itemsize), rows.dtype)
        data[:, : rows.shape[1]] = rows
        view = self._view(data, target=gltf.ARRAY_BUFFER, stride=padded if padded != stride else None)
        return self._accessor(rows, view, bounds=bounds, normalized=normalized)

    def numbers(self, values: NDArray) -> int:
        """An attribute of whole numbers from 0: uint16 where they fit, else float32, exact up to 2^24.

        glTF forbids uint32 outside the indices, and the largest value of a type (it restarts primitives).
        """
        return self.attribute(values.astype(np.uint16 if values.max(initial=0) < 0xFFFF else np.float32))

    def sparse(self, values: NDArray[np.float32], *, bounds: bool = False) -> int:
        """An attribute (rows,) or (rows, components) that is mostly zero: only the rows that are not are stored."""
        rows = values.reshape(len(values), -1)
        index = np.flatnonzero(rows.any(1))
        if len(index) > _SPARSE_SHARE * len(rows):
            return self.attribute(values, bounds=bounds)
        accessor = self._accessor(rows, None, bounds=bounds)
        if len(index):
            index = index.astype(np.uint16 if index[-1] <= 0xFFFF else np.uint32)
            self.document.accessors[accessor].sparse = gltf.Sparse(
                count=len(index),
                indices=gltf.AccessorSparseIndices(bufferView=self._view(index), componentType=_COMPONENT[index.dtype]),
                values=gltf.AccessorSparseValues(bufferView=self._view(rows[index])),
            )
        return accessor

    def indices(self, faces: NDArray) -> int:
        """The corners of triangles (T, 3)."""
        flat = faces.reshape(-1, 1)
        flat = flat.astype(np.uint16 if flat.max() < 0xFFFF else np.uint32)
        return self._accessor(flat, self._view(flat, target=gltf.ELEMENT_ARRAY_BUFFER))

    def matrices(self, values: NDArray[np.float32]) -> int:
        """4x4 matrices (rows, 4, 4), written column by column as glTF wants them."""
        columns = np.ascontiguousarray(values.transpose(0, 2, 1)).reshape(len(values), 16)
        return self._accessor(columns, self._view(columns))

    def samples(self, values: NDArray[np.float32], *, bounds: bool = False) -> int:
        """Times or values (rows,) or (rows, components) of an animation."""
        rows = values.reshape(len(values), -1)
        return self._accessor(rows, self._view(rows), bounds=bounds)

    def picture(self, content: bytes, mime_type: str, name: str) -> int:
        """A PNG or JPEG file inside the buffer; gives the number of the texture that shows it."""
        document = self.document
        view = self._view(np.frombuffer(content, np.uint8))
        document.images.append(gltf.Image(bufferView=view, mimeType=mime_type, name=name))
        document.samplers.append(
            gltf.Sampler(
                magFilter=gltf.LINEAR,
                minFilter=gltf.LINEAR_MIPMAP_LINEAR,
                wrapS=gltf.CLAMP_TO_EDGE,
                wrapT=gltf.CLAMP_TO_EDGE,
            )
        )
        document.textures.append(gltf.Texture(source=len(document.images) - 1, sampler=len(document.samplers) - 1))
        return len(document.textures) - 1

    def to_bytes(self) -> bytes:
        """The whole GLB."""
        self.document.buffers = [gltf.Buffer(byteLength=len(self._blob))]
        self.document.set_binary_blob(bytes(self._blob))
        return b"".join(bytes(part) for part in self.document.save_to_bytes())

    def _view(self, data: NDArray, *, target: int | None = None, stride: int | None = None) -> int:
        raw = np.ascontiguousarray(data).astype(data.dtype.newbyteorder("<"), copy=False).tobytes()
        view = gltf.BufferView(buffer=0, byteOffset=len(self._blob), byteLength=len(raw), byteStride=stride)
        view.target = target
        self._blob += raw + bytes(-len(raw) % 4)
        self.document.bufferViews.append(view)
        return len(self.document.bufferViews) - 1

    def _accessor(self, rows: NDArray, view: int | None, *, bounds: bool = False, normalized: bool = False) -> int:
        accessor = gltf.Accessor(
            bufferView=view,
            byteOffset=None if view is None else 0,
            componentType=_COMPONENT[rows.dtype],
            normalized=normalized or None,
            count=len(rows),
            type=_TYPE[rows.shape[1]],
        )
        if bounds:
            accessor.min, accessor.max = rows.min(0).tolist(), rows.max(0).tolist()
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1
