"""Avatars of GaussianAvatars and LAM, through the same door as ours."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import torch
from foreign_files import gaussian_avatars, lam_files, lam_parts, zipped
from scipy.spatial.transform import Rotation

import zero1toa
from flame_fixtures import flame_file
from zero1toa.avatar_io import lam, neighbours
from zero1toa.avatar_io.binding import to_rest
from zero1toa.cli import main
from zero1toa.errors import InputError
from zero1toa.heads import JOINTS, arkit
from zero1toa.heads.flame.file import read_flame
from zero1toa.heads.flame.model import FlameModel


@pytest.fixture(scope="module")
def ga(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ga") / "person"
    return folder, gaussian_avatars(folder, np.random.default_rng(0))


@pytest.fixture(scope="module")
def lam_avatar(tmp_path_factory):
    rng = np.random.default_rng(1)
    parts = lam_parts(rng)
    files = lam_files(parts, rng)
    path = tmp_path_factory.mktemp("lam") / "person.zip"
    path.write_bytes(zipped(files))
    return path, parts, files


def _published_placement(vertices, faces, values):
    """The equations of GaussianAvatars (section 3.2), written out splat by splat."""
    means, turns, scales = [], [], []
    for row in range(len(values["x"])):
        a, b, c = vertices[faces[int(values["binding_0"][row])]]
        edge = (b - a) / np.linalg.norm(b - a)
        normal = np.cross(edge, c - a)
        normal /= np.linalg.norm(normal)
        third = np.cross(edge, normal)
        size = (np.linalg.norm(b - a) + abs((c - a) @ third)) / 2
        frame = np.stack([edge, normal, third], 1)
        local = np.array([values[n][row] for n in "xyz"])
        means.append(frame @ local * size + (a + b + c) / 3)
        w, x, y, z = (values[f"rot_{k}"][row] for k in range(4))
        turns.append(frame @ Rotation.from_quat([x, y, z, w]).as_matrix())
        scales.append(np.exp([values[f"scale_{k}"][row] for k in range(3)]) * size)
    return np.array(means), np.array(turns), np.array(scales)


def test_gaussian_avatars_lie_where_their_makers_put_them(ga):
    folder, values = ga
    avatar = zero1toa.load(folder, head=f"flame:{flame_file()}")
    file = read_flame(flame_file())
    shaped = FlameModel.from_file(file, torch.float64).vertices(torch.as_tensor(values["shape"])[None])[0].numpy()
    shaped = shaped + values["static_offset"][0, :5023]
    on_flame = values["binding_0"] < 9976
    kept = {k: v[on_flame] for k, v in values.items() if len(v) == len(on_flame)}
    means, turns, scales = _published_placement(shaped, file.faces, kept)
    rest = to_rest(avatar.splats, avatar.head.vertices.numpy(), avatar.head.topology.faces)
    np.testing.assert_allclose(rest.means, means, atol=1e-5)  # metres
    np.testing.assert_allclose(rest.scales, scales, rtol=1e-4)
    ours = Rotation.from_quat(rest.quats[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(ours, turns, atol=1e-4)
    expected = 0.5 + 0.28209479 * np.stack([kept[f"f_dc_{k}"] for k in range(3)], 1)
    np.testing.assert_allclose(avatar.splats.colors.numpy(), expected, atol=1e-5)
    assert avatar.provenance["teeth splats left out"] == 10
    assert avatar.provenance["view-dependent colour left out"] is True
    assert avatar.provenance["generator"].startswith("zero1toa ") and "commit" in avatar.provenance


def test_gaussian_avatars_move_by_arkit_and_become_a_file_of_ours(ga, tmp_path):
    avatar = zero1toa.load(ga[0], head=f"flame:{flame_file()}")
    still, spoken = avatar.render(expression={}), avatar.render(expression={"jawOpen": 0.7})
    assert abs(still - spoken).max() > 0.1
    avatar.save(tmp_path / "a.glb")
    again = zero1toa.load(tmp_path / "a.glb")
    np.testing.assert_allclose(again.render(expression={"jawOpen": 0.7}), spoken, atol=0.02)


def test_the_variable_names_the_flame_file(ga, monkeypatch):
    monkeypatch.delenv(neighbours.FLAME_VARIABLE, raising=False)
    with pytest.raises(InputError, match="ZERO1TOA_FLAME"):
        zero1toa.load(ga[0])
    monkeypatch.setenv(neighbours.FLAME_VARIABLE, str(flame_file()))
    assert zero1toa.load(ga[0]).head_model == "flame (2023)"
    with pytest.raises(InputError, match="made on FLAME"):
        zero1toa.load(ga[0], head="default")


def test_lam_splats_lie_at_their_vertices(lam_avatar):
    path, parts, _ = lam_avatar
    avatar = zero1toa.load(path)
    rest = to_rest(avatar.splats, avatar.head.vertices.numpy(), avatar.head.topology.faces)
    at = parts["order"]  # the order in the file is understood the right way round
    np.testing.assert_allclose(rest.means, (parts["vertices"] + parts["offsets"])[at], atol=2e-6)
    np.testing.assert_allclose(rest.scales, 0.003, rtol=1e-4)
    np.testing.assert_allclose(avatar.splats.colors.numpy(), parts["colors"][at], atol=1e-6)


def test_lam_movements_and_joints(lam_avatar):
    path, parts, _ = lam_avatar
    head = zero1toa.load(path).head
    np.testing.assert_allclose(
        head.expression_deltas[arkit.INDEX["jawOpen"]], parts["deltas"][parts["names"].index("jawOpen")], atol=1e-6
    )
    assert not head.expression_deltas[arkit.INDEX["tongueOut"]].any()
    own = parts["weights"]
    np.testing.assert_allclose(head.skin_weights[:, :4], own[:, :4], atol=1e-5)
    assert not head.skin_weights[:, 4:].any()  # LAM's eyes turn by their morph targets
    np.testing.assert_allclose(head.joints[:4], parts["joints"][:4], atol=1e-6)


def test_lam_renders_turns_and_becomes_a_file_of_ours(lam_avatar, tmp_path):
    avatar = zero1toa.load(lam_avatar[0])
    camera = avatar.front_camera(size=128)
    still = avatar.render(camera)
    assert (still < 0.95).any(-1).mean() > 0.1  # it is in the picture
    turned = avatar.render(camera, pose={"head": (0.0, 0.4, 0.0)})
    assert abs(turned - still).mean() > 0.005
    avatar.save(tmp_path / "a.glb")
    np.testing.assert_allclose(zero1toa.load(tmp_path / "a.glb").render(camera), still, atol=0.02)


@pytest.mark.parametrize("kind", ["same", "inverse", "none"])
def test_any_way_of_writing_the_order_is_understood(lam_avatar, tmp_path, kind):
    _, parts, files = lam_avatar
    order = parts["order"]
    given = {"same": order, "inverse": np.argsort(order), "none": None}[kind]
    files = dict(files)
    if given is None:
        del files["vertex_order.json"]
        (tmp_path / "a.zip").write_bytes(zipped(files))
        assert len(zero1toa.load(tmp_path / "a.zip").splats.means) == len(order)
        return
    files["vertex_order.json"] = json.dumps(given.tolist()).encode()
    (tmp_path / "a.zip").write_bytes(zipped(files))
    avatar = zero1toa.load(tmp_path / "a.zip")
    rest = to_rest(avatar.splats, avatar.head.vertices.numpy(), avatar.head.topology.faces)
    np.testing.assert_allclose(rest.means, (parts["vertices"] + parts["offsets"])[order], atol=2e-6)


def test_render_takes_them(lam_avatar, ga, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(neighbours.FLAME_VARIABLE, str(flame_file()))
    for source in (lam_avatar[0], ga[0]):
        still = tmp_path / "still.png"
        assert main(["render", str(source), "-o", str(still), "--size", "64", "-q"]) == 0
        assert still.is_file()


def _without(files, name):
    return {k: v for k, v in files.items() if k != name}


BROKEN_ZIPS = {
    "without skin.glb": lambda f: zipped(_without(f, "skin.glb")),
    "without offset.ply": lambda f: zipped(_without(f, "offset.ply")),
    "skin.glb is no GLB": lambda f: zipped(f | {"skin.glb": b"hello"}),
    "skin.glb is half": lambda f: zipped(f | {"skin.glb": f["skin.glb"][: len(f["skin.glb"]) // 2]}),
    "offset.ply is text": lambda f: zipped(f | {"offset.ply": b"ply\nformat ascii 1.0\nend_header\n"}),
    "offset.ply is half": lambda f: zipped(f | {"offset.ply": f["offset.ply"][:-100]}),
    "one splat less": lambda f: zipped(f | {"offset.ply": _shorter(f["offset.ply"])}),
    "no order": lambda f: zipped(f | {"vertex_order.json": b"[0, 0, 1]"}),
    "an order of nothing": lambda f: zipped(f | {"vertex_order.json": b"{}"}),
    "zip-slip": lambda f: zipped(f, "../../"),
    "an absolute name": lambda f: zipped(f, "/somewhere/"),
    "a name of Windows": lambda f: zipped(f, "C:\\x\\"),
    "another zip": lambda f: zipped({"readme.txt": b"hello"}),
    "half a zip": lambda f: zipped(f)[:5000],
    "a zip without end": lambda f: zipped(f)[:-30],
}


def _shorter(raw: bytes) -> bytes:
    start = raw.index(b"end_header\n") + len(b"end_header\n")
    count = int(raw.split(b"element vertex ")[1].split(b"\n")[0])
    row = (len(raw) - start) // count
    return raw[:start].replace(f"vertex {count}".encode(), f"vertex {count - 1}".encode()) + raw[start:-row]


@pytest.mark.parametrize("name", BROKEN_ZIPS)
def test_broken_zips_get_a_sentence(name, lam_avatar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "inner" / "person.zip"
    path.parent.mkdir()
    path.write_bytes(BROKEN_ZIPS[name](lam_avatar[2]))
    with pytest.raises(InputError) as caught:
        zero1toa.load(path)
    assert "person.zip" in str(caught.value) and "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["person.zip"]  # nothing was unpacked anywhere


def test_a_bomb_is_refused_before_and_while_it_is_unpacked(lam_avatar, tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped(lam_avatar[2] | {"offset.ply": bytes(3_000_000)}))
    monkeypatch.setattr(lam, "_MOST_BYTES", 2_000_000)
    monkeypatch.setattr(lam, "_read", lam._read)
    with pytest.raises(InputError, match="unpacks to more"):
        zero1toa.load(path)
    read = zipfile.ZipFile.infolist

    def lying(self):
        listed = read(self)
        for item in listed:
            item.file_size = min(item.file_size, 1000)
        return listed

    monkeypatch.setattr(zipfile.ZipFile, "infolist", lying)
    with pytest.raises(InputError):
        zero1toa.load(path)


BROKEN_FOLDERS = {
    "no parameters": lambda d: (d / "flame_param.npz").unlink(),
    "parameters are no npz": lambda d: (d / "flame_param.npz").write_bytes(b"hello"),
    "no shape": lambda d: np.savez(d / "flame_param.npz", expr=np.zeros(3)),
    "a shape of nobody": lambda d: np.savez(d / "flame_param.npz", shape=np.full(300, np.nan)),
    "an offset of another mesh": lambda d: np.savez(
        d / "flame_param.npz", shape=np.zeros(300), static_offset=np.zeros((1, 100, 3))
    ),
    "objects": lambda d: np.savez(d / "flame_param.npz", shape=np.array([{}], object)),
    "no binding": lambda d: (d / "point_cloud.ply").write_bytes(
        (d / "point_cloud.ply").read_bytes().replace(b"float binding_0", b"float bonding_0")
    ),
    "half a cloud": lambda d: (d / "point_cloud.ply").write_bytes((d / "point_cloud.ply").read_bytes()[:-5]),
    "exported by us": lambda d: (d / "head_mesh.npz").write_bytes(b""),
}


@pytest.mark.parametrize("name", BROKEN_FOLDERS)
def test_broken_folders_get_a_sentence(name, tmp_path):
    folder = tmp_path / "person"
    gaussian_avatars(folder, np.random.default_rng(0), 20)
    BROKEN_FOLDERS[name](folder)
    with pytest.raises(InputError, match="person"):
        zero1toa.load(folder, head=f"flame:{flame_file()}")


@pytest.mark.parametrize("content", [b"", b"hello", b"ply\n"])
def test_unknown_files_get_a_sentence(content, tmp_path):
    for suffix in (".glb", ".zip", ".ply"):
        (tmp_path / f"x{suffix}").write_bytes(content)
        with pytest.raises(InputError, match="Cannot read"):
            zero1toa.load(tmp_path / f"x{suffix}")
    with pytest.raises(InputError):
        zero1toa.load(tmp_path)


def test_the_neck_joint_is_flames(ga):
    head = zero1toa.load(ga[0], head=f"flame:{flame_file()}").head
    np.testing.assert_array_equal(head.joints[JOINTS.index("neck")], head.joints[JOINTS.index("head")])


def test_the_viewer_and_exports_take_avatars_of_others(lam_avatar, tmp_path):
    path, _, _ = lam_avatar
    content = neighbours.glb_content(path)
    (tmp_path / "same.glb").write_bytes(content)
    assert len(zero1toa.load(tmp_path / "same.glb").splats.means) == len(zero1toa.load(path).splats.means)
    assert neighbours.glb_content(tmp_path / "same.glb") == content
    for kind, name in (("ply", "a.ply"), ("html", "a.html")):
        assert main(["export", str(path), "--to", kind, "-o", str(tmp_path / name), "-q"]) == 0
        assert (tmp_path / name).stat().st_size > 1000
