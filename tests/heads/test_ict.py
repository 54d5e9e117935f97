"""ICT-FaceKit's folder: read, checked, worn as a head of ours. On a synthetic one; nothing of ICT is here."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from ict_fixtures import PEOPLE, ict_folder
from zero1toa.errors import AssetError, InputError
from zero1toa.heads import JOINTS, HeadModel, arkit, load_head
from zero1toa.heads.ict.file import EXPRESSIONS, NEUTRAL, NUM_VERTICES, read_ict
from zero1toa.heads.ict.head import PART_NAMES, movements


@pytest.fixture(scope="module")
def ict():
    return load_head(f"ict:{ict_folder()}")


@pytest.fixture(scope="module")
def file():
    return read_ict(ict_folder())


@pytest.fixture
def copy(tmp_path):
    """A folder of links to the files, in which single ones can be replaced."""
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    for source in ict_folder().iterdir():
        (folder / source.name).symlink_to(source)
    return folder


def _replace(folder, name, content: bytes):
    (folder / name).unlink()
    (folder / name).write_bytes(content)


def test_is_a_head_like_the_default_one(ict):
    head: HeadModel = ict
    own = load_head()
    assert head.name == "ict" and head.num_identity == PEOPLE
    assert set(head.topology.part_names) == set(own.topology.part_names)
    assert set(head.topology.regions) == set(own.topology.regions)
    assert torch.isfinite(head.expression_deltas).all() and torch.isfinite(head.identity_basis).all()
    np.testing.assert_allclose(head.skin_weights.sum(1), 1, atol=1e-4)
    eyes = own.joint_template[-2:]
    np.testing.assert_allclose(head.joint_template[-2:].mean(0), eyes.mean(0), atol=1e-5)  # brought to our eyes
    for part in PART_NAMES:
        assert head.topology.part_vertices(part).any() and head.topology.part_faces(part).any(), part


def test_the_folder_that_holds_it_does_too(tmp_path):
    (tmp_path / "ICT-FaceKit").mkdir()
    (tmp_path / "ICT-FaceKit" / "FaceXModel").symlink_to(ict_folder())
    assert len(read_ict(tmp_path / "ICT-FaceKit").identities) == PEOPLE


def test_its_names_say_all_movements_but_one():
    known = movements()
    assert set(arkit.NAMES) - set(known) == {"tongueOut"}
    assert sorted(half for halves in known.values() for half in halves) == sorted(EXPRESSIONS)  # each once
    assert known["browInnerUp"] == ("browInnerUp_L", "browInnerUp_R") and known["cheekPuff"][0] == "cheekPuff_L"
    assert known["mouthLowerDownLeft"] == ("mouthLowerDown_L",) and known["mouthLeft"] == ("mouthLeft",)


def test_moves_as_its_own_shapes_say(ict, file):
    """Against the file: halves add up, in metres, in the same place."""
    weights = torch.zeros(2, 52)
    weights[0, arkit.INDEX["browInnerUp"]] = 1
    weights[1, arkit.INDEX["mouthSmileLeft"]] = 1
    rest = ict.vertices(torch.zeros(1, 0), torch.zeros(1, 52))[0]
    moved = (ict.vertices(torch.zeros(1, 0), weights) - rest).double().numpy()
    wanted = np.stack(
        [file.expressions["browInnerUp_L"] + file.expressions["browInnerUp_R"], file.expressions["mouthSmile_L"]]
    )
    offset = file.template[0] - rest[0].double().numpy()
    skin = np.flatnonzero(ict.topology.part_vertices("skin"))
    skin = skin[skin < 11248]
    apart, row = cKDTree(file.template - offset).query(rest[skin].double().numpy())
    assert apart.max() < 1e-6
    np.testing.assert_allclose(moved[:, skin], wanted[:, row], atol=1e-6)
    assert abs(moved[0]).max() > 0.003


def test_tongue_out_is_ours(ict):
    """The one movement that ICT lacks is carried over, and moves its tongue forward."""
    index, tongue = arkit.INDEX["tongueOut"], ict.topology.part_vertices("tongue")
    moved = ict.expression_deltas[index].numpy()
    assert moved[tongue, 2].max() > 0.02
    others = ict.topology.part_vertices("teethUpper", "gumsUpper", "eyeLeft", "eyeRight")
    assert abs(moved[others]).max() < 0.002


def test_teeth_and_gums_go_with_the_jaw(ict):
    moved = ict.expression_deltas[arkit.INDEX["jawOpen"]].numpy()
    for part, goes in (("teethUpper", False), ("gumsUpper", False), ("teethLower", True), ("gumsLower", True)):
        distance = np.linalg.norm(moved[ict.topology.part_vertices(part)], axis=1)
        assert (distance.min() > 0.005) if goes else (distance.max() < 0.002), part


def test_lids_close(ict):
    weights = torch.zeros(1, 52)
    weights[0, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = 1
    points = ict.landmarks(ict.vertices(torch.zeros(1, 0), weights))[0].numpy()
    assert points[386, 1] - points[374, 1] < 0.001 and points[159, 1] - points[145, 1] < 0.001


def test_people_and_their_eyes_move_together(ict):
    person = ict.vertices(torch.eye(PEOPLE)[:3], torch.zeros(1, 52))
    eye = torch.as_tensor(ict.topology.part_vertices("eyeLeft"))
    middle = (person[:, eye].amin(1) + person[:, eye].amax(1)) / 2
    np.testing.assert_allclose(middle, ict.joints(torch.eye(PEOPLE)[:3])[:, JOINTS.index("eyeLeft")], atol=3e-4)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (NEUTRAL, None, "has no generic_neutral_mesh.obj"),
        ("identity000.obj", None, "identity000.obj is missing"),
        ("jawOpen.obj", None, "no jawOpen.obj"),
        ("identity003.obj", b"v 1 2 3\n", "has 1 vertices"),
        ("eyeBlink_L.obj", b"v 1 2 3\n" * (NUM_VERTICES - 1) + b"v 1 nan 3\n", "eyeBlink_L.obj is damaged"),
        ("eyeBlink_L.obj", b"v 1 2 3\n" * (NUM_VERTICES - 1) + b"v 1 x 3\n", "eyeBlink_L.obj is damaged"),
        ("eyeBlink_L.obj", b"v 1 2 3\n" * (NUM_VERTICES - 1) + b"v 1 2e9 3\n", "eyeBlink_L.obj is damaged"),
        ("eyeBlink_L.obj", b"#" * ((1 << 25) + 1), "too large"),
        (NEUTRAL, b"v 1 2 3\n" * NUM_VERTICES, "polygons name vertices"),
        (NEUTRAL, b"v 1 2 3\n" * NUM_VERTICES + b"f 1 2 99999\n", "polygons name vertices"),
        (NEUTRAL, b"v 1 2 3\n" * NUM_VERTICES + b"f 1 2 x\n", "a polygon has no corners"),
    ],
)
def test_broken_folders_get_a_sentence(copy, name, content, says):
    if content is None:
        (copy / name).unlink()
    else:
        _replace(copy, name, content)
    with pytest.raises(AssetError, match=says):
        read_ict(copy)


def test_what_is_no_such_folder_gets_a_sentence(tmp_path):
    with pytest.raises(AssetError, match="There is no folder"):
        load_head(f"ict:{tmp_path / 'nothing'}")
    with pytest.raises(AssetError, match="is not ICT-FaceKit's"):
        load_head(f"ict:{tmp_path}")
    with pytest.raises(InputError, match="ict:"):
        load_head("nobody:FILE")


def test_without_parts_it_is_refused(copy):
    lines = (copy / NEUTRAL).read_text().splitlines(keepends=True)
    _replace(
        copy,
        NEUTRAL,
        "".join(line for line in lines if not line.startswith("f 1") and not line.startswith("f 2")).encode(),
    )
    with pytest.raises(AssetError, match="has no "):
        load_head(f"ict:{copy}")


def test_a_movement_that_is_missing_is_ours(copy, ict):
    for name in ("browInnerUp_L", "noseSneer_R"):
        (copy / f"{name}.obj").unlink()
    head = load_head(f"ict:{copy}")
    for name in ("browInnerUp", "noseSneerRight"):
        ours, theirs = (h.expression_deltas[arkit.INDEX[name]].numpy() for h in (head, ict))
        assert 0 < np.linalg.norm(ours - theirs, axis=1).max() < 0.5 * np.linalg.norm(theirs, axis=1).max()
    shutil.rmtree(copy)
