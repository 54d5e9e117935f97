import json
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from zero1toa.errors import InputError, PriorError
from zero1toa.heads import arkit
from zero1toa.portrait.texture import HeadTexture
from zero1toa.priors import Reference, load_prior
from zero1toa.priors.external import ExternalPrior, read_answer

COPY = """
import shutil, sys, pathlib
folder = pathlib.Path(sys.argv[1])
for path in sorted((folder / "render").iterdir()):
    shutil.copy(path, folder / "out" / path.name)
"""


@pytest.fixture(scope="module")
def reference(subject):
    texture = HeadTexture(subject.textures[0], np.ones(subject.textures[0].shape[:2], np.float32))
    return Reference(subject.portrait(96), subject.head, texture)


@pytest.fixture
def command(tmp_path):
    """A prior whose command is a small Python program; its folders stay in tmp_path / "calls"."""
    calls = tmp_path / "calls"
    calls.mkdir()

    def make(program=COPY, timeout=60.0, **options):
        script = tmp_path / "a model.py"
        script.write_text(program, encoding="utf-8")
        return ExternalPrior(f"'{sys.executable}' '{script}' {{folder}}", timeout, keep=calls, **options)

    make.calls = calls
    return make


def call(prior, reference, drive, video, mode="ddim_inversion", strength=0.8):
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    return prior.regenerate(state, drive, video, strength, mode)


def test_a_command_that_copies_returns_the_render(command, reference, subject, make_drive):
    drive = make_drive((0.0, 40.0))
    video = subject.video(drive)
    answer = call(command(), reference, drive, video)
    torch.testing.assert_close(answer.frames, video.frames, atol=0.003, rtol=0)
    torch.testing.assert_close(answer.alpha, video.alpha)
    assert (answer.confidence == 1).all()
    assert (answer.frames <= answer.alpha).all()


def test_the_background_does_not_change_the_answer(command, reference, subject, make_drive):
    drive = make_drive()
    video = subject.video(drive)
    dark, light = (call(command(background=b), reference, drive, video) for b in (0.1, 0.9))
    torch.testing.assert_close(dark.frames, light.frames, atol=0.006, rtol=0)


def test_what_the_folder_holds(command, reference, subject, make_drive):
    drive = make_drive((0.0, 40.0), jawOpen=0.5)
    call(command(), reference, drive, subject.video(drive))
    (folder,) = command.calls.iterdir()
    description = json.loads((folder / "drive.json").read_text())
    assert description["mode"] == "ddim_inversion" and description["strength"] == 0.8
    assert (description["width"], description["height"]) == (64, 64)
    first, second = description["frames"]
    assert first["expression"]["jawOpen"] == 0.5 and set(first["expression"]) == set(arkit.NAMES)
    np.testing.assert_allclose(second["camera"]["viewmat"], drive.cameras[1].viewmat)
    assert first["pose"]["jaw"] == [0, 0, 0]
    with Image.open(folder / "reference.png") as picture:
        assert picture.size == (96, 96) and picture.mode == "RGB"
    with Image.open(folder / "alpha/00001.png") as picture:
        assert picture.size == (64, 64) and picture.mode == "L"
    landmarks = np.load(folder / "landmarks.npz")
    assert landmarks["frames"].shape == (2, 478, 3) and landmarks["reference"].shape == (478, 3)
    at_front = landmarks["frames"][0, :, :2].mean(0)
    assert np.abs(at_front - 32).max() < 10  # in pixels of the frames


def test_generating_shows_the_command_the_photos_texture(command, reference, subject, make_drive):
    drive = make_drive((10.0,))
    prior = command()
    answer = prior.generate(prior.prepare(reference, torch.Generator()), drive)
    truth = subject.video(drive)
    assert (answer.frames - truth.frames).abs().mean() < 0.02
    (folder,) = command.calls.iterdir()
    assert json.loads((folder / "drive.json").read_text())["mode"] == "generate"


