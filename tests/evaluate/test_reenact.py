"""Self-reenactment on cases whose answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zero1toa.errors import InputError
from zero1toa.evaluate import reenact as protocol
from zero1toa.evaluate.reenact import AVATAR, RIGID, STATIC, Comparison, compared_frames, methods_of
from zero1toa.evaluate.reenact_baselines import similarity
from zero1toa.evaluate.reenact_drive import drive_from_tracking, relative_expression
from zero1toa.evaluate.reenact_report import Summary as ReportSummary
from zero1toa.evaluate.reenact_report import as_json, error_map, film_row, markdown, verdicts
from zero1toa.evaluate.reenact_run import ReenactConfig, reenact
from zero1toa.evaluate.reenact_source import Source, choose_frame
from zero1toa.heads import JOINTS, arkit, load_head
from zero1toa.motion import Motion
from zero1toa.portrait.landmark_model import landmark_model
from zero1toa.portrait.matte import Matte
from zero1toa.tracking import LOST, Tracking

FRAMES = 7
SOURCE = 1
JAW, BLINK = arkit.INDEX["jawOpen"], [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
SUMMARY = ReportSummary("made-up", FRAMES, 25.0, SOURCE, 1, "debug", ())


def perfect_tracking(portrait, avatar):
    """What an exact tracker says of a film in which the avatar opens its mouth, blinks and turns its head; and the
    film's cameras."""
    weights = np.tile(portrait.expression.astype(np.float32), (FRAMES, 1))
    weights[2:5, JAW] = [0.3, 0.6, 0.3]
    weights[4:7, BLINK] = np.array([[0.4, 1.0, 0.5]]).T
    weights = relative_expression(weights, weights[SOURCE], portrait.expression).astype(np.float32)  # lids shut or wide
    turns = np.tile(portrait.pose[JOINTS.index("neck")], (FRAMES, 1))
    turns[:, 1] += np.radians(6) * np.sin(np.linspace(0, 2 * np.pi, FRAMES) - 2 * np.pi * SOURCE / (FRAMES - 1))
    motion = Motion(25, weights, turns.astype(np.float32), turns.astype(np.float32))
    camera = portrait.camera
    head = avatar.head
    with torch.no_grad():
        joints = head.joint_transforms(torch.as_tensor(weights), torch.as_tensor(motion.poses.copy()))
    joint = joints[:, JOINTS.index("head")].numpy().astype(np.float64)
    torso = camera.viewmat[:3, :3]
    rotation = torso @ joint[:, :3, :3]
    translation = joint[:, :3, 3] @ torso.T + camera.viewmat[:3, 3]
    model = landmark_model(load_head(), len(portrait.identity), portrait.identity)
    points = model.points(portrait.identity, np.zeros(52)) + np.tensordot(weights, model.expression, 1)
    local = np.einsum("fab,fvb->fva", rotation, points) + translation[:, None]
    landmarks = camera.fx * local[..., :2] / local[..., 2:] + [camera.cx, camera.cy]
    one = np.ones(FRAMES, np.float32)
    return Tracking(
        motion=motion, confidence=one, state=np.zeros(FRAMES, np.int8), landmarks=landmarks.astype(np.float32),
        errors=one, frame_times=np.arange(FRAMES) / 25, size=(camera.width, camera.height),
        identity=portrait.identity, head="default", rest_expression=np.zeros(52), cameras=(camera,) * FRAMES,
        rotation=rotation, translation=translation, segments=np.zeros(FRAMES, np.int64),
    )  # fmt: skip


@pytest.fixture(scope="module")
def tracking(demo_portrait, debug_avatar):
    return perfect_tracking(demo_portrait, debug_avatar)


@pytest.fixture(scope="module")
def source(demo_portrait):
    return Source(SOURCE, demo_portrait, np.eye(2, 3))


@pytest.fixture(scope="module")
def film(tracking, debug_avatar):
    """(F, S, S, 4): the avatar itself, drawn as the film says."""
    cameras = [debug_avatar.photo_camera] * FRAMES
    return debug_avatar.playback.draw(tracking.motion.weights, tracking.motion.poses, cameras, None)


