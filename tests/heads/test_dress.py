"""Another head dressed as ours: movements against the truth, lids that close, parts, one protocol, one cache."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from flame_fixtures import flame_embedding, flame_file, synthetic
from zero1toa.errors import AssetError, InputError
from zero1toa.heads import JOINTS, HeadModel, arkit, load_head, other
from zero1toa.heads.flame.file import read_flame
from zero1toa.heads.flame.head import bare_flame
from zero1toa.heads.flame.model import FlameModel
from zero1toa.heads.landmark_cache import cache_file, load_embedding, save_embedding
from zero1toa.heads.lids import LID_PAIRS


@pytest.fixture(scope="module")
def flame():
    return load_head(f"flame:{flame_file()}")


@pytest.fixture(scope="module")
def model():
    return FlameModel.from_file(read_flame(flame_file()))


def _still(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape)


def test_is_a_head_like_the_default_one(flame):
    head: HeadModel = flame
    assert head.name == "flame (2023)" and head.num_identity == 300
    assert head.expression_names == arkit.NAMES
    assert set(head.topology.part_names) == set(load_head().topology.part_names)
    assert set(head.topology.regions) == set(load_head().topology.regions)
    assert load_head(f"flame:{flame_file()}") is flame
    np.testing.assert_array_equal(head.topology.faces[: len(synthetic()["f"])], synthetic()["f"])


def test_identity_joints_and_pose_are_flames(flame, model):
    generator = torch.Generator().manual_seed(4)
    shape = torch.randn(2, 300, generator=generator)
    pose = 0.3 * torch.randn(2, 6, 3, generator=generator)
    pose[:, JOINTS.index("head")] = 0  # our neck and head are one joint of FLAME
    theirs = model.vertices(shape, pose=pose[:, [0, 1, 3, 4, 5]])
    ours = flame.vertices(shape, _still(2, 52), pose)[:, : theirs.shape[1]]
    assert (ours - theirs).abs().max() < 1e-5  # metres
    person = flame.personalize(shape[0])
    assert (person.pose(_still(52), pose[0])[: theirs.shape[1]] - theirs[0]).abs().max() < 1e-5
    pose[:, JOINTS.index("head")], pose[:, JOINTS.index("neck")] = pose[:, JOINTS.index("neck")].clone(), 0
    again = flame.vertices(shape, _still(2, 52), pose)[:, : theirs.shape[1]]
    assert (again - theirs).abs().max() < 1e-5


def test_without_pose_is_the_pose_of_rest(flame):
    weights = torch.rand(2, 52, generator=torch.Generator().manual_seed(1))
    some = flame.vertices(_still(1, 0), weights)
    torch.testing.assert_close(some, flame.vertices(_still(1, 0), weights, _still(1, 6, 3)), atol=2e-6, rtol=0)


def test_movements_are_ours_on_another_surface(flame):
    """The synthetic head is a warp of ours, so the true movements are known."""
    from synthetic_flame import warp

    own = load_head()
    ours = own.template.double().numpy()
    skin = np.flatnonzero(own.topology.part_vertices("skin"))
    apart, nearest = cKDTree(warp(ours[skin])).query(flame.template.double().numpy()[:3931])
    row = np.flatnonzero(apart < 1e-6)
    source = skin[nearest[row]]
    assert len(row) > 3800
    for index, name in enumerate(arkit.NAMES):
        delta = own.expression_deltas[index].double().numpy()[source]
        true = warp(ours[source] + delta) - warp(ours[source])
        moved = np.linalg.norm(true, axis=1) > 0.001
        if moved.sum() < 20:
            continue
        error = np.linalg.norm(flame.expression_deltas[index].double().numpy()[row] - true, axis=1)[moved]
        lids = name.startswith(("eyeBlink", "eyeLook"))  # pushed out of eyeballs that are not quite where ours are
        assert error.mean() < (0.0015 if lids else 0.0005), (name, error.mean())


@pytest.mark.parametrize("side", ["Left", "Right"])
@pytest.mark.parametrize("person", [0, 1, 2])
def test_a_blink_closes_the_lids_outside_the_eyeball(flame, side, person):
    generator = torch.Generator().manual_seed(person)
    identity = torch.randn(1, 100, generator=generator) if person else _still(1, 0)
    weights = _still(1, 52)
    pairs = torch.as_tensor(LID_PAIRS[side])
    opened = flame.landmarks(flame.vertices(identity, weights))[0, pairs]
    weights[0, arkit.INDEX[f"eyeBlink{side}"]] = 1
    vertices = flame.vertices(identity, weights)
    closed = flame.landmarks(vertices)[0, pairs]
    was, gap = (points[:, 0, 1] - points[:, 1, 1] for points in (opened, closed))
    assert was.max() > 0.006 and gap.max() < 0.0005  # metres between the lids' edges
    if person:
        return
    bare = bare_flame(read_flame(flame_file()))
    center, eyeball = bare.eyeballs[side == "Right"]
    radius = np.linalg.norm(eyeball - center, axis=1).min()
    rows = np.flatnonzero(flame.expression_deltas[arkit.INDEX[f"eyeBlink{side}"]].norm(dim=1)[:3931] > 0.004)
    for weight in (0.3, 0.6, 1.0):
        weights[0, arkit.INDEX[f"eyeBlink{side}"]] = weight
        height = np.linalg.norm(flame.vertices(identity, weights)[0, rows].double().numpy() - center, axis=1) - radius
        at_rest = np.linalg.norm(bare.template[rows] - center, axis=1) - radius
        assert height[at_rest > 0].min() > -1e-4


def test_eyes_turn(flame):
    weights = _still(1, 52)
    weights[0, arkit.INDEX["eyeLookOutLeft"]] = 1
    moved = (flame.vertices(_still(1, 0), weights) - flame.vertices(_still(1, 0), _still(1, 52)))[0]
    iris = flame.topology.regions["iris"] > 0.5
    left = iris & flame.topology.part_vertices("eyeLeft")
    assert moved[left].mean(0)[0] > 0.004 and moved[iris & ~left].abs().max() < 1e-6


def test_our_mouth_is_inside_and_opens_with_the_jaw(flame):
    topology = flame.topology
    lips = flame.template[topology.regions["lips"] > 0.5]
    for name in ("teethUpper", "teethLower", "tongue"):
        points = flame.template[topology.part_vertices(name)]
        assert points[:, 2].max() < lips[:, 2].max() and (points[:, 0].abs() < 0.04).all()
    pose = _still(1, 6, 3)
    pose[0, JOINTS.index("jaw"), 0] = 0.2
    moved = (flame.vertices(_still(1, 0), _still(1, 52), pose) - flame.template)[0].norm(dim=1)
    assert moved[topology.part_vertices("teethLower")].min() > 0.004
    assert moved[topology.part_vertices("teethUpper")].max() < 1e-6


def test_texture_places_do_not_lie_on_each_other(flame):
    from zero1toa.portrait.texture import texel_map

    topology = flame.topology
    assert topology.uvs.min() >= 0 and topology.uvs.max() <= 1
    assert (texel_map(topology, 128).inside).mean() > 0.4


def test_mirrors_are_mirrors(flame):
    other_side = flame.template[flame.topology.mirror] * torch.tensor([-1.0, 1, 1])
    apart = (other_side - flame.template).norm(dim=1)
    assert apart.median() < 0.001
    left = flame.topology.part_vertices("eyeLeft")
    assert flame.topology.part_vertices("eyeRight")[flame.topology.mirror[left]].all()


def test_landmarks_are_found_once_and_kept(monkeypatch, tmp_path):
    bare = bare_flame(read_flame(flame_file()))
    monkeypatch.setenv("ZERO1TOA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(AssetError, match="not known here yet"):
        other.landmarks_of(bare, None)
    with pytest.raises(AssetError, match="No face was found"):
        monkeypatch.setattr(other, "_FIRST", 2)
        other.landmarks_of(bare, lambda picture: None)
    asked = []
    monkeypatch.setattr(other, "embed_landmarks", lambda *_, **__: asked.append(1) or flame_embedding())
    found = other.landmarks_of(bare, lambda picture: None)
    kept = other.landmarks_of(bare, None)
    assert len(asked) == 2  # on the bare head and on the dressed one
    np.testing.assert_array_equal(found.faces, kept.faces)
    cache_file(bare.fingerprint).write_bytes(b"broken")
    assert load_embedding(bare.fingerprint, 9976) is None


def test_a_cache_that_cannot_be_written_to_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZERO1TOA_CACHE", str(tmp_path / "file" / "cache"))
    save_embedding(1, flame_embedding())
    assert load_embedding(1, 10_000) is None


@pytest.mark.parametrize("name", ["flame", "flame:", "smpl:x.pkl", "nobody"])
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match="no head model"):
        load_head(name)