def test_every_call_has_a_seed_of_its_own(command, reference, subject, make_drive):
    drive = make_drive()
    prior = command()
    state = prior.prepare(reference, torch.Generator().manual_seed(0))
    for _ in range(2):
        prior.regenerate(state, drive, subject.video(drive), 1.0, "sdedit")
    seeds = [json.loads((f / "drive.json").read_text())["seed"] for f in command.calls.iterdir()]
    assert len(set(seeds)) == 2


def test_transparent_answers_bring_their_own_coverage(tmp_path):
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[2:6, 2:6] = (255, 128, 0, 255)
    picture[0, 0] = (255, 255, 255, 51)
    Image.fromarray(picture).save(tmp_path / "00000.png")
    answer = read_answer(tmp_path, torch.ones(1, 1, 8, 8), background=1.0)
    torch.testing.assert_close(answer.alpha[0, 0], torch.from_numpy(picture[..., 3] / 255).float())
    torch.testing.assert_close(answer.frames[0, :, 3, 3], torch.tensor([1.0, 128 / 255, 0.0]))
    torch.testing.assert_close(answer.frames[0, :, 0, 0], torch.full((3,), 0.2))


def test_nothing_is_left_behind_by_default(reference, subject, make_drive, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    script = tmp_path / "copy.py"
    script.write_text(COPY)
    drive = make_drive()
    call(ExternalPrior(f"{sys.executable} {script} {{folder}}"), reference, drive, subject.video(drive))
    assert [p.name for p in tmp_path.iterdir()] == ["copy.py"]


BAD = {
    "import sys; print('loading'); sys.exit('CUDA is out of memory')": r"exit code 1: CUDA is out of memory$",
    "import os; os._exit(7)": r"exit code 7: it said nothing",
    "pass": r"wrote 0 of 2 frames; out/00000\.png is missing",
    COPY + "(folder / 'out/00001.png').unlink()": r"wrote 1 of 2 frames; out/00001\.png is missing",
    COPY + "(folder / 'out/00001.png').write_text('no picture')": r"00001\.png, but it is no readable picture",
    COPY + "shutil.rmtree(folder / 'out')": r"wrote 0 of 2 frames",
    COPY
    + "from PIL import Image; Image.new('RGB', (32, 64)).save(folder / 'out/00000.png')": r"32 x 64 px, not 64 x 64",
}


@pytest.mark.parametrize("program", BAD)
def test_a_bad_answer_is_one_sentence(command, reference, subject, make_drive, program):
    drive = make_drive((0.0, 20.0))
    with pytest.raises(PriorError, match=BAD[program]) as caught:
        call(command(program), reference, drive, subject.video(drive))
    assert "\n" not in str(caught.value)


def test_a_command_that_hangs_is_stopped(command, reference, subject, make_drive, tmp_path):
    """With what it started itself."""
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    program = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    drive = make_drive()
    with pytest.raises(PriorError, match="longer than 1 s"):
        call(command(program, timeout=1.0), reference, drive, subject.video(drive))
    time.sleep(2)
    assert not mark.exists()


def test_commands_that_cannot_be_run(reference, subject, make_drive, tmp_path):
    drive = make_drive()
    with pytest.raises(InputError, match="'no-such-model' was not found"):
        call(ExternalPrior("no-such-model {folder}"), reference, drive, subject.video(drive))
    plain = tmp_path / "plain.txt"
    plain.write_text("text")
    with pytest.raises(InputError, match="cannot be run: permission denied"):
        call(ExternalPrior(f"{plain} {{folder}}"), reference, drive, subject.video(drive))
    for bad, words in (("", "needs a command"), ("run 'it {folder}", "cannot be read"), ("run it", "where {folder}")):
        with pytest.raises(InputError, match=words):
            load_prior("external", command=bad)


def test_the_command_is_no_shell_line(command, reference, subject, make_drive, tmp_path):
    mark = tmp_path / "mark"
    drive = make_drive()
    prior = ExternalPrior(f"{sys.executable} -c pass {{folder}} ; touch {mark}")
    with pytest.raises(PriorError, match="0 of 1"):
        call(prior, reference, drive, subject.video(drive))
    assert not mark.exists()
    assert load_prior("external", command="run {folder}", timeout=5).timeout == 5