def compare(film, source, methods, tracking, monkeypatch, frames):
    """A comparison with a film whose matte is known: its frames are straight colours with alpha."""
    at = iter(range(FRAMES))
    current = SimpleNamespace(index=-1)

    class Video:
        def __iter__(self):
            for index in at:
                current.index = index
                alpha = film[index][..., 3:].astype(np.float32) / 255
                picture = film[index][..., :3] * alpha + 255 * np.array(protocol.BACKGROUND) * (1 - alpha)
                yield SimpleNamespace(image=picture.round().astype(np.uint8))

    def known_matte(crop, landmarks):
        pixels = film[current.index].astype(np.float32) / 255
        return Matte(pixels[..., 3], pixels[..., :3])

    monkeypatch.setattr(protocol, "matte_portrait", known_matte)
    comparison = Comparison(source, methods, frames, tracking.segments)
    return comparison, list(comparison.run(Video()))


def test_a_perfect_renderer_is_no_distance_away_and_infinitely_good(film, source, tracking, monkeypatch):
    methods = {AVATAR: lambda frame: film[frame].astype(np.float32) / 255}
    comparison, compared = compare(film, source, methods, tracking, monkeypatch, [2, 5])
    assert [c.frame for c in compared] == [2, 5]
    row = comparison.means()[AVATAR]
    assert row["psnr"] == row["psnr_face"] == float("inf") and row["ssim"] == pytest.approx(1)
    assert row["akd"] < 0.2 and row["mouth"] < 0.2 and row["detected"] == 1  # what remains is 8 bits


def test_an_avatar_in_a_film_of_itself_beats_both_baselines(film, source, tracking, debug_avatar, monkeypatch):
    drive = drive_from_tracking(tracking, source.portrait, source.matrix, SOURCE)
    methods = methods_of(debug_avatar, drive, tracking, source)
    comparison, compared = compare(film, source, methods, tracking, monkeypatch, [3, 5])
    means = comparison.means()
    for baseline in (STATIC, RIGID):
        assert means[AVATAR]["psnr_face"] > means[baseline]["psnr_face"] + 3
        for name in ("akd", "mouth", "eyes", "mouth_gap", "eye_gap"):
            assert means[AVATAR][name] < means[baseline][name] / 2, (baseline, name)
    assert means[RIGID]["akd"] < means[STATIC]["akd"]
    assert comparison.jitter(STATIC) == 0 < comparison.jitter(AVATAR)
    assert film_row(compared[0]).shape[1] == 4 * film_row(compared[0]).shape[0] - 4 * 26
    text = markdown(comparison, SUMMARY)
    assert "| avatar |" in text and "LPIPS" not in text.splitlines()[0]
    assert len(as_json(comparison, SUMMARY)["per_frame"]) == 2


def test_a_frame_in_which_no_face_is_drawn_counts_as_not_found(film, source, tracking, monkeypatch):
    nothing = np.zeros((*film.shape[1:3], 4), np.float32)
    comparison, _ = compare(film, source, {AVATAR: lambda frame: nothing}, tracking, monkeypatch, [3])
    row = comparison.means()[AVATAR]
    assert row["detected"] == 0 and np.isnan(row["akd"]) and 0 < row["psnr"] < 20


def test_the_drive_is_the_portraits_own_in_its_frame_and_the_films_elsewhere(demo_portrait, tracking):
    drive = drive_from_tracking(tracking, demo_portrait, np.eye(2, 3), SOURCE)
    assert np.allclose(drive.expressions[SOURCE], demo_portrait.expression, atol=1e-5)
    assert np.allclose(drive.poses[SOURCE], demo_portrait.pose, atol=1e-4)
    assert np.allclose(drive.cameras[SOURCE].viewmat, demo_portrait.camera.viewmat, atol=1e-4)
    assert np.allclose(drive.expressions, tracking.motion.weights, atol=1e-5)
    assert np.allclose(drive.poses, tracking.motion.poses, atol=2e-3)
    for camera in drive.cameras:
        assert np.allclose(camera.viewmat, demo_portrait.camera.viewmat, atol=2e-3)


