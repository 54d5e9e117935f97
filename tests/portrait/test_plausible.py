"""What may become an avatar and what is refused, with which sentence."""

import re

import numpy as np
import pytest
from PIL import Image

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.heads import facemesh
from zero1toa.portrait.detect import detect_faces
from zero1toa.portrait.load import Photo, load_photo, to_bytes
from zero1toa.portrait.plausible import (
    NOT_HUMAN,
    UNSURE,
    Evidence,
    choose_face,
    gather_evidence,
    human_log_odds,
    yaw_from_landmarks,
)

PORTRAITS = ("cartoon_boy", "open_mouth", "painting_child", "painting_mona", "painting_side", "photo_bw")


@pytest.fixture(scope="module")
def demo():
    return load_photo("demo").image


def photo_of(image):
    return Photo(np.ascontiguousarray(image, np.float32), None, "a.png")


def resized(image, side):
    return np.asarray(Image.fromarray(to_bytes(image)).resize((side, side), Image.Resampling.LANCZOS)) / np.float32(255)


def with_face_of(demo, width):
    """The demo reduced until her face is `width` px wide, on grey."""
    side = round(512 * width / 92)
    frame = np.full((500, 700, 3), 0.5, np.float32)
    frame[60 : 60 + side, 200 : 200 + side] = resized(demo, side)
    return photo_of(frame)


def refusal(photo, **options):
    with pytest.raises(InputError) as raised:
        choose_face(photo, **options)
    sentence = str(raised.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert photo.source in sentence
    return sentence


def test_the_demo_passes_without_a_word(demo):
    chosen = choose_face(photo_of(demo))
    assert chosen.warnings == []
    assert chosen.face.width == pytest.approx(92, abs=4)


def test_no_face():
    assert "No face was found" in refusal(photo_of(np.full((200, 200, 3), 0.5)))


def test_a_face_of_30_px_is_refused_unless_forced(demo):
    photo = with_face_of(demo, 30)
    sentence = refusal(photo)
    assert re.search(r"only (29|30|31) px wide", sentence)
    assert choose_face(photo, force=True).warnings[0] == sentence


def test_a_face_of_56_px_is_taken_with_a_warning(demo):
    assert "px wide" in choose_face(with_face_of(demo, 56)).warnings[0]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_picture_on_its_side_is_named(demo, turns):
    assert "rotate the picture" in refusal(photo_of(np.rot90(demo, turns)))


def test_of_several_faces_the_largest_is_taken_and_said(demo):
    frame = np.full((700, 1300, 3), 0.4, np.float32)
    frame[:512, :512] = demo
    frame[:, 600:] = resized(demo, 700)
    chosen = choose_face(photo_of(frame))
    assert chosen.warnings == ["2 faces were found; the largest one is used."]
    assert chosen.face.landmarks[0, 0] > 600


def test_half_a_face_is_refused(demo):
    assert "covered" in refusal(photo_of(demo[60:200, 224:400]))


@pytest.mark.parametrize(
    ("group", "grow", "said"), [(facemesh.LIPS, 0.12, "mouth"), (facemesh.EYES + facemesh.BROWS, 0.04, "eyes")]
)
def test_a_covered_part_is_warned_of(demo, group, grow, said):
    (face,) = detect_faces(demo)
    points = face.landmarks[list(group), :2]
    low = (points.min(0) - grow * face.width).astype(int)
    high = (points.max(0) + grow * face.width).astype(int)
    covered = demo.copy()
    covered[low[1] : high[1], low[0] : high[0]] = [0.1, 0.3, 0.6]
    warnings = choose_face(photo_of(covered), force=True).warnings
    assert any(said in warning and "covered" in warning for warning in warnings)


def test_each_piece_of_evidence_counts_in_its_direction():
    usual = Evidence(spread=1.6, score=0.9, person=1.0)
    assert human_log_odds(usual) > UNSURE
    assert human_log_odds(usual._replace(spread=8.0)) < human_log_odds(usual)
    assert human_log_odds(usual._replace(score=0.6)) < human_log_odds(usual)
    assert human_log_odds(usual._replace(person=0.2)) < human_log_odds(usual)
    assert human_log_odds(usual._replace(spread=3.0, yaw=-50.0)) > human_log_odds(usual._replace(spread=3.0))
    assert human_log_odds(Evidence(spread=6.0, score=0.6, person=0.5)) < NOT_HUMAN


@pytest.mark.parametrize("change", ["plain", "mirrored", "grey", "dark", "noisy"])
def test_a_human_stays_human(demo, change):
    image = {
        "plain": demo,
        "mirrored": demo[:, ::-1],
        "grey": np.repeat(demo.mean(2, keepdims=True), 3, 2),
        "dark": demo * 0.3,
        "noisy": (demo + np.random.default_rng(0).normal(0, 0.06, demo.shape)).clip(0, 1),
    }[change]
    picture = Image.fromarray(to_bytes(np.asarray(image, np.float32)))
    (face,) = detect_faces(picture)
    assert human_log_odds(gather_evidence(picture, face)) > UNSURE


def test_the_cat_of_scikit_image_is_refused():
    import skimage.data

    refusal(photo_of(skimage.data.chelsea() / 255))


def test_the_dog_is_refused(shared_pictures):
    photo = load_photo(shared_pictures / "not_a_person_dog.jpg")
    assert "does not look like a human face" in refusal(photo)
    picture = Image.fromarray(to_bytes(photo.image))
    worst = max(human_log_odds(gather_evidence(picture, face)) for face in detect_faces(picture))
    assert worst < NOT_HUMAN - 3


@pytest.mark.parametrize("name", PORTRAITS)
def test_photos_paintings_and_cartoons_pass(shared_pictures, name):
    photo = load_photo(shared_pictures / f"{name}.jpg")
    picture = Image.fromarray(to_bytes(photo.image))
    chosen = choose_face(photo)
    assert chosen.warnings == []
    assert human_log_odds(gather_evidence(picture, chosen.face)) > UNSURE


@pytest.fixture(scope="module")
def rendered():
    """Yaw to a picture of the mean head: positive where the head looks to its own left."""
    from zero1toa.heads import load_head
    from zero1toa.heads.appearance import default_colors
    from zero1toa.heads.mesh_render import shade

    head = load_head()
    vertices = head.template.detach().numpy()
    colors = default_colors(head.topology)

    def render(yaw):
        camera = Camera.orbit(-yaw, size=400)  # the camera goes the other way round
        return np.asarray(shade(vertices, head.topology, camera, colors=colors, background=(0.6, 0.65, 0.7)))

    return render


@pytest.mark.parametrize("yaw", [-50, -20, 0, 35])
def test_yaw_is_measured_with_its_sign(rendered, yaw):
    face = detect_faces(rendered(yaw))[0]
    assert yaw_from_landmarks(face.landmarks) == pytest.approx(yaw, abs=6)


def test_a_turned_head_is_warned_of_and_a_profile_refused(rendered):
    assert any("turned" in warning for warning in choose_face(photo_of(rendered(50))).warnings)
    refusal(photo_of(rendered(75)))
    refusal(photo_of(rendered(90)))


def test_exif_rotation_gives_the_same_landmarks(demo, tmp_path):
    picture = Image.fromarray(to_bytes(demo))
    picture.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    faces = [choose_face(load_photo(tmp_path / name)).face for name in ("upright.png", "turned.png")]
    np.testing.assert_array_equal(faces[0].landmarks, faces[1].landmarks)
