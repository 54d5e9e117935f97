from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zero1toa.errors import AssetError
from zero1toa.heads import arkit
from zero1toa.tracking.reader import MovementReader, load_reader, mirrored


def test_a_face_at_rest_shows_little() -> None:
    assert np.abs(load_reader()(np.zeros((1, 478, 2)), np.zeros((1, 2)))).max() < 0.12


def test_a_mirrored_face_makes_the_mirrored_movement() -> None:
    rng = np.random.default_rng(0)
    offsets, view = rng.normal(0, 0.1, (4, 478, 2)), rng.normal(0, 0.1, (4, 2))
    straight = load_reader()(offsets, view)
    other = load_reader()(*mirrored(offsets, view))
    assert other[:, list(arkit.MIRROR)] == pytest.approx(straight, abs=1e-4)


def test_no_frames_no_weights() -> None:
    assert load_reader()(np.zeros((0, 478, 2)), np.zeros((0, 2))).shape == (0, 52)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    reader = load_reader()
    reader.save(tmp_path / "reader.npz")
    again = MovementReader.load(tmp_path / "reader.npz")
    offsets = np.random.default_rng(1).normal(0, 0.1, (2, 478, 2))
    assert again(offsets, np.zeros((2, 2))) == pytest.approx(reader(offsets, np.zeros((2, 2))), abs=1e-3)


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", layers=1)
    with pytest.raises(AssetError, match="no movement reader"):
        MovementReader.load(tmp_path / "other.npz")
    with pytest.raises(AssetError, match="no movement reader"):
        MovementReader.load(tmp_path / "none.npz")
