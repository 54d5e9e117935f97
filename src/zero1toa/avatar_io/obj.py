"""The posed head as Wavefront OBJ: vertices and texture coordinates, a material that shows the baked texture.

A sequence of OBJs shares one material file and one texture, and every file has the same vertices in the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zero1toa._version import __version__
from zero1toa.heads.topology import HeadTopology

MATERIAL = "head"


def encode_mtl(texture_file: str) -> bytes:
    """The material file, shown without light: the texture holds that of the photo."""
    lines = [
        f"# zero1toa {__version__}, synthetic",
        f"newmtl {MATERIAL}",
        "Kd 1 1 1",
        "Ka 0 0 0",
        "Ks 0 0 0",
        "illum 0",
    ]
    return "\n".join([*lines, f"map_Kd {texture_file}", ""]).encode()


class ObjWriter:
    """Writes one head in many poses; what the poses share is put into words once."""

    def __init__(self, topology: HeadTopology, material_file: str) -> None:
        self._start = f"# zero1toa {__version__}, synthetic; metres, y up\nmtllib {material_file}\no head\n"
        lines = [f"vt {u:.6f} {v:.6f}" for u, v in topology.uvs.tolist()]
        lines += [f"usemtl {MATERIAL}", "s 1"]
        corners = np.stack([topology.faces, topology.uv_faces], -1) + 1  # OBJ counts from 1
        changes = np.flatnonzero(np.diff(topology.face_part, prepend=-1))
        for first, last in zip(changes, [*changes[1:], len(corners)]):
            lines.append(f"g {topology.part_names[topology.face_part[first]]}")
            lines += ["f {}/{} {}/{} {}/{}".format(*row) for row in corners[first:last].reshape(-1, 6).tolist()]
        self._end = "\n".join([*lines, ""])

    def encode(self, vertices: NDArray[np.floating]) -> bytes:
        """The file of one pose, vertices (V, 3) in metres, kept to a micrometre."""
        places = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices.tolist())
        return (self._start + places + self._end).encode()
