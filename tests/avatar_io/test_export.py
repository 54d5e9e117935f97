"""Every export is read back by a program that is not ours, and compared with what our own rig shows."""

from __future__ import annotations

import dataclasses
import gzip
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from outside import play_in_blender, read_splats, validate_gltf
from PIL import Image
from scipy.spatial.transform import Rotation

from zero1toa.avatar_io import AvatarData, export, load_glb
from zero1toa.avatar_io.gaussian_avatars import PROPERTIES, flame_parameters
from zero1toa.avatar_io.ply import encode_ply
from zero1toa.avatar_io.posed import PosedSplats, Poser
from zero1toa.avatar_io.spz import encode_spz
from zero1toa.errors import InputError, OutputError
from zero1toa.heads import JOINTS, arkit, load_head
from zero1toa.motion import Motion

SH_C0 = 0.28209479177387814
SIZE = 64  # of textures, px


def weights(**by_name: float) -> np.ndarray:
    expression = np.zeros(52, np.float32)
    for name, value in by_name.items():
        expression[arkit.INDEX[name]] = value
    return expression


SMILE = weights(jawOpen=0.6, mouthSmileLeft=0.8, eyeLookInLeft=0.5, mouthClose=0.2)


@pytest.fixture(scope="module")
def motion() -> Motion:
    """Two seconds at 4 fps: the face opens, the head turns left and up."""
    share = np.linspace(0, 1, 8)[:, None]
    turn = share * np.array([[0.2, 0.6, 0.1]])
    return Motion(4.0, share * SMILE, turn, turn / 3, share[:, None] * np.array([[[0.1, 0.2, 0], [0, 0.1, 0]]]))


def covariances(quats: np.ndarray, scales: np.ndarray) -> np.ndarray:
    axes = Rotation.from_quat(np.roll(quats, -1, 1)).as_matrix() * scales[:, None]
    return axes @ axes.transpose(0, 2, 1)


def columns(table: dict[str, np.ndarray], *names: str) -> np.ndarray:
    return np.stack([table[name] for name in names], 1)


def upright(table: dict[str, np.ndarray]) -> PosedSplats:
    """What a table of 3DGS properties says, by the rules of 3DGS, turned from y down to y up."""
    flip = np.array([1, -1, -1])
    quats = columns(table, "rot_0", "rot_1", "rot_2", "rot_3")
    turn = Rotation.from_euler("x", 180, degrees=True)
    turned = turn * Rotation.from_quat(np.roll(quats, -1, 1))
    return PosedSplats(
        columns(table, "x", "y", "z") * flip,
        np.roll(turned.as_quat(), 1, 1),
        np.exp(columns(table, "scale_0", "scale_1", "scale_2")),
        1 / (1 + np.exp(-table["opacity"])),
        0.5 + SH_C0 * columns(table, "f_dc_0", "f_dc_1", "f_dc_2"),
    )


def read_ply(content: bytes) -> tuple[list[str], dict[str, np.ndarray]]:
    """The header's lines and the columns of a PLY of one element of floats."""
    header, _, body = content.partition(b"end_header\n")
    lines = header.decode().splitlines()
    names = [line.split()[-1] for line in lines if line.startswith("property float ")]
    return lines, dict(zip(names, np.frombuffer(body, "<f4").reshape(-1, len(names)).T.astype(np.float64)))


# PLY


def test_ply_has_one_element_with_the_properties_of_3dgs(avatar: AvatarData) -> None:
    content = encode_ply(Poser(avatar).splats())
    lines, table = read_ply(content)
    assert [line for line in lines if line.startswith("element")] == [f"element vertex {len(avatar.means)}"]
    assert list(table) == [
        "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
        "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
    ]  # fmt: skip
    assert any("synthetic" in line for line in lines)


@pytest.mark.parametrize("expression", [None, SMILE], ids=["neutral", "smile"])
def test_another_program_reads_the_ply(avatar: AvatarData, expression: np.ndarray | None, tmp_path: Path) -> None:
    export.export_ply(tmp_path / "a.ply", avatar, expression)
    read, ours = upright(read_splats(tmp_path / "a.ply", tmp_path)), Poser(avatar).splats(expression)
    np.testing.assert_allclose(read.means, ours.means, atol=1e-7)
    np.testing.assert_allclose(read.scales, ours.scales, rtol=1e-5)
    np.testing.assert_allclose(read.opacities, ours.opacities, atol=1e-6)
    np.testing.assert_allclose(read.colors, ours.colors, atol=1e-6)
    expected = covariances(ours.quats, ours.scales)
    np.testing.assert_allclose(covariances(read.quats, read.scales), expected, atol=1e-5 * expected.max())


