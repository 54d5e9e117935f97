"""Videos of the user's own: who is held out, what is kept, which frames make clips."""

import numpy as np
import pytest

from zero1toa.errors import InputError
from zero1toa.priors.mini.synthetic import FRAMES, Clip, Sitting, sitting
from zero1toa.priors.mini.video_folder import MINI_VIDEOS, VideoFolder, VideoReader, _starts, persons
from zero1toa.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "videos"
    (place / "anna").mkdir(parents=True)
    for name in ("anna/1.mp4", "anna/2.MOV", "ben.mp4", "cleo.webm", "notes.txt"):
        (place / name).write_bytes(name.encode())
    return place


def test_a_folder_is_a_person_and_a_file_is_one(folder):
    assert {name: len(videos) for name, videos in persons(folder).items()} == {"anna": 2, "ben": 1, "cleo": 1}


def test_persons_are_either_trained_on_or_held_out_and_videos_are_read_once(folder, tmp_path):
    read = []

    def fake(video, seed, progress):
        read.append(video.name)
        return sitting(1, 1)._replace(seed=seed)

    reader = VideoReader(fake, Sitting, Clip)
    first = VideoFolder(folder, tmp_path / "clips", QUIET, reader)
    assert sorted(read) == ["1.mp4", "2.MOV", "ben.mp4", "cleo.webm"]
    trained, held = {s.seed for s in first.at(0)}, {s.seed for s in first.held_out(9)}
    assert trained and held and not trained & held
    second = VideoFolder(folder, tmp_path / "clips", QUIET, reader)
    assert len(read) == 4
    assert {s.seed for s in second.at(0)} == trained
    np.testing.assert_array_equal(second.at(0)[0].clips[0].frames, first.at(0)[0].clips[0].frames)


def test_clips_are_runs_of_tracked_frames_of_one_shot():
    tracked = np.ones(40, bool)
    tracked[5] = False
    shots = np.zeros(40, int)
    shots[30:] = 1
    starts = _starts(tracked, shots)
    assert starts == [6, 14, 22, 30]
    assert all(tracked[s : s + FRAMES].all() and len(set(shots[s : s + FRAMES])) == 1 for s in starts)


def test_too_few_persons_are_told(tmp_path):
    with pytest.raises(InputError, match="two"):
        VideoFolder(tmp_path, tmp_path / "clips", QUIET, MINI_VIDEOS)
    with pytest.raises(InputError, match="no folder"):
        VideoFolder(tmp_path / "none", tmp_path / "clips", QUIET, MINI_VIDEOS)
