"""How well another head wears what is ours, on heads whose truth is known (the default head, warped).

python -m benchmarks.other_heads              # in FLAME's layout, landmarks by the detector: some minutes
python -m benchmarks.other_heads --layout ict # in ICT-FaceKit's
python -m benchmarks.other_heads --true       # with the true landmarks: what the transfer alone costs
python -m benchmarks.other_heads --pictures docs/images    # the pictures of docs/heads.md as well
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zero1toa.heads import LinearHead, arkit, facemesh, other
from zero1toa.heads.bare import BareHead
from zero1toa.heads.default import load_default
from zero1toa.heads.dress import dress
from zero1toa.heads.embedding import LandmarkEmbedding, face_camera
from zero1toa.heads.flame.file import FlameFile, read_flame
from zero1toa.heads.flame.head import bare_flame
from zero1toa.heads.flame.language import FlameLanguage
from zero1toa.heads.ict.file import read_ict
from zero1toa.heads.ict.head import bare_ict
from zero1toa.heads.lids import LID_PAIRS
from zero1toa.heads.mesh_render import shade
from zero1toa.heads.sampling import sample_expressions
from zero1toa.media import contact_sheet, write_png

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from synthetic_flame import as_old_pickle, synthetic_flame, true_embedding, warp  # type: ignore[import-not-found, unused-ignore]
from synthetic_ict import ict_embedding, ict_place, synthetic_ict  # type: ignore[import-not-found, unused-ignore]

_GROUPS = {
    "eyes": facemesh.EYES,
    "irises": facemesh.IRISES,
    "lips": facemesh.LIPS,
    "brows": facemesh.BROWS,
    "oval": facemesh.OVAL,
}
_MOVED = 0.001  # metres: a movement is judged where it moves the surface by more
_SHOWN: tuple[tuple[str, dict[str, float], float], ...] = (
    ("neutral", {}, 0),
    ("eyeBlink", {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}, 0),
    ("eyeBlink, from the side", {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}, 35),
    ("eyeLookOutLeft, InRight", {"eyeLookOutLeft": 1, "eyeLookInRight": 1}, 0),
    ("jawOpen", {"jawOpen": 0.8}, 0),
    ("mouthSmile", {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "jawOpen": 0.2}, 0),
    ("mouthPucker", {"mouthPucker": 1}, 0),
    ("browInnerUp, browOuterUp", {"browInnerUp": 1, "browOuterUpLeft": 1, "browOuterUpRight": 1}, 0),
)


@dataclass(frozen=True)
class Case:
    """A head, where it truly carries the landmarks, and where the default head's points come to lie on it."""

    bare: BareHead
    truth: LandmarkEmbedding
    place: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    flame: FlameFile | None = None


def flame_case(folder: Path) -> Case:
    path = folder / "flame2023.pkl"
    path.write_bytes(as_old_pickle(synthetic_flame()))
    file = read_flame(path)
    bare = bare_flame(file)
    return Case(bare, true_embedding(bare), warp, file)


def ict_case(folder: Path) -> Case:
    synthetic_ict(folder)
    bare = bare_ict(read_ict(folder), load_default())
    return Case(bare, ict_embedding(bare), ict_place(bare))


LAYOUTS = {"flame": flame_case, "ict": ict_case}


def landmark_report(bare: BareHead, found: LandmarkEmbedding, truth: LandmarkEmbedding) -> str:
    """Distances between the landmarks that were found and the true ones."""
    places = [(bare.template[bare.faces[e.faces]] * e.barycentrics[..., None]).sum(1) for e in (found, truth)]
    error = np.linalg.norm(places[0] - places[1], axis=1) * 1000
    groups = ", ".join(f"{name} {error[list(ids)].mean():.1f}" for name, ids in _GROUPS.items())
    return f"landmarks: mean {error.mean():.1f} mm, median {np.median(error):.1f} ({groups})"