def test_expression_moves_the_splats(avatar: AvatarData) -> None:
    still, moved = Poser(avatar).splats(), Poser(avatar).splats(SMILE)
    assert np.linalg.norm(still.means - moved.means, axis=1).max() > 1e-3


def test_invisible_and_tiny_splats_stay_finite(avatar: AvatarData) -> None:
    splats = Poser(avatar).splats()
    extreme = splats._replace(
        opacities=np.where(np.arange(len(splats.opacities)) % 2, 1, 0).astype(np.float32),
        scales=np.zeros_like(splats.scales),
    )
    _, table = read_ply(encode_ply(extreme))
    assert all(np.isfinite(column).all() for column in table.values())
    assert gzip.decompress(encode_spz(extreme))


# SPZ


@pytest.mark.parametrize("expression", [None, SMILE], ids=["neutral", "smile"])
def test_another_program_reads_the_spz(avatar: AvatarData, expression: np.ndarray | None, tmp_path: Path) -> None:
    """Niantic's own code inside: what it finds differs from ours by what the format cannot say."""
    export.export_spz(tmp_path / "a.spz", avatar, expression)
    read, ours = upright(read_splats(tmp_path / "a.spz", tmp_path)), Poser(avatar).splats(expression)
    np.testing.assert_allclose(read.means, ours.means, atol=0.51 / (1 << 20))
    smallest = np.exp(-10.0)
    np.testing.assert_allclose(read.scales, ours.scales.clip(smallest), rtol=np.expm1(0.51 / 16))
    np.testing.assert_allclose(read.opacities, ours.opacities, atol=0.51 / 255)
    np.testing.assert_allclose(read.colors, ours.colors, atol=0.51 / 255 / 0.15 * SH_C0)
    rounded = covariances(ours.quats, read.scales)  # with the rounded sizes only the rotations can differ
    error = np.abs(covariances(read.quats, read.scales) - rounded).max((1, 2)) / (read.scales.max(1) ** 2)
    assert error.max() < 2 * np.radians(0.3)


def test_spz_is_gzip_of_version_3(avatar: AvatarData) -> None:
    splats = Poser(avatar).splats()
    raw = gzip.decompress(encode_spz(splats, antialiased=True))
    assert struct.unpack("<IIIBBBB", raw[:16]) == (0x5053474E, 3, len(splats.means), 0, 20, 1, 0)
    assert len(raw) == 16 + len(splats.means) * (9 + 1 + 3 + 3 + 4)
    assert gzip.decompress(encode_spz(splats))[14] == 0


def test_same_splats_same_bytes(avatar: AvatarData) -> None:
    splats = Poser(avatar).splats()
    assert encode_spz(splats) == encode_spz(splats)
    assert encode_ply(splats) == encode_ply(splats)


# A motion as PLYs


def test_ply_sequence_shows_the_motion(avatar: AvatarData, motion: Motion, tmp_path: Path) -> None:
    seen = []
    export.export_ply_sequence(tmp_path / "frames", avatar, motion, lambda: seen.append(1))
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert names == [f"frame_{frame:04d}.ply" for frame in range(len(motion))]
    assert len(seen) == len(motion)
    _, table = read_ply((tmp_path / "frames" / names[5]).read_bytes())
    ours = Poser(avatar).splats(motion.expression(5), motion.pose(5))
    np.testing.assert_allclose(upright(table).means, ours.means, atol=1e-7)


# The textured mesh


