"""Whether a detected face can be made into an avatar: human, large enough, turned towards us, uncovered."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from zero1toa.errors import InputError
from zero1toa.heads import facemesh, load_head

from .detect import Detection, detect_faces
from .landmarks import NUM_MESH
from .load import Photo, to_bytes
from .mediapipe_runtime import find_faces, person_mask
from .patches import eye_direction

MIN_WIDTH: Final = 48.0  # px between the extremes of the face; below, eyes are a few pixels wide
SMALL_WIDTH: Final = 64.0  # px; below, a warning
MAX_YAW: Final = 60.0  # degrees; beyond, the far side of the face is invisible and the landmarks there are guesses
LARGE_YAW: Final = 40.0  # degrees; beyond, a warning
MAX_ROLL: Final = 60.0  # degrees; the face lies on its side

_NOMINAL_WIDTH: Final = 225.0  # px of a face in the 512 crop; spreads are compared at this size

# Spread of the readings (px at 225) above which a part is taken for covered. Of 14 portraits none is above (lips at
# most 2.6, eyes 1.9, both a weathered statue's); with a rectangle over the mouth 79 of 84 are, over both eyes 33 of 42.
_COVERED_LIPS: Final = 2.7
_COVERED_EYES: Final = 2.0

_WINDOWS: Final = (3.2, 2.5, 1.9)  # sides, in widths of the face, of the squares that the detectors see again
_WINDOW_SIDE: Final = 256  # px
_ANY_SCORE: Final = 0.05  # detectors are asked for what they hardly believe, so that their answer is a measure

# Logistic regression on 182 human faces (photos, paintings, a statue, cartoons; also masked, half hidden, turned) and
# 46 others in which the landmark network saw a face (dogs, cats, monkeys, things), in November 2026. Ten-fold cross
# validation: 1 of the 46 is above 0 (a monkey), 4 of the 182 are below (divers, two faces behind things). Half of the
# humans are above 4.3, 5 % below 2.3; half of the others are below -6.2, 5 % above -1.1.
_WEIGHTS: Final = (-3.99, 14.55, 3.48, 0.123, -10.83)  # log spread, score, person, degrees of yaw that count, constant
_FREE_YAW: Final = 20.0  # degrees; beyond, readings and detectors grow unsure of human faces too
# A face that seems turned this far and whose readings differ this much is a profile whose yaw was read too low:
# rendered heads have spreads of 2.4 to 3.7 px at 60 degrees, 4.8 to 10 at 80.
_BLIND_YAW: Final = 45.0  # degrees
_BLIND_SPREAD: Final = 4.0  # px at a face width of 225
NOT_HUMAN: Final = -0.5  # log odds; below zero, for a false refusal annoys more than a portrait of a monkey
UNSURE: Final = 1.0
_NOTHING: Final = -6.0  # what is small and below this is no face at all


_NO_FACE: Final = "No face was found in {}; use a picture in which a face is seen from the front and not too small."


class Chosen(NamedTuple):
    """The face to work on."""

    face: Detection
    warnings: list[str]  # sentences


class Evidence(NamedTuple):
    """What tells a human face from a dog's, a monkey's or a teapot's."""

    spread: float  # px at a face width of 225: how far the single readings of the landmarks differ
    score: float  # in [0, 1]: what the face detectors say of the face seen at several sizes, also mirrored
    person: float  # in [0, 1]: how much of the face the segmenter takes for a person
    yaw: float = 0.0  # degrees: how far the face is turned