def movement_report(head: LinearHead, own: LinearHead, case: Case) -> str:
    """Distances between the movements that were carried over and the true ones."""
    ours = own.template.double().numpy()
    skin = np.flatnonzero(own.topology.part_vertices("skin"))
    apart, nearest = cKDTree(case.place(ours[skin])).query(head.template.double().numpy()[: len(case.bare.template)])
    rows = np.flatnonzero((apart < 1e-6) & (case.bare.vertex_part == 0))
    source = skin[nearest[rows]]
    errors = {}
    for index, name in enumerate(arkit.NAMES):
        moved_to = case.place(ours[source] + own.expression_deltas[index].double().numpy()[source])
        true = moved_to - case.place(ours[source])
        moved = np.linalg.norm(true, axis=1) > _MOVED
        if moved.any():
            error = head.expression_deltas[index].double().numpy()[rows] - true
            errors[name] = float(np.linalg.norm(error, axis=1)[moved].mean() * 1000)
    worst = sorted(errors, key=lambda name: -errors[name])[:4]
    listed = ", ".join(f"{name} {errors[name]:.2f}" for name in worst)
    return f"movements: mean {np.mean(list(errors.values())):.2f} mm where they move more than 1 mm; worst {listed}"


def lid_report(head: LinearHead) -> str:
    """How far the lids' edges are apart, vertically, open and closed; negative is overlap."""
    weights = torch.zeros(2, len(arkit.NAMES))
    weights[1, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = 1
    points = head.landmarks(head.vertices(torch.zeros(1, 0), weights)).numpy()
    pairs = np.array([pair for side in LID_PAIRS.values() for pair in side])
    gap = (points[:, pairs[:, 0], 1] - points[:, pairs[:, 1], 1]) * 1000
    return f"lids: {gap[0].mean():.1f} mm apart open, {gap[1].max():.1f} mm at the widest closed"


def language_report(file: FlameFile, head: LinearHead) -> str:
    """The way from ARKit weights to FLAME's parameters and back, over random expressions."""
    language = FlameLanguage(file, head)
    weights = sample_expressions(100, np.random.default_rng(3))
    weights[:, arkit.INDEX["tongueOut"]] = 0
    face = language.to_flame(weights)
    back = language.to_arkit(face)
    neutral = language.error(np.zeros_like(weights), face).mean() * 1000
    return (
        f"ARKit to FLAME and back: weights differ by {abs(back - weights).mean():.3f} (most "
        f"{abs(back - weights).max():.2f}), the face by {language.error(back, face).mean() * 1000:.2f} mm rms of "
        f"{neutral:.2f} mm that it moves"
    )


def pictures(head: LinearHead, path: Path) -> None:
    """One sheet of the head's movements."""
    cells = []
    for label, named, yaw in _SHOWN:
        weights = torch.zeros(1, len(arkit.NAMES))
        for name, value in named.items():
            weights[0, arkit.INDEX[name]] = value
        vertices = head.vertices(torch.zeros(1, 0), weights)[0].double().numpy()
        cells.append((label, shade(vertices, head.topology, face_camera(head, yaw, 0, 280))))
    write_png(path, contact_sheet(cells, columns=4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", choices=LAYOUTS, default="flame", help="of the head's file")
    parser.add_argument("--true", action="store_true", help="use the true landmarks")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    own = load_default()
    with tempfile.TemporaryDirectory() as folder:
        case = LAYOUTS[options.layout](Path(folder))
    bare, found = case.bare, case.truth
    if not options.true:
        from zero1toa.portrait.open_head import detector

        start = time.process_time()
        found = other.find_landmarks(bare, detector)
        print(f"landmarks found in {time.process_time() - start:.0f} s of processor time")
    print(landmark_report(bare, found, case.truth))
    start = time.process_time()
    head = dress(bare, found, own)
    print(f"dressed in {time.process_time() - start:.1f} s of processor time")
    print(movement_report(head, own, case))
    print(lid_report(head))
    if case.flame is not None:
        print(language_report(case.flame, head))
    if options.pictures:
        pictures(head, options.pictures / f"heads_{options.layout}_synthetic.png")


if __name__ == "__main__":
    main()
