from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from zero1toa import media
from zero1toa.errors import OutputError

RED, BLUE, WHITE = (0.8, 0.3, 0.2), (0.1, 0.35, 0.9), (1.0, 1.0, 1.0)


def flags(width: int = 64, height: int = 48) -> np.ndarray:
    """Red above blue, with a white half below."""
    image = np.empty((height, width, 3), np.float32)
    image[: height // 2], image[height // 2 :], image[height // 2 :, width // 2 :] = RED, BLUE, WHITE
    return image


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") / 255 for frame in container.decode(video=0)]


# PNG


@pytest.mark.parametrize("channels", [3, 4])
def test_png_keeps_every_byte(tmp_path: Path, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 9, channels))
    media.write_png(tmp_path / "a.png", image.astype(np.float32) / 255)
    with Image.open(tmp_path / "a.png") as back:
        assert back.mode == {3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(np.asarray(back), image)


def test_values_outside_are_clipped() -> None:
    assert media.to_uint8(np.array([-1, 0, 0.5, 1, 7, np.nan, np.inf])).tolist() == [0, 0, 128, 255, 255, 0, 255]


def test_unwritable_place(tmp_path: Path) -> None:
    for write in (
        lambda path: media.write_png(path, flags()),
        lambda path: media.write_gif(path, [flags()]),
        lambda path: media.write_mp4(path, [flags()]),
    ):
        with pytest.raises(OutputError):
            write(tmp_path)


# Films


def test_mp4_keeps_colors_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    media.write_mp4(path, (flags() for _ in range(7)), fps=24)
    frames = decoded(path)
    assert len(frames) == 7
    assert frames[0].shape == (48, 64, 3)
    for point, color in (((10, 10), RED), ((40, 10), BLUE), ((40, 50), WHITE)):
        np.testing.assert_allclose(frames[3][point], color, atol=2.5 / 255)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 24


def test_mp4_of_odd_size_is_made_even(tmp_path: Path) -> None:
    media.write_mp4(tmp_path / "a.mp4", [flags(65, 47)])
    assert decoded(tmp_path / "a.mp4")[0].shape == (48, 66, 3)


def test_mp4_moves(tmp_path: Path) -> None:
    values = [0.1, 0.9, 0.5]
    media.write_mp4(tmp_path / "a.mp4", [np.full((32, 32, 3), v, np.float32) for v in values])
    np.testing.assert_allclose([f.mean() for f in decoded(tmp_path / "a.mp4")], values, atol=0.01)


def test_mp4_without_x264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    media.write_mp4(tmp_path / "a.mp4", [flags()] * 3)
    frames = decoded(tmp_path / "a.mp4")
    assert len(frames) == 3
    np.testing.assert_allclose(frames[1][10, 10], RED, atol=6 / 255)


def test_gif_keeps_colors_size_and_time(tmp_path: Path) -> None:
    frames = [flags(), flags()[::-1], flags()]
    media.write_gif(tmp_path / "a.gif", frames, fps=20)
    with Image.open(tmp_path / "a.gif") as back:
        assert (back.n_frames, back.size, back.info["duration"], back.info["loop"]) == (3, (64, 48), 50, 0)
        for i, frame in enumerate(frames):
            back.seek(i)
            np.testing.assert_allclose(np.asarray(back.convert("RGB")) / 255, frame, atol=2 / 255)


@pytest.mark.parametrize("write", [media.write_gif, media.write_mp4])
def test_films_need_frames_of_one_size(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="frame"):
        write(tmp_path / "a.film", [])
    with pytest.raises(ValueError, match="size"):
        write(tmp_path / "a.mp4", [flags(), flags(32, 32)])
    assert not list(tmp_path.iterdir())


# Contact sheets


def boxes(sheet: np.ndarray, color: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the pixels of a colour."""
    rows, columns = np.nonzero((np.abs(sheet - color) < 1 / 255).all(-1))
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def test_pictures_stand_whole_in_a_grid_with_even_margins() -> None:
    tiles = [np.full((100, 120, 3), (i / 10 + 0.05, 0.3, 0.6), np.float32) for i in range(5)]
    tiles = [media.to_uint8(t).astype(np.float32) / 255 for t in tiles]
    sheet = media.contact_sheet([("label", t) for t in tiles], columns=3)
    places = [boxes(sheet, tuple(t[0, 0])) for t in tiles]
    assert all((b - t, r - le) == (100, 120) for t, b, le, r in places)
    lefts, tops = [p[2] for p in places], [p[0] for p in places]
    assert lefts[3:] == lefts[:2]
    assert len(set(tops[:3])) == len(set(tops[3:])) == 1
    margin = lefts[0]
    assert lefts[1] - lefts[0] == lefts[2] - lefts[1] == 120 + margin
    assert sheet.shape[1] == 3 * (120 + margin) + margin
    assert tops[0] == margin


def test_labels_stand_under_their_pictures_and_fit() -> None:
    black = np.zeros((80, 90, 3), np.float32)
    sheet = media.contact_sheet([("i" * 300, black), ("", black), ("yaw −30°", black)], columns=3)
    _, bottom, margin, _ = boxes(sheet, (0, 0, 0))
    ink = np.abs(sheet[bottom:] - sheet[0, 0]).max(-1) > 0.1
    columns = [slice(margin + i * (90 + margin), margin + i * (90 + margin) + 90) for i in range(3)]
    assert [bool(ink[:, c].any()) for c in columns] == [True, False, True]
    outside = np.ones(sheet.shape[1], bool)
    for column in columns:
        outside[column] = False
    assert not ink[:, outside].any()


def test_letters_the_font_lacks_are_replaced() -> None:
    font = media._font(14)
    assert media._drawable("yaw −30° – Zoë\tß", font) == "yaw -30° - Zoe ?"


def test_alpha_shows_the_paper() -> None:
    clear = np.zeros((50, 50, 4), np.float32)
    sheet = media.contact_sheet([("", clear)])
    assert np.ptp(sheet) == 0


def test_title_and_small_pictures() -> None:
    tiles = [("a", np.zeros((64, 64, 3), np.float32)), ("b", np.zeros((20, 30, 3), np.float32))]
    plain, titled = (media.contact_sheet(tiles, 2, title=t) for t in ("", "avatar.glb"))
    assert titled.shape[0] > plain.shape[0]
    assert titled.shape[1] == plain.shape[1]
    assert boxes(plain, (0, 0, 0))[2] > 0
    with pytest.raises(ValueError, match="picture"):
        media.contact_sheet([])


def test_a_header_that_claims_gigabytes_makes_no_room_for_them(tmp_path):
    path = tmp_path / "picture.png"
    media.write_png(path, np.zeros((8, 8, 3), np.float32))
    content = path.read_bytes()
    at = content.index(b"IDAT") - 4
    path.write_bytes(content[:at] + (0x7FFFFFF0).to_bytes(4, "big") + content[at + 4 :])
    tracemalloc.start()
    with contextlib.suppress(*media.DAMAGED_PICTURE), media.open_picture(path) as picture:
        picture.load()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 << 20
