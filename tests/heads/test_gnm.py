"""GNM Head's npz: read, checked, worn as a head of ours. On a synthetic one; nothing of GNM is here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from flame_fixtures import landmark_cache_folder
from zero1toa.errors import AssetError
from zero1toa.heads import JOINTS, arkit, load_head
from zero1toa.heads.default import load_default
from zero1toa.heads.gnm.file import check_gnm, read_gnm
from zero1toa.heads.gnm.head import bare_gnm
from zero1toa.heads.landmark_cache import save_embedding

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))


@pytest.fixture(scope="module")
def content():
    from synthetic_gnm import synthetic_gnm

    return synthetic_gnm()


@pytest.fixture(scope="module")
def path(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("gnm") / "gnm_head.npz"
    np.savez(path, **content)
    return path


@pytest.fixture(scope="module")
def gnm(path):
    from synthetic_flame import true_embedding, warp

    bare = bare_gnm(read_gnm(path), load_default())
    own = load_head()
    moved = bare.joints[JOINTS.index("eyeLeft")] - warp(own.joint_template[-2].double().numpy())
    patch = pytest.MonkeyPatch()
    patch.setenv("ZERO1TOA_CACHE", str(landmark_cache_folder()))
    save_embedding(bare.fingerprint, true_embedding(bare, lambda points: warp(points) + moved))
    head = load_head(f"gnm:{path}")
    patch.undo()
    return head


def test_is_a_head_like_the_default_one(gnm):
    own = load_head()
    assert gnm.name == "gnm" and gnm.num_identity == 35  # of 40: teeth are ours
    assert set(gnm.topology.part_names) == set(own.topology.part_names)
    assert set(gnm.topology.regions) == set(own.topology.regions)
    np.testing.assert_allclose(gnm.joint_template[-2:].mean(0), own.joint_template[-2:].mean(0), atol=1e-4)


def test_moves_and_closes_its_eyes(gnm):
    weights = torch.zeros(3, 52)
    weights[0, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = 1
    weights[1, arkit.INDEX["jawOpen"]] = 1
    points = gnm.landmarks(gnm.vertices(torch.zeros(1, 0), weights)).numpy()
    assert points[0, 386, 1] - points[0, 374, 1] < 0.001 and points[0, 159, 1] - points[0, 145, 1] < 0.001
    assert points[2, 386, 1] - points[2, 374, 1] > 0.005
    assert points[1, 13, 1] - points[1, 14, 1] > 0.02  # the lips part


def test_identity_and_pose_are_gnms(gnm, content):
    """Against the published definition, written out: blend, correct by all joints' rotations, skin."""
    rng = np.random.default_rng(0)
    identity = np.zeros(40)
    identity[:35] = rng.normal(size=35)
    turns = np.array([[0.0, 0, 0], [0.2, -0.3, 0.1], [0.1, 0.2, 0], [0.1, 0.1, 0]])  # neck, head, eyes
    c = {name: np.asarray(values, np.float64) for name, values in content.items() if values.dtype.kind in "fi"}
    joints = c["template_joint_positions"] + np.tensordot(identity, c["joint_identity_basis"], 1)
    matrices = Rotation.from_rotvec(turns).as_matrix()
    rest = c["template_vertex_positions"] + np.tensordot(identity, c["vertex_identity_basis"], 1)
    rest = rest + ((matrices - np.eye(3)).reshape(-1) @ c["pose_correctives_regressor"]).reshape(-1, 3)
    world = [np.eye(4) for _ in range(4)]
    for j, parent in enumerate((-1, 0, 1, 1)):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = matrices[j], joints[j] - (joints[parent] if parent >= 0 else 0)
        world[j] = local if parent < 0 else world[parent] @ local
    posed = np.zeros_like(rest)
    for j in range(4):
        posed += c["skinning_weights"][j][:, None] * ((rest - joints[j]) @ world[j][:3, :3].T + world[j][:3, 3])
    pose = torch.zeros(1, 6, 3)
    pose[0, JOINTS.index("neck")] = torch.as_tensor(turns[1])
    pose[0, -2:] = torch.as_tensor(turns[2:])
    ours = gnm.vertices(torch.as_tensor(identity[None, :35]).float(), torch.zeros(1, 52), pose)[0].numpy()
    shift = gnm.joint_template[JOINTS.index("eyeLeft")].numpy() - c["template_joint_positions"][2]
    groups = content["vertex_groups"] > 0.5
    kept = groups[0] | ((groups[1] | groups[2]) & groups[3])
    np.testing.assert_allclose(ours[: kept.sum()] - shift, posed[kept], atol=2e-6)


def _without(name):
    return lambda c: {k: v for k, v in c.items() if k != name}


def _with(name, make):
    return lambda c: {**c, name: make(c[name])}


def _nan(array):
    out = np.array(array, np.float32)
    out.flat[7] = np.nan
    return out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without("expression_basis"), "no 'expression_basis'"),
        (_with("version", lambda _: np.array("4.1")), "version 4.1"),
        (_with("variant", lambda _: np.array("body")), "GNM 'body'"),
        (_with("joint_names", lambda n: n[::-1]), "its joints are not"),
        (_with("template_vertex_positions", lambda v: v * 10), "high, which is no head"),
        (_with("template_vertex_positions", _nan), "no head has"),
        (_with("template_vertex_positions", lambda v: v[:100]), "instead of|vertices that it does not have"),
        (_with("vertex_identity_basis", _nan), "no head has"),
        (_with("vertex_identity_basis", lambda b: b[:, :-1]), "'vertex_identity_basis' is"),
        (_with("vertex_identity_basis", lambda b: b.astype(str)[:1, :1]), "holds no numbers"),
        (_with("identity_names", lambda n: n[:3]), "'vertex_identity_basis' is"),
        (_with("identity_names", lambda n: np.arange(len(n))), "no list of names"),
        (_with("triangles", lambda f: f + 10**6), "triangles name"),
        (_with("skinning_weights", lambda w: w * 2), "do not sum to 1"),
        (_with("vertex_group_names", lambda n: np.array(["x"] * len(n))), "no vertex group skin_exterior"),
        (_with("pose_correctives_regressor", lambda p: p[:27]), "'pose_correctives_regressor' is"),
    ],
)
def test_broken_ones_get_a_sentence(content, change, says):
    with pytest.raises(AssetError, match=says):
        check_gnm(change(content), "gnm.npz")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_with("identity_names", lambda n: np.array([f"x{k}" for k in range(len(n))])), "no people"),
        (_with("expression_names", lambda n: np.array([f"x{k}" for k in range(len(n))])), "cannot open its mouth"),
        (_with("vertex_groups", lambda g: g * 0), "no outer skin"),
    ],
)
def test_unusable_ones_get_a_sentence(content, change, says):
    with pytest.raises(AssetError, match=says):
        bare_gnm(check_gnm(change(content), "gnm.npz"), load_default())


def test_files_that_are_none_get_a_sentence(tmp_path, path):
    with pytest.raises(AssetError, match="There is no file"):
        read_gnm(tmp_path / "nothing.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(AssetError, match="cannot be read"):
        read_gnm(tmp_path / "text.npz")
    (tmp_path / "half.npz").write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(AssetError, match="cannot be read"):
        read_gnm(tmp_path / "half.npz")
    np.savez(tmp_path / "object.npz", version=np.array([{}], object))
    with pytest.raises(AssetError, match="cannot be read"):
        read_gnm(tmp_path / "object.npz")
    assert len(read_gnm(path.parent).template)  # the folder that holds it