def choose_face(photo: Photo, *, force: bool = False) -> Chosen:
    """The largest human face of a photo, if it can be made into an avatar.

    Args:
        force: work on the largest face even where it would be refused; the reason becomes a warning.

    Raises:
        InputError: no face; or, unless forced, a face that is too small, lies on its side, is turned too far or is not
            human. One sentence.
    """
    picture = Image.fromarray(to_bytes(photo.image))
    faces = detect_faces(picture)
    if not faces:
        raise InputError(_not_upright(picture, photo.source) or _NO_FACE.format(photo.source))
    first: _Judged | None = None
    for face in faces:
        judged = _judge(picture, face, photo.source)
        if judged.refusal is None:
            return Chosen(face, _several(faces, face) + _cautions(judged))
        first = first or judged
    assert first is not None
    assert first.refusal is not None
    if not force:
        raise InputError(_not_upright(picture, photo.source) or first.refusal)
    return Chosen(faces[0], [first.refusal, *_several(faces, faces[0]), *_cautions(first)])


class _Judged(NamedTuple):
    face: Detection
    evidence: Evidence
    log_odds: float  # of being human
    refusal: str | None  # a sentence


def _judge(picture: Image.Image, face: Detection, source: str) -> _Judged:
    evidence = gather_evidence(picture, face)
    log_odds = human_log_odds(evidence)
    yaw = abs(evidence.yaw)
    blind = yaw > _BLIND_YAW and evidence.spread > _BLIND_SPREAD
    along = eye_direction(face.landmarks)
    roll = float(np.degrees(np.arctan2(along[1], along[0])))
    refusal = None
    if face.width < MIN_WIDTH and log_odds < _NOTHING:
        refusal = _NO_FACE.format(source)
    elif face.width < MIN_WIDTH:
        refusal = (
            f"The face in {source} is only {face.width:.0f} px wide; "
            f"use a picture in which it is at least {MIN_WIDTH:.0f} px wide, better 200."
        )
    elif blind or (log_odds < NOT_HUMAN and yaw > LARGE_YAW):
        refusal = f"The head in {source} is turned too far or covered; use a picture taken more from the front."
    elif log_odds < NOT_HUMAN:
        refusal = (
            f"What was found in {source} does not look like a human face, or too much of it is covered; "
            "use a portrait of a person."
        )
    elif abs(roll) > MAX_ROLL:
        refusal = f"The face in {source} lies on its side; rotate the picture so that it stands upright."
    elif yaw > MAX_YAW:
        refusal = f"The head in {source} is turned {yaw:.0f} degrees; use a picture taken more from the front."
    return _Judged(face, evidence, log_odds, refusal)


def _cautions(judged: _Judged) -> list[str]:
    face = judged.face
    warnings = []
    if MIN_WIDTH <= face.width < SMALL_WIDTH:
        warnings.append(f"The face is only {face.width:.0f} px wide; the avatar will be blurred.")
    yaw = abs(judged.evidence.yaw)
    if LARGE_YAW < yaw <= MAX_YAW:
        warnings.append(f"The head is turned {yaw:.0f} degrees; its far side will be a guess.")
    if NOT_HUMAN <= judged.log_odds < UNSURE:
        warnings.append("The face is partly covered or hardly looks human; the fit may be wrong.")
    spread = face.spread * _NOMINAL_WIDTH / face.width
    for name, group, limit in (("mouth", facemesh.LIPS, _COVERED_LIPS), ("eyes", facemesh.EYES, _COVERED_EYES)):
        if spread[list(group)].mean() > limit:
            warnings.append(f"The {name} may be covered or blurred; what is fitted there is a guess.")
    return warnings


def _several(faces: list[Detection], chosen: Detection) -> list[str]:
    if len(faces) == 1:
        return []
    if chosen is faces[0]:
        return [f"{len(faces)} faces were found; the largest one is used."]
    return [f"{len(faces)} faces were found; the largest one that can be used is taken."]


def _not_upright(picture: Image.Image, source: str) -> str | None:
    """The reason, where the picture shows a human face once it is rotated."""
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180):
        rotated = picture.transpose(turn)
        faces = detect_faces(rotated, thorough=False)[:1]
        if any(_judge(rotated, face, source).refusal is None for face in faces):
            return f"The face in {source} does not stand upright; rotate the picture first."
    return None


