from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from zero1toa.cli import main
from zero1toa.errors import InputError
from zero1toa.heads import arkit, load_head
from zero1toa.media import to_uint8, write_mp4
from zero1toa.motion import Motion
from zero1toa.motion.shapes import columns
from zero1toa.tracking import LOST, TRACKED, FrameSource, Tracking, quality_report, save_motion, track_video
from zero1toa.tracking.report import check_frames

FRAMES, SIZE = 30, 320  # of the film


def test_every_frame_has_its_place(tracking: Tracking, film) -> None:  # type: ignore[no-untyped-def]
    assert len(tracking) == len(tracking.motion) == len(tracking.cameras) == FRAMES
    assert tracking.fps == 25
    assert tracking.size == (SIZE, SIZE)
    assert (tracking.state == TRACKED).all()
    assert (tracking.confidence > 0.5).all()
    assert tracking.frame_times == pytest.approx(np.arange(FRAMES) / 25, abs=1e-3)
    assert tracking.landmarks.shape == (FRAMES, 478, 2)


@pytest.mark.parametrize("name", ["jawOpen", "mouthSmile", "eyeBlink"])
def test_movements_are_those_that_were_made(tracking: Tracking, film, name: str) -> None:  # type: ignore[no-untyped-def]
    found, truth = tracking.motion.weights[:, columns(name)].mean(1), film.truth.weights[:, columns(name)].mean(1)
    assert np.corrcoef(found, truth)[0, 1] > 0.9
    assert 0.7 < (found * truth).sum() / (truth**2).sum() < 1.3


def test_the_blink_is_shut_in_its_frame(tracking: Tracking) -> None:
    lid = tracking.motion.weights[:, columns("eyeBlink")].min(1)
    assert lid[24] > 0.85
    assert lid[[21, 28]].max() < 0.25


def test_the_head_turns_as_it_did(tracking: Tracking, film) -> None:  # type: ignore[no-untyped-def]
    poses = film.truth.neck + film.truth.head  # about one axis, so angles add up
    turns = film.camera.viewmat[:3, :3] @ Rotation.from_rotvec(poses).as_matrix()
    difference = Rotation.from_matrix(tracking.rotation) * Rotation.from_matrix(turns).inv()
    still = np.degrees((difference.mean().inv() * difference).magnitude())
    assert still.mean() < 1.5


def test_the_posed_head_lies_on_the_face(tracking: Tracking) -> None:
    head = load_head(tracking.head)
    identity = torch.as_tensor(tracking.identity, dtype=torch.float32)[None]
    weights, poses = torch.as_tensor(tracking.motion.weights.copy()), torch.as_tensor(tracking.motion.poses.copy())
    landmarks = head.landmarks(head.vertices(identity, weights, poses)).numpy()
    seen = np.stack([camera.project(points)[:, :2] for camera, points in zip(tracking.cameras, landmarks, strict=True)])
    assert np.linalg.norm(seen - tracking.landmarks, axis=-1).mean() < 0.012 * SIZE


def test_a_folder_of_frames_gives_the_same_motion(film, tracking: Tracking, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for index, frame in enumerate(film.frames):
        Image.fromarray(to_uint8(frame)).save(tmp_path / f"{index}.png")
    other = track_video(tmp_path, fps=25)
    difference = np.abs(other.motion.weights - tracking.motion.weights)
    assert difference[:, columns("jawOpen", "mouthSmile", "eyeBlink")].mean() < 0.05


def test_frames_without_a_face_are_lost_and_said_so(film, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    frames = np.concatenate([film.frames[:12], np.full((20, SIZE, SIZE, 3), 0.3), film.frames[12:18]])
    write_mp4(tmp_path / "hole.mp4", frames, fps=25)
    tracking = track_video(tmp_path / "hole.mp4")
    assert (tracking.state[13:31] == LOST).all()
    assert (tracking.confidence[13:31] == 0).all()
    assert (tracking.state[[5, 35]] == TRACKED).all()
    assert tracking.motion.weights[22].max() < 0.01
    assert "show no face" in " ".join(tracking.warnings)


def test_a_video_without_a_face_is_refused(tmp_path: Path) -> None:
    write_mp4(tmp_path / "grey.mp4", [np.full((96, 96, 3), 0.5)] * 3, fps=25)
    with pytest.raises(InputError, match="No human face was found"):
        track_video(tmp_path / "grey.mp4")


def test_an_animal_is_refused(shared_pictures: Path) -> None:
    with pytest.raises(InputError, match="No human face was found"):
        track_video(shared_pictures / "not_a_person_dog.jpg")


def test_one_frame_is_enough(film, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    Image.fromarray(to_uint8(film.frames[0])).save(tmp_path / "one.png")
    tracking = track_video(tmp_path)
    assert len(tracking) == 1
    assert np.isfinite(tracking.motion.weights).all()


def test_the_report_is_json(tracking: Tracking) -> None:
    report = json.loads(json.dumps(quality_report(tracking)))
    assert report["frames"] == report["tracked_frames"] == FRAMES
    assert report["lost_frames"] == []
    assert 0 < report["landmark_error"]["mean"] < 5
    assert len(report["per_frame"]["confidence"]) == FRAMES


def test_the_check_video_shows_both_side_by_side(tracking: Tracking, film) -> None:  # type: ignore[no-untyped-def]
    frame = next(iter(check_frames(tracking, FrameSource(film.path))))
    assert frame.shape == (SIZE, 2 * SIZE, 3)
    middle = slice(SIZE // 3, 2 * SIZE // 3)
    difference = np.abs(frame[middle, :SIZE] - frame[middle, SIZE:])
    assert difference[:, middle].mean() > 0.03
    assert difference[:, :8].mean() < 0.01


def test_a_motion_is_saved_by_its_suffix(tracking: Tracking, tmp_path: Path) -> None:
    save_motion(tracking.motion, tmp_path / "motion.npz")
    assert (Motion.load(tmp_path / "motion.npz").weights == tracking.motion.weights).all()
    with pytest.raises(InputError, match="neither"):
        save_motion(tracking.motion, tmp_path / "motion.txt")


def test_the_command_writes_what_it_says(film, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    motion, report = tmp_path / "motion.npz", tmp_path / "report.json"
    assert main(["track", str(film.path), "-o", str(motion), "--end", "0.4", "--report", str(report)]) == 0
    assert len(Motion.load(motion)) == json.loads(report.read_text())["frames"] == 10
    assert str(motion) in capsys.readouterr().out


@pytest.mark.parametrize("options", [["-o", "motion.txt"], ["--check", "check.gif"], ["--report", "report.txt"]])
def test_the_command_refuses_other_kinds_of_files(film, options: list[str], capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["track", str(film.path), *options]) == 2
    assert options[1] in capsys.readouterr().err


def test_the_talking_man(shared_pictures: Path) -> None:
    """Looked at: at rest up to frame 11, a grin with open lips from 20 to 63, one blink at 65 to 67."""
    tracking = track_video(shared_pictures / "talking_man.mp4")
    weights = tracking.motion.weights
    assert (tracking.state == TRACKED).all()
    lids = weights[:, columns("eyeBlink")].min(1)
    assert lids[65:68].max() > 0.8
    assert np.delete(lids, np.arange(63, 71)).max() < 0.3
    smile = weights[:, columns("mouthSmile")].mean(1)
    assert smile[:11].max() < 0.1
    assert smile[22:62].min() > 0.5
    looks_left = weights[:, arkit.INDEX["eyeLookOutLeft"]]
    assert looks_left[20:26].min() > 0.4
    assert looks_left[30:40].max() < 0.1
