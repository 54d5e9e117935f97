"""What holds for the default head whatever it looks like."""

from __future__ import annotations

import math

import pytest
import torch

from zero1toa.errors import AssetError, InputError
from zero1toa.heads import JOINTS, HeadModel, LinearHead, arkit, default, load_head
from zero1toa.heads.skinning import GAZE_DEGREES, axis_angle_to_matrix, gaze_rotation

NEUTRAL = torch.zeros(1, 52)
MIRROR_AXES = torch.tensor([-1.0, 1.0, 1.0])


def pose_of(**rotations: tuple[float, float, float]) -> torch.Tensor:
    out = torch.zeros(1, len(JOINTS), 3)
    for joint, rotation in rotations.items():
        out[0, JOINTS.index(joint)] = torch.tensor(rotation)
    return out


def test_load_head_is_cached_and_refuses_unknown_names():
    assert load_head() is load_head("default")
    with pytest.raises(InputError, match="no head model 'nobody'"):
        load_head("nobody")


def test_implements_the_protocol(head):
    model: HeadModel = head
    assert model.num_identity >= 100
    assert model.expression_names == arkit.NAMES
    assert model.landmarks(model.template[None]).shape == (1, 478, 3)


def test_neutral_mean_head_is_the_template(head):
    torch.testing.assert_close(head.vertices(torch.zeros(1, 3), NEUTRAL)[0], head.template)
    torch.testing.assert_close(head.vertices(torch.zeros(1, 3), NEUTRAL, pose_of())[0], head.template)


def test_linear_in_identity(head, people):
    a, b = people(3)[1:2], people(3)[2:]

    def offset(identity):
        return head.vertices(identity, NEUTRAL) - head.template

    torch.testing.assert_close(offset(0.3 * a - 0.5 * b), 0.3 * offset(a) - 0.5 * offset(b), atol=1e-6, rtol=0)


def test_linear_in_expression_without_gaze(head, expression, people):
    identity = people(2)[1:]
    a, b = expression(mouthSmile=1, browInnerUp=1), expression(eyeBlink=1, jawOpen=0.5)

    def offset(weights):
        return head.vertices(identity, weights) - head.vertices(identity, NEUTRAL)

    torch.testing.assert_close(offset(0.2 * a + 0.7 * b), 0.2 * offset(a) + 0.7 * offset(b), atol=1e-6, rtol=0)


def test_batch_equals_one_by_one(head, people):
    generator = torch.Generator().manual_seed(0)
    identity, weights = people(3), torch.rand(3, 52, generator=generator)
    pose = 0.2 * torch.randn(3, 6, 3, generator=generator)
    together = head.vertices(identity, weights, pose)
    for k in range(3):
        alone = head.vertices(identity[k : k + 1], weights[k : k + 1], pose[k : k + 1])
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-6, rtol=0)


