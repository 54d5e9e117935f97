"""Make `default_landmarks.npz`: where the default head carries MediaPipe's 478 landmarks. About half a minute.

python tools/embed_landmarks.py            # write the asset, then measure it on fresh renders
python tools/embed_landmarks.py --check    # only measure
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zero1toa.files import atomic_write
from zero1toa.heads import facemesh
from zero1toa.heads.default import LANDMARK_FILE, fingerprint, load_default, read_head_file
from zero1toa.heads.embedding import LandmarkEmbedding, embed_landmarks, random_renders
from zero1toa.heads.model import HeadModel
from zero1toa.portrait.detect import detect_faces

ASSETS = Path(__file__).resolve().parent.parent / "src/zero1toa/heads/assets"
GROUPS = {
    "lips": facemesh.LIPS_OUTER,
    "inner lips": facemesh.LIPS_INNER,
    "eyes": facemesh.EYES,
    "irises": facemesh.IRISES,
    "brows": facemesh.BROWS,
    "oval": facemesh.OVAL,
}


def detector(image: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The largest face that MediaPipe finds in a picture (H, W, 3) in [0, 1]."""
    faces = detect_faces(image)
    return faces[0].landmarks if faces else None


def describe(embedding: LandmarkEmbedding) -> str:
    spread, asymmetry = embedding.spread * 1000, embedding.asymmetry * 1000
    return (
        f"detected {embedding.detected}/{embedding.rendered}; votes least {embedding.votes.min()},"
        f" median {np.median(embedding.votes):.0f}; spread mm median {np.median(spread):.2f},"
        f" p90 {np.quantile(spread, 0.9):.2f}; asymmetry mm median {np.median(asymmetry):.2f},"
        f" p90 {np.quantile(asymmetry, 0.9):.2f}, max {asymmetry.max():.2f}"
    )


def measure(head: HeadModel, renders: int = 30, seed: int = 1000) -> dict[str, float]:
    """Mean distance in pixels at 512 between embedded and detected landmarks on fresh renders, by group."""
    rows = []
    for render in random_renders(head, renders, np.random.default_rng(seed)):
        found = detector(render.image)
        if found is None:
            continue
        points = head.landmarks(torch.from_numpy(render.vertices)[None])[0].numpy()
        rows.append(np.linalg.norm(render.camera.project(points)[:, :2] - found[:, :2], axis=1))
    table = np.array(rows)
    return {"all": table.mean(), **{name: table[:, list(ids)].mean() for name, ids in GROUPS.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--output", type=Path, default=ASSETS / LANDMARK_FILE)
    options = parser.parse_args()
    if not options.check:
        embedding = embed_landmarks(load_default(landmarks=False), detector)
        print(describe(embedding))
        with atomic_write(options.output) as path, open(path, "wb") as stream:
            np.savez_compressed(
                stream,
                head=fingerprint(read_head_file()),
                faces=embedding.faces,
                barycentrics=embedding.barycentrics,
                spread=embedding.spread,
            )
    errors = measure(load_default())
    print("px at 512 on fresh renders: " + ", ".join(f"{name} {value:.2f}" for name, value in errors.items()))


if __name__ == "__main__":
    main()
