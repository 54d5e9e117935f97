"""Clips for fine-tuning: a person, their photo and lines that lie where the face is."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from zero1toa.camera import Camera
from zero1toa.priors.animate_anyone import training_clips
from zero1toa.priors.animate_anyone.training_clips import ClipShape, read_portrait_video
from zero1toa.priors.mini.condition import own_camera
from zero1toa.priors.mini.video_folder import VideoFolder
from zero1toa.progress import Progress

SHAPE = ClipShape("aniportrait", 96, 3)


@pytest.fixture(scope="module")
def made():
    return SHAPE.maker()(4, 2)


def test_a_sitting_has_the_shape_that_was_asked_for(made):
    assert made.photo.shape == (96, 96, 3) and len(made.clips) == 2
    for clip in made.clips:
        assert clip.frames.shape == clip.landmarks.shape == (3, 96, 96, 3)
        assert clip.frames.dtype == clip.landmarks.dtype == np.uint8
    again = pickle.loads(pickle.dumps(SHAPE.maker()))(4, 2)  # as a pool's processes make it
    np.testing.assert_array_equal(again.clips[1].frames, made.clips[1].frames)


def test_clips_move_before_a_background_that_stays(made):
    frames = made.clips[0].frames.astype(int)
    assert np.abs(frames[0] - frames[2]).max() > 30
    assert np.abs(frames[:, 0, 0] - made.photo[0, 0]).max() <= 1


def test_lines_lie_on_the_person(made):
    """The lines' middle is nearer to that of their own frame's person than chance has it."""
    for seed in (4, 5, 6):
        sitting = SHAPE.maker()(seed, 1)
        for frame, lines in zip(sitting.clips[0].frames, sitting.clips[0].landmarks):
            drawn = lines.max(-1) > 60
            assert drawn.sum() > 40
            assert (np.abs(frame[drawn].astype(int) - frame[0, 0]).max(-1) > 12).mean() > 0.8


def test_a_video_becomes_squares_about_the_head(monkeypatch, subject, tmp_path):
    camera = Camera.orbit(10, 0, size=160)
    vertices = np.repeat(np.asarray(subject.head.vertices, np.float32)[None], 5, 0)
    image = np.full((160, 160, 3), 90, np.uint8)
    x, y, _ = own_camera(camera, 96).project(np.array([0.0, -0.012, -0.01]))
    seen = SimpleNamespace(
        images=dict.fromkeys(range(5), image),
        starts=[1],
        frame=0,
        vertices=vertices,
        cameras=[camera] * 5,
        topology=subject.head.topology,
    )
    monkeypatch.setattr(training_clips, "follow_video", lambda video, progress, frames: seen)
    made = read_portrait_video(SHAPE, tmp_path / "a.mp4", 3, Progress(quiet=True))
    assert made.photo.shape == (96, 96, 3) and made.seed == 3 and np.all(made.photo == 90)
    assert made.clips[0].frames.shape == (3, 96, 96, 3) and made.clips[0].landmarks.max() > 100
    rows, columns = np.nonzero(made.clips[0].landmarks[0].max(-1))
    assert abs(columns.mean() - x) < 20 and abs(rows.mean() - y) < 20


def test_videos_of_one_shape_are_not_taken_for_another(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    asked = []

    def folder(shape):
        def read(video, seed, progress):
            asked.append(shape.size)
            return shape.maker()(1, 1)

        reader = replace(shape.reader(), read=read)
        return VideoFolder(tmp_path, tmp_path / "clips", Progress(quiet=True), reader)

    first = folder(SHAPE)
    again = folder(SHAPE)
    assert asked == [96, 96]
    np.testing.assert_array_equal(again.at(0)[0].clips[0].landmarks, first.at(0)[0].clips[0].landmarks)
    folder(replace(SHAPE, size=64))
    assert asked == [96, 96, 64, 64]
