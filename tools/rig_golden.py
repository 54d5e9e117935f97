"""Makes tests/golden/rig.json, with which Python and TypeScript are held to the same rig: `python tools/rig_golden.py`.

It holds a small made-up avatar as a GLB, what the Python rig makes of it in some expressions and poses, the names of
the shapes, and a motion.
"""

from __future__ import annotations

import base64
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "rig.json"
NUM_SPLATS = 40
DIGITS = 7  # a tenth of a micrometre
FRAME_STEP = 3  # of the triangles' frames, every third stands in the file


def cases() -> list[tuple[str, dict[str, float], list[list[float]] | None]]:
    """Name, ARKit weights, and rotation vectors (6, 3) in radians or None."""
    rng = np.random.default_rng(5)
    from zero1toa.heads import arkit

    turned = np.round(rng.normal(0, 0.25, (6, 3)), 4).tolist()
    return [
        ("rest", {}, None),
        ("jaw and smile", {"jawOpen": 0.8, "mouthSmileLeft": 1.0, "mouthSmileRight": 0.4}, None),
        ("mouthClose counts up to jawOpen", {"jawOpen": 0.3, "mouthClose": 0.9}, None),
        ("gaze without a pose", {"eyeLookInLeft": 0.7, "eyeLookUpLeft": 0.5, "eyeLookOutRight": 1.0}, None),
        ("pose alone", {}, turned),
        ("everything", {name: round(float(w), 4) for name, w in zip(arkit.NAMES, rng.random(52), strict=True)}, turned),
    ]


def evaluate(glb: Path) -> list[dict[str, Any]]:
    """What the rig makes of the avatar in each case, in float64."""
    from zero1toa.avatar_io import load_glb
    from zero1toa.heads import arkit
    from zero1toa.heads.rigged import RiggedHead
    from zero1toa.splats import Gaussians, quaternion, to_world
    from zero1toa.splats.rig import triangle_frames

    data = load_glb(glb)
    head32, splats32 = data.head(), data.gaussians()
    head = RiggedHead(
        head32.vertices.double(),
        head32.expression_deltas.double(),
        head32.joints.double(),
        head32.skin_weights.double(),
        head32.topology,
    )
    splats = Gaussians(
        splats32.means.double(),
        splats32.quats.double(),
        splats32.log_scales.double(),
        splats32.opacity_logits.double(),
        splats32.colors.double(),
        splats32.triangle,
    )
    faces = torch.tensor(data.topology.faces)
    results = []
    for name, weights, pose in cases():
        expression = torch.zeros(52, dtype=torch.float64)
        for key, value in weights.items():
            expression[arkit.INDEX[key]] = value
        vertices = head.pose(expression, None if pose is None else torch.tensor(pose, dtype=torch.float64))
        frames = triangle_frames(vertices, faces)
        world = to_world(splats, vertices, faces)
        results.append(
            {
                "name": name,
                "weights": weights,
                "pose": pose,
                "vertices": _rounded(vertices),
                "frames": {
                    "origin": _rounded(frames.origin[::FRAME_STEP]),
                    "scale": _rounded(frames.scale[::FRAME_STEP]),
                    "rotation": _rounded(quaternion.from_matrix(frames.rotation[::FRAME_STEP])),  # wxyz
                },
                "splats": {
                    "means": _rounded(world.means),
                    "rotations": _rounded(world.quats),  # wxyz
                    "scales": _rounded(world.scales),
                },
            }
        )
    return results


def packed_motion() -> dict[str, Any]:
    """A short built-in motion as the browser gets it, and what it says."""
    from zero1toa.motion import builtin
    from zero1toa.viewer.motions import pack

    motion = builtin("talk", seconds=0.5)
    packed = pack("talk", motion)
    return {
        "packed": packed,
        "weights": np.round(motion.weights, 5).tolist(),
        "head": np.round(motion.head, 6).tolist(),
    }


def main() -> None:
    sys.path.insert(0, str(ROOT))
    make_avatar = import_module("tests.avatar_io.conftest").make_avatar

    from zero1toa.avatar_io import save_glb
    from zero1toa.heads import arkit

    GOLDEN.parent.mkdir(exist_ok=True)
    glb = GOLDEN.with_suffix(".glb")
    save_glb(glb, make_avatar(NUM_SPLATS))
    document = {
        "about": "Made by tools/rig_golden.py; read by tests/viewer/test_rig_golden.py and by web/tests.",
        "glb": base64.b64encode(glb.read_bytes()).decode(),
        "cases": evaluate(glb),
        "names": list(arkit.NAMES),
        "motion": packed_motion(),
    }
    glb.unlink()
    GOLDEN.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"Wrote {GOLDEN.relative_to(ROOT)}, {GOLDEN.stat().st_size / 1e3:.0f} kB")


def _rounded(values: torch.Tensor) -> list[Any]:
    return np.round(values.double().numpy(), DIGITS).tolist()


if __name__ == "__main__":
    main()
