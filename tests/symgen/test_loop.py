"""The SymGEN loop: what it trains on, when it asks the prior, and that it can be stopped and resumed."""

from dataclasses import replace

import pytest
import torch

import zero1toa
from zero1toa.config import PRESETS, CurriculumConfig
from zero1toa.errors import InputError
from zero1toa.priors import Video
from zero1toa.priors.reprojection import ReprojectionPrior
from zero1toa.symgen.checkpoint import Workspace, fingerprint
from zero1toa.symgen.create import create_avatar

TINY = replace(
    PRESETS["debug"],
    size=48,
    texture_size=128,
    iterations=8,
    update_interval=2,
    curriculum=CurriculumConfig(frames=2, spatial_clips=2, synthetic_clips=1, real_clips=1),
)


class RecordingPrior(ReprojectionPrior):
    """Writes down what it is asked."""

    def __init__(self):
        self.calls = []

    def generate(self, state, drive):
        self.calls.append(("generate", len({id(camera) for camera in drive.cameras}), len(drive.cameras)))
        return super().generate(state, drive)

    def regenerate(self, state, drive, video, strength, mode):
        self.calls.append(("regenerate", len({id(camera) for camera in drive.cameras}), len(drive.cameras)))
        assert video.frames.shape[0] == len(drive.cameras)
        return super().regenerate(state, drive, video, strength, mode)


def run(portrait, config, **more):
    prior = RecordingPrior()
    return create_avatar(portrait, config, prior=prior, **more), [call[0] for call in prior.calls], prior.calls


def test_clips_are_made_when_their_stage_begins_and_made_again_at_every_update(demo_portrait):
    _, kinds, calls = run(demo_portrait, TINY)
    # two spatial clips at 0; updates at 2; the synthetic one at 4; the real one at round(.8 * 8) = 6
    assert kinds == ["generate", "generate", "regenerate", "generate", "generate"]
    assert calls[0][1] == 1  # only the front is open at the start
    _, kinds, _ = run(demo_portrait, replace(TINY, update_interval=1))
    assert kinds.count("regenerate") == 5  # none at 0, 4 and 6, where clips are new


def test_a_dataset_that_is_made_once_is_never_updated_and_shows_all_cameras(demo_portrait):
    _, kinds, calls = run(demo_portrait, replace(TINY, guidance="once"))
    assert set(kinds) == {"generate"}
    assert calls[0][1] == 2


def test_score_distillation_asks_for_every_render_and_keeps_no_dataset(demo_portrait):
    config = replace(TINY, guidance="sds", photo_share=0.0)
    avatar, kinds, calls = run(demo_portrait, config)
    assert kinds == ["regenerate"] * config.iterations
    assert {call[2] for call in calls} == {1}
    assert avatar.provenance["guidance"] == "sds"


def test_the_avatar_learns_what_the_prior_says(demo_portrait):
    class Red(ReprojectionPrior):
        def generate(self, state, drive):
            video = super().generate(state, drive)
            red = torch.tensor([1.0, 0, 0]).reshape(3, 1, 1) * video.alpha
            return Video(red, video.alpha, torch.ones_like(video.alpha))

    config = replace(TINY, guidance="once", photo_share=0.0, iterations=40)
    before = create_avatar(demo_portrait, replace(config, iterations=0))
    after = create_avatar(demo_portrait, config, prior=Red())
    camera = before.front_camera(size=48)

    def redness(avatar):
        picture = avatar.render(camera, background=(0, 0, 0))
        return (picture[..., 0] - picture[..., 1:].mean(-1)).mean()

    assert redness(after) > redness(before) + 0.01


class Stopped(Exception):
    pass


def stop_at(iteration):
    def preview(splats, done):
        if done == iteration:
            raise Stopped

    return preview


@pytest.mark.parametrize("stop", [1, 5, 7])
def test_a_run_that_was_stopped_goes_on_to_the_same_avatar(demo_portrait, tmp_path, monkeypatch, stop):
    config = replace(TINY, density=replace(PRESETS["fast"].density, interval=3))
    whole = create_avatar(demo_portrait, config)
    monkeypatch.setattr("zero1toa.symgen.create.Previewer", lambda *_: stop_at(stop))
    with pytest.raises(Stopped):
        create_avatar(demo_portrait, config, workspace=tmp_path / "work", preview=tmp_path / "p.png")
    resumed = create_avatar(demo_portrait, config, workspace=tmp_path / "work", resume=True)
    for name, values in whole.splats._asdict().items():
        assert torch.equal(values, getattr(resumed.splats, name)), name
    assert not (tmp_path / "work").exists()


def test_a_state_of_another_run_is_refused(demo_portrait, tmp_path):
    work = Workspace(tmp_path / "w", fingerprint(demo_portrait, TINY), resume=False)
    work.save({"iteration": 3})
    assert Workspace(tmp_path / "w", fingerprint(demo_portrait, TINY), resume=True).load()["iteration"] == 3
    with pytest.raises(InputError, match="other options"):
        Workspace(tmp_path / "w", fingerprint(demo_portrait, replace(TINY, seed=1)), resume=True)
    (tmp_path / "w" / "state.pt").write_bytes(b"no state")
    with pytest.raises(InputError, match="cannot be read"):
        Workspace(tmp_path / "w", fingerprint(demo_portrait, TINY), resume=True)
    with pytest.raises(InputError, match="nothing to resume"):
        Workspace(tmp_path / "nowhere", "x", resume=True)


def test_preview_and_dataset_are_written(demo_portrait, tmp_path):
    zero1toa.create(
        demo_portrait,
        config=TINY,
        preview=tmp_path / "p.png",
        dataset=tmp_path / "clips",
    )
    assert (tmp_path / "p.png").stat().st_size > 1000
    assert len(list((tmp_path / "clips").glob("clip-*.png"))) == 4
