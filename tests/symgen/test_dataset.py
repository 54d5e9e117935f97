"""The updatable dataset."""

import json

import numpy as np
import pytest
import torch

from zero1toa.camera import Camera
from zero1toa.errors import InputError
from zero1toa.priors import Video
from zero1toa.symgen.dataset import Clip, Dataset
from zero1toa.symgen.drives import ClipPlan

FRAMES, SIZE = 3, 8


def plan(stage="spatial"):
    path = tuple(Camera.orbit(10.0 * i, size=SIZE) for i in range(FRAMES))
    return ClipPlan(stage, path, torch.rand(FRAMES, 52), torch.zeros(FRAMES, 6, 3))


def video(seed=0):
    random = torch.Generator().manual_seed(seed)
    alpha = torch.rand(FRAMES, 1, SIZE, SIZE, generator=random)
    return Video(torch.rand(FRAMES, 3, SIZE, SIZE, generator=random) * alpha, alpha, alpha)


def test_a_clip_keeps_its_video_to_eight_bits():
    clip = Clip.of(plan(), 2, video(), made_at=5)
    for kept, given in zip(clip.video, video(), strict=True):
        torch.testing.assert_close(kept, given, atol=0.51 / 255, rtol=0)


def test_a_sample_shows_what_its_frame_shows():
    of = plan()
    sample = Clip.of(of, 2, video(), made_at=0).sample(2)
    assert sample.camera is of.path[1]  # the third camera is not open yet
    assert torch.equal(sample.expression, of.expressions[2])
    torch.testing.assert_close(sample.image, video().frames[2].permute(1, 2, 0), atol=0.51 / 255, rtol=0)
    assert sample.alpha.shape == sample.confidence.shape == (SIZE, SIZE)


def test_the_oldest_clip_is_made_again_first():
    dataset = Dataset([plan(), plan(), plan("real")])
    for number, made_at in ((0, 30), (1, 10), (2, 0)):
        dataset.replace(number, Clip.of(dataset.plans[number], 1, video(number), made_at))
    assert dataset.oldest([0, 1]) == 1
    assert dataset.oldest([0, 1, 2]) == 2
    assert dataset.numbers == [0, 1, 2]


def test_a_dataset_on_disk_is_taken_up_again_and_old_versions_go(tmp_path):
    plans = [plan(), plan()]
    dataset = Dataset(plans, tmp_path)
    for version in range(3):
        dataset.replace(0, Clip.of(plans[0], 2, video(version), made_at=version, updates=version))
    dataset.replace(1, Clip.of(plans[1], 1, video(7), made_at=0))
    assert len(list(tmp_path.glob("clip-000-*.npy"))) == 3
    dataset.forget_older()
    assert [path.name for path in sorted(tmp_path.glob("*.npy"))] == ["clip-000-2.npy", "clip-001-0.npy"]
    again = Dataset(plans, tmp_path)
    again.restore(json.loads(json.dumps(dataset.index())))
    for number in (0, 1):
        np.testing.assert_array_equal(again[number].pixels, dataset[number].pixels)
        assert again[number].opened == dataset[number].opened
        assert again[number].updates == dataset[number].updates


def test_a_missing_or_foreign_file_is_one_sentence(tmp_path):
    plans = [plan()]
    dataset = Dataset(plans, tmp_path)
    dataset.replace(0, Clip.of(plans[0], 1, video(), made_at=0))
    index = dataset.index()
    np.save(tmp_path / "clip-000-0.npy", np.zeros((1, 5, 2, 2), np.uint8))
    with pytest.raises(InputError, match="--resume"):
        Dataset(plans, tmp_path).restore(index)
    (tmp_path / "clip-000-0.npy").unlink()
    with pytest.raises(InputError, match="--resume"):
        Dataset(plans, tmp_path).restore(index)


def test_a_dataset_can_be_looked_at(tmp_path):
    dataset = Dataset([plan(), plan("real")])
    dataset.replace(1, Clip.of(dataset.plans[1], 3, video(), made_at=4))
    dataset.write_pictures(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip-001", "clip-001.png", "clips.json"]
    assert json.loads((tmp_path / "clips.json").read_text())[0]["stage"] == "real"
