import json

import numpy as np
import pytest
import torch

from zero1toa.errors import InputError
from zero1toa.heads import JOINTS
from zero1toa.media import write_png
from zero1toa.priors import Drive, Video
from zero1toa.priors.clip_files import read_clips, write_clip
from zero1toa.priors.subjects import photo_camera


@pytest.fixture
def clip():
    generator = torch.Generator().manual_seed(0)
    drive = Drive(
        [photo_camera(yaw, size=24) for yaw in (0, 20, 40)],
        torch.rand(3, 52, generator=generator),
        torch.rand(3, 6, 3, generator=generator) - 0.5,
    )
    alpha = (torch.rand(3, 1, 24, 24, generator=generator) > 0.4).float()
    return drive, Video(torch.rand(3, 3, 24, 24, generator=generator) * alpha, alpha, torch.ones_like(alpha))


def same(drive, video, read):
    torch.testing.assert_close(read.drive.expressions, drive.expressions, atol=1e-5, rtol=0)
    torch.testing.assert_close(read.drive.poses, drive.poses, atol=1e-5, rtol=0)
    for one, other in zip(read.drive.cameras, drive.cameras):
        np.testing.assert_allclose(one.viewmat, other.viewmat)
        assert (one.fx, one.cy, one.width) == (other.fx, other.cy, other.width)
    torch.testing.assert_close(read.video.frames, video.frames, atol=0.003, rtol=0)
    torch.testing.assert_close(read.video.alpha, video.alpha, atol=0.003, rtol=0)


def test_a_folder_there_and_back(clip, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_clip(tmp_path / name, *clip)
    same(*clip, read_clips(tmp_path / "a")[0])
    assert [c.name for c in read_clips(tmp_path)] == ["a", "b"]


def test_the_folder_of_an_external_prior(clip, tmp_path):
    """RGB answers over grey in out/, coverage in alpha/, what was asked about in render/."""
    drive, video = clip
    write_clip(tmp_path, drive, video)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    content = json.loads((tmp_path / "cameras.json").read_text())
    (tmp_path / "cameras.json").unlink()
    (tmp_path / "drive.json").write_text(json.dumps({**content, "background": 0.5}))
    for name, pictures in (("out", video.over(0.5)), ("render", torch.zeros(3, 3, 24, 24)), ("alpha", video.alpha)):
        (tmp_path / name).mkdir()
        for index, picture in enumerate(pictures):
            write_png(tmp_path / name / f"{index:05d}.png", picture.expand(3, -1, -1).permute(1, 2, 0).numpy())
    same(drive, video, read_clips(tmp_path)[0])


def test_an_npz(clip, tmp_path):
    drive, video = clip
    straight = torch.cat([video.frames, video.alpha], 1).permute(0, 2, 3, 1).numpy()
    camera = drive.cameras[0]
    np.savez(
        tmp_path / "c.npz",
        frames=straight,
        viewmats=np.stack([c.viewmat for c in drive.cameras]),
        intrinsics=np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]),
        expressions=drive.expressions.numpy(),
        poses=drive.poses.numpy(),
    )
    same(drive, video, read_clips(tmp_path / "c.npz")[0])


def test_bad_clips_get_one_sentence(clip, tmp_path):
    with pytest.raises(InputError, match="no clip"):
        read_clips(tmp_path)
    with pytest.raises(InputError, match="no clip"):
        read_clips(tmp_path / "nothing")
    write_clip(tmp_path, *clip)
    (tmp_path / "00002.png").unlink()
    with pytest.raises(InputError, match="2 frames, but"):
        read_clips(tmp_path)
    write_png(tmp_path / "00002.png", np.zeros((5, 5, 3)))
    with pytest.raises(InputError, match="5 x 5 px"):
        read_clips(tmp_path)
    (tmp_path / "cameras.json").write_text("{}")
    with pytest.raises(InputError, match="does not describe"):
        read_clips(tmp_path)
    np.savez(tmp_path / "c.npz", frames=np.zeros(3))
    with pytest.raises(InputError, match="lacks viewmats"):
        read_clips(tmp_path / "c.npz")
    (tmp_path / "d.npz").write_text("no")
    with pytest.raises(InputError, match="damaged"):
        read_clips(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda told: told["frames"].clear(), "names no frame"),
        (lambda told: [frame["pose"].update(neck=[]) for frame in told["frames"]], "frames with their cameras"),
        (lambda told: [frame.update(pose={joint: [] for joint in JOINTS})
                       for frame in told["frames"]], "frames with their cameras"),
        (lambda told: told.update(width=16_000, height=16_000), "16000 x 16000 px"),
        (lambda told: told.update(height=0), "px; 1 to"),
    ],
)  # fmt: skip
def test_a_description_that_cannot_be_is_a_sentence(clip, tmp_path, change, why):
    write_clip(tmp_path, *clip)
    description = tmp_path / "cameras.json"
    told = json.loads(description.read_text())
    change(told)
    description.write_text(json.dumps(told))
    with pytest.raises(InputError, match=why):
        read_clips(tmp_path)
