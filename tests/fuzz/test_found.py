"""What fuzzing has found: inputs on which a reader once failed otherwise than in one sentence, by reader."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from tests.fuzz.packed import SINGLE, Files, written
from tests.fuzz.readers import READERS

from zero1toa.cli import main
from zero1toa.errors import Zero1toaError
from zero1toa.motion import read_motion

GREY = np.full((64, 64, 3), 0.5)
Change = Callable[[bytes], bytes]


def swapped(old: bytes, new: bytes) -> Change:
    def change(raw: bytes) -> bytes:
        assert old in raw
        return raw.replace(old, new, 1)

    return change


def damaged_member(name: str) -> Change:
    """The packed bytes of a member of a zip overwritten."""

    def change(raw: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            item = archive.getinfo(name)
        start = item.header_offset + 30 + len(item.filename) + 5
        return raw[:start] + b"\xff" * 40 + raw[start + 40 :]

    return change


def packed_otherwise(raw: bytes) -> bytes:
    """The same zip, said to be packed in a way that nobody knows."""
    at = raw.index(b"PK\x01\x02") + 10
    return raw[:at] + b"\x63\x00" + raw[at + 2 :]


def json_with(**values: object) -> Change:
    return lambda raw: json.dumps({**json.loads(raw), **values}).encode()


def empty_poses(raw: bytes) -> bytes:
    content = json.loads(raw)
    for frame in content["frames"]:
        frame["pose"] = {name: [] for name in frame["pose"]}
    return json.dumps(content).encode()


FOUND: list[tuple[str, str, int, Change]] = [
    # reader, file, seed, change
    ("lam", SINGLE, 0, damaged_member("p2-1/offset.ply")),  # zlib.error
    ("splat_ply", SINGLE, 0, swapped(b"property float f_dc_2", b"property float f_dc_x")),  # ValueError
    ("splat_ply", SINGLE, 0, swapped(b"vertex 12", b"vertex \xb2")),  # "²" is a digit, and no number: ValueError
    ("motion_json", SINGLE, 0, json_with(fps=10**400)),  # OverflowError
    ("motion_json", SINGLE, 0, json_with(weights=[[10**400] * 52])),
    ("motion_json", SINGLE, 0, json_with(names=True)),  # TypeError
    ("motion_json", SINGLE, 0, json_with(names=[0.5] * 52)),
    ("motion_json", SINGLE, 3, lambda raw: json.dumps({"names": [1], "frames": json.loads(raw)}).encode()),
    ("motion_npz", SINGLE, 0, damaged_member("weights.npy")),  # zlib.error
    ("motion_npz", SINGLE, 0, packed_otherwise),  # NotImplementedError
    ("motion_npz", SINGLE, 1, packed_otherwise),
    ("flame_mapping", SINGLE, 0, packed_otherwise),
    ("flame_mapping", SINGLE, 1, swapped(b"'descr': '<f4'", b"'descr': '<U1'")),  # UFuncTypeError
    ("flame_mapping", SINGLE, 1, swapped(b"'shape'", b"[[[[[[[")),  # TokenError
    ("clip", SINGLE, 1, packed_otherwise),
    ("clip", "cameras.json", 0, swapped(b'"width": 16', b'"width": 1e999')),  # OverflowError
    ("clip", "cameras.json", 0, empty_poses),  # AssertionError
    ("fit_folder", "fit.json", 0, lambda raw: b"[" * 100_000),  # RecursionError
    ("fit_folder", "fit.json", 0, swapped(b'"width": 24', b'"width": 1e999')),
    ("saved_state", "state.pt", 0, swapped(b"little", b"middle")),  # ValueError
    ("saved_state", "state.pt", 0, lambda raw: b"\x80\x02X\x01\x00\x00\x00\xe9."),  # UnicodeDecodeError
    ("saved_state", "state.pt", 0, lambda raw: b"\x80\x02r"),  # struct.error
    ("torch_weights", SINGLE, 1, lambda raw: raw[: len(raw) * 3 // 4]),  # AssertionError, struct.error
    ("torch_weights", SINGLE, 0, lambda raw: raw[: len(raw) // 2]),  # several lines
    ("safetensors", SINGLE, 0, lambda raw: raw[:40]),  # no sentence
    ("batch_list", "l.csv", 0, lambda raw: b"photo,seed\na.jpg," + b"1" * 5000 + b"\n"),  # a sentence of 5,000 letters
    ("picture", SINGLE, -1, lambda raw: raw[:26] + b"\xff\xff\xff\xff" + raw[30:]),  # PSD: MemoryError
    ("live_link_csv", SINGLE, 0, lambda raw: raw.partition(b"\n")[0] + b"\n" * 9000),  # IndexError
    ("live_link_csv", SINGLE, 1, lambda raw: raw.partition(b"\n")[0] + b"\n0.1,0.2\n"),  # a row before its timecode
]


@pytest.mark.parametrize("number", range(len(FOUND)))
def test_what_was_found_once_is_one_sentence(number, tmp_path):
    name, file, seed, change = FOUND[number]
    reader = READERS[name]
    files: Files = dict(reader.seeds()[seed])
    if name == "picture":
        assert files[SINGLE][:4] == b"8BPS"
    files = (
        {file: change(files[file])} if file == SINGLE or name == "batch_list" else {**files, file: change(files[file])}
    )
    path = written(files, tmp_path, reader.file_name)
    with pytest.raises(Zero1toaError) as caught:
        reader.read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 700


def test_a_stream_that_no_codec_reads_is_no_video(tmp_path, monkeypatch):
    from zero1toa import video

    class Stream:
        codec_context = None

    class Container:
        streams = type("Streams", (), {"video": [Stream()], "audio": []})()

        def close(self) -> None:
            pass

    monkeypatch.setattr(video, "open_container", lambda path: Container())
    with pytest.raises(Zero1toaError, match="holds no video"):
        video.video_facts(tmp_path / "x.mp4")


@pytest.mark.parametrize(
    "list_of", ["#EXTM3U\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {other}\n"]
)
def test_a_playlist_does_not_open_what_it_names(list_of, tmp_path):
    """FFmpeg would: a file that was sent to someone would show another file of theirs."""
    import av

    from zero1toa.media import write_mp4
    from zero1toa.video import frames_at, video_facts

    write_mp4(tmp_path / "other.mp4", [GREY] * 3)
    path = tmp_path / "list.m3u8"
    path.write_text(list_of.format(other="other.mp4"))
    with pytest.raises(Zero1toaError, match="neither a motion file nor a video"):
        video_facts(path)
    with pytest.raises(Zero1toaError):
        next(frames_at(path, 25.0))
    if list_of.startswith("ffconcat"):  # the danger is real
        with av.open(str(path)) as container:
            assert next(container.decode(video=0)).width == 64


def test_a_picture_may_stand_for_a_video_and_its_name_for_no_others(tmp_path):
    from PIL import Image

    from zero1toa.video import video_facts

    for name, side in (("frame%03d.png", 64), ("frame001.png", 80)):
        Image.new("RGB", (side, side)).save(tmp_path / name)
    assert video_facts(tmp_path / "frame%03d.png").width == 64


def test_a_pickle_is_not_run(tmp_path):
    target = tmp_path / "was-run"

    class Evil:
        def __reduce__(self):
            return type(target).touch, (target,)

    for name, file in (("flame_model", SINGLE), ("saved_state", "state.pt"), ("torch_weights", SINGLE)):
        place = tmp_path / name
        place.mkdir()
        path = written({file: pickle.dumps({"fingerprint": "x", "a": Evil()}, 2)}, place, READERS[name].file_name)
        with pytest.raises(Zero1toaError):
            READERS[name].read(path)
    assert not target.exists()


def test_a_path_of_no_user_is_one_sentence(capsys):
    assert main(["render", "~nobody-of-that-name/avatar.glb"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("zero1toa: ") and said.endswith(".") and "\n" not in said


def test_a_motion_of_many_days_is_too_long(tmp_path):
    """Days that pass between two rows did not count as time, and the frames between them filled the memory."""
    lines = READERS["live_link_csv"].seeds()[0][SINGLE].decode().splitlines()
    lines[3:] = ["2400" + line[2:] for line in lines[3:]]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(Zero1toaError, match="longer than 1 h"):
        read_motion(path)
