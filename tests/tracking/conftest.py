from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from zero1toa.camera import Camera
from zero1toa.heads import arkit
from zero1toa.media import write_mp4
from zero1toa.motion import Motion
from zero1toa.motion.shapes import columns
from zero1toa.priors.protocol import Drive
from zero1toa.priors.subjects import photo_camera, random_subject
from zero1toa.tracking import Tracking, track_video

SIZE = 320
FRAMES = 30


class Film(NamedTuple):
    path: Path
    truth: Motion
    camera: Camera
    frames: np.ndarray  # (F, S, S, 3)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A made-up person at rest, who opens the mouth, smiles, blinks and turns the head."""
    weights = np.zeros((FRAMES, len(arkit.NAMES)), np.float32)
    weights[8:14, columns("jawOpen")] = np.array([[0.3, 0.6, 0.8, 0.8, 0.5, 0.2]], np.float32).T
    weights[14:22, columns("mouthSmile")] = np.array([[0.2, 0.5, 0.8, 0.9, 0.9, 0.7, 0.4, 0.1]], np.float32).T
    weights[23:26, columns("eyeBlink")] = np.array([[0.7, 1.0, 0.6]], np.float32).T
    turn = np.zeros((FRAMES, 3), np.float32)
    turn[:, 1] = np.radians(6) * np.sin(np.linspace(0, 2 * np.pi, FRAMES))
    truth = Motion(25, weights, turn, turn)
    subject, camera = random_subject(402, 512), photo_camera(3, 2, SIZE)
    drive = Drive([camera] * FRAMES, torch.as_tensor(weights), torch.as_tensor(truth.poses.copy()))
    video = subject.video(drive)
    frames = (video.frames + (1 - video.alpha) * 0.4).permute(0, 2, 3, 1).numpy()
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_mp4(path, frames, fps=25)
    return Film(path, truth, camera, frames)


@pytest.fixture(scope="session")
def tracking(film: Film) -> Tracking:
    return track_video(film.path)
