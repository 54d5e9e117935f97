"""Films frame by frame, read back."""

import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from zero1toa.errors import InputError, OutputError
from zero1toa.films import Sound, check_film, write_film
from zero1toa.video import SOUND_RATE, frames_at, sound_blocks, video_facts

COLORS = ((200, 60, 40), (30, 90, 220), (240, 240, 240), (20, 160, 60))


def frames(count=8, size=(32, 48), alpha=False):
    for index in range(count):
        picture = np.full((*size, 3), COLORS[index % len(COLORS)], np.uint8)
        yield np.dstack([picture, np.full(size, 128, np.uint8)]) if alpha else picture


def tone(path, seconds=2.0, video_fps=25):
    """A film with a sound that begins at one second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=video_fps)
        video.bit_rate = 1_000_000
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="mono")
        for index in range(int(seconds * video_fps)):
            picture = np.full((32, 32, 3), 5 * index, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        t = np.arange(int(seconds * 44100)) / 44100
        samples = (0.5 * np.sin(2 * np.pi * 440 * t) * (t >= 1)).astype(np.float32)
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
            container.mux(audio.encode(frame))
        for stream in (video, audio):
            container.mux(stream.encode())


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif"])
def test_colours_size_and_rate(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    write_film(path, frames(), fps=25)
    facts = video_facts(path)
    assert (facts.width, facts.height, facts.has_sound) == (48, 32, False)
    assert facts.fps == pytest.approx(25)
    back = frames_at(path, 25)
    for index in range(8):
        assert np.abs(next(back).astype(int) - COLORS[index % 4]).mean() < 6


def test_an_odd_size_is_made_even(tmp_path):
    write_film(tmp_path / "a.mp4", frames(size=(31, 47)), fps=25)
    facts = video_facts(tmp_path / "a.mp4")
    assert (facts.width, facts.height) == (48, 32)


def test_webm_keeps_alpha(tmp_path):
    write_film(tmp_path / "a.webm", frames(alpha=True), fps=25)
    with av.open(str(tmp_path / "a.webm")) as container:
        assert container.streams.video[0].metadata["ALPHA_MODE"] == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own decoder leaves alpha out
        decoder.extradata = container.streams.video[0].codec_context.extradata
        packets = [p for p in container.demux(video=0) if p.size]
        shown = [frame for packet in packets for frame in decoder.decode(packet)]
    assert shown[0].format.name == "yuva420p"
    assert abs(int(shown[0].to_ndarray(format="rgba")[16, 16, 3]) - 128) < 6


def test_a_folder_of_pictures(tmp_path):
    write_film(tmp_path / "a", frames(3, alpha=True), fps=25)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    with Image.open(tmp_path / "a" / "00001.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture)[0, 0], (*COLORS[1], 128))
    assert next(frames_at(tmp_path / "a", 25)).shape == (32, 48, 3)


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_the_sound_of_a_piece(tmp_path, ending):
    tone(tmp_path / "tone.mp4")
    path = tmp_path / f"a{ending}"
    write_film(path, frames(25), fps=25, sound=Sound(tmp_path / "tone.mp4", 0.5, 1.0))
    heard = np.concatenate(list(sound_blocks(path, 0, 1.0, 4800)), 1)
    assert heard.shape[1] == pytest.approx(SOUND_RATE, rel=0.05)
    level = np.array([np.abs(part).max() for part in np.array_split(heard[0], 100)])
    assert level[:45].max() < 0.05  # silence up to second 1 of the source
    assert level[56:95].min() > 0.3


def test_sound_blocks_are_cut_where_they_should_be(tmp_path):
    tone(tmp_path / "tone.mp4")
    blocks = list(sound_blocks(tmp_path / "tone.mp4", 0.25, 0.5, 1000))
    assert sum(b.shape[1] for b in blocks) == SOUND_RATE // 2
    assert all(b.shape == (2, 1000) for b in blocks[:-1])
    assert list(sound_blocks(tmp_path / "tone.mp4", 7, 1, 1000)) == []


def test_frames_at_other_times_and_rates(tmp_path):
    tone(tmp_path / "tone.mp4")

    def levels(fps, start, count):
        source = frames_at(tmp_path / "tone.mp4", fps, start)
        return [float(next(source).mean()) / 5 for _ in range(count)]

    np.testing.assert_allclose(levels(25, 0, 5), range(5), atol=0.8)
    np.testing.assert_allclose(levels(50, 0, 6), [0, 0, 1, 1, 2, 2], atol=0.8)
    np.testing.assert_allclose(levels(25, 0.4, 3), [10, 11, 12], atol=0.8)
    np.testing.assert_allclose(levels(25, 1.9, 6)[-1], 49, atol=0.8)  # beyond the end: the last frame


def test_frames_are_taken_one_by_one(tmp_path):
    """Not more than the queue holds are ahead of the encoder, and the encoder has a thread of its own."""
    alive, most, threads = 0, 0, set()

    class Counted(np.ndarray):
        def __del__(self):
            nonlocal alive
            alive -= 1

    def source():
        nonlocal alive, most
        for picture in frames(100):
            alive += 1
            most = max(most, alive)
            threads.add(threading.current_thread().name)
            yield picture.view(Counted)

    write_film(tmp_path / "a.mp4", source(), fps=25)
    assert most <= 30 and threads == {threading.current_thread().name}


@pytest.mark.parametrize("output", ["a.mp4", "a.gif", "a"])
def test_a_failure_leaves_nothing(tmp_path, output):
    def broken():
        yield from frames(3)
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        write_film(tmp_path / output, broken(), fps=25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fps", "seconds", "transparent", "said"),
    [
        ("a.mp4", 25, 1, True, "no transparency"),
        ("a.gif", 25, 1, True, "no transparency"),
        ("a.avi", 25, 1, False, "no film"),
        ("a.gif", 25, 100, False, "huge"),
        ("a.gif", 60, 1, False, "--fps"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, fps, seconds, transparent, said):
    with pytest.raises(InputError, match=said):
        check_film(tmp_path / name, fps, seconds, transparent)


def test_a_place_that_is_none(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        check_film(tmp_path / "file" / "a.mp4", 25, 1, False)


def test_what_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(InputError, match="video"):
        video_facts(tmp_path / "a.mp4")