@pytest.fixture(scope="module")
def mesh_path(avatar: AvatarData, motion: Motion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mesh") / "mesh.glb"
    export.export_mesh(path, avatar, motion=motion, texture_size=SIZE)
    return path


def rows_of(avatar: AvatarData, player: Any) -> np.ndarray:
    """The vertex of each row of the file's mesh."""
    distance = np.linalg.norm(player.attribute(0, "POSITION")[:, None] - avatar.vertices, axis=-1)
    assert distance.min(1).max() < 1e-7
    return distance.argmin(1)


def test_khronos_validator_is_content_with_the_mesh(mesh_path: Path) -> None:
    assert validate_gltf(mesh_path) == []


def test_another_player_moves_the_mesh(avatar: AvatarData, mesh_path: Path, play: Any) -> None:
    """Morph targets, skin and joints, played by the rules of glTF, give what our head does."""
    player = play(mesh_path)
    by_name = {"jawOpen": 0.7, "mouthSmileLeft": 0.4}
    turns = {"neck": [0, 0.2, 0], "head": [0.3, 0.1, 0], "jaw": [0.2, 0, 0], "eyeRight": [0, 0.3, 0]}
    pose = np.zeros((6, 3), np.float32)
    for name, turn in turns.items():
        pose[JOINTS.index(name)] = turn
    ours = Poser(avatar).vertices(weights(**by_name), pose)
    np.testing.assert_allclose(player.pose(by_name, turns), ours[rows_of(avatar, player)], atol=2e-6)


def test_animation_holds_the_motion(avatar: AvatarData, motion: Motion, mesh_path: Path, play: Any) -> None:
    player = play(mesh_path)
    (animation,) = player.gltf.animations
    found = {}
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        times, values = player.accessor(sampler.input)[:, 0], player.accessor(sampler.output)
        np.testing.assert_allclose(times, np.arange(len(motion)) / motion.fps)
        found[player.gltf.nodes[channel.target.node].name, channel.target.path] = values
    shown = found.pop(("head_mesh", "weights")).reshape(len(motion), 52)
    close, jaw = arkit.INDEX["mouthClose"], arkit.INDEX["jawOpen"]
    expected = motion.weights.copy()
    expected[:, close] = np.minimum(expected[:, close], expected[:, jaw])
    np.testing.assert_allclose(shown, expected)
    assert {name for name, _ in found} == {"neck", "head", "eyeLeft", "eyeRight"}
    for (name, path), values in found.items():
        assert path == "rotation"
        turned = Rotation.from_quat(values).as_rotvec()
        np.testing.assert_allclose(turned, motion.poses[:, JOINTS.index(name)], atol=1e-6)


def test_mesh_opens_with_an_expression(avatar: AvatarData, tmp_path: Path, play: Any) -> None:
    export.export_mesh(tmp_path / "a.glb", avatar, weights(jawOpen=0.5, mouthClose=0.9), texture_size=SIZE)
    gltf = play(tmp_path / "a.glb").gltf
    assert gltf.meshes[0].weights == pytest.approx(weights(jawOpen=0.5, mouthClose=0.5))
    assert not gltf.animations


def test_blender_plays_the_mesh(avatar: AvatarData, motion: Motion, mesh_path: Path, tmp_path: Path, play: Any) -> None:
    times = [0.0, 1.0, 1.75]
    played = play_in_blender(mesh_path, tmp_path, times)
    assert played["names"].tolist()[1:] == list(arkit.NAMES)
    assert [SIZE, SIZE] in played["sizes"].tolist()
    rows, poser = rows_of(avatar, play(mesh_path)), Poser(avatar)
    gazing = (avatar.skin_weights[rows, 4:] > 0).any(1)  # a gaze goes along a chord: see the test of another player
    for time in times:
        frame = round(time * motion.fps)
        ours = poser.vertices(motion.expression(frame), motion.pose(frame))[rows]
        difference = np.abs(played[f"t{time}"] - ours).max(1)
        assert difference[~gazing].max() < 2e-6


def test_a_mesh_is_no_avatar(mesh_path: Path) -> None:
    with pytest.raises(InputError, match="avatar"):
        load_glb(mesh_path)


def test_texture_wears_the_colors_of_the_parts(avatar: AvatarData, mesh_path: Path, tmp_path: Path, play: Any) -> None:
    """The left eye's splats are made red, all others blue: so is the texture, also where there are no splats."""
    red = avatar.topology.face_part[avatar.triangle] == 1
    colors = np.where(red[:, None], [1.0, 0, 0], [0, 0, 1.0]).astype(np.float32)
    export.export_obj(tmp_path / "obj", dataclasses.replace(avatar, colors=colors), texture_size=SIZE)
    picture = np.asarray(Image.open(tmp_path / "obj" / "head.png"), float) / 255
    assert picture.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(picture.sum(-1), 1, atol=0.01)
    assert set(np.unique(picture.round(1))) == {0.0, 1.0}


def test_texture_looks_like_the_splats() -> None:
    """A head striped from top to bottom by its splats: the texture, seen on the mesh, shows the same picture."""
    from zero1toa.avatar_io.bake import bake_texture
    from zero1toa.camera import Camera
    from zero1toa.heads.texture_render import render_texture
    from zero1toa.splats import rasterize

    data = striped_head()
    texture = bake_texture(data, 256)
    camera = Camera.orbit(30.0, 10.0, distance=0.9, size=192)
    shown, cover = render_texture(data.vertices, data.topology, texture, camera, 3)
    splats = (torch.from_numpy(value) for value in Poser(data).splats())
    with torch.no_grad():
        out = rasterize(*splats, camera)
    both = (cover > 0.99) & (out.alpha.numpy() > 0.99)
    assert both.sum() > 5000
    error = float(((shown - out.image.numpy())[both] ** 2).mean())
    assert -10 * np.log10(error) > 22  # a texture that is turned or shifted is below 15


def striped_head() -> AvatarData:
    from zero1toa.camera import Camera
    from zero1toa.splats import Gaussians

    head = load_head().personalize(torch.zeros(0))
    count = len(head.topology.faces)
    rng = np.random.default_rng(0)
    triangle = np.repeat(np.arange(count), 3)
    share = rng.dirichlet(np.ones(3), len(triangle))
    corners = head.vertices.numpy()[head.topology.faces[triangle]]
    height = np.einsum("nc,ncd->nd", share, corners)[:, 1]
    from zero1toa.splats import rig

    frames = rig.triangle_frames(head.vertices, torch.as_tensor(head.topology.faces))
    place = torch.from_numpy(np.einsum("nc,ncd->nd", share, corners)).float() - frames.origin[triangle]
    local = torch.einsum("nij,ni->nj", frames.rotation[triangle], place) / frames.scale[triangle, None]
    gray = torch.from_numpy(0.5 + 0.4 * np.sin(height * 30)).float()
    gaussians = Gaussians(
        means=local,
        quats=torch.tensor([1.0, 0, 0, 0]).expand(len(triangle), 4),
        log_scales=torch.tensor([0.5, 0.05, 0.5]).log().expand(len(triangle), 3),
        opacity_logits=torch.full((len(triangle),), 3.0),
        colors=torch.stack([gray, 1 - gray, torch.full_like(gray, 0.3)], 1),
        triangle=torch.from_numpy(triangle),
    )
    camera = Camera.orbit(0.0)
    return AvatarData.pack(
        head,
        gaussians,
        identity=torch.zeros(1),
        expression=torch.zeros(52),
        pose=torch.zeros(6, 3),
        camera=camera,
    )


# OBJ


def test_trimesh_opens_the_objs(avatar: AvatarData, motion: Motion, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    export.export_obj(tmp_path / "obj", avatar, motion=motion, texture_size=SIZE)
    names = sorted(path.name for path in (tmp_path / "obj").iterdir())
    assert names == ["head.mtl", "head.png", *(f"head_{frame:04d}.obj" for frame in range(len(motion)))]
    read = trimesh.load(tmp_path / "obj" / "head_0006.obj", process=False, force="mesh")
    ours = Poser(avatar).vertices(motion.expression(6), motion.pose(6))
    faces = avatar.topology.faces
    np.testing.assert_allclose(np.sort(read.triangles, 0), np.sort(ours[faces], 0), atol=1e-6)
    np.testing.assert_allclose(read.triangles, ours[faces], atol=1e-6)
    np.testing.assert_allclose(read.visual.uv[read.faces], avatar.topology.uvs[avatar.topology.uv_faces], atol=1e-6)
    assert read.visual.material.image.size == (SIZE, SIZE)


def test_obj_of_one_expression(avatar: AvatarData, tmp_path: Path) -> None:
    export.export_obj(tmp_path / "obj", avatar, SMILE, texture_size=SIZE)
    assert sorted(path.name for path in (tmp_path / "obj").iterdir()) == ["head.mtl", "head.obj", "head.png"]


# GaussianAvatars


@pytest.fixture(scope="module")
def folder(avatar: AvatarData, motion: Motion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ga") / "person"
    export.export_gaussian_avatars(path, avatar, motion)
    return path


def test_a_program_with_the_formulas_of_gaussian_avatars_shows_our_splats(
    avatar: AvatarData, motion: Motion, folder: Path
) -> None:
    """Frames of triangles as in the paper (section 3.1) and its code: centroid, rotation, mean of edge and height."""
    lines, table = read_ply((folder / "point_cloud.ply").read_bytes())
    assert list(table) == list(PROPERTIES)
    assert sum(name.startswith("f_rest_") for name in table) == 45
    assert sum(line.startswith("element") for line in lines) == 1
    mesh = np.load(folder / "head_mesh.npz")
    binding = table["binding_0"].astype(int)
    frame = 5
    a, b, c = mesh["vertices"][frame][mesh["faces"][binding]].astype(np.float64).transpose(1, 0, 2)
    first = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
    normal = np.cross(first, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    third = -np.cross(normal, first)
    scale = (np.linalg.norm(b - a, axis=1) + np.abs((third * (c - a)).sum(1))) / 2
    turn = Rotation.from_matrix(np.stack([first, normal, third], -1))
    means = turn.apply(columns(table, "x", "y", "z")) * scale[:, None] + (a + b + c) / 3
    own = Rotation.from_quat(np.roll(columns(table, "rot_0", "rot_1", "rot_2", "rot_3"), -1, 1))
    scales = np.exp(columns(table, "scale_0", "scale_1", "scale_2")) * scale[:, None]
    ours = Poser(avatar).splats(motion.expression(frame), motion.pose(frame))
    np.testing.assert_allclose(means, ours.means, atol=1e-6)
    np.testing.assert_allclose(scales, ours.scales, rtol=1e-4)
    expected = covariances(ours.quats, ours.scales)
    shown = covariances(np.roll((turn * own).as_quat(), 1, 1), scales)
    np.testing.assert_allclose(shown, expected, atol=1e-4 * expected.max())
    np.testing.assert_allclose(1 / (1 + np.exp(-table["opacity"])), ours.opacities, atol=1e-6)


def test_another_program_reads_that_point_cloud(avatar: AvatarData, folder: Path, tmp_path: Path) -> None:
    table = read_splats(folder / "point_cloud.ply", tmp_path)
    np.testing.assert_allclose(columns(table, "x", "y", "z"), avatar.means, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(columns(table, "scale_0", "scale_1", "scale_2"), avatar.log_scales, rtol=1e-5, atol=1e-6)


def test_flame_parameters_have_the_layout_of_gaussian_avatars(avatar: AvatarData, motion: Motion, folder: Path) -> None:
    with np.load(folder / "flame_param.npz") as file:
        shapes = {name: file[name].shape for name in file.files}
        assert all(file[name].dtype == np.float32 for name in file.files)
    frames, count = len(motion), len(avatar.vertices)
    assert shapes == {
        "shape": (300,), "expr": (frames, 100), "rotation": (frames, 3), "neck_pose": (frames, 3),
        "jaw_pose": (frames, 3), "eyes_pose": (frames, 6), "translation": (frames, 3),
        "static_offset": (1, count, 3), "dynamic_offset": (frames, count, 3),
    }  # fmt: skip
    assert "not FLAME" in (folder / "README.txt").read_text().replace("NOT", "not")


def test_flame_parameters_open_the_jaw_and_turn_the_eyes() -> None:
    data = striped_head()
    opened = np.stack([weights(), weights(jawOpen=1), weights(eyeLookOutLeft=1), weights(jawLeft=1)])
    found = flame_parameters(data, Motion.still(opened, 25.0))
    jaw = found["jaw_pose"]
    assert np.abs(jaw[[0, 2]]).max() < 1e-3
    assert 0.2 < jaw[1, 0] < 0.6
    assert np.abs(jaw[1, 1:]).max() < 0.05
    assert jaw[3, 1] > 0.03
    np.testing.assert_allclose(found["eyes_pose"][2], [0, np.radians(30), 0, 0, 0, 0], atol=1e-5)


def test_neck_pose_is_neck_and_head_in_one(avatar: AvatarData, motion: Motion) -> None:
    found = Rotation.from_rotvec(flame_parameters(avatar, motion)["neck_pose"])
    expected = Rotation.from_rotvec(motion.neck) * Rotation.from_rotvec(motion.head)
    assert (found * expected.inv()).magnitude().max() < 1e-6


# Places


def test_a_failure_leaves_nothing(avatar: AvatarData, motion: Motion, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        export.export_ply(tmp_path / "file" / "a.ply", avatar)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export.export_ply_sequence(tmp_path / "frames", avatar, motion, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_npz_files_hold_no_objects(folder: Path) -> None:
    for name in ("flame_param.npz", "head_mesh.npz"):
        with np.load(io.BytesIO((folder / name).read_bytes()), allow_pickle=False) as file:
            assert file.files
