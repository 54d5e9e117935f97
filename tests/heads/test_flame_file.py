"""FLAME's file: what is read, what is said of files that are something else; and the model against another one."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from flame_fixtures import old_pickle, synthetic
from zero1toa.errors import AssetError
from zero1toa.heads.flame.file import UNKNOWN, check_flame, edition_of, read_flame
from zero1toa.heads.flame.model import FlameModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("flame2023")
    (path / "FLAME_NEUTRAL.pkl").write_bytes(old_pickle())
    return path


def test_reads_the_publishers_pickle_without_chumpy(folder):
    file, made = read_flame(folder / "FLAME_NEUTRAL.pkl"), synthetic()
    np.testing.assert_array_equal(file.template, made["v_template"])
    np.testing.assert_array_equal(file.faces, made["f"])
    np.testing.assert_array_equal(file.expressions[3], made["shapedirs"][..., 303])
    np.testing.assert_array_equal(file.pose_correctives[7], made["posedirs"][..., 7])
    np.testing.assert_allclose(file.joint_regressor, made["J_regressor"])
    assert file.edition == "2023"


def test_reads_an_npz_to_the_same(folder):
    stream = io.BytesIO()
    np.savez(stream, **synthetic())
    (folder / "flame2023_Open.npz").write_bytes(stream.getvalue())
    file = read_flame(folder / "flame2023_Open.npz")
    assert file.edition == "2023 Open"
    assert file.fingerprint == read_flame(folder / "FLAME_NEUTRAL.pkl").fingerprint


@pytest.mark.parametrize(
    ("path", "edition"),
    [
        ("FLAME2020/generic_model.pkl", "2020"),
        ("FLAME2020/flame2023_Open.pkl", "2023 Open"),
        ("x/flame2023.pkl", "2023"),
        ("x/flame2023_no_jaw.pkl", "2023"),
        ("x/generic_model.pkl", UNKNOWN),
    ],
)
def test_tells_editions_apart_by_their_publishers_names(path, edition):
    assert edition_of(Path("/data") / path) == edition


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v_template": None}, "no 'v_template'"),
        ({"v_template": np.zeros((6890, 3))}, "SMPL, a body"),
        ({"v_template": np.zeros((5023, 2))}, "'v_template' is 5023 x 2 instead of n x 3"),
        ({"f": np.full((9976, 3), 5023)}, "triangles"),
        ({"shapedirs": np.zeros((5023, 3, 20))}, "20 shapes instead of 300"),
        ({"posedirs": np.zeros((5023, 3, 9))}, "'posedirs'"),
        ({"weights": np.zeros((5023, 5))}, "do not sum to 1"),
        ({"kintree_table": np.array([[0, 0, 1, 2, 3], [0, 1, 2, 3, 4]])}, "joints hang together"),
        ({"J_regressor": "text"}, "holds no numbers"),
        ({"J_regressor": np.full((5, 5023), np.nan)}, "not numbers"),
        ({"v_template": 1000}, "thousandfold"),
    ],
)
def test_says_what_is_wrong_with_a_file(change, message):
    content = dict(synthetic())
    for name, value in change.items():
        if value is None:
            del content[name]
        elif isinstance(value, int):
            content[name], message = content[name] * value, "no head in metres"
        else:
            content[name] = value
    with pytest.raises(AssetError, match=message):
        check_flame(content, "my.pkl")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"hello", pickle.dumps({"a": 1})])
def test_a_file_that_is_no_model_gets_a_sentence(content, tmp_path):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(AssetError, match=r"x\.pkl"):
        read_flame(tmp_path / "x.pkl")


def test_a_missing_file_gets_a_sentence_that_says_where_to_get_it(tmp_path):
    with pytest.raises(AssetError, match=r"flame\.is\.tue\.mpg\.de"):
        read_flame(tmp_path / "none.pkl")


def test_an_npz_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", v_template=np.zeros((5000, 3)))
    monkeypatch.setattr("zero1toa.heads.flame.file._MOST_BYTES", 60_000)
    with pytest.raises(AssetError, match="unpacks to too much"):
        read_flame(tmp_path / "x.npz")


@pytest.fixture(scope="module")
def other_flame(tmp_path_factory):
    """FLAME of the package smplx: another implementation, by other authors."""
    smplx = pytest.importorskip("smplx")
    folder = tmp_path_factory.mktemp("smplx")
    (folder / "FLAME_NEUTRAL.pkl").write_bytes(pickle.dumps(synthetic()))
    embedding = {"lmk_face_idx": np.zeros(1, np.int64), "lmk_b_coords": np.full((1, 3), 1 / 3)}
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(embedding))
    return smplx.FLAME(str(folder), num_betas=300, num_expression_coeffs=100, batch_size=3, dtype=torch.float64)


def test_agrees_with_another_implementation(other_flame):
    generator = torch.Generator().manual_seed(2)
    shape, expression = (torch.randn(3, n, generator=generator, dtype=torch.float64) for n in (300, 100))
    pose = 0.5 * torch.randn(3, 5, 3, generator=generator, dtype=torch.float64)
    root, neck, jaw, left, right = pose.unbind(1)
    theirs = other_flame(
        betas=shape, expression=expression, global_orient=root, neck_pose=neck, jaw_pose=jaw, leye_pose=left,
        reye_pose=right,
    ).vertices  # fmt: skip
    file = check_flame(synthetic(), "x")
    for dtype in (torch.float32, torch.float64):
        ours = FlameModel.from_file(file, dtype).vertices(shape.to(dtype), expression.to(dtype), pose.to(dtype))
        assert (ours - theirs).abs().max() < 1e-5  # metres
    still = FlameModel.from_file(file).vertices(shape.float())
    assert (still.double() - theirs).abs().max() > 0.01  # the pose and the expression do something