def test_another_scale_of_the_video_changes_nothing(demo_portrait, tracking):
    double = tuple(camera.resized(2 * camera.width, 2 * camera.height) for camera in tracking.cameras)
    video = replace(tracking, cameras=double, landmarks=2 * tracking.landmarks)
    one = drive_from_tracking(tracking, demo_portrait, np.eye(2, 3), SOURCE)
    other = drive_from_tracking(video, demo_portrait, np.eye(2, 3) / 2, SOURCE)
    assert np.allclose(one.poses, other.poses, atol=1e-5)


def test_expression_is_relative_to_the_source():
    weights, photo = np.zeros((2, 52)), np.zeros(52)
    weights[0, JAW], weights[1, JAW], photo[JAW] = 0.1, 0.5, 0.2
    weights[0, BLINK] = 0.3
    out = relative_expression(weights, weights[0], photo)
    assert out[0] == pytest.approx(photo) and out[1, JAW] == pytest.approx(0.6)
    wide = [arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"]]
    assert out[1, wide] == pytest.approx(0.3)  # lids that were lower in the source are now farther open


def test_similarity_is_exact_and_follows_the_weights():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 2))
    linear = 1.3 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    target = points @ linear.T + [3, -2]
    weights = np.ones(20)
    target[0] += 100
    weights[0] = 0
    found = similarity(points, target, weights)
    assert np.allclose(found[:, :2], linear) and np.allclose(found[:, 2], [3, -2])


def test_the_source_frame_is_calm_and_open_eyed(tracking):
    still = replace(tracking, rotation=tracking.rotation[[0] * FRAMES], landmarks=tracking.landmarks[[0] * FRAMES])
    assert choose_frame(still) in (0, 1, 2)  # then the mouth opens and the eyes close
    turned = np.argsort(-tracking.rotation[:, 2, 2])[-1]
    same = tracking.motion.frames([0] * FRAMES)
    assert choose_frame(replace(still, motion=same, rotation=tracking.rotation)) != turned
    unsure = np.where(np.arange(FRAMES) == 0, 0.9, 0.1).astype(np.float32)
    assert choose_frame(replace(still, motion=same, confidence=unsure)) == 0
    assert compared_frames(tracking, 2, 2) == [0, 4, 6]
    state = tracking.state.copy()
    state[3] = LOST
    assert compared_frames(replace(tracking, state=state), 0, 3) == [6]


def test_targets_are_judged_against_the_better_baseline():
    names = ("akd", "mouth", "eyes", "irises", "mouth_gap", "eye_gap")
    means = {
        AVATAR: {"psnr": 30.0, "psnr_face": 30.0, **dict.fromkeys(names, 1.0)},
        STATIC: {"psnr": 29.0, "psnr_face": 20.0, **dict.fromkeys(names, 9.0)},
        RIGID: {"psnr": 20.0, "psnr_face": 21.0, **dict.fromkeys(names, 1.5)},
    }
    lines = verdicts(means)
    assert "+1.00" in lines[0] and "missed" in lines[0] and "met" in lines[1]
    assert all("1.50 times" in line and "missed" in line for line in lines[2:])


def test_error_map_is_black_where_nothing_differs_and_grey_where_nothing_is_known():
    a, b = np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
    b[0, 0] = 1
    valid = np.array([[True, True], [False, True]])
    shown = error_map(a, b, valid)
    assert shown[0, 0].min() == 1 and shown[0, 1].max() == 0 and shown[1, 0] == pytest.approx(0.3)


def test_what_cannot_be_reenacted_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no video"):
        reenact(tmp_path / "none.mp4", tmp_path, ReenactConfig())
    with pytest.raises(InputError, match="preset"):
        reenact(tmp_path / "none.mp4", tmp_path, ReenactConfig(preset="best"))
