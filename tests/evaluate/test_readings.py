import numpy as np
import pytest
import torch

from zero1toa.evaluate.readings import REGIONS, Command, find_landmarks
from zero1toa.heads import JOINTS
from zero1toa.priors.subjects import photo_camera, random_subject, single


def test_perfect_landmarks_read_as_commanded(subject):
    for yaw in (-30, 0, 20):
        command = Command.of(subject.head, photo_camera(yaw), torch.zeros(52))
        reading = command.compare(command.landmarks)
        assert reading.distance == 0 and set(reading.regions) == set(REGIONS)
        assert reading.yaw == pytest.approx(yaw, abs=0.1)
        assert command.yaw == pytest.approx(yaw, abs=1e-5)


def test_landmarks_of_another_view_read_as_that_view(subject):
    front = Command.of(subject.head, photo_camera(0), torch.zeros(52))
    turned = Command.of(subject.head, photo_camera(12), torch.zeros(52))
    reading = front.compare(turned.landmarks)
    assert reading.yaw == pytest.approx(12, abs=0.5)
    assert reading.distance > 5


def test_a_turned_head_counts_like_a_moved_camera(subject):
    pose = torch.zeros(6, 3)
    pose[JOINTS.index("head"), 1] = np.radians(20)  # to its left: the camera is then to its right
    command = Command.of(subject.head, photo_camera(0), torch.zeros(52), pose)
    assert command.yaw == pytest.approx(-20, abs=1e-3)
    assert command.compare(command.landmarks).yaw == pytest.approx(-20, abs=0.2)


def test_the_detector_reads_a_made_up_person():
    subject = random_subject(3, 512)
    camera = photo_camera(15)
    picture = subject.video(single(camera)).over(0.8)[0].permute(1, 2, 0).numpy()
    reading = Command.of(subject.head, camera, torch.zeros(52)).read(picture)
    assert reading is not None
    assert reading.distance < 8 and abs(reading.yaw - 15) < 5
    assert reading.regions["eyes"] < 4 and reading.regions["brows"] < 4


def test_no_face_is_none():
    assert find_landmarks(np.full((128, 128, 3), 0.5, np.float32)) is None
