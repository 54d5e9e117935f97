"""The commands as a user meets them: files made, sentences and exit codes for what cannot be done."""

import numpy as np
import pytest
from PIL import Image

import zero1toa.api
from zero1toa.cli import main


def run(capsys, *arguments):
    """Exit code and the lines on standard error."""
    code = main([str(a) for a in arguments])
    return code, capsys.readouterr().err.strip().splitlines()


@pytest.fixture
def bad_photo(tmp_path, request):
    path = tmp_path / "photo.png"
    rng = np.random.default_rng(0)
    if request.param == "text":
        path.write_text("this is no picture")
    elif request.param == "truncated":
        Image.fromarray(rng.integers(0, 255, (300, 300, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif request.param == "tiny":
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(path)
    elif request.param == "huge":
        Image.new("1", (10001, 10001)).save(path)
    elif request.param == "no face":
        Image.fromarray(rng.integers(0, 255, (300, 300, 3), np.uint8)).save(path)
    elif request.param == "face of 30 px":
        import skimage.data

        small = Image.fromarray(skimage.data.astronaut()).resize((150, 150), Image.Resampling.BOX)
        canvas = Image.new("RGB", (600, 600), (128, 128, 128))
        canvas.paste(small, (200, 200))
        canvas.save(path)
    elif request.param == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    "bad_photo",
    ["missing", "text", "truncated", "tiny", "huge", "no face", "face of 30 px", "folder"],
    indirect=True,
)
@pytest.mark.parametrize("command", ["fit", "create"])
def test_a_photo_that_cannot_be_used_gets_one_sentence_and_leaves_nothing(bad_photo, command, tmp_path, capsys):
    output = tmp_path / ("out" if command == "fit" else "out.glb")
    code, lines = run(capsys, command, bad_photo, "-o", output, "-q")
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("zero1toa: ")
    assert lines[0].endswith(".")
    assert [p for p in tmp_path.iterdir() if p != bad_photo] == []


def test_a_dog_is_refused(shared_pictures, tmp_path, capsys):
    code, lines = run(capsys, "fit", shared_pictures / "not_a_person_dog.jpg", "-o", tmp_path / "out", "-q")
    assert code == 2
    assert "human" in lines[0]


def test_a_full_profile_is_refused(tmp_path, capsys):
    from zero1toa.camera import Camera
    from zero1toa.heads import load_head
    from zero1toa.heads.mesh_render import shade

    head = load_head()
    image = shade(head.template.numpy(), head.topology, Camera.orbit(90, distance=0.9, size=512))
    Image.fromarray((image * 255).astype(np.uint8)).save(tmp_path / "profile.png")
    code, lines = run(capsys, "fit", tmp_path / "profile.png", "-o", tmp_path / "out", "-q")
    assert code == 2
    assert len(lines) == 1
    assert any(word in lines[0] for word in ("turned", "profile", "face was found")), lines
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["/proc/nothing/out.glb", "taken/out.glb"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(output, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file where a folder is asked for")
    monkeypatch.setattr(zero1toa.api, "fit", lambda *_, **__: pytest.fail("the work began"))
    code, lines = run(capsys, "create", "demo", "-o", output, "-q")
    assert code == 2
    assert "Cannot write" in lines[0]


def test_an_avatar_must_be_a_glb(tmp_path, capsys):
    code, lines = run(capsys, "create", "demo", "-o", tmp_path / "avatar.obj", "-q")
    assert code == 2
    assert "avatar.glb" in lines[0]


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--resume"], "nothing to resume"), (["--preview", "p.jpg"], "p.png"), (["--iterations", "-1"], "-1")],
)
def test_options_of_create_that_cannot_be_followed_are_one_sentence(
    demo_portrait, options, word, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zero1toa.api, "fit", lambda *_, **__: demo_portrait)
    code, lines = run(capsys, "create", "demo", "-o", "a.glb", "--preset", "debug", *options, "-q")
    assert code == 2
    assert len(lines) == 1
    assert word in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_control_c_keeps_the_state_and_says_how_to_go_on(demo_portrait, tmp_path, capsys, monkeypatch):
    from zero1toa.symgen import create

    def stopping(*_):
        def preview(splats, iteration):
            if iteration == 9:
                raise KeyboardInterrupt

        return preview

    monkeypatch.setattr(zero1toa.api, "fit", lambda *_, **__: demo_portrait)
    monkeypatch.setattr(create, "Previewer", stopping)
    arguments = ["create", "demo", "-o", tmp_path / "a.glb", "--preset", "debug", "--preview", tmp_path / "p.png", "-q"]
    code, lines = run(capsys, *arguments)
    assert code == 130
    assert "--resume" in lines[0]
    assert not (tmp_path / "a.glb").exists()
    monkeypatch.undo()
    monkeypatch.setattr(zero1toa.api, "fit", lambda *_, **__: demo_portrait)
    assert run(capsys, *arguments, "--resume")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.glb", "p.png"}


def test_fit_writes_what_it_promises_and_create_goes_on_from_there(tmp_path, capsys):
    assert main(["fit", "demo", "-o", str(tmp_path / "fit"), "-q"]) == 0
    made = {p.name for p in (tmp_path / "fit").iterdir()}
    pictures = {"crop.png", "matte.png", "landmarks.png", "mesh.png", "wireframe.png", "neutral.png", "sheet.png"}
    assert made == {"fit.json"} | pictures
    assert main(["create", str(tmp_path / "fit"), "-o", str(tmp_path / "a.glb"), "--preset", "debug", "-q"]) == 0
    still = tmp_path / "still.png"
    options = ["--size", "64", "--yaw", "20", "-e", "jawOpen=0.5", "mouthSmileLeft=1", "--transparent", "-q"]
    assert main(["render", str(tmp_path / "a.glb"), "-o", str(still), *options]) == 0
    with Image.open(still) as picture:
        assert picture.size == (64, 64)
        assert picture.mode == "RGBA"
    assert main(["render", str(tmp_path / "a.glb"), "-o", str(tmp_path / "all"), "--size", "64", "-q"]) == 0
    assert {p.name for p in (tmp_path / "all").iterdir()} == {"sheet.png", "turntable.mp4"}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["-o", "x.png", "-e", "jawOpen"], "weight"),
        (["-o", "x.png", "-e", "noShape=1"], "noShape"),
        (["-o", "x.tiff"], "x.tiff"),
        (["-o", "x.png", "--size", "1"], "1 px"),
    ],
)
def test_a_picture_that_cannot_be_made_is_refused(debug_avatar, options, word, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    debug_avatar.save("a.glb")
    code, lines = run(capsys, "render", "a.glb", *options)
    assert code == 2
    assert word in lines[0]


def test_a_broken_avatar_is_refused(tmp_path, capsys):
    (tmp_path / "a.glb").write_bytes(b"glTF but not really")
    code, lines = run(capsys, "render", tmp_path / "a.glb", "-o", tmp_path / "x.png")
    assert code == 2
    assert len(lines) == 1


def test_doctor_reports(capsys):
    assert main(["doctor"]) == 0
    assert "torch" in capsys.readouterr().out


def test_control_c_is_one_sentence(monkeypatch, capsys, tmp_path):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(zero1toa.api, "fit", stopped)
    code, lines = run(capsys, "fit", "demo", "-o", tmp_path / "out", "-q")
    assert code == 130
    assert len(lines) == 1
    assert not (tmp_path / "out").exists()
