from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zero1toa.errors import InputError
from zero1toa.media import write_mp4
from zero1toa.tracking import FrameSource
from zero1toa.tracking.frames import FOLDER_FPS


def _grey(level: float) -> np.ndarray:
    return np.full((64, 96, 3), level, np.float32)


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """20 frames, each brighter than the one before, at 10 a second."""
    write_mp4(tmp_path / "ramp.mp4", [_grey(k / 20) for k in range(20)], fps=10)
    return tmp_path / "ramp.mp4"


def _levels(source: FrameSource) -> list[float]:
    return [round(float(frame.image.mean()) / 255 * 20) for frame in source]


def test_frames_come_in_order_with_their_times(ramp: Path) -> None:
    source = FrameSource(ramp)
    assert (source.info.fps, source.info.size, source.info.frames) == (10, (96, 64), 20)
    assert _levels(source) == list(range(20))
    assert [frame.time for frame in source] == pytest.approx(np.arange(20) / 10)


def test_a_source_can_be_read_again(ramp: Path) -> None:
    source = FrameSource(ramp)
    assert _levels(source) == _levels(source)


def test_a_lower_rate_leaves_frames_out(ramp: Path) -> None:
    assert _levels(FrameSource(ramp, 5)) == list(range(0, 20, 2))


def test_a_higher_rate_repeats_frames(ramp: Path) -> None:
    levels = _levels(FrameSource(ramp, 20))
    assert len(levels) in (39, 40)
    assert levels[:4] == [0, 0, 1, 1]


def test_a_part(ramp: Path) -> None:
    assert _levels(FrameSource(ramp, start=0.5, end=1.0)) == [5, 6, 7, 8, 9]


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for k in (10, 2, 1):
        Image.fromarray((_grey(k / 20) * 255).astype(np.uint8)).save(tmp_path / f"frame{k}.png")
    source = FrameSource(tmp_path)
    assert source.info.fps == FOLDER_FPS
    assert _levels(source) == [1, 2, 10]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"fps": 0}, "frame rate"),
        ({"fps": float("nan")}, "frame rate"),
        ({"start": 1, "end": 0.5}, "between two times"),
    ],
)
def test_odd_options_are_refused(ramp: Path, arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        FrameSource(ramp, **arguments)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no video"):
        FrameSource(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no pictures"):
        FrameSource(tmp_path)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="not a video"):
        FrameSource(tmp_path / "text.mp4")


def test_a_start_after_the_end_is_refused(ramp: Path) -> None:
    with pytest.raises(InputError, match="no frame after"):
        list(FrameSource(ramp, start=5))


def test_a_ten_hour_file_is_refused_before_it_is_read(ramp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zero1toa.tracking.frames.MAX_SECONDS", 1.0)
    with pytest.raises(InputError, match="too long"):
        FrameSource(ramp)


def test_pictures_of_several_sizes_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (96, 64)).save(tmp_path / "1.png")
    Image.new("RGB", (64, 96)).save(tmp_path / "2.png")
    with pytest.raises(InputError, match="differ in size"):
        list(FrameSource(tmp_path))