def gather_evidence(picture: Image.Image, face: Detection) -> Evidence:
    """Looks at a face again, with the networks that did not make the landmarks."""
    center = face.landmarks[:NUM_MESH, :2].mean(0)
    scores = []
    person = 0.0
    for factor in _WINDOWS:
        side = face.width * factor
        corner = center - side / 2
        box = (*corner.round().astype(int).tolist(), *(corner + side).round().astype(int).tolist())
        window = np.asarray(picture.crop(box).resize((_WINDOW_SIDE,) * 2, Image.Resampling.BILINEAR, reducing_gap=2.0))
        scores += [_score_at_center(view, factor) for view in (window, window[:, ::-1])]
        if factor == _WINDOWS[0]:
            oval = (face.landmarks[list(facemesh.OVAL), :2] - corner) * (_WINDOW_SIDE / side)
            person = _mean_inside(person_mask(window), oval)
    spread = float(face.spread.mean()) * _NOMINAL_WIDTH / face.width
    return Evidence(spread, float(np.mean(scores)), person, yaw_from_landmarks(face.landmarks))


def _score_at_center(window: NDArray[np.uint8], factor: float) -> float:
    """The better of both detectors' scores for a face in the middle of a window."""
    middle = _WINDOW_SIDE / 2
    reach = 0.35 * _WINDOW_SIDE / factor  # a third of the face's width
    return max(
        (
            box.score
            for full in (False, True)
            for box in find_faces(window, full_range=full, threshold=_ANY_SCORE)
            if np.linalg.norm((box.low + box.high) / 2 - middle) < reach
        ),
        default=0.0,
    )


def _mean_inside(values: NDArray[np.float32], polygon: NDArray[np.float64]) -> float:
    canvas = Image.new("1", (values.shape[1], values.shape[0]))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in polygon], fill=1)
    inside = np.asarray(canvas)
    return float(values[inside].mean()) if inside.any() else 0.0


def human_log_odds(evidence: Evidence) -> float:
    """Log odds that the face is human, from equal odds before."""
    turned = float(np.clip(abs(evidence.yaw), _FREE_YAW, MAX_YAW)) - _FREE_YAW
    features = (np.log(max(evidence.spread, 1e-3)), evidence.score, evidence.person, turned, 1.0)
    return float(np.dot(_WEIGHTS, features))


def yaw_from_landmarks(landmarks: NDArray[np.float64]) -> float:
    """How far a face is turned, in degrees; positive where the subject looks to its own left.

    The mean of two estimates from (478, 3) landmarks, both against the mean head's: the best affine camera for x and y
    alone, and the best rotation of x, y and the network's relative depth. On rendered heads of six other people it is
    within 5 degrees up to 50, reads 60 as 52 to 59 and 70 as 62 to 65; profiles it cannot tell.
    """
    model, weights = _mean_landmarks()
    seen = landmarks * [1.0, -1.0, -1.0]  # y up, z towards the viewer
    centred = [points - np.average(points, 0, weights=weights) for points in (model, seen)]
    root = np.sqrt(weights)[:, None]
    affine = np.linalg.lstsq(centred[0] * root, centred[1][:, :2] * root, rcond=None)[0].T  # (2, 3)
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    first, second = left @ right
    flat = np.arctan2(first[2], np.cross(first, second)[2])
    rotation, _ = Rotation.align_vectors(centred[1], centred[0], weights=weights)
    matrix = rotation.as_matrix()
    deep = np.arctan2(matrix[0, 2], matrix[2, 2])
    return float(np.degrees((flat + deep) / 2))


@lru_cache(maxsize=1)
def _mean_landmarks() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks (478, 3) of the mean head in metres, and their weights."""
    head = load_head()
    points = head.landmarks(head.template[None])[0].double().numpy()
    spread = np.asarray(head.topology.landmark_spread, np.float64)
    weights = 1 / (1 + (spread / 0.004) ** 2)
    weights[list(facemesh.OVAL)] *= 0.2  # the oval is where the face ends in the picture, not a place on the skin
    return points, weights
