"""From a photo to a `Portrait`: load, detect, crop, matte, fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from ..camera import FRONTAL, Camera
from ..config import FitConfig
from ..heads import JOINTS, HeadModel, facemesh, load_head
from ..progress import Progress
from .crop import apply_matrix, crop_portrait
from .detector_bias import load_bias
from .expression_prior import frontal_features, load_regressor
from .landmark_model import landmark_model
from .landmarks import mirrored
from .load import load_photo
from .matte import matte_portrait
from .open_head import open_head
from .plausible import choose_face
from .portrait import Portrait
from .solver import Array, ExpressionPrior, Pinhole, Solution, solve

# How a turned head shares its rotation between torso (seen by the camera) and neck: the share of the neck for yaw,
# pitch and roll, from prior spreads of the torso (20, 6, 4 degrees) and the neck (20, 10, 10 degrees) in portraits;
# ours.
_NECK_SHARE = np.array([0.5, 0.74, 0.86])


class LandmarkFit(NamedTuple):
    """A head fitted to the landmarks of one picture."""

    solution: Solution  # in torso axes
    pose: Array  # (6, 3) joint rotation vectors, radians
    camera: Camera  # torso axes to pixels
    landmarks: Array  # (478, 2) px, what was fitted: the measured landmarks less the detector's bias


def fit_landmarks(
    head: HeadModel, landmarks: Array, size: int, config: FitConfig, prior: ExpressionPrior | None = None
) -> LandmarkFit:
    """Fits a head to 478 measured landmarks (478, 2 or more), px, of a square picture of `size` px.

    The prior is the learned one unless another is given. It and the detector's bias were learned on the default head's
    landmarks, so it is these with which the picture is compared for them, whatever head is fitted: the landmarks of
    another lie some millimetres elsewhere, which would be read as an expression.
    """
    pinhole = Pinhole.from_fov(config.fov, size)
    rest = landmark_model(head, config.identity_components)
    other = mirrored(landmarks, size)
    learned = landmark_model(load_head(), config.identity_components)
    prior = prior or load_regressor().prior(*(frontal_features(learned, p, pinhole) for p in (landmarks, other)))
    target = load_bias().corrected(learned, landmarks, pinhole)
    first = solve(rest, target, pinhole, prior, config)
    torso, pose = split_rotation(first.rotation)
    posed = landmark_model(head, config.identity_components, first.identity, pose)
    center = first.rotation @ rest.mean.mean(0) + first.translation
    start = Solution(
        torso,
        center - torso @ posed.mean.mean(0),
        first.identity,
        first.expression,
        first.projected,
        first.residuals,
        0,
    )
    person = solve(posed, target, pinhole, prior, config, start)
    loose = replace(config, expression_weight=config.refined_expression_weight)
    solution = solve(posed, target, pinhole, prior, loose, person, hold_identity=True)
    viewmat = np.eye(4)
    viewmat[:3, :3], viewmat[:3, 3] = solution.rotation, solution.translation
    camera = Camera(viewmat, pinhole.focal, pinhole.focal, pinhole.cx, pinhole.cy, size, size)
    return LandmarkFit(solution, pose, camera, target)


def split_rotation(rotation: Array) -> tuple[Array, Array]:
    """Shares a head's rotation (head axes to camera axes) between an upright torso and the neck.

    Returns:
        The torso's rotation to camera axes (3, 3), and the joint pose (6, 3), half of it at the neck joint and half at
        the head joint.
    """
    upright = FRONTAL @ rotation
    yaw, pitch, roll = Rotation.from_matrix(upright).as_euler("YXZ")
    torso = Rotation.from_euler("YXZ", np.array([yaw, pitch, roll]) * (1 - _NECK_SHARE)).as_matrix()
    neck = Rotation.from_matrix(torso.T @ upright).as_rotvec()
    pose = np.zeros((len(JOINTS), 3))
    pose[JOINTS.index("neck")] = pose[JOINTS.index("head")] = neck / 2
    return FRONTAL @ torso, pose


def landmark_errors(projected: Array, target: Array, measured: Array, size: int) -> dict[str, float]:
    """Mean distances of fitted landmarks, px at 512.

    From those that were fitted (measured, less the detector's bias): over all and by region. "uncorrected" is the mean
    distance from the landmarks as they were measured.
    """
    distance = np.linalg.norm(projected - target, axis=1) * 512 / size
    uncorrected = np.linalg.norm(projected - measured[:, :2], axis=1) * 512 / size
    regions = {"eyes": facemesh.EYES, "irises": facemesh.IRISES, "lips": facemesh.LIPS, "brows": facemesh.BROWS}
    regions["oval"] = facemesh.OVAL
    return (
        {"mean": float(distance.mean()), "median": float(np.median(distance))}
        | {name: float(distance[list(index)].mean()) for name, index in regions.items()}
        | {"uncorrected": float(uncorrected.mean())}
    )


def fit_portrait(
    source: str | Path,
    head: str = "default",
    config: FitConfig | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Portrait:
    """Fits a head to the largest face of a photo.

    Args:
        source: a picture file, or "demo".
        head: name of the head model.
        config: weights of the fit.
        force: go on where the photo would be refused (a face turned too far, no human face).
        progress: where to show how far it is; by default nowhere.

    Raises:
        InputError: the photo cannot be read or shows no usable face.
    """
    config = config or FitConfig()
    progress = progress or Progress(quiet=True)
    with progress.stage("reading the photo"):
        photo = load_photo(source)
    with progress.stage("finding the face"):
        chosen = choose_face(photo, force=force)
    with progress.stage("cutting it out"):
        crop = crop_portrait(photo, chosen.face.landmarks)
        landmarks = apply_matrix(crop.matrix, chosen.face.landmarks)
        matte = matte_portrait(crop, landmarks)
    with progress.stage("fitting the head"):
        model = open_head(head)
        size = crop.image.shape[0]
        solution, pose, camera, target = fit_landmarks(model, landmarks, size, config)
        parameters = (solution.identity, solution.expression, pose)
        posed = model.vertices(*(torch.as_tensor(x, dtype=torch.float32)[None] for x in parameters))
        projected = camera.project(model.landmarks(posed)[0].numpy().astype(np.float64))[:, :2]
    return Portrait(
        image=crop.image, valid=crop.valid, alpha=matte.alpha, foreground=matte.foreground, landmarks=landmarks,
        target_landmarks=target, fitted_landmarks=projected, identity=solution.identity, expression=solution.expression,
        pose=pose, camera=camera, head=head, source=Path(source).name, warnings=(*photo.notes, *chosen.warnings),
        errors=landmark_errors(projected, target, landmarks, size),
    )  # fmt: skip
