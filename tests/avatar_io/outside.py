"""Programs that are not ours: node packages from tools/format_checks (`npm ci` there) or NODE_PATH, and Blender."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CHECKS = Path(__file__).parents[2] / "tools" / "format_checks" / "node_modules"


def _node() -> tuple[str, dict[str, str]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    search = [str(CHECKS), *os.environ.get("NODE_PATH", "").split(os.pathsep)]
    return node, {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, search))}


def _package(name: str, file: str) -> Path:
    for folder in (CHECKS, *map(Path, filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep)))):
        if (folder / name / file).is_file():
            return folder / name / file
    pytest.skip(f"needs the npm package {name}: run npm ci in tools/format_checks")


def read_splats(path: Path, folder: Path) -> dict[str, np.ndarray]:
    """The columns that PlayCanvas' splat-transform finds in a splat file (SPZ by way of Niantic's own code)."""
    node, environment = _node()
    program = _package("@playcanvas/splat-transform", "bin/cli.mjs")
    table = folder / f"{path.name}.csv"
    command = [node, str(program), "-q", "-w", "-g", "cpu", str(path), str(table)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert run.returncode == 0, run.stderr
    with open(table, newline="") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, np.array(rows, np.float64).T))


def validate_gltf(path: Path) -> list[dict[str, Any]]:
    """Everything that the Khronos glTF validator has to say about a GLB."""
    node, environment = _node()
    _package("gltf-validator", "package.json")
    script = """
        const validator = require('gltf-validator'), fs = require('fs');
        validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 0})
          .then(report => console.log(JSON.stringify(report.issues.messages)));
    """
    run = subprocess.run([node, "-e", script, str(path)], capture_output=True, text=True, env=environment, timeout=60)
    assert run.returncode == 0, run.stderr
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


_BLENDER = """
import sys, bpy, numpy as np
path, out, *times = sys.argv[-1].split("|")
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=path)
mesh = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
scene, found = bpy.context.scene, {}
for time in times:
    frame = float(time) * scene.render.fps
    scene.frame_set(int(frame), subframe=frame - int(frame))
    shown = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    data = shown.to_mesh()
    points = np.empty(3 * len(data.vertices))
    data.vertices.foreach_get("co", points)
    world = np.array(shown.matrix_world)
    points = points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
    found["t" + time] = np.stack([points[:, 0], points[:, 2], -points[:, 1]], 1)  # Blender's z points up
names = [key.name for key in mesh.data.shape_keys.key_blocks]
sizes = [tuple(image.size) for image in bpy.data.images]
np.savez(out, names=names, sizes=sizes, **found)
"""


def play_in_blender(path: Path, folder: Path, times: list[float]) -> dict[str, np.ndarray]:
    """World positions of the mesh at some seconds of the file's animation, as `t<seconds>`, y up; names, sizes.

    Blender is the Python of ZERO1TOA_BLENDER, into which `bpy` is installed, or a program `blender`.
    """
    python, program = os.environ.get("ZERO1TOA_BLENDER"), shutil.which("blender")
    if not python and not program:
        pytest.skip("needs Blender: a program blender, or ZERO1TOA_BLENDER, a Python that has the package bpy")
    (folder / "play.py").write_text(_BLENDER)
    out = folder / "played.npz"
    request = "|".join([str(path), str(out), *map(str, times)])
    command = [python, str(folder / "play.py"), request] if python else []
    if program and not python:
        command = [program, "--background", "--factory-startup", "--python", str(folder / "play.py"), "--", request]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert out.is_file(), run.stderr + run.stdout
    with np.load(out) as file:
        return dict(file)