def test_a_rigged_head_moves_as_the_model_does(head, people):
    generator = torch.Generator().manual_seed(1)
    identity, weights = people(2)[1], torch.rand(2, 52, generator=generator)
    pose = 0.2 * torch.randn(2, 6, 3, generator=generator)
    person = head.personalize(identity)
    expected = head.vertices(identity[None], weights, pose)
    torch.testing.assert_close(person.pose(weights, pose), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(person.pose(weights[0], pose[0]), expected[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(person.pose(weights[0], pose), person.pose(weights[:1].expand(2, -1), pose))
    torch.testing.assert_close(person.joints, head.joints(identity[None])[0])


def test_joint_transforms_are_what_moves_vertices_of_one_joint(head, expression):
    person, weights, pose = head.personalize(torch.zeros(2)), expression(eyeLookUp=1), pose_of(head=(0.1, 0.4, 0.0))
    matrices = person.joint_transforms(weights, pose)
    assert matrices.shape == (1, 6, 4, 4)
    teeth = torch.from_numpy(head.topology.part_vertices("teethUpper"))
    matrix = matrices[0, JOINTS.index("head")]
    expected = person.vertices[teeth] @ matrix[:3, :3].T + matrix[:3, 3]
    torch.testing.assert_close(person.pose(weights, pose)[0, teeth], expected, atol=1e-6, rtol=0)


def test_root_rotation_turns_everything_rigidly_about_the_root(head, people):
    identity, rotation = people(2)[1:], (0.3, -0.8, 0.2)
    rest, turned = head.vertices(identity, NEUTRAL)[0], head.vertices(identity, NEUTRAL, pose_of(root=rotation))[0]
    matrix, root = axis_angle_to_matrix(torch.tensor(rotation)), head.joints(identity)[0, 0]
    torch.testing.assert_close(turned, (rest - root) @ matrix.T + root, atol=1e-6, rtol=0)


def test_head_rotation_leaves_the_shoulders_and_carries_the_face(head):
    turned = head.vertices(torch.zeros(1, 1), NEUTRAL, pose_of(head=(0.0, math.radians(40), 0.0)))[0]
    moved = (turned - head.template).norm(dim=1)
    shoulders = torch.from_numpy(head.topology.regions["shoulders"]) > 0.99
    assert shoulders.sum() > 100
    assert moved[shoulders].max() < 1e-3
    nose = head.template[:, 2].argmax()
    joint = head.joint_template[JOINTS.index("head")]
    matrix = axis_angle_to_matrix(torch.tensor([0.0, math.radians(40), 0.0]))
    torch.testing.assert_close(turned[nose], (head.template[nose] - joint) @ matrix.T + joint, atol=1e-4, rtol=0)


def test_skin_weights_sum_to_one(head):
    assert head.skin_weights.min() >= 0
    torch.testing.assert_close(head.skin_weights.sum(1), torch.ones(len(head.template)))


def test_mirror_symmetry(head):
    mirror = torch.from_numpy(head.topology.mirror).long()
    assert (mirror[mirror] == torch.arange(len(mirror))).all()
    torch.testing.assert_close(head.template[mirror] * MIRROR_AXES, head.template, atol=2e-6, rtol=0)
    flipped = head.expression_deltas[list(arkit.MIRROR)][:, mirror] * MIRROR_AXES
    torch.testing.assert_close(flipped, head.expression_deltas, atol=2e-5, rtol=0)  # stored in half precision
    swapped = head.skin_weights[mirror][:, [0, 1, 2, 3, 5, 4]]
    torch.testing.assert_close(swapped, head.skin_weights, atol=1e-5, rtol=0)


def test_the_mirrored_identity_is_the_mirrored_person(head, people):
    mirror = torch.from_numpy(head.topology.mirror).long()
    identity = people(4)[1:]
    person = head.vertices(identity, NEUTRAL)
    twin = head.vertices(identity * head.identity_mirror, NEUTRAL)
    torch.testing.assert_close(twin[:, mirror] * MIRROR_AXES, person, atol=1e-4, rtol=0)


def test_mouth_close_never_exceeds_jaw_open(head, expression):
    closed = head.vertices(torch.zeros(1, 1), expression(mouthClose=1))
    torch.testing.assert_close(closed[0], head.template)
    half = head.vertices(torch.zeros(1, 1), expression(mouthClose=1, jawOpen=0.5))
    torch.testing.assert_close(half, head.vertices(torch.zeros(1, 1), expression(mouthClose=0.5, jawOpen=0.5)))


@pytest.mark.parametrize(("direction", "axis", "sign"), [("Up", 1, 1), ("Down", 1, -1), ("Out", 0, 1), ("In", 0, -1)])
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_gaze_turns_the_eyeball_rigidly_by_the_stated_angle(head, expression, people, side, direction, axis, sign):
    identity = people(2)[1:]
    rows = torch.from_numpy(head.topology.part_vertices(f"eye{side}"))
    rest = head.vertices(identity, NEUTRAL)[0, rows]
    looked = head.vertices(identity, expression(**{f"eyeLook{direction}{side}": 1}))[0, rows]
    centre = head.joints(identity)[0, JOINTS.index(f"eye{side}")]
    front = (rest - centre)[:, 2].argmax()
    before, after = rest[front] - centre, looked[front] - centre
    angle = torch.rad2deg(torch.arccos((before @ after) / (before.norm() * after.norm())))
    assert angle.item() == pytest.approx(GAZE_DEGREES[direction], abs=0.1)
    outwards = sign * (1 if side == "Left" or axis == 1 else -1)
    assert (after - before)[axis] * outwards > 0
    torch.testing.assert_close(torch.pdist(looked[::7]), torch.pdist(rest[::7]), atol=1e-6, rtol=0)


def test_gaze_directions_add_up_to_one_rotation_without_roll(expression):
    rotation = gaze_rotation(expression(eyeLookUpLeft=0.5, eyeLookInLeft=0.5))[0, 0]
    degrees = torch.rad2deg(rotation)
    torch.testing.assert_close(degrees, torch.tensor([-GAZE_DEGREES["Up"] / 2, -GAZE_DEGREES["In"] / 2, 0.0]))


def test_only_the_lower_teeth_move_with_the_jaw(head, expression):
    opened = head.vertices(torch.zeros(1, 1), expression(jawOpen=1))[0]
    moved = (opened - head.template).norm(dim=1)
    for part, still in (("teethUpper", True), ("gumsUpper", True), ("teethLower", False), ("gumsLower", False)):
        rows = torch.from_numpy(head.topology.part_vertices(part))
        assert (moved[rows].max() < 1e-6) if still else (moved[rows].min() > 0.01), part


def test_the_jaw_joint_turns_as_jaw_open_does(head, expression):
    rows = torch.from_numpy(head.topology.part_vertices("teethLower"))
    opened = head.vertices(torch.zeros(1, 1), expression(jawOpen=1))[0, rows]
    errors = []
    for degrees in range(5, 40):
        turned = head.vertices(torch.zeros(1, 1), NEUTRAL, pose_of(jaw=(math.radians(degrees), 0.0, 0.0)))[0, rows]
        errors.append((turned - opened).norm(dim=1).mean().item())
    assert min(errors) < 0.002  # metres, of a movement of 0.03


def test_gradients_match_finite_differences(head):
    generator = torch.Generator().manual_seed(2)
    model = head.to(dtype=torch.float64)
    rows = torch.randperm(len(head.template), generator=generator)[:20]
    probe = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    inputs = (
        0.5 * torch.randn(1, 5, generator=generator, dtype=torch.float64),
        0.05 + 0.9 * torch.rand(1, 52, generator=generator, dtype=torch.float64),
        0.2 * torch.randn(1, 6, 3, generator=generator, dtype=torch.float64),
    )

    def total(identity, weights, pose):
        return (model.vertices(identity, weights, pose)[0, rows] * probe).sum()

    assert torch.autograd.gradcheck(total, tuple(x.requires_grad_() for x in inputs), eps=1e-6, atol=1e-6)


def test_rotations_match_the_matrix_exponential_and_have_a_gradient_at_zero():
    vectors = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    vectors = torch.cat([vectors, 1e-3 * vectors, 1e-9 * vectors, torch.zeros(1, 3, dtype=torch.float64)])
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    torch.testing.assert_close(axis_angle_to_matrix(vectors), torch.linalg.matrix_exp(cross), atol=1e-12, rtol=0)
    start = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(axis_angle_to_matrix, (start,))


def test_identity_may_have_fewer_columns(head, people):
    identity = people(2)[1:, :7]
    full = torch.zeros(1, head.num_identity)
    full[:, :7] = identity
    weights = torch.rand(1, 52, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(head.vertices(identity, weights), head.vertices(full, weights))
    torch.testing.assert_close(
        head.personalize(identity[0]).expression_deltas, head.personalize(full[0]).expression_deltas
    )


def test_missing_broken_and_mismatched_files_are_one_sentence(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(default, "HEAD_FILE", "no_such_head.npz")
        with pytest.raises(AssetError, match="reinstall zero1toa"):
            default.load_default()
    with monkeypatch.context() as patch:
        patch.setattr(default, "files", lambda package: tmp_path)
        (tmp_path / "assets").mkdir()
        (tmp_path / "assets" / default.HEAD_FILE).write_bytes(b"not an archive")
        with pytest.raises(AssetError, match="reinstall zero1toa"):
            default.load_default()
    with monkeypatch.context() as patch:
        patch.setattr(default, "FORMAT_VERSION", 0)
        with pytest.raises(AssetError, match="another version"):
            default.load_default()
    with monkeypatch.context() as patch:
        patch.setattr(default, "fingerprint", lambda data: 1)
        with pytest.raises(AssetError, match="embed_landmarks"):
            default.load_default()
        assert default.load_default(landmarks=False).num_identity > 0


def test_linear_head_converts(head):
    double = head.to(dtype=torch.float64)
    assert isinstance(double, LinearHead)
    assert double.vertices(torch.zeros(1, 2).double(), NEUTRAL.double()).dtype == torch.float64
